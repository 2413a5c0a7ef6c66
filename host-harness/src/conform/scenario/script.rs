//! What a scenario's file says.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Parts that are played one after the other.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(in crate::conform) struct Scenario {
    pub(super) parts: Vec<Part>,
}

/// Why there is nothing to play.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("reading the scenario {}: {source}: check the path given with --scenario", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no scenario.
    #[error("the scenario {}: {source}: docs/hosts.md says what is in it", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: serde_json::Error,
    },
}

/// Steps with a name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) steps: Vec<Step>,
}

/// Something that is done, and what is expected then.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Step {
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nudge: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    get: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    post: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restart: Option<Restart>,
    #[serde(skip_serializing)]
    arguments: Value,
    #[serde(skip_serializing)]
    pub(super) text: Option<String>,
    #[serde(skip_serializing)]
    pub(super) body: Option<Value>,
    #[serde(skip_serializing)]
    without: Option<Kept>,
    #[serde(skip_serializing)]
    status: Option<u16>,
    #[serde(skip_serializing)]
    pub(super) says: Option<String>,
    #[serde(skip_serializing)]
    keeps: Option<Kept>,
    #[serde(skip_serializing)]
    pub(super) opens: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Until>,
}

/// What a client keeps of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kept {
    Cookie,
}

/// How a host ends before it is started again.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Restart {
    Killed,
}

/// How far a stream is read.
#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub(super) enum Until {
    End(End),
    /// To an event with these fields.
    Event(Map<String, Value>),
}

/// The word for a stream's end.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum End {
    End,
}

/// What a step does.
pub(super) enum Kind<'a> {
    Tool { name: &'a str, arguments: &'a Value },
    Nudge { user: &'a str, text: &'a str },
    Request(Request<'a>),
    Stream { name: &'a str, until: &'a Until },
    Restart,
}

/// A request and its status.
pub(super) struct Request<'a> {
    pub(super) method: http::Method,
    pub(super) target: &'a str,
    pub(super) with_cookie: bool,
    pub(super) keeps_cookie: bool,
    pub(super) status: u16,
}

impl Scenario {
    pub(in crate::conform) fn read(path: &Path) -> Result<Self, ScenarioError> {
        let text = fs::read_to_string(path).map_err(|source| ScenarioError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        serde_json::from_str(&text).map_err(|source| ScenarioError::Malformed {
            path: path.to_owned(),
            source,
        })
    }

    /// Somebody who has joined: the first who gets a message.
    pub(super) fn first_user(&self) -> Option<&str> {
        let mut steps = self.parts.iter().flat_map(|part| &part.steps);
        steps.find_map(|step| step.nudge.as_deref())
    }
}

impl Step {
    pub(super) fn kind(&self) -> Result<Kind<'_>, String> {
        if let Some(name) = &self.tool {
            return Ok(Kind::Tool {
                name,
                arguments: &self.arguments,
            });
        }
        if let (Some(user), Some(text)) = (&self.nudge, &self.text) {
            return Ok(Kind::Nudge { user, text });
        }
        if let (Some(name), Some(until)) = (&self.stream, &self.until) {
            return Ok(Kind::Stream { name, until });
        }
        if self.restart.is_some() {
            return Ok(Kind::Restart);
        }
        let (method, target) = match (&self.get, &self.post) {
            (Some(target), _) => (http::Method::GET, target),
            (_, Some(target)) => (http::Method::POST, target),
            _ => return Err("this is no step: docs/hosts.md says which there are".to_owned()),
        };
        Ok(Kind::Request(Request {
            method,
            target,
            with_cookie: self.without != Some(Kept::Cookie),
            keeps_cookie: self.keeps == Some(Kept::Cookie),
            status: self.status.unwrap_or(200),
        }))
    }
}

/// What it does, in the words of the file.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl Until {
    /// Whether an event is the one.
    pub(super) fn is(&self, event: &Value) -> bool {
        match self {
            Self::End(_) => false,
            Self::Event(fields) => fields.iter().all(|(name, value)| event.get(name) == Some(value)),
        }
    }
}
