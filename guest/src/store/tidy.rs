//! Keeping the log small: what is older or more than the owner wants to keep is forgotten, and its space given back.
//! What waits for an answer, and a nudge that was not seen yet, is not forgotten however old it is.

use std::collections::BTreeMap;

use wasi_sqlite::{Connection, params};

use super::{Store, StoreError};
use crate::retention::Retention;

/// Milliseconds between two looks at everybody's oldest entries.
const LOOK_EVERY_MS: i64 = 24 * 3_600_000;
/// Entries that a friend may add, as a part of those to be kept, before the surplus is looked for.
const SURPLUS_PART: u32 = 16;
/// Fewest such entries: to look for a surplus takes longer than to add an entry.
const MIN_SURPLUS: u32 = 32;
/// Pages given back to the file system at a time, so that no call lasts long.
const PAGES_AT_A_TIME: u32 = 500;

/// Friends looked at in one call, which takes a few hundred microseconds where there is nothing to forget.
const FRIENDS_AT_A_TIME: u32 = 20;
/// Milliseconds between two such calls: with very many friends and messages the look takes its time, not everybody else's.
const PAUSE_MS: i64 = 100;
/// Entries forgotten in one call; the rest has its turn with the next.
const ENTRIES_AT_A_TIME: u32 = 2_000;

/// What was added since a surplus was looked for, by friend, and how far the look at everybody has come.
#[derive(Debug, Default)]
pub(super) struct Growth {
    added: BTreeMap<i64, u32>,
    looked_ms: Option<i64>,
    /// The friend after whom it goes on.
    next_after: Option<i64>,
    /// When it was last at some friends.
    went_on_ms: i64,
}

impl Growth {
    /// Notes an entry; whether there may be a surplus.
    fn grow(&mut self, friend_id: i64, retention: Retention) -> bool {
        let added = self.added.entry(friend_id).or_default();
        *added = added.saturating_add(1);
        let is_much = *added >= (retention.max_entries / SURPLUS_PART).max(MIN_SURPLUS);
        if is_much {
            self.added.remove(&friend_id);
        }
        is_much
    }

    /// Begins another look at everybody if it is time.
    fn look(&mut self, now_ms: i64) {
        if !self
            .looked_ms
            .is_some_and(|at_ms| is_soon(at_ms, LOOK_EVERY_MS, now_ms))
        {
            self.looked_ms = Some(now_ms);
            self.next_after = Some(0);
        }
    }

    /// The friend after whom the look goes on, if it does now.
    fn go_on(&mut self, now_ms: i64) -> Option<i64> {
        let next_after = self.next_after?;
        if is_soon(self.went_on_ms, PAUSE_MS, now_ms) {
            return None;
        }
        self.went_on_ms = now_ms;
        Some(next_after)
    }
}

/// Whether a time has not passed since then. If then is to come, the clock was set back.
fn is_soon(then_ms: i64, time_ms: i64, now_ms: i64) -> bool {
    (then_ms..then_ms.saturating_add(time_ms)).contains(&now_ms)
}

impl Store {
    /// Notes that a friend has an entry more, and forgets now and then what is not to be kept. Failing, it is tried
    /// again later.
    pub(crate) fn tidy(&mut self, friend_id: i64, now_ms: i64) {
        let retention = self.retention;
        let mut friends = Vec::new();
        if self.growth.grow(friend_id, retention) {
            friends.push(friend_id);
        }
        self.growth.look(now_ms);
        let tidied = self.next_friends(now_ms).and_then(|next| {
            friends.extend(next);
            if friends.is_empty() {
                return Ok(0);
            }
            let (forgotten, left) = self.write_entries("forgetting old entries", |connection| {
                let mut forgotten = 0;
                let mut left = None;
                for friend_id in friends {
                    forgotten += forget(connection, retention, friend_id, now_ms)?;
                    if forgotten >= ENTRIES_AT_A_TIME as usize {
                        left = Some(friend_id);
                        break;
                    }
                }
                if forgotten > 0 {
                    connection.execute_batch(&format!("PRAGMA incremental_vacuum({PAGES_AT_A_TIME})"))?;
                }
                Ok((forgotten, left))
            })?;
            if let Some(friend_id) = left {
                // This friend's turn comes again, and with it that of those who come after.
                let again = friend_id.saturating_sub(1);
                self.growth.next_after = Some(self.growth.next_after.map_or(again, |next| next.min(again)));
            }
            Ok(forgotten)
        });
        match tidied {
            Ok(0) => {}
            Ok(forgotten) => tracing::info!(forgotten, "entries that are not to be kept any more are forgotten"),
            Err(error) => tracing::warn!(%error, "old entries stay for the moment"),
        }
    }

    /// The friends whose turn it is to be looked at.
    fn next_friends(&mut self, now_ms: i64) -> Result<Vec<i64>, StoreError> {
        let Some(after) = self.growth.go_on(now_ms) else {
            return Ok(Vec::new());
        };
        let friends: Vec<i64> = self.read("looking for old entries", |connection| {
            Ok(connection.query(
                "SELECT id FROM friends WHERE id > ?1 ORDER BY id LIMIT ?2",
                params![after, FRIENDS_AT_A_TIME],
                |row| row.get(0),
            )?)
        })?;
        self.growth.next_after = friends.last().copied();
        Ok(friends)
    }
}

/// Forgets a friend's entries that are not to be kept, the oldest first, and gives their number. The friend's mark says up to where
/// entries may be missing.
fn forget(connection: &Connection, retention: Retention, friend_id: i64, now_ms: i64) -> Result<usize, StoreError> {
    let too_many: Option<i64> = connection.query_row(
        "SELECT id FROM entries WHERE friend_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2",
        params![friend_id, retention.max_entries],
        |row| row.get(0),
    )?;
    // The first that is young enough keeps what comes after it, whatever the clock did in between.
    let too_old: Option<i64> = match retention.max_age_ms {
        None => None,
        Some(age_ms) => connection.query_row(
            "SELECT coalesce(
                     (SELECT id - 1 FROM entries WHERE friend_id = ?1 AND at_ms > ?2 ORDER BY id LIMIT 1),
                     (SELECT max(id) FROM entries WHERE friend_id = ?1), 0)",
            params![friend_id, now_ms.saturating_sub(age_ms)],
            |row| row.get(0),
        )?,
    };
    let Some(up_to) = too_many.max(too_old).filter(|id| *id > 0) else {
        return Ok(0);
    };
    let at_a_time: Option<i64> = connection.query_row(
        "SELECT id FROM entries WHERE friend_id = ?1 AND id > (SELECT forgotten_id FROM friends WHERE id = ?1)
         ORDER BY id LIMIT 1 OFFSET ?2",
        params![friend_id, ENTRIES_AT_A_TIME],
        |row| row.get(0),
    )?;
    let up_to = at_a_time.map_or(up_to, |id| up_to.min(id));
    let forgotten = connection.execute(
        "DELETE FROM entries WHERE friend_id = ?1 AND id <= ?2 AND state <> 'queued'
             AND NOT (role = 'nudge' AND id > (SELECT seen_id FROM friends WHERE id = ?1) AND expires_at_ms > ?3)",
        params![friend_id, up_to, now_ms],
    )?;
    if forgotten > 0 {
        connection.execute(
            "UPDATE friends SET forgotten_id = max(forgotten_id, ?2) WHERE id = ?1",
            params![friend_id, up_to],
        )?;
    }
    Ok(forgotten)
}
