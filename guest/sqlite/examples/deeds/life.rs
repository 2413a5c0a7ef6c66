//! A database's life, with what it must hold and what it may hold after a power cut.

use std::fs;

use wasi_sqlite::{Connection, Error, ErrorKind, copy, exists, params};

use crate::ledger::disk::{self, Fault};
use crate::ledger::{self, Rows, Step};
use crate::line::Line;

/// The files of the database, by what follows the name.
const ENDINGS: [&str; 5] = [".db", ".db-wal", ".db-journal", "-too.db", "-too.db.part"];

/// A database's life.
pub(crate) struct Life {
    connection: Option<Connection>,
    /// What it holds.
    rows: Rows,
    /// What it may hold after a power cut.
    may: Vec<Rows>,
    /// The same for a cut during the last deed, and its number of moments.
    meanwhile: Vec<Rows>,
    moments: u32,
    /// What copies were made or begun of.
    copied: Vec<Rows>,
    /// What it may be found to hold in the middle of the last deed.
    copied_meanwhile: Vec<Rows>,
    /// Whether the disk was told to do what makes a call fail.
    trouble: bool,
}

impl Life {
    pub(crate) fn begin() -> Self {
        disk::watch("life");
        Self {
            connection: None,
            rows: Rows::new(),
            may: vec![Rows::new()],
            meanwhile: vec![Rows::new()],
            moments: 0,
            copied: Vec::new(),
            copied_meanwhile: Vec::new(),
            trouble: false,
        }
    }

    pub(crate) fn carry_out(&mut self, line: Line) {
        match line {
            Line::Open => {
                self.meanwhile = self.may.clone();
                self.copied_meanwhile = self.copied.clone();
                if self.connection.is_none() {
                    self.open();
                }
                self.moments = disk::moments();
            }
            Line::Do(step) => self.step(step, |connection| step.take(connection)),
            Line::Undo(step) => {
                self.step_to(self.rows.clone(), |connection| undone(connection, step));
            }
            Line::Erase(divisor) => self.erase(divisor),
            Line::Copy => self.copy(),
            Line::Cache(pages) => self.set(&format!("PRAGMA cache_size = {pages}")),
            Line::Every(pages) => self.set(&format!("PRAGMA wal_autocheckpoint = {pages}")),
            Line::Close => {
                self.meanwhile = self.may.clone();
                self.copied_meanwhile = self.copied.clone();
                if let Some(connection) = self.connection.take()
                    && let Err(error) = connection.close()
                {
                    self.failed(&error);
                }
                self.moments = disk::moments();
            }
            Line::Drop => {
                self.meanwhile = self.may.clone();
                self.copied_meanwhile = self.copied.clone();
                self.connection = None;
                self.moments = disk::moments();
            }
            Line::Fault { fault, after, lasting } => {
                self.heal();
                // Less than was asked is no reason to fail.
                self.trouble = fault != Fault::Short;
                disk::fail(fault, after, lasting);
            }
            Line::Space(bytes) => {
                self.trouble = true;
                disk::leave_space(Some(bytes));
            }
            Line::Heal => {
                self.heal();
            }
            Line::Cut(moment, seed) => self.cut(moment % (self.moments + 1), seed),
            Line::Crash(seed) => self.crash(seed),
        }
    }

    /// Ends well: with the disk mended, everything is there and the file alone holds it.
    pub(crate) fn end(mut self) {
        self.heal();
        if self.connection.is_none() {
            self.open();
        }
        self.connection.take().expect("it opens").close().unwrap();
        let left = fs::metadata("/life.db-wal").map_or(0, |log| log.len());
        assert_eq!(left, 0, "closed, and the file alone does not hold everything");
        self.open();
        disk::moments();
        self.cut(u32::MAX, 1);
    }

    fn heal(&mut self) -> u32 {
        self.trouble = false;
        disk::heal()
    }

    /// An error has a cause, which is over then, and says it.
    fn failed(&mut self, error: &Error) {
        println!("{error}");
        assert!(self.trouble, "without a cause: {error}");
        assert!(matches!(error.kind(), ErrorKind::Io | ErrorKind::Full), "{error}");
        assert!(error.storage().is_some(), "no reason: {error}");
        assert!(self.heal() > 0, "without a cause: {error}");
    }

    fn open(&mut self) {
        match ledger::open("life.db").and_then(|connection| Ok((self.look(&connection)?, connection))) {
            Ok((found, connection)) => {
                assert!(self.may.contains(&found), "{found:?}, not {:?}", self.may);
                self.rows = found;
                // What was read lasts.
                self.may = vec![self.rows.clone()];
                self.connection = Some(connection);
            }
            Err(error) => self.failed(&error),
        }
    }

    /// What the database holds. It is proven sound where the disk does nothing that would make that fail.
    fn look(&self, connection: &Connection) -> Result<Rows, Error> {
        if self.trouble {
            ledger::content(connection)
        } else {
            ledger::rows(connection)
        }
    }

    fn set(&mut self, pragma: &str) {
        if let Some(connection) = &self.connection
            && let Err(error) = connection.execute_batch(pragma)
        {
            self.failed(&error);
        }
    }

    fn step(&mut self, step: Step, work: impl FnOnce(&Connection) -> Result<(), Error>) {
        self.step_to(step.on(&self.rows), work);
    }

    /// Does something after which the rows are `next`.
    fn step_to(&mut self, next: Rows, work: impl FnOnce(&Connection) -> Result<(), Error>) {
        let Some(connection) = &self.connection else { return };
        let done = work(connection);
        self.meanwhile = self.may.clone();
        self.copied_meanwhile = self.copied.clone();
        self.meanwhile.push(next.clone());
        match done {
            Ok(()) if next != self.rows => {
                self.may = vec![next.clone()];
                self.rows = next;
            }
            // Nothing was written that could make what failed before impossible.
            Ok(()) => {}
            Err(error) => {
                self.may = self.meanwhile.clone();
                self.failed(&error);
            }
        }
        self.moments = disk::moments();
        if let Some(connection) = &self.connection {
            match self.look(connection) {
                Ok(rows) => assert_eq!(rows, self.rows),
                Err(error) => self.failed(&error),
            }
        }
    }

    fn erase(&mut self, divisor: i64) {
        if self.connection.is_some() {
            return;
        }
        let begun = Connection::open_erasing("life.db").and_then(|connection| {
            let rows = match has_ledger(&connection)? {
                true => Some(self.look(&connection)?),
                false => None,
            };
            Ok((connection, rows))
        });
        let (connection, rows) = match begun {
            Ok(begun) => begun,
            Err(error) => {
                self.failed(&error);
                self.moments = disk::moments();
                return;
            }
        };
        let found = rows.clone().unwrap_or_default();
        assert!(self.may.contains(&found), "{found:?}, not {:?}", self.may);
        let next = Step::Delete(divisor).on(&found);
        self.may.push(next.clone());
        self.meanwhile = self.may.clone();
        self.copied_meanwhile = self.copied.clone();
        let done = match rows {
            Some(_) => Step::Delete(divisor).take(&connection),
            None => Ok(()),
        };
        match done.and_then(|()| connection.close()) {
            Ok(()) if next != found => self.may = vec![next],
            Ok(()) => {}
            Err(error) => self.failed(&error),
        }
        self.moments = disk::moments();
    }

    fn copy(&mut self) {
        if self.connection.is_some() || !exists("life.db").is_ok_and(|there| there) {
            return;
        }
        self.meanwhile = self.may.clone();
        self.copied.extend(self.may.iter().cloned());
        self.copied_meanwhile = self.copied.clone();
        match copy("life.db", "life-too.db") {
            Ok(()) => self.copied = self.may.clone(),
            // A log that is not written back.
            Err(error) if error.kind() == ErrorKind::Busy => {}
            Err(error) => self.failed(&error),
        }
        self.moments = disk::moments();
    }

    /// Looks at what a power cut would leave.
    fn cut(&mut self, moment: u32, seed: u64) {
        disk::cut(moment, seed);
        let allowed = if moment < self.moments {
            &self.meanwhile
        } else {
            &self.may
        };
        let image = ledger::open("image.db").unwrap();
        let found = ledger::rows(&image).unwrap();
        assert!(allowed.contains(&found), "{found:?}, not {allowed:?}");
        // It can be worked with, and closed.
        Step::Put(MAX_ID + 1, 1, 5, 'z').take(&image).unwrap();
        image.close().unwrap();
        if exists("image-too.db").unwrap() {
            let image = ledger::open("image-too.db").unwrap();
            let found = ledger::rows(&image).unwrap();
            let allowed = if moment < self.moments {
                &self.copied_meanwhile
            } else {
                &self.copied
            };
            assert!(allowed.contains(&found), "a copy: {found:?}, not {allowed:?}");
        }
    }

    /// The power fails, and comes back.
    fn crash(&mut self, seed: u64) {
        self.heal();
        let now = disk::moments();
        disk::cut(now, seed);
        // What it writes yet is lost.
        self.connection = None;
        for ending in ENDINGS {
            // Some are not there.
            let _removed = fs::remove_file(format!("/life{ending}"));
            let _renamed = fs::rename(format!("/image{ending}"), format!("/life{ending}"));
        }
        disk::watch("life");
        self.meanwhile = self.may.clone();
        self.copied_meanwhile = self.copied.clone();
        self.moments = 0;
    }
}

/// An id that no script uses.
const MAX_ID: i64 = 1_000_000;

/// Does something and takes it back.
fn undone(connection: &Connection, step: Step) -> Result<(), Error> {
    connection.begin()?;
    let done = step.take(connection);
    // After some failures SQLite has rolled back by itself.
    if connection.in_transaction() {
        connection.execute("ROLLBACK", params![])?;
    }
    done
}

fn has_ledger(connection: &Connection) -> Result<bool, Error> {
    let tables = connection.query_row(
        "SELECT count(*) FROM sqlite_schema WHERE name = 'ledger'",
        params![],
        |row| row.get::<u32>(0),
    )?;
    Ok(tables == Some(1))
}
