//! Strangers, other sites, thieves and floods, against the running harness. One file for what is attacked; observed by
//! what the attacker gets, and by what those who belong here still have afterwards.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod codes;
mod fetchers;
mod sessions;
mod sites;
