//! A friend as the original kept them: what makes sense of a row, and what is kept of it.

use std::collections::HashMap;

use wasi_sqlite::{Connection, Row, params};

use crate::code::CodeHash;
use crate::nickname::Nickname;
use crate::store::{Invite, InviteKind, StoreError, Terms};
use crate::token::{Token, TokenHash};
use crate::username::{RULE, Username};

/// Characters of the original's codes: letters and digits.
const CODE_CHARS: usize = 8;

/// A friend as the original kept them, as far as that can be read.
pub(super) struct Found {
    pub(super) username: String,
    nickname: String,
    pub(super) code: Secret,
    pub(super) token: Secret,
    created_at_ms: Option<i64>,
    last_seen_ms: Option<i64>,
}

/// What stands where a code or a token may stand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Secret {
    Absent,
    /// It would let nobody in, or not only the one it was made for.
    Unusable,
    Hashed([u8; 32]),
}

/// What did not move in, and what the owner can do about it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Loss {
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

impl Found {
    /// Reads a row. What is of another type than it should be is as good as empty, or unusable.
    pub(super) fn read(row: &Row<'_>, terms: &Terms<'_>) -> Self {
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
    pub(super) fn insert(&self, connection: &Connection, terms: &Terms<'_>) -> Result<Result<(), Loss>, StoreError> {
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
pub(super) fn refuse_shared(found: &mut [Found], secret: impl Fn(&mut Found) -> &mut Secret) {
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
