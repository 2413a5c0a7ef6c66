//! What must be in the log of a friend who says `message-0`, `message-1` and so on to the echo, as `/api/history` shows it.

use std::io;

use serde_json::Value;

use crate::{Answer, Friend};

/// Entries of one page of the history, at most.
const PAGE: usize = 200;

/// The text of a friend's message. Its client id is the same.
pub fn message(number: u64) -> String {
    format!("message-{number}")
}

/// The text of a nudge.
pub fn nudge(number: u64) -> String {
    format!("nudge-{number}")
}

/// A part of a friend's log up to its end, oldest first.
#[derive(Debug)]
pub struct Log {
    /// Its entries.
    pub entries: Vec<Value>,
}

/// What a log holds, counted from its end.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// The friend's messages.
    pub messages: Vec<u64>,
    /// Nudges.
    pub nudges: Vec<u64>,
    /// Messages whose answer is there.
    pub answered: Vec<u64>,
    /// Messages that the agent could not answer.
    pub failed: Vec<u64>,
}

impl Log {
    /// The latest page.
    ///
    /// # Errors
    /// When the harness is gone, or its plugin for the moment.
    pub fn latest(friend: &Friend) -> io::Result<Self> {
        let (mut entries, _) = page(friend, "")?;
        entries.reverse();
        Ok(Self { entries })
    }

    /// Everything.
    pub fn whole(friend: &Friend) -> Self {
        let (mut entries, mut more) = page(friend, "").unwrap();
        while more {
            let oldest = entries.last().unwrap()["id"].to_string();
            let (older, even_more) = page(friend, &format!("&before={oldest}")).unwrap();
            entries.extend(older);
            more = even_more;
        }
        entries.reverse();
        Self { entries }
    }

    /// Asserts that everything stands here once, in the order in which it was said, every answer after its message,
    /// and no message without the one before.
    #[track_caller]
    pub fn check(&self) -> Found {
        let mut found = Found {
            messages: Vec::new(),
            nudges: Vec::new(),
            answered: Vec::new(),
            failed: Vec::new(),
        };
        let mut ids = std::collections::BTreeMap::new();
        let mut last_id = -1;
        for entry in &self.entries {
            let id = entry["id"].as_i64().unwrap();
            assert!(id > last_id, "{entry} stands after {last_id}");
            last_id = id;
            let text = entry["text"].as_str().unwrap();
            match entry["role"].as_str().unwrap() {
                "friend" => {
                    assert_eq!(entry["client_id"], text, "{entry}");
                    let number = numbered(text, "message-");
                    if let Some(before) = found.messages.last() {
                        assert_eq!(number, before + 1, "{entry} follows {before}");
                    }
                    found.messages.push(number);
                    if entry["state"] == "failed" {
                        found.failed.push(number);
                    } else {
                        ids.insert(id, number);
                    }
                }
                "agent" => {
                    let number = numbered(text, "You said: message-");
                    if let Some(before) = found.answered.last() {
                        // A message may stand before the page on which its neighbours' answers are.
                        let is_before = |number: &u64| found.messages.first().is_none_or(|first| number < first);
                        let between =
                            (before + 1..number).all(|number| is_before(&number) || found.failed.contains(&number));
                        assert!(number > *before && between, "{entry} follows the answer to {before}");
                    }
                    let question = entry["message"].as_i64().unwrap();
                    // The beginning of a page may be between a message and its answer.
                    if question >= self.entries[0]["id"].as_i64().unwrap() {
                        assert_eq!(ids.get(&question), Some(&number), "{entry}");
                    }
                    found.answered.push(number);
                }
                "nudge" => {
                    let number = numbered(text, "nudge-");
                    if let Some(before) = found.nudges.last() {
                        assert!(number > *before, "{entry} follows {before}");
                    }
                    found.nudges.push(number);
                }
                other => panic!("{other}: {entry}"),
            }
        }
        found
    }
}

fn numbered(text: &str, prefix: &str) -> u64 {
    let number = text.strip_prefix(prefix).and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("{text:?} was never said"))
}

/// A page of the history, newest first, and whether there is more.
fn page(friend: &Friend, before: &str) -> io::Result<(Vec<Value>, bool)> {
    let target = format!("/api/history?limit={PAGE}{before}");
    let answer = Answer::try_read(friend.try_request("GET", &target, &[], b"")?)?;
    if answer.status == 503 {
        return Err(io::Error::other(answer.text().to_owned()));
    }
    assert_eq!(answer.status, 200, "{}", answer.text());
    let page = answer.json();
    Ok((page["entries"].as_array().unwrap().clone(), page["more"] == true))
}
