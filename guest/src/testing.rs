//! A host for tests: it remembers what it was told and answers what the test has set.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::cell::Cell;
use std::collections::BTreeMap;

use channel_plugin::{
    CloseReason, EnqueueError, Host, MemoryError, PublishError, Random, Response, Subscription, Terms, Ticket,
    Unreadable, WakeError,
};

thread_local! {
    static DRAWN: Cell<u64> = const { Cell::new(1) };
    static MAY_WAIT: Cell<bool> = const { Cell::new(false) };
}

/// Sets whether changes may be left open from now on.
pub(crate) fn let_changes_wait(may_wait: bool) {
    MAY_WAIT.set(may_wait);
}

/// What a test host was told, in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Published(String, String),
    Responded(String, Response),
    Closed(String, CloseReason),
    Cancelled(Ticket),
    Woken(String, Terms),
    WakeCancelled(String),
}

/// A host without anything behind it.
#[derive(Debug, Default)]
pub(crate) struct FakeHost {
    pub(crate) now_ms: i64,
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) no_secrets: bool,
    /// Messages in the agent's queue; the ticket is the index plus one.
    pub(crate) queue: Vec<(String, String)>,
    /// What the queue answers instead of a ticket.
    pub(crate) queue_error: Option<EnqueueError>,
    /// Who was introduced, as `USER: NAME`.
    pub(crate) introduced: Vec<String>,
    /// What the agent has noted, by user.
    pub(crate) notes: BTreeMap<String, Vec<String>>,
    /// What is kept cannot be read.
    pub(crate) memory_is_lost: bool,
    /// Connections that every topic has.
    pub(crate) connections: u32,
    /// Longest frame taken; 0 for any.
    pub(crate) max_frame_bytes: usize,
    pub(crate) told: Vec<Told>,
}

impl FakeHost {
    /// Frames published to a topic since the last look at anything.
    pub(crate) fn published(&self, topic: &str) -> Vec<&str> {
        self.told
            .iter()
            .filter_map(|told| match told {
                Told::Published(name, frame) if name == topic => Some(frame.as_str()),
                _ => None,
            })
            .collect()
    }

    /// Whether a topic was closed.
    pub(crate) fn has_closed(&self, topic: &str) -> bool {
        self.told
            .iter()
            .any(|told| matches!(told, Told::Closed(name, _) if name == topic))
    }
}

/// Bytes that look random and are never the same twice in a test.
fn scramble(bytes: &mut [u8]) {
    for byte in bytes {
        DRAWN.with(|drawn| {
            let next = drawn
                .get()
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            drawn.set(next);
            *byte = u8::try_from(next >> 56).unwrap();
        });
    }
}

impl Host for FakeHost {
    fn now_ms(&mut self) -> i64 {
        self.now_ms
    }

    fn random(&mut self) -> Random {
        Random::new(scramble)
    }

    fn setting(&mut self, key: &str) -> Result<Option<String>, Unreadable> {
        Ok(self.settings.get(key).cloned())
    }

    fn secret(&mut self, name: &str) -> Result<Vec<u8>, Unreadable> {
        if self.no_secrets {
            return Err(Unreadable {
                what: name.to_owned(),
                reason: "not granted".to_owned(),
            });
        }
        Ok(b"a secret of the test host".to_vec())
    }

    fn may_wait(&self) -> fn() -> bool {
        || MAY_WAIT.get()
    }

    fn enqueue(&mut self, user_id: &str, message: &str) -> Result<Ticket, EnqueueError> {
        if let Some(error) = &self.queue_error {
            return Err(error.clone());
        }
        self.queue.push((user_id.to_owned(), message.to_owned()));
        Ok(Ticket::try_from(self.queue.len()).unwrap())
    }

    fn cancel(&mut self, ticket: Ticket) {
        self.told.push(Told::Cancelled(ticket));
    }

    fn introduce(&mut self, user_id: &str, name: &str) -> Result<(), MemoryError> {
        if self.memory_is_lost {
            return Err(MemoryError::Other("no memory".to_owned()));
        }
        self.introduced.push(format!("{user_id}: {name}"));
        Ok(())
    }

    fn notes(&mut self, user_id: &str) -> Result<Vec<String>, MemoryError> {
        if self.memory_is_lost {
            return Err(MemoryError::Other("no memory".to_owned()));
        }
        Ok(self.notes.get(user_id).cloned().unwrap_or_default())
    }

    fn forget(&mut self, user_id: &str, note: &str) -> Result<(), MemoryError> {
        let notes = self.notes.entry(user_id.to_owned()).or_default();
        let at = notes
            .iter()
            .position(|own| own == note)
            .ok_or(MemoryError::UnknownNote)?;
        notes.remove(at);
        Ok(())
    }

    fn publish(&mut self, topic: &str, frame: &[u8]) -> Result<u32, PublishError> {
        if self.max_frame_bytes > 0 && frame.len() > self.max_frame_bytes {
            return Err(PublishError::TooLong {
                max_bytes: u32::try_from(self.max_frame_bytes).unwrap(),
            });
        }
        self.told.push(Told::Published(
            topic.to_owned(),
            String::from_utf8(frame.to_vec()).unwrap(),
        ));
        Ok(self.connections)
    }

    fn listeners(&mut self, _topic: &str) -> u32 {
        self.connections
    }

    fn wake_key(&mut self) -> Option<Vec<u8>> {
        Some(vec![4; 65])
    }

    fn check_wake(&mut self, subscription: &Subscription) -> Result<(), WakeError> {
        let is_public = subscription.endpoint.starts_with("https://");
        is_public
            .then_some(())
            .ok_or_else(|| WakeError::Refused("the endpoint is not public".to_owned()))
    }

    fn wake(&mut self, subscription: &Subscription, terms: Terms) -> Result<(), WakeError> {
        self.told.push(Told::Woken(subscription.endpoint.clone(), terms));
        Ok(())
    }

    fn cancel_wake(&mut self, endpoint: &str) {
        self.told.push(Told::WakeCancelled(endpoint.to_owned()));
    }

    fn respond(&mut self, topic: &str, response: Response) -> Result<u32, PublishError> {
        self.told.push(Told::Responded(topic.to_owned(), response));
        Ok(self.connections)
    }

    fn close(&mut self, topic: &str, reason: CloseReason) -> Result<u32, PublishError> {
        self.told.push(Told::Closed(topic.to_owned(), reason));
        Ok(self.connections)
    }
}
