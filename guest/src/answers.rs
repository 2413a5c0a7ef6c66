//! Answers being made: which ticket of the agent's queue is which message, and what has been said so far. Kept in
//! memory only; after a crash the messages on disk are enqueued again and answered anew.

use std::collections::BTreeMap;

use channel_plugin::Ticket;

use crate::entry::State;

/// Most bytes of one answer. An agent that says more has lost its way; its words are kept in memory until
/// they are complete.
pub(crate) const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// Most messages of one friend that wait for an answer at a time.
pub(crate) const MAX_OPEN_PER_FRIEND: usize = 8;

/// One answer being made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) friend_id: i64,
    /// The friend's message.
    pub(crate) message_id: i64,
    pub(crate) ticket: Ticket,
    pub(crate) phase: Phase,
    /// What was said so far, Markdown.
    pub(crate) text: String,
}

/// How far the agent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Queued,
    Answering,
    /// The agent is done with it, and its end could not be written down yet.
    Unsaved(State),
}

/// What was said does not fit any more.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer is longer than {MAX_ANSWER_BYTES} bytes")]
pub(crate) struct AnswerTooLong;

/// Every answer being made.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// By friend and message, so that one friend's answers stand together in the order of the questions.
    by_message: BTreeMap<(i64, i64), Answer>,
    by_ticket: BTreeMap<Ticket, (i64, i64)>,
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

impl Answers {
    /// Notes that a message waits in the agent's queue.
    pub(crate) fn add(&mut self, friend_id: i64, message_id: i64, ticket: Ticket) {
        let answer = Answer {
            friend_id,
            message_id,
            ticket,
            phase: Phase::Queued,
            text: String::new(),
        };
        self.by_message.insert((friend_id, message_id), answer);
        self.by_ticket.insert(ticket, (friend_id, message_id));
    }

    /// The answer of a ticket.
    pub(crate) fn by_ticket(&mut self, ticket: Ticket) -> Option<&mut Answer> {
        self.by_message.get_mut(self.by_ticket.get(&ticket)?)
    }

    /// The answer to a message.
    pub(crate) fn get(&self, friend_id: i64, message_id: i64) -> Option<&Answer> {
        self.by_message.get(&(friend_id, message_id))
    }

    /// The first answer whose end is to be written down.
    pub(crate) fn unsaved(&self) -> Option<(&Answer, State)> {
        self.by_message.values().find_map(|answer| match answer.phase {
            Phase::Unsaved(state) => Some((answer, state)),
            Phase::Queued | Phase::Answering => None,
        })
    }

    /// A friend's answers, in the order of the questions.
    pub(crate) fn of_friend(&self, friend_id: i64) -> impl Iterator<Item = &Answer> {
        self.by_message
            .range((friend_id, i64::MIN)..=(friend_id, i64::MAX))
            .map(|(_, answer)| answer)
    }

    /// Forgets an answer that is complete or given up, and hands it out.
    pub(crate) fn remove(&mut self, friend_id: i64, message_id: i64) -> Option<Answer> {
        let answer = self.by_message.remove(&(friend_id, message_id))?;
        self.by_ticket.remove(&answer.ticket);
        Some(answer)
    }
}

impl Answer {
    /// Adds a piece.
    pub(crate) fn push(&mut self, piece: &str) -> Result<(), AnswerTooLong> {
        if self.text.len().saturating_add(piece.len()) > MAX_ANSWER_BYTES {
            return Err(AnswerTooLong);
        }
        self.text.push_str(piece);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn answers_of_one_friend_stand_in_order_and_apart_from_others() {
        let mut answers = Answers::default();
        answers.add(2, 20, 7);
        answers.add(1, 12, 9);
        answers.add(1, 11, 8);
        let messages: Vec<i64> = answers.of_friend(1).map(|answer| answer.message_id).collect();
        assert_eq!(messages, [11, 12]);
        answers.by_ticket(9).unwrap().push("a").unwrap();
        assert_eq!(answers.remove(1, 12).unwrap().text, "a");
        assert!(answers.by_ticket(9).is_none() && answers.remove(1, 12).is_none());
    }

    #[test]
    fn an_answer_has_an_end() {
        let mut answers = Answers::default();
        answers.add(1, 1, 1);
        let answer = answers.by_ticket(1).unwrap();
        answer.push(&"a".repeat(MAX_ANSWER_BYTES)).unwrap();
        assert_eq!(answer.push("b"), Err(AnswerTooLong));
    }
}
