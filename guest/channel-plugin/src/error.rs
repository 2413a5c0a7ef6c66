//! What a plugin says when something fails, by the contract, and what a client gets in its place.

use crate::{EnqueueError, Error, PublishError, Response, ToolError};

/// Seconds after which it is worth asking a plugin that does not run again.
const NOT_RUNNING_RETRY_S: &str = "5";

impl From<EnqueueError> for Error {
    fn from(error: EnqueueError) -> Self {
        Self::Other(error.to_string())
    }
}

impl From<PublishError> for Error {
    fn from(error: PublishError) -> Self {
        Self::Other(error.to_string())
    }
}

impl From<Error> for ToolError {
    fn from(error: Error) -> Self {
        match error {
            Error::Busy => Self::Busy,
            Error::NewerData(what) => Self::NewerData(what),
            Error::Storage(what) => Self::Storage(what),
            Error::Other(what) => Self::Other(what),
            error => Self::Other(error.to_string()),
        }
    }
}

/// The answer to a request that could not be answered. What went wrong is logged, and nobody else's business.
impl From<Error> for Response {
    fn from(error: Error) -> Self {
        let (sentence, retry_after_s) = match error {
            Error::Busy => ("The chat is busy. Please try again.", "1"),
            Error::NotStarted => (
                "The chat is not running at the moment. Please try again later.",
                NOT_RUNNING_RETRY_S,
            ),
            error => {
                tracing::error!(%error, "a request was not answered");
                return Self::error(503, "Something went wrong. Please try again.");
            }
        };
        Self::error(503, sentence).with("retry-after", retry_after_s)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_client_learns_when_to_try_again_and_nothing_of_the_fault() {
        for (error, retry_after_s) in [(Error::Busy, "1"), (Error::NotStarted, NOT_RUNNING_RETRY_S)] {
            let response = Response::from(error);
            assert_eq!(response.status, 503);
            assert!(response.headers.contains(&("retry-after", retry_after_s.to_owned())));
        }
        let response = Response::from(Error::Storage("the disk of the owner".to_owned()));
        assert_eq!(response.status, 503);
        assert!(!String::from_utf8(response.body).unwrap().contains("owner"));
    }
}
