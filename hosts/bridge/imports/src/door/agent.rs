//! Messages to the agent, by a POST each.

use std::cell::{Cell, RefCell};

use serde::Serialize;

use super::{Component, MAX_USER_ID_BYTES, log, random};
use crate::bindings::exports::tinyclaw::bridge::effects::Lost;
use crate::bindings::exports::tinyclaw::plugin::agent::{Error, Guest, Ticket};
use crate::post::post;

/// Bytes of a message: what the plugin takes, and as much again.
const MAX_MESSAGE_BYTES: u32 = 128 * 1024;
/// Tickets of one instance, in bits: with the random part above them a number that JSON carries exactly.
const COUNTED_BITS: u32 = 20;

/// What the agent is told.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Turn {
    Message {
        ticket: Ticket,
        user: String,
        message: String,
    },
    Cancel {
        ticket: Ticket,
    },
}

thread_local! {
    static TURNS: RefCell<Vec<Turn>> = const { RefCell::new(Vec::new()) };
    static LATEST: Cell<Ticket> = Cell::new(first());
}

impl Guest for Component {
    fn enqueue(user: String, message: String) -> Result<Ticket, Error> {
        if user.is_empty() || user.len() > MAX_USER_ID_BYTES {
            return Err(Error::InvalidUserId);
        }
        if message.len() > MAX_MESSAGE_BYTES as usize {
            return Err(Error::MessageTooLong(MAX_MESSAGE_BYTES));
        }
        let ticket = LATEST.get().saturating_add(1);
        LATEST.set(ticket);
        TURNS.with_borrow_mut(|turns| turns.push(Turn::Message { ticket, user, message }));
        Ok(ticket)
    }

    fn cancel(ticket: Ticket) {
        TURNS.with_borrow_mut(|turns| turns.push(Turn::Cancel { ticket }));
    }
}

/// Tells the agent what waits to be told.
pub(super) fn hand_over() -> Vec<Lost> {
    let mut lost = Vec::new();
    for turn in TURNS.take() {
        match (post("BRIDGE_AGENT", &turn), &turn) {
            (Ok(()), _) => {}
            (Err(error), Turn::Message { ticket, .. }) => lost.push(Lost {
                ticket: *ticket,
                reason: format!("the agent did not take it: {error}"),
            }),
            // It will be told again that nobody waits, when it answers.
            (Err(error), Turn::Cancel { .. }) => log::warn(&format!("the agent was not told to stop: {error}")),
        }
    }
    lost
}

/// Another number in each instance, as the agent may still have messages of an earlier one.
fn first() -> Ticket {
    let random = random(4).iter().fold(0, |sum, byte| sum << 8 | Ticket::from(*byte));
    random << COUNTED_BITS
}
