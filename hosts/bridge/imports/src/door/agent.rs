//! Messages to the agent, by a POST each.

use std::cell::RefCell;

use serde::Serialize;

use super::{Component, MAX_USER_ID_BYTES, log};
use crate::bindings::exports::tinyclaw::bridge::effects::Lost;
use crate::bindings::exports::tinyclaw::plugin::agent::{Error, Guest, Ticket};
use crate::post::post;
use crate::settings;
use crate::tickets::Tickets;

/// Bytes of a message: what the plugin takes, and as much again.
const MAX_MESSAGE_BYTES: u32 = 128 * 1024;
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
    static TICKETS: RefCell<Tickets> = RefCell::default();
}

impl Guest for Component {
    fn enqueue(user: String, message: String) -> Result<Ticket, Error> {
        if user.is_empty() || user.len() > MAX_USER_ID_BYTES {
            return Err(Error::InvalidUserId);
        }
        if message.len() > MAX_MESSAGE_BYTES as usize {
            return Err(Error::MessageTooLong(MAX_MESSAGE_BYTES));
        }
        let key = settings::own("BRIDGE_TOKEN").unwrap_or_default();
        let ticket = TICKETS.with_borrow_mut(|tickets| tickets.next(&key, &user, &message));
        TURNS.with_borrow_mut(|turns| turns.push(Turn::Message { ticket, user, message }));
        Ok(ticket)
    }

    fn cancel(ticket: Ticket) {
        TURNS.with_borrow_mut(|turns| turns.push(Turn::Cancel { ticket }));
    }
}

/// Forgets what waits to be told of a message that has been answered: an instance that has just begun puts it in the queue
/// again, and then hears of the answer.
pub(super) fn answered(ticket: Ticket) {
    TURNS.with_borrow_mut(|turns| {
        turns.retain(|turn| {
            let (Turn::Message { ticket: other, .. } | Turn::Cancel { ticket: other }) = turn;
            *other != ticket
        });
    });
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
