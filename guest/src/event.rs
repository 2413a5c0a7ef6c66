//! What happens in a friend's chat, as the page is told. One vocabulary for replay, live events and WebSockets.

use serde::Serialize;

use crate::entry::State;

/// Whether the agent is at work for a friend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Activity {
    /// No message waits for an answer.
    Idle,
    /// At least one does.
    Answering,
}

/// Why a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum EndReason {
    /// The owner took the friend's access away.
    Revoked,
    /// The owner made a new invite; the old sign-in is void.
    Reinvited,
    /// This browser signed out.
    SignedOut,
    /// The plugin stops; come back later.
    Stopping,
    /// The connection is not known any more; come back at once.
    Reload,
}

/// One event. Optional fields are left out where they say nothing.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Event<'a> {
    /// A message has been taken; first on the stream of its answer.
    Accepted {
        id: i64,
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<&'a str>,
    },
    /// First on a feed.
    Hello {
        epoch: &'a str,
        latest: i64,
        unread: u32,
        agent: Activity,
        name: &'a str,
        username: &'a str,
        nickname: &'a str,
    },
    /// The friend's own message, for the other pages.
    Message {
        id: i64,
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<&'a str>,
        text: &'a str,
        at: i64,
        state: State,
    },
    /// A message moved on.
    State { message: i64, state: State },
    /// What the agent is doing.
    Status {
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<i64>,
        content: &'a str,
    },
    /// The next piece of an answer.
    Text {
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<i64>,
        content: &'a str,
    },
    /// The pieces so far are void.
    Restarted {
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<i64>,
    },
    /// A complete answer. Without `message` when the question is gone.
    Reply {
        id: i64,
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<i64>,
        text: &'a str,
        html: &'a str,
        at: i64,
    },
    /// The answer is complete.
    Done {
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<i64>,
    },
    /// There is no answer.
    Error {
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<&'a str>,
        error: &'a str,
    },
    /// The agent speaks on its own account.
    Nudge {
        id: i64,
        content: &'a str,
        html: &'a str,
        source: &'a str,
        priority: &'a str,
        timestamp: i64,
    },
    /// The friend has seen everything up to this entry.
    Seen { id: i64 },
    /// The friend has another nickname.
    Nickname { nickname: &'a str },
    /// Load the history instead of waiting for what was missed.
    Resync,
    /// The connection ends after this.
    End { reason: EndReason },
}

impl Event<'_> {
    /// The id under which this event stands in the log, where it does: what a reader resumes from.
    pub(crate) const fn log_id(&self) -> Option<i64> {
        match self {
            Self::Message { id, .. } | Self::Reply { id, .. } | Self::Nudge { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// The event as JSON.
    pub(crate) fn json(&self) -> String {
        // Serialising fails only for maps with keys that are not strings; there are none here.
        serde_json::to_string(self).unwrap_or_else(|_| r#"{"type":"resync"}"#.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_read_as_the_page_expects() {
        assert_eq!(Event::Done { message: None }.json(), r#"{"type":"done"}"#);
        assert_eq!(
            Event::Text {
                message: Some(3),
                content: "a"
            }
            .json(),
            r#"{"type":"text","message":3,"content":"a"}"#
        );
        assert_eq!(
            Event::End {
                reason: EndReason::SignedOut
            }
            .json(),
            r#"{"type":"end","reason":"signed-out"}"#
        );
        assert_eq!(
            Event::State {
                message: 3,
                state: State::Queued
            }
            .json(),
            r#"{"type":"state","message":3,"state":"queued"}"#
        );
        let nudge = Event::Nudge {
            id: 9,
            content: "c",
            html: "h",
            source: "s",
            priority: "low",
            timestamp: 5,
        };
        assert_eq!(
            nudge.json(),
            r#"{"type":"nudge","id":9,"content":"c","html":"h","source":"s","priority":"low","timestamp":5}"#
        );
        assert_eq!(nudge.log_id(), Some(9));
    }
}
