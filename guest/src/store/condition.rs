//! Whether the file is whole. Looking changes nothing in it.

use wasi_sqlite::{Connection, ErrorKind, params};

use super::{Store, StoreError, schema};

/// What a file is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// It is not there, or holds nothing yet.
    Empty,
    Sound,
    /// Says what was found first.
    Damaged(String),
}

impl Store {
    /// Reads the open file through.
    pub(crate) fn condition(&self) -> Result<Condition, StoreError> {
        named(look(&self.connection))
    }
}

/// Reads a file through that no store has open. The original plugin's is as good as this one's.
pub(crate) fn condition_of(file: &str) -> Result<Condition, StoreError> {
    let look_at_file = || {
        if !wasi_sqlite::exists(file)? {
            return Ok(Condition::Empty);
        }
        let connection = Connection::open_to_look(file)?;
        match schema::check(&connection, file) {
            Ok(()) | Err(StoreError::Original { .. }) => look(&connection),
            Err(error) => Err(error),
        }
    };
    named(look_at_file())
}

fn look(connection: &Connection) -> Result<Condition, StoreError> {
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

/// A file that cannot be read because of what is in it is damaged; other failures are failures.
fn named(looked: Result<Condition, StoreError>) -> Result<Condition, StoreError> {
    match looked {
        Err(StoreError::Failed { source, .. })
            if matches!(source.kind(), ErrorKind::Corrupt | ErrorKind::NotADatabase) =>
        {
            Ok(Condition::Damaged(source.message().to_owned()))
        }
        other => other.map_err(|error| error.doing("looking whether the database is whole")),
    }
}
