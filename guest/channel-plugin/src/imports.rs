//! The host as the plugin sees it, by the component's imports.

use crate::bindings::tinyclaw::plugin::{agent, commits, memory, push, secrets, web_push};
use crate::bindings::wasi::clocks::wall_clock;
use crate::bindings::wasi::config::store;
use crate::bindings::wasi::random::random::get_random_bytes;
use crate::door::to_wit;
use crate::host::{
    CloseReason, EnqueueError, Host, MemoryError, PublishError, Subscription, Terms, Ticket, Unreadable, Urgency,
    WakeError,
};
use crate::random::Random;
use crate::response::Response;

/// Every import that the plugin uses.
pub(crate) struct Imports;

impl Host for Imports {
    fn now_ms(&mut self) -> i64 {
        let now = wall_clock::now();
        let ms = now
            .seconds
            .saturating_mul(1_000)
            .saturating_add(u64::from(now.nanoseconds) / 1_000_000);
        i64::try_from(ms).unwrap_or(i64::MAX)
    }

    fn random(&mut self) -> Random {
        Random::new(fill)
    }

    fn setting(&mut self, key: &str) -> Result<Option<String>, Unreadable> {
        store::get(key).map_err(|error| {
            let (store::Error::Upstream(reason) | store::Error::Io(reason)) = error;
            Unreadable {
                what: key.to_owned(),
                reason,
            }
        })
    }

    fn secret(&mut self, name: &str) -> Result<Vec<u8>, Unreadable> {
        secrets::get(name).map_err(|error| {
            let reason = match error {
                secrets::Error::NotGranted => "the configuration does not grant it".to_owned(),
                secrets::Error::Other(reason) => reason,
            };
            Unreadable {
                what: format!("the secret {name}"),
                reason,
            }
        })
    }

    fn may_wait(&self) -> fn() -> bool {
        commits::may_wait
    }

    fn enqueue(&mut self, user_id: &str, message: &str) -> Result<Ticket, EnqueueError> {
        agent::enqueue(user_id, message).map_err(|error| match error {
            agent::Error::QueueFull(full) => EnqueueError::Full {
                retry_after_ms: full.retry_after_ms,
            },
            agent::Error::MessageTooLong(max_bytes) => EnqueueError::TooLong { max_bytes },
            agent::Error::InvalidUserId => EnqueueError::Other("not a user id".to_owned()),
            agent::Error::Other(reason) => EnqueueError::Other(reason),
        })
    }

    fn cancel(&mut self, ticket: Ticket) {
        agent::cancel(ticket);
    }

    fn introduce(&mut self, user_id: &str, name: &str) -> Result<(), MemoryError> {
        memory::introduce(user_id, name).map_err(not_kept)
    }

    fn notes(&mut self, user_id: &str) -> Result<Vec<String>, MemoryError> {
        memory::notes(user_id).map_err(not_kept)
    }

    fn forget(&mut self, user_id: &str, note: &str) -> Result<(), MemoryError> {
        memory::forget(user_id, note).map_err(not_kept)
    }

    fn publish(&mut self, topic: &str, frame: &[u8]) -> Result<u32, PublishError> {
        push::publish(topic, frame).map_err(refused)
    }

    fn listeners(&mut self, topic: &str) -> u32 {
        push::listeners(topic)
    }

    fn respond(&mut self, topic: &str, response: Response) -> Result<u32, PublishError> {
        push::respond(topic, &to_wit(response)).map_err(refused)
    }

    fn close(&mut self, topic: &str, reason: CloseReason) -> Result<u32, PublishError> {
        push::close(
            topic,
            &push::Reason {
                code: reason.code,
                text: reason.text.to_owned(),
            },
        )
        .map_err(refused)
    }

    fn wake_key(&mut self) -> Option<Vec<u8>> {
        web_push::public_key()
    }

    fn check_wake(&mut self, subscription: &Subscription) -> Result<(), WakeError> {
        web_push::check(&subscription.into()).map_err(not_woken)
    }

    fn wake(&mut self, subscription: &Subscription, terms: Terms) -> Result<(), WakeError> {
        let urgency = match terms.urgency {
            Urgency::Low => web_push::Urgency::Low,
            Urgency::Normal => web_push::Urgency::Normal,
            Urgency::High => web_push::Urgency::High,
        };
        let terms = web_push::Terms {
            urgency,
            ttl_s: terms.ttl_s,
            delay_ms: terms.delay_ms,
        };
        web_push::send(&subscription.into(), terms).map_err(not_woken)
    }

    fn cancel_wake(&mut self, endpoint: &str) {
        web_push::cancel(endpoint);
    }
}

impl From<&Subscription> for web_push::Subscription {
    fn from(subscription: &Subscription) -> Self {
        Self {
            endpoint: subscription.endpoint.clone(),
            p256dh: subscription.p256dh.clone(),
            auth: subscription.auth.clone(),
        }
    }
}

fn not_woken(error: web_push::Error) -> WakeError {
    match error {
        web_push::Error::Unavailable => WakeError::Unavailable,
        web_push::Error::Refused(sentence) => WakeError::Refused(sentence),
        web_push::Error::TooMany => WakeError::Other("too many wait already".to_owned()),
        web_push::Error::Other(reason) => WakeError::Other(reason),
    }
}

fn not_kept(error: memory::Error) -> MemoryError {
    match error {
        memory::Error::UnknownNote => MemoryError::UnknownNote,
        memory::Error::InvalidUserId => MemoryError::Other("not a user id".to_owned()),
        memory::Error::InvalidName => MemoryError::Other("not a name".to_owned()),
        memory::Error::Storage(reason) | memory::Error::Other(reason) => MemoryError::Other(reason),
    }
}

fn refused(error: push::Error) -> PublishError {
    match error {
        push::Error::FrameTooLong(max_bytes) => PublishError::TooLong { max_bytes },
        push::Error::InvalidTopic => PublishError::Other("not a topic".to_owned()),
        push::Error::TooMany => PublishError::Other("too much was published in one call".to_owned()),
        push::Error::Other(reason) => PublishError::Other(reason),
    }
}

/// The host may give fewer bytes at a time than were asked for.
fn fill(mut bytes: &mut [u8]) {
    while !bytes.is_empty() {
        let drawn = get_random_bytes(bytes.len() as u64);
        let count = drawn.len().min(bytes.len());
        let (filled, rest) = bytes.split_at_mut(count);
        filled.copy_from_slice(drawn.get(..count).unwrap_or_default());
        bytes = rest;
    }
}
