//! Moving in: a file of the original plugin becomes ours. A copy is put beside it first; then everything happens in
//! one transaction, after which no code and no token of the original can be read from the file.

use std::collections::HashMap;

use wasi_sqlite::{Connection, Row, params};

use super::{Invite, InviteKind, StoreError, Terms, schema};
use crate::code::CodeHash;
use crate::nickname::Nickname;
use crate::text::quoted;
use crate::token::{Token, TokenHash};
use crate::username::{RULE, Username};

/// What the copy's name has behind the file's.
const COPY: &str = "before-friends-chat";
/// Most copies of different files that are told apart by a number.
const MAX_COPIES: u32 = 1_000;
/// Characters of the original's codes: letters and digits.
const CODE_CHARS: usize = 8;
/// Most friends that are named one by one in the log: hosts limit the lines of a call.
const MAX_NAMED: usize = 50;

/// A friend as the original kept them, as far as that can be read.
struct Found {
    username: String,
    nickname: String,
    code: Secret,
    token: Secret,
    created_at_ms: Option<i64>,
    last_seen_ms: Option<i64>,
}

/// What stands where a code or a token may stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Secret {
    Absent,
    /// It would let nobody in, or not only the one it was made for.
    Unusable,
    Hashed([u8; 32]),
}

/// What did not move in, and what the owner can do about it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Loss {
    #[error("a friend did not move in and is in the backup only: {RULE}; invite them again, for example as \"{0}\"")]
    Name(Username),
    #[error("a friend did not move in and is in the backup only: somebody else has that username")]
    NameTwice,
    #[error("a friend moved in without their session, whose token is not one; friends_chat_reinvite lets them in")]
    Session,
    #[error(
        "a friend moved in without their code, which is not one or reads like another friend's; \
             friends_chat_reinvite makes a new one"
    )]
    Code,
}

/// Whether the file holds the original's friends and nothing else. Reads only.
pub(super) fn is_in(connection: &Connection) -> Result<bool, StoreError> {
    let found: Option<bool> = connection.query_row(
        "SELECT (SELECT count(*) FROM pragma_table_info('friends') WHERE name IN
                 ('username', 'nickname', 'invite_code', 'session_token', 'created_at', 'last_seen')) = 6
            AND NOT EXISTS (SELECT 1 FROM sqlite_schema WHERE tbl_name <> 'friends' AND name NOT GLOB 'sqlite_*')",
        params![],
        |row| row.get(0),
    )?;
    Ok(found.unwrap_or_default())
}

/// Makes the original's closed file ours. Killed at any moment, it is whole and either the original's or ours; then
/// this may be repeated, and makes no second copy of what was copied already.
pub(super) fn move_in(file: &str, terms: &Terms<'_>) -> Result<(), StoreError> {
    // What a log holds belongs into the copy. From here on the file changes in the one transaction only.
    Connection::open_erasing(file)?.close()?;
    let backup = back_up(file)?;
    let connection = Connection::open_erasing(file)?;
    let moved = connection.transaction(|connection| {
        let (friends, losses) = replace(connection, terms)?;
        // Said before it is final: killed in between, it is said again rather than never.
        warn_of(&losses);
        tracing::info!(
            friends,
            backup,
            "the original plugin's friends move in; the backup holds their codes and tokens in plain text, delete \
             it when you are content"
        );
        Ok(())
    });
    let closed = connection.close();
    moved.and(closed.map_err(StoreError::from))
}

/// Copies the file and gives the copy's name. A copy of another file is never replaced.
fn back_up(file: &str) -> Result<String, StoreError> {
    let mut copy = format!("{file}.{COPY}");
    for number in 2..=MAX_COPIES {
        if !wasi_sqlite::exists(&copy)? || wasi_sqlite::same(file, &copy)? {
            break;
        }
        copy = format!("{file}.{COPY}-{number}");
    }
    if !wasi_sqlite::exists(&copy)? {
        wasi_sqlite::copy(file, &copy)?;
    }
    Ok(copy)
}

/// Puts our tables in the place of the original's and everybody into them; gives their number, and what was lost.
fn replace(connection: &Connection, terms: &Terms<'_>) -> Result<(usize, Vec<(String, Loss)>), StoreError> {
    let mut found = connection.query(
        "SELECT username, nickname, invite_code, session_token,
                CAST(created_at AS INTEGER), CAST(last_seen AS INTEGER)
         FROM friends ORDER BY created_at, username",
        params![],
        |row| Ok(Found::read(row, terms)),
    )?;
    refuse_shared(&mut found, |friend| &mut friend.code);
    refuse_shared(&mut found, |friend| &mut friend.token);
    connection.execute_batch("DROP TABLE friends")?;
    erase_free_pages(connection)?;
    schema::build(connection, 0, terms.new_epoch)?;

    let mut moved = 0;
    let mut losses = Vec::new();
    for friend in &found {
        let mut lose = |loss| losses.push((quoted(&friend.username), loss));
        match friend.insert(connection, terms)? {
            Err(loss) => lose(loss),
            Ok(()) => {
                moved += 1;
                if friend.token == Secret::Unusable {
                    lose(Loss::Session);
                }
                if friend.code == Secret::Unusable {
                    lose(Loss::Code);
                }
            }
        }
    }
    Ok((moved, losses))
}

impl Found {
    /// Reads a row. What is of another type than it should be is as good as empty, or unusable.
    fn read(row: &Row<'_>, terms: &Terms<'_>) -> Self {
        let text = |index| row.get::<String>(index).unwrap_or_default();
        // A time that has not come yet is one of a clock that was set back.
        let time = |index| {
            let at_ms = row.get::<i64>(index).ok().filter(|at_ms| *at_ms > 0);
            at_ms.map(|at_ms| at_ms.min(terms.now_ms))
        };
        Self {
            username: text(0),
            nickname: text(1),
            code: Secret::read(row, 2, |code| {
                let is_code = code.len() == CODE_CHARS && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
                let CodeHash(hash) = terms.code_key.hash(code);
                is_code.then_some(hash)
            }),
            token: Secret::read(row, 3, |token| {
                let TokenHash(hash) = Token::parse(token)?.hash();
                Some(hash)
            }),
            created_at_ms: time(4),
            last_seen_ms: time(5),
        }
    }

    /// Writes the friend down, unless the username forbids it.
    fn insert(&self, connection: &Connection, terms: &Terms<'_>) -> Result<Result<(), Loss>, StoreError> {
        let username = match Username::parse(&self.username) {
            Ok(username) => username,
            Err(invalid) => return Ok(Err(Loss::Name(invalid.suggestion))),
        };
        let nickname = Nickname::nearest(&self.nickname);
        let nickname = nickname.as_ref().map_or(username.as_str(), Nickname::as_str);
        // The original revokes by taking both away.
        let is_revoked = self.code == Secret::Absent && self.token == Secret::Absent;
        let created = connection.execute(
            "INSERT INTO friends (username, nickname, created_at_ms, last_seen_ms, revoked_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (username) DO NOTHING",
            params![
                username.as_str(),
                nickname,
                self.created_at_ms.or(self.last_seen_ms).unwrap_or(terms.now_ms),
                self.last_seen_ms,
                is_revoked.then_some(terms.now_ms),
            ],
        )?;
        if created == 0 {
            return Ok(Err(Loss::NameTwice));
        }
        let friend_id = connection.last_insert_rowid();
        if let Secret::Hashed(hash) = &self.token {
            // Used now: nobody is signed out by moving.
            connection.execute(
                "INSERT INTO sessions (token_hash, friend_id, created_at_ms, last_used_ms) VALUES (?1, ?2, ?3, ?3)",
                params![hash, friend_id, terms.now_ms],
            )?;
        }
        if let Secret::Hashed(hash) = self.code {
            // The original's codes last for ever. The time of ours begins now, whenever they were made.
            let invite = Invite {
                code: CodeHash(hash),
                kind: InviteKind::Owner,
                expires_at_ms: terms.now_ms.saturating_add(terms.invite_ttl_ms),
            };
            invite.insert(connection, friend_id, terms.now_ms)?;
        }
        Ok(Ok(()))
    }
}

impl Secret {
    /// Reads a column, whose text `hash` refuses if it has not the right form.
    fn read(row: &Row<'_>, index: usize, hash: impl FnOnce(&str) -> Option<[u8; 32]>) -> Self {
        match row.get::<Option<String>>(index) {
            Ok(None) => Self::Absent,
            Ok(Some(text)) if text.is_empty() => Self::Absent,
            Ok(Some(text)) => hash(&text).map_or(Self::Unusable, Self::Hashed),
            Err(_) => Self::Unusable,
        }
    }
}

/// What several friends have opens nobody's door: it would let one of them in as the other. Codes that differ in
/// letters that we take for one are such.
fn refuse_shared(found: &mut [Found], secret: impl Fn(&mut Found) -> &mut Secret) {
    let mut owners: HashMap<[u8; 32], u32> = HashMap::new();
    for friend in found.iter_mut() {
        if let Secret::Hashed(hash) = secret(friend) {
            *owners.entry(*hash).or_default() += 1;
        }
    }
    for friend in found {
        let secret = secret(friend);
        if matches!(secret, Secret::Hashed(hash) if owners.get(hash).is_some_and(|count| *count > 1)) {
            *secret = Secret::Unusable;
        }
    }
}

/// Pages that were freed before this connection came still hold what was on them. Rows of zeros take them all, and
/// free them with nothing on them.
fn erase_free_pages(connection: &Connection) -> Result<(), StoreError> {
    let number = |pragma| connection.query_row(pragma, params![], |row| row.get::<i64>(0));
    let pages = number("PRAGMA freelist_count")?.unwrap_or_default();
    if pages == 0 {
        return Ok(());
    }
    connection.execute_batch("CREATE TABLE free_pages (zeros BLOB)")?;
    connection.execute(
        "WITH RECURSIVE page (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM page WHERE number < ?1)
         INSERT INTO free_pages SELECT zeroblob(?2) FROM page",
        params![pages, number("PRAGMA page_size")?],
    )?;
    Ok(connection.execute_batch("DROP TABLE free_pages")?)
}

fn warn_of(losses: &[(String, Loss)]) {
    for (username, loss) in losses.iter().take(MAX_NAMED) {
        tracing::warn!(%username, "{loss}");
    }
    let others = losses.len().saturating_sub(MAX_NAMED);
    if others > 0 {
        tracing::warn!(
            others,
            "others moved in without a code or a session, or are in the backup only"
        );
    }
}
