//! Bounds on what a plugin answers. What is beyond them is not sent: the client is told that the answer cannot be.

use super::bindings::exports::tinyclaw::plugin::socket::Opening;
use super::bindings::tinyclaw::plugin::http_types::{Hold, Response};
use crate::limits::{Limit, Limits};

impl Limits {
    /// The bound that a response breaks.
    pub(crate) fn broken_by(&self, response: &Response) -> Option<Limit> {
        let bytes = |(name, value): &(String, Vec<u8>)| name.len() + value.len();
        let header_bytes = response.headers.iter().map(bytes).sum();
        self.first_broken(&[
            (
                Limit::response_body_bytes,
                response.body.len(),
                self.response_body_bytes,
            ),
            (Limit::response_headers, response.headers.len(), self.response_headers),
            (Limit::response_header_bytes, header_bytes, self.response_header_bytes),
        ])
        .or_else(|| response.hold.as_ref().and_then(|hold| self.broken_by_hold(hold)))
    }

    /// The bound that an answer to a WebSocket's handshake breaks.
    pub(super) fn broken_by_opening(&self, opening: &Opening) -> Option<Limit> {
        match opening {
            Opening::Refused(response) => self.broken_by(response),
            Opening::Accepted(accepted) => self
                .broken_by_messages(&accepted.messages)
                .or_else(|| self.broken_by_hold(&accepted.hold)),
        }
    }

    /// The bound that messages to one WebSocket break.
    pub(super) fn broken_by_messages(&self, messages: &[String]) -> Option<Limit> {
        let bytes = messages.iter().map(String::len).sum();
        self.first_broken(&[(Limit::response_body_bytes, bytes, self.response_body_bytes)])
    }

    fn broken_by_hold(&self, hold: &Hold) -> Option<Limit> {
        self.first_broken(&[(Limit::topics_per_hold, hold.topics.len(), self.topics_per_hold)])
    }

    fn first_broken(&self, amounts: &[(Limit, usize, usize)]) -> Option<Limit> {
        for (limit, amount, most) in amounts {
            if amount > most {
                return Some(*limit);
            }
            self.note(*limit, *amount);
        }
        None
    }
}
