//! SQLite for one WebAssembly component: a connection, its statements and rows, over `wasi:filesystem`.
//!
//! Database files live in the component's first preopened directory and are owned by this instance alone.
//! What a committed transaction wrote has been synced; every error keeps SQLite's code and WASI's reason.
//! On any other target this crate is empty.
#![cfg(target_family = "wasm")]
#![allow(unsafe_code, reason = "SQLite is C; every block says why it is sound")]
#![warn(clippy::undocumented_unsafe_blocks)]

mod cache;
mod connection;
mod error;
mod file;
mod handle;
mod row;
mod statement;
mod value;
mod vfs;

pub use connection::Connection;
pub use error::{Constraint, Error, ErrorKind, Result};
pub use file::{copy, exists, same};
pub use row::{FromColumn, Row};
pub use value::Value;
