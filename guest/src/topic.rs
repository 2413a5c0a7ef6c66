//! Topics: what a held connection listens to, and in which form it gets what is published there.

use std::fmt;

use channel_plugin::{Hold, HoldMode};

/// What a connection listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    /// Every connection of the plugin.
    All,
    /// Everything that happens in a friend's chat, by the friend's id.
    Friend(i64),
    /// What happens to one sign-in, by the session's id.
    Session(i64),
    /// The answer to one message, by the message's id.
    Answer(i64),
    /// One WebSocket, by the host's number of it.
    Socket(u64),
}

/// The form in which a connection gets what is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// Server-Sent Events.
    Stream,
    /// One JSON text message for each event.
    Socket,
    /// Nothing until one whole response is given.
    Json,
}

impl Topic {
    /// The name under which the host knows this topic in one form. Forms have names of their own because a frame
    /// is bytes, and those differ.
    pub(crate) fn name(self, wire: Wire) -> String {
        let suffix = match wire {
            Wire::Stream => "",
            Wire::Socket => "/ws",
            Wire::Json => "/json",
        };
        format!("{self}{suffix}")
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => formatter.write_str("all"),
            Self::Friend(id) => write!(formatter, "friend/{id}"),
            Self::Session(id) => write!(formatter, "session/{id}"),
            Self::Answer(id) => write!(formatter, "answer/{id}"),
            Self::Socket(id) => write!(formatter, "socket/{id}"),
        }
    }
}

/// The terms on which a connection listens to topics in one form, as [`Hold::new`] takes them.
pub(crate) fn hold(wire: Wire, topics: &[Topic], keep_alive: Option<(&str, u32)>, life_ms: u32) -> Hold {
    let mode = match wire {
        Wire::Stream | Wire::Socket => HoldMode::Stream,
        Wire::Json => HoldMode::Response,
    };
    let topics = topics.iter().map(|topic| topic.name(wire)).collect();
    Hold::new(mode, topics, keep_alive, life_ms)
}
