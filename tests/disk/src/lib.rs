//! A directory as a disk may treat it: it fails when told to, and a power cut leaves of it what a real disk might keep.
//!
//! Operations of `wasi:filesystem` are carried out on the directory, and of the watched files each change is recorded
//! until it is synced. So a program finds a file system that behaves, and a test what it would find after a crash.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod control;
mod disk;
mod fault;
mod filesystem;
mod medium;
mod power;
mod random;

pub use disk::Disk;
pub use fault::Fault;
pub use random::Random;
