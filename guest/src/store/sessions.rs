//! Sessions: browsers that are signed in.

use std::collections::BTreeMap;

use subtle::ConstantTimeEq as _;
use wasi_sqlite::params;

use super::{Store, StoreError};
use crate::token::TokenHash;

/// A browser that is signed in, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) id: i64,
    pub(crate) friend_id: i64,
    pub(crate) username: String,
    pub(crate) nickname: String,
}

/// Most sessions that are kept in memory: a few hundred bytes each.
const MAX_KNOWN: usize = 4_096;

/// Sessions that were looked up of late, with the time of their last use. Forgotten with every change to more than the
/// log, so that nobody who lost access is known any more.
#[derive(Default)]
pub(super) struct Known(BTreeMap<[u8; 32], (Session, i64)>);

impl Known {
    fn get(&mut self, hash: &[u8; 32], dead_before_ms: i64, now_ms: i64) -> Option<Session> {
        let (session, used_ms) = self.0.get_mut(hash)?;
        if *used_ms <= dead_before_ms {
            return None;
        }
        *used_ms = now_ms;
        Some(session.clone())
    }

    fn keep(&mut self, hash: [u8; 32], session: Session, now_ms: i64) {
        if self.0.len() >= MAX_KNOWN {
            self.0.clear();
        }
        self.0.insert(hash, (session, now_ms));
    }

    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

impl Store {
    /// The session of a token, if it has not ended. It counts as used.
    pub(crate) fn session(&mut self, token: &TokenHash, now_ms: i64) -> Result<Option<Session>, StoreError> {
        let TokenHash(hash) = token;
        let dead_before_ms = self.dead_before_ms(now_ms);
        let session = match self.known.get(hash, dead_before_ms, now_ms) {
            Some(session) => session,
            None => match self.find_session(hash, dead_before_ms)? {
                Some(session) => {
                    self.known.keep(*hash, session.clone(), now_ms);
                    session
                }
                None => return Ok(None),
            },
        };
        self.note_use(&session, now_ms);
        Ok(Some(session))
    }

    fn find_session(&self, hash: &[u8; 32], dead_before_ms: i64) -> Result<Option<Session>, StoreError> {
        let found = self.read("looking a session up", |connection| {
            Ok(connection.query_row(
                "SELECT sessions.id, friend_id, username, nickname, token_hash
                 FROM sessions JOIN friends ON friends.id = friend_id
                 WHERE token_hash = ?1 AND last_used_ms > ?2 AND revoked_at_ms IS NULL",
                params![hash.as_slice(), dead_before_ms],
                |row| {
                    let session = Session {
                        id: row.get(0)?,
                        friend_id: row.get(1)?,
                        username: row.get(2)?,
                        nickname: row.get(3)?,
                    };
                    Ok((session, row.get::<Vec<u8>>(4)?))
                },
            )?)
        })?;
        Ok(found
            .filter(|(_, stored)| bool::from(stored.ct_eq(hash)))
            .map(|(session, _)| session))
    }

    /// Whether a session has not ended, and as whom: for connections that were let in earlier.
    pub(crate) fn session_by_id(&self, session_id: i64) -> Result<Option<Session>, StoreError> {
        self.read("looking a session up", |connection| {
            Ok(connection.query_row(
                "SELECT sessions.id, friend_id, username, nickname
                 FROM sessions JOIN friends ON friends.id = friend_id
                 WHERE sessions.id = ?1 AND revoked_at_ms IS NULL",
                params![session_id],
                |row| {
                    Ok(Session {
                        id: row.get(0)?,
                        friend_id: row.get(1)?,
                        username: row.get(2)?,
                        nickname: row.get(3)?,
                    })
                },
            )?)
        })
    }

    /// A session whose last use is not after this is over.
    pub(super) fn dead_before_ms(&self, now_ms: i64) -> i64 {
        now_ms.saturating_sub(self.session_idle_ms)
    }

    /// Ends one session. May be repeated.
    pub(crate) fn end_session(&mut self, session_id: i64) -> Result<(), StoreError> {
        self.used.remove(&session_id);
        self.write("signing a friend out", |connection| {
            connection.execute("DELETE FROM sessions WHERE id = ?1", params![session_id])?;
            Ok(())
        })
    }
}
