//! Sessions: browsers that are signed in.

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

impl Store {
    /// The session of a token, if it has not ended.
    pub(crate) fn session(&self, token: &TokenHash, now_ms: i64) -> Result<Option<Session>, StoreError> {
        let TokenHash(hash) = token;
        let found = self.read("looking a session up", |connection| {
            Ok(connection.query_row(
                "SELECT sessions.id, friend_id, username, nickname, token_hash
                 FROM sessions JOIN friends ON friends.id = friend_id
                 WHERE token_hash = ?1 AND last_used_ms > ?2 AND revoked_at_ms IS NULL",
                params![hash.as_slice(), self.dead_before_ms(now_ms)],
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
