//! Drives the real harness: its program, its sockets, its files.
//!
//! A test starts a [`Harness`] on a data directory of its own, makes [`Friend`]s and reads their [`Events`]. Nothing
//! here waits for time to pass: what is awaited is read, and a test that waits for [`DEADLINE`] has failed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod agent;
mod answer;
pub mod browser;
mod cluster;
mod connection;
mod crowd;
mod data;
mod events;
mod friend;
pub mod fuzzing;
mod harness;
mod invite;
mod lines;
pub mod log;
mod model;
mod owner;
mod process;
mod proxy;
mod push_service;
mod registry;
mod secrets;
mod socket;
mod sse;
mod tenant;
mod terminal;
mod twin;
mod watcher;

pub use agent::{Gate, Gates, Script};
pub use answer::Answer;
pub use cluster::{Cluster, Node};
pub use connection::{Connection, Incoming};
pub use crowd::{Visitor, loopback};
pub use data::{Data, fixture, free_port, wasm};
pub use events::Events;
pub use friend::{COOKIE, Friend};
pub use harness::Harness;
pub use invite::Invite;
pub use lines::Lines;
pub use model::{Asked, Model, Reply, end, piece};
pub use owner::Owner;
pub use process::{Outcome, Process};
pub use proxy::Proxy;
pub use push_service::{Arrived, PushService, Subscriber};
pub use registry::{FalseRegistry, LOGIN, MANIFEST, Registry, Request, Sent, manifest};
pub use rustix::process::Signal;
pub use secrets::remember as remember_secret;
pub use socket::{Received, Socket};
pub use sse::{Event, Parser};
pub use tenant::Tenant;
pub use terminal::Terminal;
pub use tungstenite::Message;
pub use twin::twin;
pub use watcher::{Metrics, Watcher};

/// Time after which what has not happened is taken to never happen. Far above what anything here takes, so that a
/// busy machine fails no test.
pub const DEADLINE: std::time::Duration = std::time::Duration::from_secs(60);
