//! Invites: codes that turn into a session once. Of any number of redemptions of a code exactly one succeeds, and
//! codes that are unknown, used, expired or revoked cannot be told apart.

use subtle::ConstantTimeEq as _;
use wasi_sqlite::params;

use super::{Friend, Session, Store, StoreError};
use crate::code::CodeHash;
use crate::token::TokenHash;

/// A code to be written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Invite {
    pub(crate) code: CodeHash,
    pub(crate) kind: InviteKind,
    pub(crate) expires_at_ms: i64,
}

/// How a code came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InviteKind {
    /// Made by the owner for a friend.
    Owner,
    /// Made by a friend for another device of theirs.
    Device,
}

/// What became of a redemption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Redemption {
    /// The code is good for nothing.
    Invalid,
    /// The code is good and belongs to somebody else than who is signed in; it is not spent.
    SignedInAsOther,
    /// The code is spent and the session is on disk.
    Done(Session),
}

impl InviteKind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Device => "device",
        }
    }
}

impl Store {
    /// The friend whom a code invites, if it is good for a session now. Spends nothing.
    pub(crate) fn invited(&self, code: &CodeHash, now_ms: i64) -> Result<Option<Friend>, StoreError> {
        let CodeHash(hash) = code;
        let found = self.read("looking an invite up", |connection| {
            Ok(connection.query_row(
                "SELECT code_hash, friend_id, username, nickname FROM invites JOIN friends ON friends.id = friend_id
                 WHERE code_hash = ?1 AND expires_at_ms > ?2 AND revoked_at_ms IS NULL",
                params![hash.as_slice(), now_ms],
                |row| {
                    let friend = Friend {
                        id: row.get(1)?,
                        username: row.get(2)?,
                        nickname: row.get(3)?,
                    };
                    Ok((row.get::<Vec<u8>>(0)?, friend))
                },
            )?)
        })?;
        Ok(found
            .filter(|(stored, _)| bool::from(stored.ct_eq(hash)))
            .map(|(_, friend)| friend))
    }

    /// Spends a code for a session with the given token.
    ///
    /// `current` is who the browser is signed in as: for the same friend the new session takes the old one's
    /// place; for another one the code is not spent unless `may_switch`, which leaves the old session to the caller.
    pub(crate) fn redeem(
        &mut self,
        code: &CodeHash,
        token: &TokenHash,
        current: Option<&Session>,
        may_switch: bool,
        now_ms: i64,
    ) -> Result<Redemption, StoreError> {
        let Some(Friend {
            id: friend_id,
            username,
            nickname,
        }) = self.invited(code, now_ms)?
        else {
            return Ok(Redemption::Invalid);
        };
        if current.is_some_and(|session| session.friend_id != friend_id) && !may_switch {
            return Ok(Redemption::SignedInAsOther);
        }
        let replaced = current
            .filter(|session| session.friend_id == friend_id)
            .map(|session| session.id);
        let CodeHash(hash) = code;
        let dead_before_ms = self.dead_before_ms(now_ms);
        self.write("redeeming an invite", |connection| {
            connection.execute("DELETE FROM sessions WHERE last_used_ms <= ?1", params![dead_before_ms])?;
            if connection.execute("DELETE FROM invites WHERE code_hash = ?1", params![hash.as_slice()])? == 0 {
                return Ok(Redemption::Invalid);
            }
            if let Some(session_id) = replaced {
                connection.execute("DELETE FROM sessions WHERE id = ?1", params![session_id])?;
            }
            let TokenHash(token) = token;
            connection.execute(
                "INSERT INTO sessions (token_hash, friend_id, created_at_ms, last_used_ms) VALUES (?1, ?2, ?3, ?3)",
                params![token.as_slice(), friend_id, now_ms],
            )?;
            let id = connection.last_insert_rowid();
            connection.execute(
                "UPDATE friends SET last_seen_ms = ?2 WHERE id = ?1",
                params![friend_id, now_ms],
            )?;
            Ok(Redemption::Done(Session {
                id,
                friend_id,
                username,
                nickname,
            }))
        })
    }

    /// Writes down a code that a friend made for another device, in place of an earlier one that was not used.
    pub(crate) fn add_device_invite(&mut self, friend_id: i64, invite: &Invite, now_ms: i64) -> Result<(), StoreError> {
        self.write("making a code for another device", |connection| {
            connection.execute(
                "DELETE FROM invites WHERE friend_id = ?1 AND kind = 'device'",
                params![friend_id],
            )?;
            invite.insert(connection, friend_id, now_ms)
        })
    }
}
