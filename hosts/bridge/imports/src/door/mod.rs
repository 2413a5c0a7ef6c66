//! The component's exports.

mod agent;
mod config;
mod effects;
mod log;
mod nothing;
mod push;

/// What the exports are implemented on.
pub(crate) struct Component;

/// User ids and topics, as the contract bounds them.
const MAX_USER_ID_BYTES: usize = 128;

fn random(bytes: u64) -> Vec<u8> {
    crate::bindings::wasi::random::random::get_random_bytes(bytes)
}
