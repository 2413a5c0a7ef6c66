//! Entries of the log: every message of every conversation, in the order in which they happened.

use serde::Serialize;

/// Who wrote an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// The friend.
    Friend,
    /// The agent, in answer.
    Agent,
    /// The agent, on its own account.
    Nudge,
}

/// How far an entry has come. A friend's message goes `queued → answering → answered | stopped | failed`, a
/// nudge `stored → pushed → seen | expired`; an answer is `answered` from the start, or `stopped` when it was cut short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Waits for the agent.
    Queued,
    /// The agent is at it. Never on disk: after a crash such a message is answered anew, like a queued one.
    Answering,
    /// Has its answer, or is one.
    Answered,
    /// The friend or the owner ended the answer.
    Stopped,
    /// The agent could not answer.
    Failed,
    /// On disk, and nobody was connected.
    Stored,
    /// Written to at least one connection.
    Pushed,
    /// The friend has seen it.
    Seen,
    /// The friend has not seen it while it mattered. Never on disk: it follows from the time.
    Expired,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Grows with every entry; never used twice.
    pub(crate) id: i64,
    pub(crate) friend_id: i64,
    pub(crate) role: Role,
    /// Markdown, as it was written.
    pub(crate) text: String,
    /// Unix time in milliseconds.
    pub(crate) at_ms: i64,
    pub(crate) state: State,
    /// Unix time in milliseconds from which a nudge does not matter any more.
    pub(crate) expires_at_ms: Option<i64>,
    /// Who sent a nudge.
    pub(crate) source: Option<String>,
    /// How much a nudge matters.
    pub(crate) priority: Option<String>,
    /// The page's own name for a friend's message.
    pub(crate) client_id: Option<String>,
    /// The message that an answer answers.
    pub(crate) in_reply_to: Option<i64>,
}

impl Entry {
    /// Whether this is a nudge that was not seen while it mattered.
    pub(crate) fn has_expired(&self, now_ms: i64) -> bool {
        self.state != State::Seen && self.expires_at_ms.is_some_and(|at_ms| at_ms <= now_ms)
    }
}

impl Role {
    /// The name on disk.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Friend => "friend",
            Self::Agent => "agent",
            Self::Nudge => "nudge",
        }
    }

    /// The role of a name on disk.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Friend, Self::Agent, Self::Nudge]
            .into_iter()
            .find(|role| role.as_str() == name)
    }
}

impl State {
    const ALL: [Self; 9] = [
        Self::Queued,
        Self::Answering,
        Self::Answered,
        Self::Stopped,
        Self::Failed,
        Self::Stored,
        Self::Pushed,
        Self::Seen,
        Self::Expired,
    ];

    /// The name on disk.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Answering => "answering",
            Self::Answered => "answered",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Stored => "stored",
            Self::Pushed => "pushed",
            Self::Seen => "seen",
            Self::Expired => "expired",
        }
    }

    /// The state of a name on disk.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Whether a message in this state still waits for its answer.
    pub(crate) const fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Answering)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_on_disk_read_back() {
        for state in State::ALL {
            assert_eq!(State::parse(state.as_str()), Some(state));
        }
        for role in [Role::Friend, Role::Agent, Role::Nudge] {
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        assert_eq!(State::parse("Queued"), None);
    }
}
