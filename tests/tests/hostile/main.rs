//! Whatever a plugin does, the host's time and memory are bounded, other visitors are served, what a failed call asked
//! for never leaves, and the log names the limit. Observed by serving small plugins that misbehave, one a behaviour, in
//! the real program. The test of a plugin bears its name; each limit is gone up to and beyond.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod answers;
mod contract;
mod files;
mod floods;
mod grants;
mod healing;
mod host;
mod limits;
mod memory;
mod time;
mod visitors;

use answers::{answers_gigantic, answers_malformed};
use contract::{answers_999, answers_within, misnames_tools, starts_twice};
use files::{fills_disk, walks_out};
use floods::{floods_log, floods_publish, floods_queue, forges_log};
use grants::{asks_around, asks_network, asks_notes, calls_back, lies_about_version, speaks_unasked};
use healing::{spoils_files, traps_every_third, traps_on_start};
use memory::{eats_memory, recurses};
use time::{never_starts, never_stops, sleeps, spins};

// One entry a fixture: a fixture whose test is missing is a name that there is not.
include!(concat!(env!("OUT_DIR"), "/fixtures.rs"));
