//! What SQLite finds wrong, in the words of the contract, and what a database is worth.

use wasi_sqlite::{Connection, Error as StorageError, ErrorKind, Result, Row, params};

use crate::{Condition, Entry, Error, Role};

impl From<StorageError> for Error {
    fn from(error: StorageError) -> Self {
        Self::Storage(error.to_string())
    }
}

/// Reads an open database through and says what it is worth. Changes nothing in it.
///
/// # Errors
/// What keeps it from being read, other than what is in it.
pub fn condition(connection: &Connection) -> Result<Condition> {
    look(connection).or_else(damage)
}

/// What a database is worth that cannot be opened or read: damaged, if that is for what is in it.
///
/// # Errors
/// Any other failure, as it is.
pub fn damage(error: StorageError) -> Result<Condition> {
    match error.kind() {
        ErrorKind::Corrupt | ErrorKind::NotADatabase => Ok(Condition::Damaged(error.message().to_owned())),
        _ => Err(error),
    }
}

/// An entry of a conversation, of the columns id, role, text and time: the role by its name, the time in Unix milliseconds.
///
/// # Errors
/// When there are other columns, or of other types.
pub fn entry(row: &Row<'_>) -> Result<Entry> {
    Ok(Entry {
        id: row.get(0)?,
        role: Role::named(&row.get::<String>(1)?).unwrap_or(Role::Nudge),
        text: row.get(2)?,
        at_ms: row.get(3)?,
    })
}

fn look(connection: &Connection) -> Result<Condition> {
    let pages: Option<i64> = connection.query_row("PRAGMA page_count", params![], |row| row.get(0))?;
    if pages == Some(0) {
        return Ok(Condition::Empty);
    }
    let found: Option<String> = connection.query_row("PRAGMA quick_check(1)", params![], |row| row.get(0))?;
    Ok(match found {
        Some(words) if words != "ok" => Condition::Damaged(words),
        _ => Condition::Sound,
    })
}
