//! The front door: what is no request is turned away, who takes too much or too long is let go of, and friends come in
//! by HTTP/1.1 and HTTP/2, with TLS and without. Observed at raw sockets and at clients of the protocols' own crates.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod client;
mod descriptors;
mod http2;
mod shapes;
mod tls;
mod waits;
