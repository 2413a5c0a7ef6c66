//! The log: every message of every conversation. History, replay and what is unread are the same rows, read by
//! friend and id.

use wasi_sqlite::{Row, params};

use super::{Store, StoreError};
use crate::entry::{Entry, Role, State};

/// Every column of an entry. A nudge that the friend has seen is known by the mark, not by a write for each.
const SELECT: &str = "SELECT entries.id, friend_id, role, text, at_ms,
    CASE WHEN role = 'nudge' AND entries.id <= seen_id THEN 'seen' ELSE state END,
    source, priority, client_id, in_reply_to, expires_at_ms
    FROM entries JOIN friends ON friends.id = friend_id";

/// Most bytes of text that are read at a time. A page gets each as JSON and as HTML, up to eight times as long, which
/// takes a host time and memory; a hundred pages of a book are enough for a reader.
const MAX_PAGE_BYTES: u64 = 256 * 1024;

/// Some entries, in the order that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) entries: Vec<Entry>,
    /// Whether there are others that did not fit.
    pub(crate) more: bool,
}

/// A nudge to be written down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewNudge<'a> {
    pub(crate) friend_id: i64,
    pub(crate) text: &'a str,
    pub(crate) source: &'a str,
    pub(crate) priority: &'a str,
}

/// A message that waits for its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) friend_id: i64,
    pub(crate) message_id: i64,
    pub(crate) username: String,
    pub(crate) text: String,
}

impl Store {
    /// Writes a friend's message down and gives its id.
    pub(crate) fn add_message(
        &mut self,
        friend_id: i64,
        text: &str,
        client_id: Option<&str>,
        now_ms: i64,
    ) -> Result<i64, StoreError> {
        self.write_entry("keeping a message", |connection| {
            connection.execute(
                "INSERT INTO entries (friend_id, role, text, at_ms, state, client_id)
                 VALUES (?1, 'friend', ?2, ?3, 'queued', ?4)",
                params![friend_id, text, now_ms, client_id],
            )?;
            Ok(connection.last_insert_rowid())
        })
    }

    /// The message that a page sent under a name of its own.
    pub(crate) fn message_by_client_id(&self, friend_id: i64, client_id: &str) -> Result<Option<Entry>, StoreError> {
        let sql = format!("{SELECT} WHERE friend_id = ?1 AND client_id = ?2");
        self.read("looking a message up", |connection| {
            one(connection.query_row(&sql, params![friend_id, client_id], read_row)?)
        })
    }

    /// The answer to a message, if there is one.
    pub(crate) fn reply_to(&self, message_id: i64) -> Result<Option<Entry>, StoreError> {
        let sql = format!("{SELECT} WHERE in_reply_to = ?1");
        self.read("looking an answer up", |connection| {
            one(connection.query_row(&sql, params![message_id], read_row)?)
        })
    }

    /// Writes the end of an answer down, with what was said, in one transaction. Gives the reply's id, if
    /// anything was said; nothing is written for a message that has ended already.
    pub(crate) fn finish_message(
        &mut self,
        friend_id: i64,
        message_id: i64,
        state: State,
        reply: Option<&str>,
        now_ms: i64,
    ) -> Result<Option<i64>, StoreError> {
        self.write_entries("keeping an answer", |connection| {
            let changed = connection.execute(
                "UPDATE entries SET state = ?3 WHERE id = ?2 AND friend_id = ?1 AND state = 'queued'",
                params![friend_id, message_id, state.as_str()],
            )?;
            let Some(text) = reply.filter(|_| changed > 0) else {
                return Ok(None);
            };
            connection.execute(
                "INSERT INTO entries (friend_id, role, text, at_ms, state, in_reply_to)
                 VALUES (?1, 'agent', ?2, ?3, ?4, ?5)",
                params![friend_id, text, now_ms, state.as_str(), message_id],
            )?;
            Ok(Some(connection.last_insert_rowid()))
        })
    }

    /// Writes a nudge down and gives its id.
    pub(crate) fn add_nudge(
        &mut self,
        nudge: NewNudge<'_>,
        now_ms: i64,
        expires_at_ms: i64,
    ) -> Result<i64, StoreError> {
        self.write_entry("keeping a nudge", |connection| {
            connection.execute(
                "INSERT INTO entries (friend_id, role, text, at_ms, state, source, priority, expires_at_ms)
                 VALUES (?1, 'nudge', ?2, ?3, 'stored', ?4, ?5, ?6)",
                params![
                    nudge.friend_id,
                    nudge.text,
                    now_ms,
                    nudge.source,
                    nudge.priority,
                    expires_at_ms
                ],
            )?;
            Ok(connection.last_insert_rowid())
        })
    }

    /// Notes that a nudge was written to at least one connection.
    pub(crate) fn mark_pushed(&mut self, id: i64) -> Result<(), StoreError> {
        self.write_entry("keeping what became of a nudge", |connection| {
            connection.execute(
                "UPDATE entries SET state = 'pushed' WHERE id = ?1 AND state = 'stored'",
                params![id],
            )?;
            Ok(())
        })
    }

    /// The newest entries before an id, newest first, at most `limit`.
    pub(crate) fn entries_before(&self, friend_id: i64, before: Option<i64>, limit: u32) -> Result<Page, StoreError> {
        let (bound, filter) = (before.unwrap_or(i64::MAX), "entries.id < ?2 ORDER BY entries.id DESC");
        self.page("reading the history", filter, friend_id, bound, limit)
    }

    /// The entries after an id, oldest first, at most `limit`.
    pub(crate) fn entries_after(&self, friend_id: i64, after: i64, limit: u32) -> Result<Page, StoreError> {
        let filter = "entries.id > ?2 ORDER BY entries.id";
        self.page("reading what was missed", filter, friend_id, after, limit)
    }

    /// The id of the latest entry of a friend that may have been forgotten; 0 when none was.
    pub(crate) fn forgotten_id(&self, friend_id: i64) -> Result<i64, StoreError> {
        self.read("reading what was forgotten", |connection| {
            Ok(connection
                .query_row(
                    "SELECT forgotten_id FROM friends WHERE id = ?1",
                    params![friend_id],
                    |row| row.get(0),
                )?
                .unwrap_or_default())
        })
    }

    /// The nudges that a friend has not seen and that still matter, oldest first, at most `limit`.
    pub(crate) fn unseen_nudges(&self, friend_id: i64, now_ms: i64, limit: u32) -> Result<Page, StoreError> {
        let filter = "role = 'nudge' AND entries.id > seen_id AND expires_at_ms > ?2 ORDER BY entries.id";
        self.page("reading the nudges", filter, friend_id, now_ms, limit)
    }

    /// The newest of the agent's entries, if a friend has not seen it and it still matters.
    pub(crate) fn newest_unseen(&self, friend_id: i64, now_ms: i64) -> Result<Option<Entry>, StoreError> {
        let filter = "role != 'friend' AND entries.id > seen_id AND (expires_at_ms IS NULL OR expires_at_ms > ?2)
             ORDER BY entries.id DESC";
        let page = self.page("reading what is new", filter, friend_id, now_ms, 1)?;
        Ok(page.entries.into_iter().next())
    }

    /// As many of a friend's entries as fit, at most `limit`; at least one if there is one. The bound is `?2` of
    /// the filter.
    fn page(
        &self,
        doing: &'static str,
        filter: &str,
        friend_id: i64,
        bound: i64,
        limit: u32,
    ) -> Result<Page, StoreError> {
        let sizes = format!(
            "SELECT octet_length(text) FROM entries JOIN friends ON friends.id = friend_id
             WHERE friend_id = ?1 AND {filter} LIMIT ?3"
        );
        let entries = format!("{SELECT} WHERE friend_id = ?1 AND {filter} LIMIT ?3");
        self.read(doing, |connection| {
            let with_next = limit.saturating_add(1);
            let sizes: Vec<u32> = connection.query(&sizes, params![friend_id, bound, with_next], |row| row.get(0))?;
            let fitting = fitting(&sizes, limit);
            Ok(Page {
                entries: all(connection.query(&entries, params![friend_id, bound, fitting], read_row)?)?,
                more: sizes.len() > fitting as usize,
            })
        })
    }

    /// The id of a friend's latest entry; 0 when there is none.
    pub(crate) fn latest_id(&self, friend_id: i64) -> Result<i64, StoreError> {
        self.read("reading the latest entry", |connection| {
            Ok(connection
                .query_row(
                    "SELECT max(id) FROM entries WHERE friend_id = ?1",
                    params![friend_id],
                    |row| row.get::<Option<i64>>(0),
                )?
                .flatten()
                .unwrap_or_default())
        })
    }

    /// How many of the agent's entries a friend has not seen and still matter; counted up to `limit`.
    pub(crate) fn unread(&self, friend_id: i64, now_ms: i64, limit: u32) -> Result<u32, StoreError> {
        self.read("counting what is unread", |connection| {
            Ok(connection
                .query_row(
                    "SELECT count(*) FROM (
                         SELECT 1 FROM entries JOIN friends ON friends.id = friend_id
                         WHERE friend_id = ?1 AND entries.id > seen_id AND role != 'friend'
                             AND (expires_at_ms IS NULL OR expires_at_ms > ?2) LIMIT ?3)",
                    params![friend_id, now_ms, limit],
                    |row| row.get(0),
                )?
                .unwrap_or_default())
        })
    }

    /// Notes that a friend has seen everything up to an entry, which may be later than the latest. Gives the mark if
    /// it moved.
    pub(crate) fn mark_seen(&mut self, friend_id: i64, up_to: i64) -> Result<Option<i64>, StoreError> {
        let up_to = up_to.min(self.latest_id(friend_id)?);
        let doing = "keeping what was seen";
        let is_news = self.read(doing, |connection| {
            Ok(connection.query_row(
                "SELECT 1 FROM friends WHERE id = ?1 AND seen_id < ?2",
                params![friend_id, up_to],
                |_| Ok(()),
            )?)
        })?;
        if is_news.is_none() {
            return Ok(None);
        }
        self.write_entries(doing, |connection| {
            connection.execute(
                "UPDATE friends SET seen_id = ?2 WHERE id = ?1",
                params![friend_id, up_to],
            )?;
            Ok(Some(up_to))
        })
    }

    /// Every message that waits for its answer, in the order in which they came.
    pub(crate) fn open_messages(&self) -> Result<Vec<Open>, StoreError> {
        self.read("reading the messages without an answer", |connection| {
            Ok(connection.query(
                "SELECT friend_id, entries.id, username, text
                 FROM entries JOIN friends ON friends.id = friend_id WHERE state = 'queued' ORDER BY entries.id",
                params![],
                |row| {
                    Ok(Open {
                        friend_id: row.get(0)?,
                        message_id: row.get(1)?,
                        username: row.get(2)?,
                        text: row.get(3)?,
                    })
                },
            )?)
        })
    }
}

/// How many of the first texts of these sizes fit a page of at most `limit`.
fn fitting(sizes: &[u32], limit: u32) -> u32 {
    let mut bytes = 0_u64;
    let mut count = 0_u32;
    for size in sizes {
        bytes = bytes.saturating_add(u64::from(*size));
        if count == limit || (count > 0 && bytes > MAX_PAGE_BYTES) {
            break;
        }
        count = count.saturating_add(1);
    }
    count
}

/// An entry as it stands in the file; the names of role and state are not understood yet.
type Raw = (Entry, String, String);

fn read_row(row: &Row<'_>) -> wasi_sqlite::Result<Raw> {
    let entry = Entry {
        id: row.get(0)?,
        friend_id: row.get(1)?,
        role: Role::Friend,
        text: row.get(3)?,
        at_ms: row.get(4)?,
        state: State::Queued,
        source: row.get(6)?,
        priority: row.get(7)?,
        client_id: row.get(8)?,
        in_reply_to: row.get(9)?,
        expires_at_ms: row.get(10)?,
    };
    Ok((entry, row.get(2)?, row.get(5)?))
}

fn understood((entry, role, state): Raw) -> Result<Entry, StoreError> {
    let meaningless = |value| StoreError::Unreadable {
        doing: "reading the log",
        value,
    };
    let role = Role::parse(&role).ok_or_else(|| meaningless(role))?;
    let state = State::parse(&state).ok_or_else(|| meaningless(state))?;
    Ok(Entry { role, state, ..entry })
}

fn one(raw: Option<Raw>) -> Result<Option<Entry>, StoreError> {
    raw.map(understood).transpose()
}

fn all(raw: Vec<Raw>) -> Result<Vec<Entry>, StoreError> {
    raw.into_iter().map(understood).collect()
}
