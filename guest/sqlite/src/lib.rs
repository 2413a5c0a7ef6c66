//! SQLite for one WebAssembly component: a connection, its statements and rows, over `wasi:filesystem`.
//!
//! Database files live in the component's first preopened directory and are owned by this instance alone.
//! What a committed transaction wrote has been synced; every error keeps SQLite's code and WASI's reason.
//! On any other target this crate is empty, but for tests of its own parts on something that stands in for SQLite.
#![cfg(any(target_family = "wasm", test))]
#![allow(unsafe_code, reason = "SQLite is C; every block says why it is sound")]
#![warn(clippy::undocumented_unsafe_blocks)]

mod buffer;
mod cache;
mod connection;
#[cfg(not(target_family = "wasm"))]
mod double;
mod error;
#[cfg(target_family = "wasm")]
mod file;
mod handle;
mod name;
mod row;
mod statement;
#[cfg(not(target_family = "wasm"))]
mod tests;
mod value;
#[cfg(target_family = "wasm")]
mod vfs;

#[cfg(not(target_family = "wasm"))]
use double as ffi;
#[cfg(not(target_family = "wasm"))]
use double::vfs;
#[cfg(target_family = "wasm")]
use sqlite_wasm_rs as ffi;

pub use connection::Connection;
pub use error::{Constraint, Error, ErrorKind, Result};
#[cfg(target_family = "wasm")]
pub use file::{copy, exists, same};
pub use row::{FromColumn, Row};
pub use value::Value;
