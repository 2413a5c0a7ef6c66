//! Answers being made, by the friend's message. After a crash the messages on disk are enqueued again and answered anew.

use std::ops::RangeInclusive;

use crate::entry::State;

/// Most messages of one friend that wait for an answer at a time.
pub(crate) const MAX_OPEN_PER_FRIEND: usize = 8;

/// A friend's message. One friend's stand together, in the order in which they were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Question {
    pub(crate) friend_id: i64,
    pub(crate) message_id: i64,
}

/// How far the agent is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    #[default]
    Queued,
    Answering,
    /// The agent is done with it, and its end could not be written down yet.
    Unsaved(State),
}

/// Every answer being made.
pub(crate) type Answers = channel_plugin::Answers<Question, Phase>;

impl Question {
    /// A message of a friend.
    pub(crate) const fn new(friend_id: i64, message_id: i64) -> Self {
        Self { friend_id, message_id }
    }

    /// Every message of a friend.
    pub(crate) const fn of_friend(friend_id: i64) -> RangeInclusive<Self> {
        Self::new(friend_id, i64::MIN)..=Self::new(friend_id, i64::MAX)
    }
}

impl Phase {
    /// The state of the message.
    pub(crate) const fn state(self) -> State {
        match self {
            Self::Queued => State::Queued,
            Self::Answering | Self::Unsaved(_) => State::Answering,
        }
    }
}

/// The first answer whose end is to be written down.
pub(crate) fn unsaved(answers: &Answers) -> Option<(Question, State)> {
    answers.range(..).find_map(|answer| match answer.state {
        Phase::Unsaved(state) => Some((answer.key, state)),
        Phase::Queued | Phase::Answering => None,
    })
}
