//! Hooks and what was said there, in a file.

use channel_plugin::sqlite::{Connection, Row, params};
use channel_plugin::{Condition, Entry, Error, Role};
use sha2::{Digest as _, Sha256};

const FILE: &str = "webhook.db";
/// Of a secret only the hash is kept.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS hooks (name TEXT PRIMARY KEY, secret BLOB NOT NULL UNIQUE);
    CREATE TABLE IF NOT EXISTS entries (
        id INTEGER PRIMARY KEY AUTOINCREMENT, hook TEXT NOT NULL, role TEXT NOT NULL, text TEXT NOT NULL,
        at_ms INTEGER NOT NULL, unanswered INTEGER NOT NULL);
    CREATE INDEX IF NOT EXISTS entries_of_hook ON entries (hook, id);";
/// Most entries that are given at once.
const MAX_ENTRIES: u32 = 1_000;

pub(crate) struct Store(Connection);

impl Store {
    pub(crate) fn open() -> Result<Self, Error> {
        let connection = Connection::open(FILE)?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self(connection))
    }

    pub(crate) fn open_hook(&self, name: &str, secret: &str) -> Result<(), Error> {
        let sql = "INSERT OR REPLACE INTO hooks (name, secret) VALUES (?1, ?2)";
        self.0.execute(sql, params![name, hash(secret).as_slice()])?;
        Ok(())
    }

    /// The hook that has this secret.
    pub(crate) fn hook(&self, secret: &str) -> Result<Option<String>, Error> {
        let sql = "SELECT name FROM hooks WHERE secret = ?1";
        Ok(self
            .0
            .query_row(sql, params![hash(secret).as_slice()], |row| row.get(0))?)
    }

    pub(crate) fn has(&self, name: &str) -> Result<bool, Error> {
        let found = self
            .0
            .query_row("SELECT 1 FROM hooks WHERE name = ?1", params![name], |_| Ok(()))?;
        Ok(found.is_some())
    }

    /// Keeps what was said; what a user said is unanswered.
    pub(crate) fn keep(&self, hook: &str, role: Role, text: &str, at_ms: i64) -> Result<Entry, Error> {
        let unanswered = role == Role::User;
        let sql = "INSERT INTO entries (hook, role, text, at_ms, unanswered) VALUES (?1, ?2, ?3, ?4, ?5)
            RETURNING id, role, text, at_ms";
        let kept = self
            .0
            .query(sql, params![hook, name(role), text, at_ms, unanswered], entry)?;
        kept.into_iter()
            .next()
            .ok_or_else(|| Error::Storage("what was said is not there".to_owned()))
    }

    /// Keeps the answer to an entry.
    pub(crate) fn reply(&self, message: u64, hook: &str, text: &str, at_ms: i64) -> Result<Entry, Error> {
        self.0.transaction(|connection| {
            connection.execute("UPDATE entries SET unanswered = 0 WHERE id = ?1", params![message])?;
            self.keep(hook, Role::Agent, text, at_ms)
        })
    }

    /// What waits for an answer, with its hook, earliest first.
    pub(crate) fn unanswered(&self) -> Result<Vec<(String, Entry)>, Error> {
        let sql = "SELECT id, role, text, at_ms, hook FROM entries WHERE unanswered ORDER BY id";
        Ok(self.0.query(sql, params![], |row| Ok((row.get(4)?, entry(row)?)))?)
    }

    /// What was said at a hook after an entry.
    pub(crate) fn after(&self, hook: &str, id: u64) -> Result<Vec<Entry>, Error> {
        let sql = "SELECT id, role, text, at_ms FROM entries WHERE hook = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
        Ok(self.0.query(sql, params![hook, id, MAX_ENTRIES], entry)?)
    }

    /// What was said at a hook last, earliest first.
    pub(crate) fn latest(&self, hook: &str, limit: u32) -> Result<Vec<Entry>, Error> {
        let sql = "SELECT * FROM (SELECT id, role, text, at_ms FROM entries WHERE hook = ?1 ORDER BY id DESC LIMIT ?2)
            ORDER BY id";
        Ok(self.0.query(sql, params![hook, limit.min(MAX_ENTRIES)], entry)?)
    }

    pub(crate) fn condition(&self) -> Result<Condition, Error> {
        let found: Option<String> = self.0.query_row("PRAGMA quick_check(1)", params![], |row| row.get(0))?;
        Ok(found
            .filter(|found| found != "ok")
            .map_or(Condition::Sound, Condition::Damaged))
    }
}

pub(crate) const fn name(role: Role) -> &'static str {
    match role {
        Role::User => "user",
        Role::Agent => "agent",
        Role::Nudge => "nudge",
    }
}

fn entry(row: &Row<'_>) -> channel_plugin::sqlite::Result<Entry> {
    let role: String = row.get(1)?;
    Ok(Entry {
        id: row.get(0)?,
        role: [Role::User, Role::Agent]
            .into_iter()
            .find(|known| name(*known) == role)
            .unwrap_or(Role::Nudge),
        text: row.get(2)?,
        at_ms: row.get(3)?,
    })
}

/// A secret has so many bits that its hash needs no salt.
fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}
