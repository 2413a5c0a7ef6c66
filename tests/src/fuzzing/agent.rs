//! An agent that says what the script tells it to.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use host_harness::agent::{Agent, AgentError, Answering, Piece, Turn};
use tokio::sync::mpsc::{self, UnboundedSender};

use super::script::Word;

/// The agent.
#[derive(Debug, Default)]
pub(super) struct Puppet {
    /// Strings to the answers in the making, by user.
    strings: Mutex<BTreeMap<String, UnboundedSender<Word>>>,
}

impl Puppet {
    /// Says something in answer to the message of this user that is being answered, if there is one.
    pub(super) fn say(&self, user_id: &str, word: Word) {
        if let Some(string) = self.strings().get(user_id) {
            // The answer may have ended meanwhile.
            let _ = string.send(word);
        }
    }

    /// Forgets every answer.
    pub(super) fn forget(&self) {
        self.strings().clear();
    }

    fn strings(&self) -> MutexGuard<'_, BTreeMap<String, UnboundedSender<Word>>> {
        self.strings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Agent for Puppet {
    fn answer(&self, turn: Turn, pieces: mpsc::Sender<Piece>) -> Answering<'_> {
        let (string, mut words) = mpsc::unbounded_channel();
        self.strings().insert(turn.user_id, string);
        Box::pin(async move {
            loop {
                match words.recv().await {
                    Some(Word::Piece(piece)) => {
                        if pieces.send(piece).await.is_err() {
                            return Ok(());
                        }
                    }
                    Some(Word::Fail(reason)) => return Err(AgentError(reason)),
                    Some(Word::Done) | None => return Ok(()),
                }
            }
        })
    }
}
