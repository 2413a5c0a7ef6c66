//! Connections that are held, and what comes on them.

use std::task::{Poll, Waker};

use host_harness::plugin::Accepted;
use host_harness::push::{End, Held, Next};

use super::account::Account;
use super::check;

/// A connection.
pub(super) struct Connection {
    pub(super) browser: usize,
    pub(super) username: Option<String>,
    pub(super) wire: Wire,
    pub(super) held: Held,
}

/// In which form it gets what comes.
pub(super) enum Wire {
    Stream,
    Socket(Accepted),
    /// One response, later.
    Json,
}

/// The connections of a run.
#[derive(Default)]
pub(super) struct Connections(pub(super) Vec<Connection>);

impl Connections {
    /// Reads what has come on every connection, and lets go of those that have ended.
    pub(super) fn read(&mut self, account: &Account, agent_has_failed: bool) {
        self.0.retain(|connection| connection.read(account, agent_has_failed));
    }

    /// The latest socket of a browser.
    pub(super) fn socket(&mut self, browser: usize) -> Option<&mut Accepted> {
        let connections = self.0.iter_mut().rev();
        connections
            .filter(|connection| connection.browser == browser)
            .find_map(|connection| match &mut connection.wire {
                Wire::Socket(socket) => Some(socket),
                Wire::Stream | Wire::Json => None,
            })
    }

    /// Takes the latest socket of a browser away.
    pub(super) fn take_socket(&mut self, browser: usize) -> Option<Accepted> {
        let is_socket = |connection: &Connection| matches!(connection.wire, Wire::Socket(_));
        let at = self
            .0
            .iter()
            .rposition(|connection| connection.browser == browser && is_socket(connection))?;
        match self.0.remove(at).wire {
            Wire::Socket(socket) => Some(socket),
            Wire::Stream | Wire::Json => None,
        }
    }

    /// Whether a friend has one.
    pub(super) fn has_any_of(&self, username: &str) -> bool {
        let mut connections = self.0.iter();
        connections.any(|connection| connection.username.as_deref() == Some(username))
    }
}

impl Connection {
    /// Whether it is still held when all that has come is read.
    fn read(&self, account: &Account, agent_has_failed: bool) -> bool {
        loop {
            match (self.held.poll_next(Waker::noop()), &self.wire) {
                (Poll::Pending, _) => return true,
                (Poll::Ready(Next::Frame(frame)), Wire::Stream) => {
                    check::stream(&frame);
                    account.assert_no_secret(std::str::from_utf8(&frame).unwrap());
                }
                (Poll::Ready(Next::Frame(frame)), Wire::Socket(_)) => {
                    let message = std::str::from_utf8(&frame).unwrap();
                    check::event(message);
                    account.assert_no_secret(message);
                }
                (Poll::Ready(Next::End(End::Closed(reason))), _) => {
                    assert!([1000, 1001, 1012, 4401].contains(&reason.code), "{reason:?}");
                    return false;
                }
                (Poll::Ready(Next::End(End::Answered(response))), Wire::Json) => {
                    check::response(&response, false);
                    assert!(response.status != 502 || agent_has_failed, "the agent has not failed");
                    account.assert_no_secret_in(&response);
                    return false;
                }
                (Poll::Ready(next), _) => panic!("{next:?} does not belong on this connection"),
            }
        }
    }
}
