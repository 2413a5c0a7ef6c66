//! Many owners in one harness. Observed as their friends see it, on real sockets and files: each owner has a chat of its own,
//! sleeps when nobody needs it, and notices nothing of the others.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod apart;
mod changes;
mod sleep;
