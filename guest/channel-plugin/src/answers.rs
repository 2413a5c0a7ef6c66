//! Answers being made: which ticket of the agent's queue is for what, and what has been said so far. Kept in memory only: a
//! plugin enqueues anew, when it starts, what is on disk without an answer.

use std::collections::BTreeMap;
use std::ops::RangeBounds;

use crate::{AgentEvent, Error, Ticket};

/// Most bytes of one answer. An agent that says more has lost its way; its words are kept in memory until
/// they are complete.
pub const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// One answer being made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<K, S> {
    /// What is answered.
    pub key: K,
    /// Its number in the agent's queue.
    pub ticket: Ticket,
    /// How far it is, in the plugin's own terms.
    pub state: S,
    /// What was said so far, Markdown.
    pub text: String,
}

/// What was said does not fit any more.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer is longer than {MAX_ANSWER_BYTES} bytes")]
pub struct AnswerTooLong;

/// Every answer being made, by what is answered.
#[derive(Debug)]
pub struct Answers<K, S = ()> {
    by_key: BTreeMap<K, Answer<K, S>>,
    by_ticket: BTreeMap<Ticket, K>,
}

impl<K, S> Default for Answers<K, S> {
    fn default() -> Self {
        Self {
            by_key: BTreeMap::new(),
            by_ticket: BTreeMap::new(),
        }
    }
}

impl<K: Clone + Ord, S: Default> Answers<K, S> {
    /// Notes that something waits in the agent's queue.
    pub fn add(&mut self, key: K, ticket: Ticket) {
        let answer = Answer {
            key: key.clone(),
            ticket,
            state: S::default(),
            text: String::new(),
        };
        self.by_key.insert(key.clone(), answer);
        self.by_ticket.insert(ticket, key);
    }

    /// Takes what the agent does about a ticket, for a plugin that gives each answer as a whole. Once there is nothing more
    /// to come the answer is forgotten here and handed out: what was answered, and what was said, which is none where the
    /// agent failed. Why it did is logged.
    ///
    /// # Errors
    /// [`Error::UnknownTicket`] for a ticket that is not of one of these answers.
    pub fn hear(&mut self, ticket: Ticket, event: AgentEvent) -> Result<Option<(K, Option<String>)>, Error> {
        let answer = self.by_ticket(ticket).ok_or(Error::UnknownTicket)?;
        let failure = match event {
            AgentEvent::Started | AgentEvent::Status(_) => return Ok(None),
            AgentEvent::Restarted => {
                answer.text.clear();
                return Ok(None);
            }
            AgentEvent::Delta(piece) => match answer.push(&piece) {
                Ok(()) => return Ok(None),
                Err(error) => Some(error.to_string()),
            },
            AgentEvent::Done => None,
            AgentEvent::Failed(reason) => Some(reason),
        };
        let (key, said) = (answer.key.clone(), std::mem::take(&mut answer.text));
        self.remove(&key);
        if let Some(reason) = &failure {
            tracing::error!(ticket, reason, "the agent could not answer");
        }
        Ok(Some((key, failure.is_none().then_some(said))))
    }

    /// The answer of a ticket.
    pub fn by_ticket(&mut self, ticket: Ticket) -> Option<&mut Answer<K, S>> {
        self.by_key.get_mut(self.by_ticket.get(&ticket)?)
    }

    /// The answer to something.
    pub fn get(&self, key: &K) -> Option<&Answer<K, S>> {
        self.by_key.get(key)
    }

    /// Answers in the order of what is answered, as far as that is in a range.
    pub fn range(&self, keys: impl RangeBounds<K>) -> impl Iterator<Item = &Answer<K, S>> {
        self.by_key.range(keys).map(|(_, answer)| answer)
    }

    /// Forgets an answer that is complete or given up, and hands it out.
    pub fn remove(&mut self, key: &K) -> Option<Answer<K, S>> {
        let answer = self.by_key.remove(key)?;
        self.by_ticket.remove(&answer.ticket);
        Some(answer)
    }
}

impl<K, S> Answer<K, S> {
    /// Adds a piece.
    ///
    /// # Errors
    /// [`AnswerTooLong`], and nothing is added.
    pub fn push(&mut self, piece: &str) -> Result<(), AnswerTooLong> {
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

    fn asked() -> Answers<(u8, u8)> {
        let mut answers = Answers::default();
        answers.add((2, 20), 7);
        answers.add((1, 12), 9);
        answers.add((1, 11), 8);
        answers
    }

    fn delta(text: &str) -> AgentEvent {
        AgentEvent::Delta(text.to_owned())
    }

    #[test]
    fn answers_stand_in_the_order_of_what_is_answered() {
        let mut answers = asked();
        let keys: Vec<_> = answers.range((1, 0)..(2, 0)).map(|answer| answer.key.1).collect();
        assert_eq!(keys, [11, 12]);
        answers.by_ticket(9).unwrap().push("a").unwrap();
        assert_eq!(answers.remove(&(1, 12)).unwrap().text, "a");
        assert!(answers.by_ticket(9).is_none() && answers.remove(&(1, 12)).is_none());
    }

    #[test]
    fn an_answer_is_handed_out_once_when_it_is_whole() {
        let mut answers = asked();
        for event in [
            AgentEvent::Started,
            delta("no"),
            AgentEvent::Restarted,
            delta("y"),
            delta("es"),
        ] {
            assert_eq!(answers.hear(7, event).unwrap(), None);
        }
        let whole = ((2, 20), Some("yes".to_owned()));
        assert_eq!(answers.hear(7, AgentEvent::Done).unwrap(), Some(whole));
        assert_eq!(answers.hear(7, AgentEvent::Done), Err(Error::UnknownTicket));
    }

    #[test]
    fn of_an_agent_that_failed_nothing_is_handed_out() {
        let mut answers = asked();
        assert_eq!(answers.hear(9, delta("half")).unwrap(), None);
        let failed = AgentEvent::Failed("it fell over".to_owned());
        assert_eq!(answers.hear(9, failed).unwrap(), Some(((1, 12), None)));
        let too_long = delta(&"a".repeat(MAX_ANSWER_BYTES + 1));
        assert_eq!(answers.hear(8, too_long).unwrap(), Some(((1, 11), None)));
        assert_eq!(answers.hear(8, AgentEvent::Done), Err(Error::UnknownTicket));
    }

    #[test]
    fn an_answer_has_an_end() {
        let mut answers = asked();
        let answer = answers.by_ticket(8).unwrap();
        answer.push(&"a".repeat(MAX_ANSWER_BYTES)).unwrap();
        assert_eq!(answer.push("b"), Err(AnswerTooLong));
    }
}
