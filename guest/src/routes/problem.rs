//! What can be wrong with a request, and how a friend is told: a status and a plain sentence. Details go to
//! the log only.

use std::borrow::Cow;

use channel_plugin::Response;

use crate::attempts::TooMany;
use crate::conversation::SayError;
use crate::rates::TooOften;
use crate::store::StoreError;

/// Seconds after which a failure of the storage may have passed.
const STORAGE_RETRY_S: u32 = 10;

/// Something is wrong with a request, or with us.
#[derive(Debug)]
pub(crate) enum Problem {
    /// No session, or one that has ended.
    SignedOut,
    NotFound,
    /// Unknown, used, expired and revoked codes look the same.
    InvalidCode,
    /// Codes of this client are not looked at for the moment.
    TooManyCodes(TooMany),
    /// This friend does this too often.
    TooOften(TooOften),
    /// The code is somebody else's than who is signed in, whose nickname this is.
    SignedInAs(String),
    NotSaidToBeJson,
    NotJson,
    /// Valid JSON of the wrong shape; says what fits.
    Shape(String),
    TooLarge,
    CrossSite,
    /// The agent has noted nothing like it.
    UnknownNote,
    /// What the agent has noted cannot be read; the reason is for the log.
    Memory(String),
    Say(SayError),
    Store(StoreError),
}

/// How a problem is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Explanation {
    pub(crate) status: u16,
    pub(crate) sentence: Cow<'static, str>,
    /// Seconds after which it is worth another try, where it is at all.
    retry_after_s: Option<u32>,
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<TooMany> for Problem {
    fn from(too_many: TooMany) -> Self {
        Self::TooManyCodes(too_many)
    }
}

impl From<TooOften> for Problem {
    fn from(too_often: TooOften) -> Self {
        Self::TooOften(too_often)
    }
}

impl From<SayError> for Problem {
    fn from(error: SayError) -> Self {
        match error {
            SayError::Store(error) => Self::Store(error),
            SayError::TooOften(too_often) => Self::TooOften(too_often),
            other => Self::Say(other),
        }
    }
}

impl Problem {
    /// The response that says so.
    pub(crate) fn into_response(self) -> Response {
        let Explanation {
            status,
            sentence,
            retry_after_s,
        } = self.explain();
        let response = Response::error(status, &sentence);
        match retry_after_s {
            Some(seconds) => response.with("retry-after", seconds.to_string()),
            None => response,
        }
    }

    /// The words for it; what the owner should know goes to the log.
    pub(crate) fn explain(self) -> Explanation {
        let once = |status, sentence| Explanation {
            status,
            sentence,
            retry_after_s: None,
        };
        let retry = |status, sentence, seconds| Explanation {
            status,
            sentence: Cow::Borrowed(sentence),
            retry_after_s: Some(seconds),
        };
        match self {
            Self::SignedOut => once(401, "Please sign in with your invite first".into()),
            Self::NotFound => once(404, "Not found".into()),
            Self::InvalidCode => once(401, "Invalid or expired invite code".into()),
            Self::SignedInAs(nickname) => once(409, signed_in_as(&nickname).into()),
            Self::NotSaidToBeJson => once(
                415,
                "Send JSON, and say so with the header Content-Type: application/json".into(),
            ),
            Self::NotJson => once(400, "The body is not JSON".into()),
            Self::Shape(sentence) => once(400, sentence.into()),
            Self::TooManyCodes(TooMany { retry_after_ms }) => retry(
                429,
                "Too many wrong codes were tried. Please wait a little, then try again.",
                seconds(retry_after_ms),
            ),
            Self::TooOften(TooOften { retry_after_ms }) => retry(
                429,
                "That was a lot at once. Please wait a moment, then try again.",
                seconds(retry_after_ms),
            ),
            Self::TooLarge => once(413, "That is too long: a request may have 64 KiB at most".into()),
            Self::CrossSite => once(403, "This request came from another site".into()),
            Self::UnknownNote => once(404, "This note is not there any more".into()),
            Self::Memory(reason) => {
                tracing::error!(reason, "the agent's notes");
                retry(
                    503,
                    "The notes cannot be read at the moment. Please try again later.",
                    STORAGE_RETRY_S,
                )
            }
            Self::Say(SayError::Crowded { retry_after_ms }) => retry(
                429,
                "Several messages are still waiting for an answer. Please wait a moment.",
                seconds(retry_after_ms),
            ),
            Self::Say(SayError::QueueFull { retry_after_ms }) => retry(
                503,
                "The agent has too much to do at the moment. Please try again later.",
                seconds(retry_after_ms),
            ),
            Self::Say(SayError::TooLong { .. }) => once(413, "That message is too long for the agent".into()),
            Self::Say(error) => {
                tracing::error!(%error, "a message was not taken");
                retry(
                    503,
                    "The agent cannot be reached at the moment. Please try again later.",
                    STORAGE_RETRY_S,
                )
            }
            Self::Store(error) => {
                // Of a full disk the store tells, once.
                if !error.is_full() {
                    tracing::error!(%error, "a request failed");
                }
                if error.is_passing() {
                    retry(
                        503,
                        "That could not be saved at the moment. Please try again later.",
                        STORAGE_RETRY_S,
                    )
                } else {
                    once(
                        500,
                        "Something went wrong. The owner finds the details in the log.".into(),
                    )
                }
            }
        }
    }
}

/// What a friend reads whose browser is signed in as somebody else.
fn signed_in_as(nickname: &str) -> String {
    format!("You are signed in as {nickname} on this device. Sign out first to join as somebody else.")
}

/// Milliseconds as whole seconds, never too few and never none.
fn seconds(milliseconds: u32) -> u32 {
    milliseconds.div_ceil(1_000).max(1)
}
