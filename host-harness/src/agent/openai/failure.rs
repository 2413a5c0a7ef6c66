//! Why a model gave no answer, and whether it is worth another try.

use std::error::Error;
use std::time::Duration;

use reqwest::StatusCode;

use crate::sse::TooLong;

/// Why there is no answer. For the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Nobody listens there, or the network fails.
    #[error("the agent's server cannot be reached: {0}")]
    Unreachable(String),
    /// Too many requests, or a failure of its own.
    #[error("the agent's server answers {status}: {words}")]
    Busy {
        status: StatusCode,
        words: String,
        retry_after: Option<Duration>,
    },
    /// The same request would be refused again.
    #[error("the agent's server refuses: {status}: {words}")]
    Refused { status: StatusCode, words: String },
    /// An error in place of an answer, or in the middle of it.
    #[error("the agent's server says: {0}")]
    Said(String),
    #[error("the agent's server has been silent for {0:?}")]
    Silent(Duration),
    #[error("the answer of the agent's server broke off: {0}")]
    Broken(String),
    #[error("the answer of the agent's server is too long")]
    TooLong,
    #[error("the agent's server sent {0}")]
    Rubbish(&'static str),
    #[error("the agent's server lists no model: name one behind `#`, as in http://localhost:11434/v1#llama3.2")]
    NoModel,
    #[error("the answer of the agent's server is empty")]
    Empty,
}

impl From<TooLong> for Failure {
    fn from(TooLong: TooLong) -> Self {
        Self::TooLong
    }
}

impl Failure {
    /// Whether a request with tools was refused for them: servers say so in words only.
    pub(super) fn is_about_tools(&self) -> bool {
        matches!(self, Self::Refused { status, words } if *status == StatusCode::BAD_REQUEST && words.contains("tool"))
    }

    /// Whether another try may do, and after which time if the server says so.
    pub(super) fn retry_after(&self) -> Option<Option<Duration>> {
        match self {
            Self::Unreachable(_) => Some(None),
            Self::Busy { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }
}

/// An error with its causes and without its address, which says nothing new.
pub(super) fn explained(error: &reqwest::Error) -> String {
    let mut words = Vec::new();
    let mut cause: Option<&dyn Error> = error.source();
    while let Some(error) = cause {
        words.push(error.to_string());
        cause = error.source();
    }
    match words.last() {
        Some(last) => last.clone(),
        None => error.to_string(),
    }
}
