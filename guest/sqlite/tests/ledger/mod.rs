//! A database with a copy of its own in memory: what it must hold after everything that it said it had done.

pub(crate) mod disk;

use std::collections::BTreeMap;

use wasi_sqlite::{Connection, Error, params};

/// What the table holds: the length and the letter of each row's text.
pub(crate) type Rows = BTreeMap<i64, (usize, char)>;

/// Something done as one transaction.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// Puts rows in, or in the place of others: first id, how many, and the length and letter of their text.
    Put(i64, i64, usize, char),
    /// Takes out every row whose id the number divides.
    Delete(i64),
    /// Moves the log into the file.
    Checkpoint,
    /// Writes the file anew, without gaps.
    Vacuum,
}

impl Step {
    /// What the rows are after it.
    pub(crate) fn on(self, rows: &Rows) -> Rows {
        let mut rows = rows.clone();
        match self {
            Self::Put(first, count, length, letter) => {
                rows.extend((first..first + count).map(|id| (id, (length, letter))));
            }
            Self::Delete(divisor) => rows.retain(|id, _| id % divisor != 0),
            Self::Checkpoint | Self::Vacuum => {}
        }
        rows
    }

    /// Does it.
    pub(crate) fn take(self, connection: &Connection) -> Result<(), Error> {
        match self {
            Self::Put(first, count, length, letter) => connection.transaction(|connection| {
                for id in first..first + count {
                    let text = String::from(letter).repeat(length);
                    connection.execute(
                        "INSERT INTO ledger VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET text = ?2, length = ?3",
                        params![id, &text, length as u64],
                    )?;
                }
                Ok(())
            }),
            Self::Delete(divisor) => {
                connection.execute("DELETE FROM ledger WHERE id % ?1 = 0", params![divisor])?;
                Ok(())
            }
            Self::Checkpoint => connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)"),
            Self::Vacuum => connection.execute_batch("VACUUM"),
        }
    }
}

/// Opens the database, and makes the table if there is none.
pub(crate) fn open(file_name: &str) -> Result<Connection, Error> {
    let connection = Connection::open(file_name)?;
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS ledger (id INTEGER PRIMARY KEY, text TEXT NOT NULL, length INTEGER NOT NULL);
         CREATE INDEX IF NOT EXISTS ledger_by_length ON ledger (length, text)",
    )?;
    Ok(connection)
}

/// What the table holds, with the database proven sound.
pub(crate) fn rows(connection: &Connection) -> Result<Rows, Error> {
    let sound: Vec<String> = connection.query("PRAGMA integrity_check", params![], |row| row.get(0))?;
    assert_eq!(sound, ["ok"]);
    content(connection)
}

/// What the table holds, if it can be read.
pub(crate) fn content(connection: &Connection) -> Result<Rows, Error> {
    let rows = connection.query("SELECT id, text, length FROM ledger", params![], |row| {
        let text: String = row.get(1)?;
        assert_eq!(row.get::<u64>(2)?, text.len() as u64);
        let letter = text.chars().next().unwrap();
        assert!(text == String::from(letter).repeat(text.len()), "a torn text");
        Ok((row.get(0)?, (text.len(), letter)))
    })?;
    Ok(rows.into_iter().collect())
}
