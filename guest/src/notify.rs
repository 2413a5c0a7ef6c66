//! Telling a friend who is not looking that there is something new. A page that is open does it by itself; browsers
//! without one are woken by the host. Nothing of the conversation leaves with that.

use channel_plugin::{Host, Terms, Urgency, WakeError};

use crate::service::Service;
use crate::store::StoreError;
use crate::topic::{Topic, Wire};

/// Milliseconds in which a page that the friend looks at says that something was seen: other devices stay silent then.
const SEEN_WITHIN_MS: u32 = 5_000;
/// Seconds that a push service keeps the news for a browser that is away; services refuse more than four weeks.
const MAX_TTL_S: u32 = 28 * 24 * 3_600;
/// Milliseconds for which an answer is news.
pub(crate) const ANSWER_TTL_MS: i64 = 3 * 24 * 3_600 * 1_000;

impl Service {
    /// Wakes the browsers of a friend that have no page open, for news that is worth so many milliseconds. With a page
    /// open elsewhere they are woken only if nothing is seen there.
    pub(crate) fn wake(&mut self, host: &mut dyn Host, friend_id: i64, urgency: Urgency, ttl_ms: i64) {
        let subscriptions = match self.store.subscriptions(friend_id, host.now_ms()) {
            Ok(subscriptions) => subscriptions,
            Err(error) => return tracing::error!(friend_id, %error, "the friend is not notified"),
        };
        let delay_ms = if listens(host, Topic::Friend(friend_id)) {
            SEEN_WITHIN_MS
        } else {
            0
        };
        let terms = Terms {
            urgency,
            ttl_s: u32::try_from(ttl_ms / 1_000).unwrap_or(MAX_TTL_S).min(MAX_TTL_S),
            delay_ms,
        };
        for (session_id, subscription) in subscriptions {
            if listens(host, Topic::Session(session_id)) {
                continue;
            }
            match host.wake(&subscription, terms) {
                Ok(()) => {}
                Err(WakeError::Unavailable) => return,
                Err(error) => tracing::warn!(friend_id, session_id, %error, "a browser is not notified"),
            }
        }
    }

    /// Gives up what was to wake a friend's browsers and has not yet; of one session's, or of all.
    pub(crate) fn silence(
        &self,
        host: &mut dyn Host,
        friend_id: i64,
        only_session: Option<i64>,
    ) -> Result<(), StoreError> {
        for (session_id, subscription) in self.store.subscriptions(friend_id, host.now_ms())? {
            if only_session.is_none_or(|only| only == session_id) {
                host.cancel_wake(&subscription.endpoint);
            }
        }
        Ok(())
    }
}

fn listens(host: &mut dyn Host, topic: Topic) -> bool {
    [Wire::Stream, Wire::Socket]
        .into_iter()
        .any(|wire| host.listeners(&topic.name(wire)) > 0)
}

/// How urgent a nudge of a priority is to a device that saves its battery.
pub(crate) fn urgency(priority: &str) -> Urgency {
    match priority {
        "low" => Urgency::Low,
        "high" | "urgent" => Urgency::High,
        _ => Urgency::Normal,
    }
}
