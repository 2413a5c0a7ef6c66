//! The agent on other machines: what a node asks of workers, and the role of those.
//!
//! A worker answers with the agent that it is told to use, for all tenants whose agent is `workers`. What the agent keeps about a
//! user goes to it with the turn, and what it keeps anew comes back with the answer.

use std::path::Path;
use std::sync::Arc;

use cluster::{Answer, Heard, Owners, Role, Taken, Taking, Turns, Unwanted};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::Instrument as _;

use super::roles::{ClusterError, link};
use crate::agent::{Agent, AgentError, Answering, Notes, Piece, Said, Turn};
use crate::files;
use crate::settings::Settings;

/// Pieces of an answer that wait to be sent.
const PIECES: usize = 64;

/// Turns that a worker answers at once, where nothing else is said.
pub const AT_ONCE: usize = 16;

/// A turn as it is asked.
#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    user_id: String,
    message: String,
    history: Vec<Said>,
    /// What the agent is called.
    name: String,
    /// What the agent keeps about users.
    notes: String,
}

/// What a worker says.
#[derive(Debug, Serialize, Deserialize)]
enum Word {
    Status(String),
    Delta(String),
    /// It is complete, and this is to be kept about the user, and no more kept.
    Done {
        added: Vec<String>,
        removed: Vec<String>,
    },
    Failed(String),
}

/// The agent of a tenant, on workers.
#[derive(Debug)]
pub(crate) struct Workers {
    turns: Turns,
    tenant: String,
    name: String,
    notes: Notes,
    /// Where the notes lie.
    file: std::path::PathBuf,
}

impl Workers {
    /// The agent of a tenant. `name` is what it is called, and `file` where what it keeps lies.
    pub(crate) fn new(turns: Turns, tenant: String, name: String, file: std::path::PathBuf) -> Self {
        Self {
            turns,
            tenant,
            name,
            notes: Notes::at(file.clone()),
            file,
        }
    }

    async fn ask(&self, turn: Turn, pieces: mpsc::Sender<Piece>) -> Result<(), AgentError> {
        if turn.hands.is_some() {
            let sentence = "this conversation needs an agent of the node's own: workers answer friends only. Manage them with \
                            commands, such as `host-harness invite`";
            return Err(AgentError(sentence.to_owned()));
        }
        let notes = tokio::fs::read_to_string(&self.file).await.unwrap_or_default();
        let user = user(&turn.user_id).to_owned();
        let asked = Asked {
            user_id: turn.user_id,
            message: turn.message,
            history: turn.history,
            name: self.name.clone(),
            notes,
        };
        let failed = |error: cluster::TurnError| AgentError(error.to_string());
        let mut answer: Answer<Word> = self.turns.ask(&self.tenant, &asked).await.map_err(failed)?;
        while let Some(heard) = answer.next().await {
            let piece = match heard {
                Heard::Anew => Piece::Restarted,
                Heard::Said(Word::Status(text)) => Piece::Status(text),
                Heard::Said(Word::Delta(text)) => Piece::Delta(text),
                Heard::Said(Word::Failed(why)) => return Err(AgentError(why)),
                Heard::Said(Word::Done { added, removed }) => {
                    self.keep(user, added, removed).await;
                    return Ok(());
                }
            };
            // Nobody wants it any more: then this is dropped soon.
            if pieces.send(piece).await.is_err() {
                break;
            }
        }
        Err(AgentError("the answer broke off".to_owned()))
    }

    async fn keep(&self, user: String, added: Vec<String>, removed: Vec<String>) {
        let notes = self.notes.clone();
        let keeping = tokio::task::spawn_blocking(move || {
            for note in removed {
                notes.remove(&user, &note)?;
            }
            for note in added {
                notes.add(&user, &note)?;
            }
            Ok::<_, crate::agent::NotesError>(())
        });
        if let Ok(Err(error)) = keeping.await {
            tracing::warn!(%error, "what the agent wanted to keep is lost");
        }
    }
}

impl Agent for Workers {
    fn answer(&self, turn: Turn, pieces: mpsc::Sender<Piece>) -> Answering<'_> {
        Box::pin(self.ask(turn, pieces))
    }

    fn wants_history(&self) -> bool {
        true
    }
}

/// The name under which something is kept about a user.
fn user(user_id: &str) -> &str {
    user_id.split_once(':').map_or(user_id, |(_, name)| name)
}

/// Answers turns until `end` is ready, then finishes what is begun.
///
/// # Errors
/// When something is in the way of that.
pub async fn worker(
    settings: &Settings,
    name: &str,
    at_once: usize,
    say: impl Fn(&str),
    end: impl Future<Output = ()>,
) -> Result<(), ClusterError> {
    let _lock = settings.data.lock().map_err(crate::serve::ServeError::from)?;
    let link = link(settings, name).await?;
    let turns = Turns::open(&link).await?;
    let taking = turns.take(at_once).await?;
    let owners = Owners::join(&link, name, Role::Worker, env!("CARGO_PKG_VERSION")).await?;
    // One that cannot be had is told of now.
    settings
        .agent
        .agent(
            settings.agent_key.clone(),
            settings.agent_name(),
            Notes::at(settings.data.notes()),
        )
        .map_err(crate::serve::ServeError::Agent)?;
    say(&format!(
        "The worker {name} is ready, with the agent {}",
        settings.agent
    ));
    let answering = Arc::new(Worker {
        settings: settings.clone(),
    });
    let mut running = JoinSet::new();
    tokio::select! {
        () = take(&answering, &taking, &owners, &mut running) => {}
        () = end => {}
    }
    tracing::info!(turns = running.len(), "ending when what is begun is answered");
    let finishing = async { while running.join_next().await.is_some() {} };
    if timeout(settings.limits.drain, finishing).await.is_err() {
        tracing::warn!("what is not answered is answered by other workers");
        running.shutdown().await;
    }
    owners.leave().await;
    Ok(())
}

async fn take(worker: &Arc<Worker>, taking: &Taking, owners: &Owners, running: &mut JoinSet<()>) {
    loop {
        tokio::select! {
            taken = taking.next() => match taken {
                Ok(taken) => {
                    let worker = Arc::clone(worker);
                    running.spawn(async move { worker.answer(taken).await }.in_current_span());
                }
                Err(error) => {
                    tracing::debug!(%error, "taking a turn");
                    tokio::time::sleep(cluster::lease::RENEWAL).await;
                }
            },
            Some(_) = running.join_next() => {}
        }
        owners.set_load(running.len().try_into().unwrap_or(u64::MAX));
    }
}

#[derive(Debug)]
struct Worker {
    settings: Settings,
}

impl Worker {
    async fn answer(&self, mut taken: Taken) {
        let asked = match taken.turn::<Asked>() {
            Ok(asked) => asked,
            Err(error) => {
                tracing::error!(%error, "a turn of another version");
                return taken.give_back().await;
            }
        };
        let desk = self.settings.data.root().join("turns").join(format!("{:016x}", rand()));
        let answered = self.answer_at(&desk, &mut taken, asked).await;
        if let Err(error) = files::remove_dir(&desk) {
            tracing::warn!(%error, "clearing up after a turn");
        }
        if let Err(error) = answered {
            tracing::debug!(%error, "a turn");
        }
        taken.end().await;
    }

    /// Answers with what the agent keeps in a directory of this turn's own.
    async fn answer_at(&self, desk: &Path, taken: &mut Taken, asked: Asked) -> Result<(), Unwanted> {
        let notes = Notes::at(desk.join("FRIENDS.md"));
        let user = user(&asked.user_id).to_owned();
        let written =
            files::make_private_dir(desk).and_then(|()| std::fs::write(desk.join("FRIENDS.md"), &asked.notes));
        let agent = self
            .settings
            .agent
            .agent(self.settings.agent_key.clone(), &asked.name, notes.clone());
        let agent = match (written, agent) {
            (Ok(()), Ok(agent)) => agent,
            (Err(error), _) => return taken.say(Word::Failed(error.to_string())).await,
            (_, Err(error)) => return taken.say(Word::Failed(error.to_string())).await,
        };
        let before = notes.noted(&user).unwrap_or_default();
        let turn = Turn {
            user_id: asked.user_id,
            message: asked.message,
            history: asked.history,
            hands: None,
        };
        let (sender, mut pieces) = mpsc::channel(PIECES);
        let answering = agent.answer(turn, sender);
        tokio::pin!(answering);
        let mut outcome = None;
        loop {
            let next = async {
                tokio::select! {
                    biased;
                    piece = pieces.recv(), if !pieces.is_closed() || !pieces.is_empty() => Ok(piece),
                    result = answering.as_mut(), if outcome.is_none() => Err(result),
                    else => Ok(None),
                }
            };
            match taken.meanwhile(next).await? {
                Ok(Some(piece)) => {
                    for word in joined(piece, &mut pieces) {
                        taken.say(word).await?;
                    }
                }
                Err(result) => outcome = Some(result),
                Ok(None) if outcome.is_some() => break,
                Ok(None) => outcome = Some(taken.meanwhile(answering.as_mut()).await?),
            }
            if outcome.is_some() && pieces.is_empty() {
                break;
            }
        }
        let word = match outcome {
            Some(Err(error)) => Word::Failed(error.to_string()),
            _ => {
                let after = notes.noted(&user).unwrap_or_default();
                Word::Done {
                    added: without(&after, &before),
                    removed: without(&before, &after),
                }
            }
        };
        taken.say(word).await
    }
}

/// A piece with those that have piled up behind it: whoever is slow is told more at a time.
fn joined(first: Piece, more: &mut mpsc::Receiver<Piece>) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut next = Some(first);
    while let Some(piece) = next {
        match (piece, words.last_mut()) {
            (Piece::Delta(text), Some(Word::Delta(said))) => said.push_str(&text),
            (Piece::Delta(text), _) => words.push(Word::Delta(text)),
            (Piece::Status(text), _) => words.push(Word::Status(text)),
            (Piece::Restarted, _) => {}
        }
        next = more.try_recv().ok();
    }
    words
}

/// Those of some notes that are not among others.
fn without(notes: &[String], others: &[String]) -> Vec<String> {
    notes.iter().filter(|note| !others.contains(note)).cloned().collect()
}

fn rand() -> u64 {
    super::Sender::new().number() << 32 | super::Sender::new().number()
}
