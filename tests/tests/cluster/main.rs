//! Chats on several machines. Observed as friends see it who have one edge all the time, while nodes come, go, and are replaced:
//! real processes and a real NATS.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod chatting;
mod failures;
mod moving;
mod workers;
