//! The agents that can answer: a program that embeds the harness may bring its own.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::owner::Hands;

mod command;
mod discretion;
mod echo;
mod notes;
mod openai;
mod queue;

pub use command::Command;
pub(crate) use discretion::discreet;
pub use echo::Echo;
pub use notes::{Introduction, Notes, NotesError};
pub use openai::{Endpoint, Key, OpenAi};
pub use queue::{AgentQueue, Event, Events, QueueFull, Reservation, Ticket};

/// The user id of the agent's owner: users of a channel have a prefix and a colon in theirs.
pub const OWNER: &str = "owner";

/// A message to answer.
#[derive(Debug, Clone)]
pub struct Turn {
    /// Who wrote it: `<channel prefix>:<name>`, or [`OWNER`].
    pub user_id: String,
    /// What was written.
    pub message: String,
    /// What was said before, oldest first, for agents that ask for it.
    pub history: Vec<Said>,
    /// What can be done for the owner. A turn of anybody else has none.
    pub hands: Option<Hands>,
}

/// One earlier message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Who said it.
    pub speaker: Speaker,
    /// Markdown.
    pub text: String,
}

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    /// The user of the channel, or the owner in the owner's own conversation.
    User,
    /// The agent, in answer or on its own account.
    Agent,
}

/// Something an agent says on the way to its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// What it is doing, in a few words.
    Status(String),
    /// More of the answer, Markdown.
    Delta(String),
    /// The answer begins anew: what was said of it so far does not count.
    Restarted,
}

/// Why there is no answer. For the owner; a user is told in plain words, and the log is given it without what could open
/// something.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct AgentError(pub String);

/// An answer in the making.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Result<(), AgentError>> + Send + 'a>>;

/// Answers messages. Dropping an answer in the making stops it.
pub trait Agent: Send + Sync + fmt::Debug {
    /// Answers a message in pieces. The sender waits while pieces are not taken.
    fn answer(&self, turn: Turn, pieces: mpsc::Sender<Piece>) -> Answering<'_>;

    /// Whether it keeps no conversation of its own and is to be given what was said before.
    fn wants_history(&self) -> bool {
        false
    }
}

/// Which agent answers, as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentChoice {
    /// The built-in one that repeats what it is told, and how long it takes from word to word.
    Echo(Duration),
    /// A program: its path and arguments.
    Command(Vec<String>),
    /// A server of the OpenAI chat-completions protocol.
    OpenAi(Endpoint),
    /// The workers of a cluster.
    Workers,
}

/// The value names no agent.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is no agent: use `echo`, or `echo:0ms` for its pace, `cmd:PROGRAM ARGUMENTS`, or the address of a server that speaks the OpenAI protocol, as in \
     http://localhost:11434/v1#llama3.2, or `workers` on a node of a cluster; a key belongs into HARNESS_AGENT_KEY"
)]
pub struct UnknownAgent(String);

impl FromStr for AgentChoice {
    type Err = UnknownAgent;

    fn from_str(text: &str) -> Result<Self, UnknownAgent> {
        if text == "echo" {
            return Ok(Self::Echo(echo::PACE));
        }
        if let Some(pace) = text.strip_prefix("echo:") {
            let pace = humantime::parse_duration(pace).map_err(|_| UnknownAgent(text.to_owned()))?;
            return Ok(Self::Echo(pace));
        }
        if text == "workers" {
            return Ok(Self::Workers);
        }
        if text.starts_with("http:") || text.starts_with("https:") {
            let endpoint = text.parse().map_err(|_| UnknownAgent(text.to_owned()))?;
            return Ok(Self::OpenAi(endpoint));
        }
        let words: Vec<String> = text
            .strip_prefix("cmd:")
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        if words.is_empty() {
            Err(UnknownAgent(text.to_owned()))
        } else {
            Ok(Self::Command(words))
        }
    }
}

/// As it is written in the settings.
impl fmt::Display for AgentChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Echo(echo::PACE) => f.write_str("echo"),
            Self::Echo(pace) => write!(f, "echo:{}", humantime::format_duration(*pace)),
            Self::Command(words) => write!(f, "cmd:{}", words.join(" ")),
            Self::OpenAi(endpoint) => endpoint.fmt(f),
            Self::Workers => f.write_str("workers"),
        }
    }
}

impl AgentChoice {
    /// The agent itself. `key` opens its server, `name` is what it is told it is called, and `notes` what it remembers.
    ///
    /// # Errors
    /// When this machine does not have what it takes to reach it.
    pub fn agent(&self, key: Option<Key>, name: &str, notes: Notes) -> Result<Arc<dyn Agent>, AgentError> {
        Ok(match self {
            Self::Echo(pace) => Arc::new(Echo::at(*pace)),
            Self::Command(words) => Arc::new(Command::new(words.clone())),
            Self::OpenAi(endpoint) => Arc::new(OpenAi::new(endpoint.clone(), key, name.to_owned(), notes)?),
            Self::Workers => {
                let sentence = "workers answer for the nodes of a cluster: say which agent answers here, with --agent";
                return Err(AgentError(sentence.to_owned()));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn an_agent_reads_as_it_is_written() {
        for text in [
            "echo",
            "echo:0s",
            "echo:20ms",
            "cmd:/bin/agent --fast",
            "http://localhost:1/v1#m",
            "workers",
        ] {
            assert_eq!(text.parse::<AgentChoice>().unwrap().to_string(), text);
        }
        assert_eq!("echo:0ms".parse(), Ok(AgentChoice::Echo(Duration::ZERO)));
        for text in ["", "echo:", "echo:fast", "echoes", "cmd:"] {
            let refusal = text.parse::<AgentChoice>().unwrap_err().to_string();
            assert!(refusal.contains(&format!("`{text}`")), "{refusal}");
        }
    }
}
