//! Friends: who they are, and what the owner does to their access.

use wasi_sqlite::{Connection, Row, params};

use super::{Invite, Store, StoreError};
use crate::code::CodeHash;
use crate::nickname::Nickname;
use crate::username::Username;

/// The key in `meta` that says that the host's agent was told of those who were here before it could be.
const INTRODUCED: &str = "introduced";

/// A friend, with or without access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Friend {
    pub(crate) id: i64,
    pub(crate) username: String,
    pub(crate) nickname: String,
}

/// How far a friend's access has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Signed in on at least one device.
    Active,
    /// Not signed in anywhere.
    InvitePending,
    /// The owner took the access away.
    Revoked,
}

/// A line of the owner's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) username: String,
    pub(crate) nickname: String,
    pub(crate) status: Status,
    pub(crate) last_seen_ms: Option<i64>,
}

impl Store {
    /// Creates a friend with a first code. `None`: the username is taken, and nothing was changed.
    pub(crate) fn create_friend(
        &mut self,
        username: &Username,
        nickname: &Nickname,
        invite: &Invite,
        now_ms: i64,
    ) -> Result<Option<i64>, StoreError> {
        self.write("creating a friend", |connection| {
            let created = connection.execute(
                "INSERT INTO friends (username, nickname, created_at_ms) VALUES (?1, ?2, ?3)
                 ON CONFLICT (username) DO NOTHING",
                params![username.as_str(), nickname.as_str(), now_ms],
            )?;
            if created == 0 {
                return Ok(None);
            }
            let friend_id = connection.last_insert_rowid();
            invite.insert(connection, friend_id, now_ms)?;
            Ok(Some(friend_id))
        })
    }

    /// Whether a username is taken, also by a friend without access.
    pub(crate) fn exists(&self, username: &Username) -> Result<bool, StoreError> {
        self.find_friend(username).map(|friend| friend.is_some())
    }

    /// The friend of a username.
    pub(crate) fn find_friend(&self, username: &Username) -> Result<Option<Friend>, StoreError> {
        self.read("looking a friend up", |connection| {
            Ok(connection.query_row(
                "SELECT id, username, nickname FROM friends WHERE username = ?1",
                params![username.as_str()],
                read_friend,
            )?)
        })
    }

    /// Everybody, until it is noted that the host's agent was told of them; none from then on.
    pub(crate) fn not_introduced(&self) -> Result<Option<Vec<Friend>>, StoreError> {
        self.read("looking up whom the agent knows", |connection| {
            let noted: Option<String> =
                connection.query_row("SELECT value FROM meta WHERE key = ?1", params![INTRODUCED], |row| {
                    row.get(0)
                })?;
            if noted.is_some() {
                return Ok(None);
            }
            let friends = connection.query(
                "SELECT id, username, nickname FROM friends ORDER BY username",
                params![],
                read_friend,
            )?;
            Ok(Some(friends))
        })
    }

    /// Notes that the host's agent was told of everybody who is here.
    pub(crate) fn note_introduced(&mut self) -> Result<(), StoreError> {
        self.write("noting whom the agent knows", |connection| {
            connection.execute("INSERT INTO meta (key, value) VALUES (?1, 'yes')", params![INTRODUCED])?;
            Ok(())
        })
    }

    /// Replaces every session and code of a friend by one new code, and gives back access that was revoked.
    /// Returns the sessions that ended.
    pub(crate) fn regenerate_invite(
        &mut self,
        friend_id: i64,
        invite: &Invite,
        now_ms: i64,
    ) -> Result<Vec<i64>, StoreError> {
        self.write("making a new invite", |connection| {
            let ended = end_access(connection, friend_id)?;
            connection.execute(
                "UPDATE friends SET revoked_at_ms = NULL WHERE id = ?1",
                params![friend_id],
            )?;
            invite.insert(connection, friend_id, now_ms)?;
            Ok(ended)
        })
    }

    /// Ends every session and code of a friend. Returns the sessions that ended.
    pub(crate) fn revoke_friend(&mut self, friend_id: i64, now_ms: i64) -> Result<Vec<i64>, StoreError> {
        self.write("revoking a friend's access", |connection| {
            let ended = end_access(connection, friend_id)?;
            connection.execute(
                "UPDATE friends SET revoked_at_ms = coalesce(revoked_at_ms, ?2) WHERE id = ?1",
                params![friend_id, now_ms],
            )?;
            Ok(ended)
        })
    }

    /// Every friend, by username.
    pub(crate) fn list_friends(&self, now_ms: i64) -> Result<Vec<Listed>, StoreError> {
        let mut friends = self.read("listing the friends", |connection| {
            Ok(connection.query(
                "SELECT id, username, nickname, last_seen_ms, revoked_at_ms IS NOT NULL,
                        EXISTS (SELECT 1 FROM sessions WHERE friend_id = friends.id AND last_used_ms > ?1)
                 FROM friends ORDER BY username",
                params![self.dead_before_ms(now_ms)],
                |row| {
                    let status = match (row.get(4)?, row.get(5)?) {
                        (true, _) => Status::Revoked,
                        (false, true) => Status::Active,
                        (false, false) => Status::InvitePending,
                    };
                    let listed = Listed {
                        username: row.get(1)?,
                        nickname: row.get(2)?,
                        status,
                        last_seen_ms: row.get(3)?,
                    };
                    Ok((row.get::<i64>(0)?, listed))
                },
            )?)
        })?;
        for (friend_id, listed) in &mut friends {
            let used = self
                .used
                .values()
                .filter(|(id, _)| id == friend_id)
                .map(|(_, at_ms)| *at_ms)
                .max();
            listed.last_seen_ms = listed.last_seen_ms.max(used);
        }
        Ok(friends.into_iter().map(|(_, listed)| listed).collect())
    }

    /// Gives a friend another nickname.
    pub(crate) fn set_nickname(&mut self, friend_id: i64, nickname: &Nickname) -> Result<(), StoreError> {
        self.write("changing a nickname", |connection| {
            connection.execute(
                "UPDATE friends SET nickname = ?2 WHERE id = ?1",
                params![friend_id, nickname.as_str()],
            )?;
            Ok(())
        })
    }
}

impl Invite {
    /// Writes the invite down for a friend, and takes out what has expired.
    pub(super) fn insert(&self, connection: &Connection, friend_id: i64, now_ms: i64) -> Result<(), StoreError> {
        let CodeHash(hash) = &self.code;
        connection.execute("DELETE FROM invites WHERE expires_at_ms <= ?1", params![now_ms])?;
        connection.execute(
            "INSERT INTO invites (code_hash, friend_id, kind, created_at_ms, expires_at_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![hash.as_slice(), friend_id, self.kind.as_str(), now_ms, self.expires_at_ms],
        )?;
        Ok(())
    }
}

/// Ends sessions, codes and questions of a friend: an answer that was asked for by who has lost access is nobody's.
fn end_access(connection: &Connection, friend_id: i64) -> Result<Vec<i64>, StoreError> {
    let ended = connection.query(
        "SELECT id FROM sessions WHERE friend_id = ?1",
        params![friend_id],
        |row| row.get(0),
    )?;
    connection.execute("DELETE FROM sessions WHERE friend_id = ?1", params![friend_id])?;
    connection.execute("DELETE FROM invites WHERE friend_id = ?1", params![friend_id])?;
    connection.execute(
        "UPDATE entries SET state = 'stopped' WHERE friend_id = ?1 AND state = 'queued'",
        params![friend_id],
    )?;
    Ok(ended)
}

fn read_friend(row: &Row<'_>) -> wasi_sqlite::Result<Friend> {
    Ok(Friend {
        id: row.get(0)?,
        username: row.get(1)?,
        nickname: row.get(2)?,
    })
}
