//! The tables, by version. `PRAGMA user_version` says which version a file has; migrations go forward, each in
//! the one transaction that also sets the version.

use wasi_sqlite::{Connection, params};

use super::{StoreError, original};

/// Times are Unix milliseconds. Hashes are of codes and tokens that are stored nowhere.
const VERSION_1: &str = "
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE friends (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    username TEXT NOT NULL UNIQUE,
    nickname TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    last_seen_ms INTEGER,
    revoked_at_ms INTEGER,
    -- The latest entry that the friend has seen.
    seen_id INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE invites (
    code_hash BLOB PRIMARY KEY,
    friend_id INTEGER NOT NULL REFERENCES friends (id),
    -- How a code came about: made by the owner, or by the friend for another device.
    kind TEXT NOT NULL CHECK (kind IN ('owner', 'device')),
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX invites_by_friend ON invites (friend_id);
CREATE INDEX invites_by_expiry ON invites (expires_at_ms);

CREATE TABLE sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    token_hash BLOB NOT NULL UNIQUE,
    friend_id INTEGER NOT NULL REFERENCES friends (id),
    created_at_ms INTEGER NOT NULL,
    last_used_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_by_friend ON sessions (friend_id);

-- The log. A row's id is also the id of its event on a stream.
CREATE TABLE entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    friend_id INTEGER NOT NULL REFERENCES friends (id),
    role TEXT NOT NULL CHECK (role IN ('friend', 'agent', 'nudge')),
    text TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'answered', 'stopped', 'failed', 'stored', 'pushed')),
    source TEXT,
    priority TEXT,
    client_id TEXT,
    in_reply_to INTEGER
) STRICT;
CREATE INDEX entries_by_friend ON entries (friend_id, id);
CREATE INDEX entries_waiting ON entries (id) WHERE state = 'queued';
CREATE INDEX entries_by_question ON entries (in_reply_to) WHERE in_reply_to IS NOT NULL;
CREATE INDEX entries_nudges ON entries (friend_id, id) WHERE role = 'nudge';
CREATE UNIQUE INDEX entries_by_client_id ON entries (friend_id, client_id) WHERE client_id IS NOT NULL;
";

/// Sessions that nobody uses are found by their age.
const VERSION_2: &str = "
CREATE INDEX sessions_by_use ON sessions (last_used_ms);
";

/// Nudges expire, and old entries may be forgotten: up to where, each friend's mark says. Nudges of earlier versions expire
/// as those of ordinary priority do by default.
const VERSION_3: &str = "
ALTER TABLE entries ADD COLUMN expires_at_ms INTEGER;
UPDATE entries SET expires_at_ms = at_ms + 2592000000 WHERE role = 'nudge';
ALTER TABLE friends ADD COLUMN forgotten_id INTEGER NOT NULL DEFAULT 0;
";

/// Where the browsers of sessions are woken.
const VERSION_4: &str = "
CREATE TABLE subscriptions (
    session_id INTEGER PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
    endpoint TEXT NOT NULL UNIQUE,
    p256dh BLOB NOT NULL,
    auth BLOB NOT NULL
) STRICT;
";

/// The same constraints in words that cost nothing: SQLite builds a tree of the words behind `IN` for each row that is
/// written. Rows stay as they are, so the table's text may be changed in place (sqlite.org/lang_altertable.html,
/// section 7).
const VERSION_5: &str = "
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(replace(sql,
    'role IN (''friend'', ''agent'', ''nudge'')',
    'role = ''friend'' OR role = ''agent'' OR role = ''nudge'''),
    'state IN (''queued'', ''answered'', ''stopped'', ''failed'', ''stored'', ''pushed'')',
    'state = ''queued'' OR state = ''answered'' OR state = ''stopped'' OR state = ''failed'' OR state = ''stored''
     OR state = ''pushed''')
    WHERE name = 'entries';
PRAGMA writable_schema = RESET;
";

/// What leads from each version to the next; the first begins with an empty file.
const MIGRATIONS: [&str; 5] = [VERSION_1, VERSION_2, VERSION_3, VERSION_4, VERSION_5];

/// Refuses a file that this version cannot bring up to date. Reads only.
pub(super) fn check(connection: &Connection, file: &str) -> Result<(), StoreError> {
    let found = connection.user_version()?;
    let known = version();
    if found > known {
        return Err(StoreError::Newer {
            file: file.to_owned(),
            found,
            known,
        });
    }
    if found == 0 {
        let tables: Option<i64> = connection.query_row(
            "SELECT count(*) FROM sqlite_schema WHERE type = 'table'",
            params![],
            |row| row.get(0),
        )?;
        if original::is_in(connection)? {
            return Err(StoreError::Original { file: file.to_owned() });
        }
        if tables.unwrap_or_default() > 0 {
            return Err(StoreError::Foreign { file: file.to_owned() });
        }
    }
    Ok(())
}

/// Brings a file that was checked up to this version and gives the log's epoch.
pub(super) fn migrate(connection: &Connection, new_epoch: &str) -> Result<String, StoreError> {
    let found = connection.user_version()?;
    if found < version() {
        connection.transaction(|connection| build(connection, found, new_epoch))?;
    }
    let epoch = connection.query_row("SELECT value FROM meta WHERE key = 'epoch'", params![], |row| {
        row.get(0)
    })?;
    Ok(epoch.unwrap_or_default())
}

/// Makes this version's tables out of those of the version `found`; part of a transaction of the caller's.
pub(super) fn build(connection: &Connection, found: u32, new_epoch: &str) -> Result<(), StoreError> {
    for step in MIGRATIONS.iter().skip(found as usize) {
        connection.execute_batch(step)?;
    }
    if found == 0 {
        connection.execute("INSERT INTO meta (key, value) VALUES ('epoch', ?1)", params![new_epoch])?;
    }
    Ok(connection.set_user_version(version())?)
}

/// The version this program writes.
fn version() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}
