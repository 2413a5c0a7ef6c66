//! One line of a script: who does what.
//!
//! ```text
//! + sec-fetch-site: cross-site             a header of the next request
//! john POST /api/chat {"message":"hi"}     john, jane and phone are browsers; the first two are signed in
//! john open /api/socket                    and can hold a WebSocket: open, says, leaves
//! john says {"type":"ping"}
//! owner friends_chat_revoke {"username":"john"}
//! nudge friend:john hello
//! history friend:john 5
//! agent john delta hello                   what the agent says to john's message: delta, status, done, fail
//! event 1 done                             the same to a ticket, whether the agent has it or not; also started
//! restart
//! ```
//!
//! What is none of these does nothing. `{code}` stands for the latest invite code, `{john}` for the cookie of that
//! browser, `{long}` for a text that is too long, `{deep}` for JSON that is nested too deeply.

use host_harness::agent::{Event, Piece};

/// Bytes of a text that is too long for a message.
const LONG_BYTES: usize = 70_000;
/// Levels of JSON that no parser should follow.
const DEEP_LEVELS: usize = 10_000;
/// Most bytes of what a line stands for: as much as the host reads of a body.
const MAX_BYTES: usize = 256 << 10;

/// Browsers by name.
pub(super) const BROWSERS: [&str; 3] = ["john", "jane", "phone"];

/// One line.
#[derive(Debug, Clone)]
pub(super) enum Line {
    Header(String, String),
    Request {
        browser: usize,
        method: String,
        target: String,
        body: String,
    },
    Open(usize, String),
    Says(usize, String),
    Leaves(usize),
    Tool(String, String),
    Nudge(String, String),
    History(String, u32),
    Agent(String, Word),
    Event(u64, Event),
    Restart,
}

/// What the agent says.
#[derive(Debug, Clone)]
pub(super) enum Word {
    Piece(Piece),
    Done,
    Fail(String),
}

impl Line {
    /// Understands a line; none where it means nothing.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let (first, rest) = words(line);
        let (second, text) = words(rest);
        let owned = str::to_owned;
        Some(match first {
            "+" => {
                let (name, value) = rest.split_once(": ")?;
                Self::Header(owned(name), owned(value))
            }
            "owner" => Self::Tool(owned(second), enlarged(text)),
            "nudge" => Self::Nudge(owned(second), enlarged(text)),
            "history" => Self::History(owned(second), text.parse().ok()?),
            "agent" => {
                let (verb, text) = words(text);
                Self::Agent(owned(second), word(verb, enlarged(text))?)
            }
            "event" => {
                let (verb, text) = words(text);
                let event = match word(verb, enlarged(text)) {
                    Some(Word::Piece(Piece::Delta(text))) => Event::Delta(text),
                    Some(Word::Piece(Piece::Status(text))) => Event::Status(text),
                    Some(Word::Piece(Piece::Restarted)) => Event::Restarted,
                    Some(Word::Done) => Event::Done,
                    Some(Word::Fail(reason)) => Event::Failed(reason),
                    None => Event::Started,
                };
                Self::Event(second.parse().ok()?, event)
            }
            "restart" => Self::Restart,
            _ => {
                let browser = BROWSERS.iter().position(|name| *name == first)?;
                match second {
                    "open" => Self::Open(browser, enlarged(text)),
                    "says" => Self::Says(browser, enlarged(text)),
                    "leaves" => Self::Leaves(browser),
                    method => {
                        let (target, body) = words(text);
                        Self::Request {
                            browser,
                            method: owned(method),
                            target: enlarged(target),
                            body: enlarged(body),
                        }
                    }
                }
            }
        })
    }
}

fn words(text: &str) -> (&str, &str) {
    text.split_once(' ').unwrap_or((text, ""))
}

fn word(verb: &str, text: String) -> Option<Word> {
    Some(match verb {
        "delta" => Word::Piece(Piece::Delta(text)),
        "status" => Word::Piece(Piece::Status(text)),
        "restarted" => Word::Piece(Piece::Restarted),
        "done" => Word::Done,
        "fail" => Word::Fail(text),
        _ => return None,
    })
}

/// The text with what is too long or too deep in it.
fn enlarged(text: &str) -> String {
    let mut text = text
        .replacen("{long}", &"x".repeat(LONG_BYTES), 2)
        .replacen("{deep}", &"[".repeat(DEEP_LEVELS), 2);
    text.truncate(text.floor_char_boundary(MAX_BYTES));
    text
}
