//! The owner's turns: one message to the agent, with the owner's tools in its hands, and everything that comes of it.
//!
//! A turn ends early when nobody takes what happens any more. What was said until then is kept.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, mpsc};
use tokio::task::spawn_blocking;

use super::hands::{Hands, Step};
use super::{Conversation, ConversationError, OwnerTools};
use crate::agent::{OWNER, Piece, Said, Speaker, Turn};
use crate::plugin::{CallError, PluginActor};

/// Bytes of an answer, as many as a user's may have. A model that does not come to an end is stopped there.
const ANSWER_BYTES: usize = 1 << 20;

/// Pieces, or steps, that wait before the agent has to wait.
const WAITING: usize = 64;

/// What happens in a turn, in order; the last is [`Happening::Done`] or [`Happening::Failed`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happening {
    /// What the agent is doing, in a few words.
    Status(String),
    /// More of the answer, Markdown.
    Delta(String),
    /// A tool is being carried out.
    Tool {
        /// Its name.
        name: String,
        /// As the agent wrote them.
        arguments: String,
    },
    /// The owner is asked whether a tool may be carried out; the turn goes on with the answer.
    Consent {
        /// Its name.
        name: String,
        /// As the agent wrote them.
        arguments: String,
    },
    /// The answer is complete.
    Done,
    /// There is no answer, or no more of it. Says why, to the owner.
    Failed(String),
}

/// The owner's side of a plugin's agent.
#[derive(Debug)]
pub struct OwnerChat {
    plugin: Arc<PluginActor>,
    conversation: Conversation,
    one_at_a_time: Mutex<()>,
}

#[derive(Debug, thiserror::Error)]
enum TurnError {
    #[error("a message has 1 to {0} bytes")]
    Length(usize),
    #[error("the answer is longer than {ANSWER_BYTES} bytes, and was stopped")]
    TooLong,
    #[error(transparent)]
    Conversation(#[from] ConversationError),
    #[error("the plugin: {0}")]
    Plugin(#[from] CallError),
    #[error("the agent could not answer: {0}")]
    Agent(#[from] crate::agent::AgentError),
    #[error("the conversation was not kept: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl OwnerChat {
    /// Turns of a plugin's agent, kept in a conversation.
    pub fn new(plugin: &Arc<PluginActor>, conversation: Conversation) -> Self {
        Self {
            plugin: Arc::clone(plugin),
            conversation,
            one_at_a_time: Mutex::default(),
        }
    }

    /// Whether a message of the owner is being answered.
    pub fn is_busy(&self) -> bool {
        self.one_at_a_time.try_lock().is_err()
    }

    /// Has a message answered, after those before it. `consents` answers each [`Happening::Consent`], and no answer is no.
    pub async fn turn(&self, message: String, happenings: mpsc::Sender<Happening>, consents: mpsc::Receiver<bool>) {
        let _one = tokio::select! {
            one = self.one_at_a_time.lock() => one,
            () = happenings.closed() => return,
        };
        let mut answer = String::new();
        let result = tokio::select! {
            result = self.answer(message, &mut answer, &happenings, consents) => result,
            () = happenings.closed() => Ok(()),
        };
        let kept = match answer.is_empty() {
            true => Ok(()),
            false => self.keep(Speaker::Agent, answer).await,
        };
        let last = match result.and(kept) {
            Ok(()) => Happening::Done,
            Err(error) => {
                tracing::warn!(%error, "the owner got no answer");
                Happening::Failed(error.to_string())
            }
        };
        // An owner who is gone does not want it.
        let _ = happenings.send(last).await;
    }

    async fn answer(
        &self,
        message: String,
        answer: &mut String,
        happenings: &mpsc::Sender<Happening>,
        mut consents: mpsc::Receiver<bool>,
    ) -> Result<(), TurnError> {
        let most = self.plugin.limits().message_bytes;
        if message.is_empty() || message.len() > most {
            return Err(TurnError::Length(most));
        }
        let conversation = self.conversation.clone();
        let history = spawn_blocking(move || conversation.read()).await??;
        self.keep(Speaker::User, message.clone()).await?;
        let agent = Arc::clone(self.plugin.queue().agent());
        let (to_show, mut steps) = mpsc::channel(WAITING);
        let (sender, mut pieces) = mpsc::channel(WAITING);
        let turn = Turn {
            user_id: OWNER.to_owned(),
            message,
            history,
            hands: Some(Hands::new(OwnerTools::of(&self.plugin).await?, to_show)),
        };
        let answering = agent.answer(turn, sender);
        tokio::pin!(answering);
        let mut outcome = None;
        // In the order of time: what was said before a step is shown before it, and all of it before the end.
        loop {
            tokio::select! {
                biased;
                Some(piece) = pieces.recv() => {
                    if let Piece::Delta(text) = &piece {
                        if answer.len() + text.len() > ANSWER_BYTES {
                            return Err(TurnError::TooLong);
                        }
                        answer.push_str(text);
                    }
                    // Whoever is gone is noticed by the caller.
                    let _ = happenings.send(piece.into()).await;
                }
                Some(step) = steps.recv() => decide(step, happenings, &mut consents).await,
                result = answering.as_mut(), if outcome.is_none() => outcome = Some(result),
                else => break,
            }
            if outcome.is_some() && pieces.is_empty() {
                break;
            }
        }
        outcome.unwrap_or(Ok(())).map_err(TurnError::from)
    }

    async fn keep(&self, speaker: Speaker, text: String) -> Result<(), TurnError> {
        let conversation = self.conversation.clone();
        Ok(spawn_blocking(move || conversation.add(Said { speaker, text })).await??)
    }
}

/// Shows a step, and lets it happen or not.
async fn decide(step: Step, happenings: &mpsc::Sender<Happening>, consents: &mut mpsc::Receiver<bool>) {
    let Step {
        tool: name,
        arguments,
        needs_consent,
        verdict,
    } = step;
    let shown = if needs_consent {
        Happening::Consent { name, arguments }
    } else {
        Happening::Tool { name, arguments }
    };
    let is_shown = happenings.send(shown).await.is_ok();
    let may = is_shown && (!needs_consent || consents.recv().await == Some(true));
    // An agent that has given up does not wait for it.
    let _ = verdict.send(may);
}

impl From<Piece> for Happening {
    fn from(piece: Piece) -> Self {
        match piece {
            Piece::Status(text) => Self::Status(text),
            Piece::Delta(text) => Self::Delta(text),
            // Workers answer friends only.
            Piece::Restarted => Self::Status("the answer begins anew".to_owned()),
        }
    }
}
