//! What the owner and the agent have said to each other: a file of JSON lines, of which the latest are kept.
//!
//! The file is replaced whole and synced, so that it is always as it was before a message or after it.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::agent::Said;

/// Messages that are kept: more than an agent is given.
const MESSAGES: usize = 200;
/// Bytes that are kept, which is some long answers.
const BYTES: usize = 1 << 20;

/// The conversation with the owner.
#[derive(Debug, Clone)]
pub struct Conversation {
    path: PathBuf,
}

/// The conversation cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ConversationError {
    /// The file cannot be read or written.
    #[error("the conversation {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is not what was written there.
    #[error("the conversation {}: line {line} is damaged: mend it, or move the file away to begin anew", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
}

impl Conversation {
    /// The conversation in a file, which need not exist.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// What was said, oldest first.
    ///
    /// # Errors
    /// When the file is there and is not a conversation.
    pub fn read(&self) -> Result<Vec<Said>, ConversationError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(self.io(source)),
        };
        let parsed = text.lines().enumerate().map(|(index, line)| {
            serde_json::from_str(line).map_err(|_| ConversationError::Damaged {
                path: self.path.clone(),
                line: index + 1,
            })
        });
        parsed.collect()
    }

    /// Adds a message and forgets the oldest beyond the bounds. It is on disk when this returns.
    ///
    /// # Errors
    /// When the file cannot be read or written; it is then as it was.
    pub fn add(&self, said: Said) -> Result<(), ConversationError> {
        let mut kept: VecDeque<String> = VecDeque::new();
        let mut bytes = 0;
        let latest_first = self.read()?.into_iter().chain([said]).rev();
        for said in latest_first.take(MESSAGES) {
            let line = serde_json::to_string(&said).map_err(|error| self.io(error.into()))?;
            bytes += line.len();
            if bytes > BYTES && !kept.is_empty() {
                break;
            }
            kept.push_front(line + "\n");
        }
        self.replace(&kept.into_iter().collect::<String>())
            .map_err(|source| self.io(source))
    }

    fn replace(&self, text: &str) -> io::Result<()> {
        let draft = self.path.with_extension("jsonl.part");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, &self.path)?;
        File::open(self.path.parent().unwrap_or_else(|| Path::new(".")))?.sync_all()
    }

    fn io(&self, source: io::Error) -> ConversationError {
        ConversationError::Io {
            path: self.path.clone(),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::agent::Speaker;

    fn said(text: &str) -> Said {
        Said {
            speaker: Speaker::User,
            text: text.to_owned(),
        }
    }

    #[test]
    fn the_latest_are_kept_for_the_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.jsonl");
        let conversation = Conversation::at(path.clone());
        assert_eq!(conversation.read().unwrap(), []);
        for number in 0..MESSAGES + 5 {
            conversation.add(said(&format!("line\n{number}"))).unwrap();
        }
        let kept = conversation.read().unwrap();
        assert_eq!(kept.len(), MESSAGES);
        assert_eq!(
            (kept[0].text.as_str(), kept[MESSAGES - 1].text.as_str()),
            ("line\n5", "line\n204")
        );
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        for _ in 0..3 {
            conversation.add(said(&"x".repeat(BYTES / 2))).unwrap();
        }
        assert_eq!(conversation.read().unwrap().len(), 1);
        assert!(fs::metadata(&path).unwrap().len() <= BYTES as u64);
    }

    #[test]
    fn a_damaged_file_is_named_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.jsonl");
        let damaged = "{\"speaker\":\"agent\",\"text\":\"hello\"}\nrubbish\n";
        fs::write(&path, damaged).unwrap();
        let conversation = Conversation::at(path.clone());
        let error = conversation.add(said("hi")).unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
    }
}
