//! A connection to one database file, owned by this instance alone.
//!
//! Opened in write-ahead-log mode with every commit synced, and foreign keys enforced.

use std::cell::Cell;
use std::ptr;

use crate::cache::StatementCache;
use crate::error::{Error, Result};
use crate::ffi;
use crate::handle::Handle;
use crate::row::Row;
use crate::statement::{Lifetime, Statement, Step};
use crate::value::Value;
use crate::{name, params, vfs};

/// An open database.
pub struct Connection {
    /// Declared first: a statement must be gone before its connection is closed.
    statements: StatementCache,
    handle: Handle,
    steps: Cell<u64>,
    compiled: Cell<u64>,
}

impl Connection {
    /// Opens `file_name` in the first preopened directory, creating an empty database when there is none.
    ///
    /// # Errors
    ///
    /// [`NotADatabase`](crate::ErrorKind::NotADatabase) and [`Corrupt`](crate::ErrorKind::Corrupt) for what the
    /// file holds, [`Busy`](crate::ErrorKind::Busy) while this instance has it open already, and what the file
    /// system refuses.
    pub fn open(file_name: &str) -> Result<Self> {
        Self::open_checked(file_name, |_| Ok(()))
    }

    /// As [`open`](Self::open), but lets `check` look at the database before anything of the file is changed; a
    /// `check` that writes has no place here.
    ///
    /// # Errors
    ///
    /// The error of `check`, and those of [`open`](Self::open).
    pub fn open_checked<E: From<Error>>(
        file_name: &str,
        check: impl FnOnce(&Self) -> std::result::Result<(), E>,
    ) -> std::result::Result<Self, E> {
        let connection = Self::open_exclusive(file_name)?;
        check(&connection)?;
        let pages: Option<i64> = connection.query_row("PRAGMA page_count", params![], |row| row.get(0))?;
        if pages == Some(0) {
            // Before the file is made: only then can it give space back bit by bit.
            connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL")?;
        }
        connection.set_journal_mode("wal")?;
        connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")?;
        Ok(connection)
    }

    /// As [`open`](Self::open), but with a rollback journal, for work after which nothing of what was overwritten or
    /// deleted may be found: it is gone from the disk when the transaction is done, where a log would keep the file as
    /// it was until it is written back. A log that the file had is written back first.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub fn open_erasing(file_name: &str) -> Result<Self> {
        let connection = Self::open_exclusive(file_name)?;
        connection.set_journal_mode("delete")?;
        // Exclusively locked, SQLite would keep the journal with all that it holds. The directory has to be synced,
        // too: a journal that came back would undo what was done.
        connection.execute_batch(
            "PRAGMA locking_mode = NORMAL; PRAGMA synchronous = EXTRA; PRAGMA secure_delete = ON;
             PRAGMA foreign_keys = ON",
        )?;
        Ok(connection)
    }

    /// As [`open`](Self::open), but for reading only: changes nothing of what is stored. What a log has is written back
    /// when this is closed, as always.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub fn open_to_look(file_name: &str) -> Result<Self> {
        let connection = Self::open_exclusive(file_name)?;
        connection.execute_batch("PRAGMA query_only = ON")?;
        Ok(connection)
    }

    fn open_exclusive(file_name: &str) -> Result<Self> {
        name::check_name(file_name)?;
        vfs::register()?;
        let connection = Self {
            statements: StatementCache::default(),
            handle: Handle::open(file_name)?,
            steps: Cell::default(),
            compiled: Cell::default(),
        };
        // Exclusive before anything is read: only then does the log need no memory shared with other processes.
        connection.execute_batch("PRAGMA locking_mode = EXCLUSIVE")?;
        Ok(connection)
    }

    fn set_journal_mode(&self, wanted: &str) -> Result<()> {
        // Run to its end, which is where it writes.
        let pragma = format!("PRAGMA journal_mode = {wanted}");
        let mode: Vec<String> = self.query(&pragma, params![], |row| row.get(0))?;
        if mode == [wanted] {
            return Ok(());
        }
        let message = format!("the journal's mode is {mode:?}, not {wanted}");
        Err(Error::new(ffi::SQLITE_CANTOPEN, message))
    }

    /// Runs one statement to its end and returns how many rows it inserted, changed or deleted itself.
    ///
    /// # Errors
    ///
    /// Whatever SQLite finds wrong, and a number of values other than of parameters.
    pub fn execute(&self, sql: &str, params: &[Value<'_>]) -> Result<usize> {
        let before = self.total_changes();
        self.with_statement(sql, |statement| {
            let mut run = statement.run(params)?;
            while run.step()? == Step::Row {}
            Ok(())
        })?;
        if self.total_changes() == before {
            // A statement that changes no rows leaves the count of the one before it.
            return Ok(0);
        }
        // SAFETY: the connection is open.
        let changes = unsafe { ffi::sqlite3_changes64(self.handle.get()) };
        Ok(usize::try_from(changes).unwrap_or(usize::MAX))
    }

    /// Runs several statements, separated by semicolons, without parameters. Stops at the first that fails; those
    /// before it stay done unless a transaction undoes them.
    ///
    /// # Errors
    ///
    /// Whatever SQLite finds wrong.
    pub fn execute_batch(&self, sql: &str) -> Result<()> {
        let mut rest = sql;
        while !rest.is_empty() {
            // SAFETY: the connection is open and outlives the statement.
            let (statement, tail) = unsafe { Statement::prepare(self.handle.get(), rest, Lifetime::Once) }?;
            if let Some(mut statement) = statement {
                let mut run = statement.run(&[])?;
                while run.step()? == Step::Row {}
            }
            rest = tail;
        }
        Ok(())
    }

    /// Runs a query and collects what `map` makes of each row.
    ///
    /// # Errors
    ///
    /// Whatever SQLite finds wrong, or the first error of `map`.
    pub fn query<T>(
        &self,
        sql: &str,
        params: &[Value<'_>],
        mut map: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.with_statement(sql, |statement| {
            let mut run = statement.run(params)?;
            let mut rows = Vec::new();
            while run.step()? == Step::Row {
                rows.push(map(&Row::new(run.statement()))?);
            }
            Ok(rows)
        })
    }

    /// Runs a query and returns what `map` makes of its first row, or `None` when there is no row. The statement
    /// is not run beyond that row: a statement that changes something belongs in [`execute`](Self::execute).
    ///
    /// # Errors
    ///
    /// Whatever SQLite finds wrong, or the error of `map`.
    pub fn query_row<T>(
        &self,
        sql: &str,
        params: &[Value<'_>],
        map: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        self.with_statement(sql, |statement| {
            let mut run = statement.run(params)?;
            match run.step()? {
                Step::Row => map(&Row::new(run.statement())).map(Some),
                Step::Done => Ok(None),
            }
        })
    }

    /// Runs `work` as one transaction: all of it is on disk when this returns, or none of it happened. Within a
    /// transaction that is open already it is a part of that one: undone by itself, on disk with the whole.
    ///
    /// # Errors
    ///
    /// The error of `work`, or of the commit; either way everything was rolled back.
    pub fn transaction<T, E: From<Error>>(
        &self,
        work: impl FnOnce(&Self) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        if self.in_transaction() {
            return self.part(work);
        }
        self.begin()?;
        let result = work(self).and_then(|value| {
            self.execute("COMMIT", params![])?;
            Ok(value)
        });
        if result.is_err() {
            self.roll_back();
        }
        result
    }

    fn part<T, E: From<Error>>(
        &self,
        work: impl FnOnce(&Self) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        self.execute("SAVEPOINT part", params![])?;
        let result = work(self);
        if result.is_err() && self.in_transaction() {
            self.execute("ROLLBACK TO part", params![])?;
        }
        if self.in_transaction() {
            self.execute("RELEASE part", params![])?;
        }
        result
    }

    /// Opens a transaction that [`commit`](Self::commit) ends.
    ///
    /// # Errors
    ///
    /// When one is open, or the storage fails.
    pub fn begin(&self) -> Result<()> {
        self.execute("BEGIN IMMEDIATE", params![]).map(drop)
    }

    /// Ends the transaction that is open: all of it is on disk when this returns, or none of it happened.
    ///
    /// # Errors
    ///
    /// When none is open, or the storage fails; then everything was rolled back.
    pub fn commit(&self) -> Result<()> {
        let committed = self.execute("COMMIT", params![]).map(drop);
        if committed.is_err() {
            self.roll_back();
        }
        committed
    }

    fn roll_back(&self) {
        if self.in_transaction() {
            // The first error is the one to tell. After some, SQLite has rolled back by itself.
            let _rolled_back = self.execute("ROLLBACK", params![]);
        }
    }

    /// What single statements have cost so far, in steps of SQLite's virtual machine: the same on every machine.
    pub fn steps(&self) -> u64 {
        self.steps.get()
    }

    /// How often a single statement was compiled so far, which takes longer than most of them run.
    pub fn compiled(&self) -> u64 {
        self.compiled.get()
    }

    /// The row id of the last row inserted through this connection, or 0.
    pub fn last_insert_rowid(&self) -> i64 {
        // SAFETY: the connection is open.
        unsafe { ffi::sqlite3_last_insert_rowid(self.handle.get()) }
    }

    /// The schema's version as the program counts it; 0 in a new database.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn user_version(&self) -> Result<u32> {
        self.query_row("PRAGMA user_version", params![], |row| row.get(0))
            .map(Option::unwrap_or_default)
    }

    /// Sets the schema's version, as part of the transaction if there is one.
    ///
    /// # Errors
    ///
    /// When `version` is above `i32::MAX`, which is what the file has room for, or cannot be written.
    pub fn set_user_version(&self, version: u32) -> Result<()> {
        let version = i32::try_from(version)
            .map_err(|_| Error::new(ffi::SQLITE_RANGE, format!("{version} is no version for a database")))?;
        self.execute_batch(&format!("PRAGMA user_version = {version}"))
    }

    /// Writes the log back into the database file, syncs it and closes. The file alone then holds everything.
    ///
    /// # Errors
    ///
    /// When the log could not be written back. It is kept then, nothing is lost, and the database is closed.
    pub fn close(self) -> Result<()> {
        self.statements.clear();
        // SAFETY: the connection is open, and nothing is asked back about the log's size.
        let code = unsafe {
            ffi::sqlite3_wal_checkpoint_v2(
                self.handle.get(),
                ptr::null(),
                ffi::SQLITE_CHECKPOINT_TRUNCATE,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        let written = self.handle.check(code);
        written.and(self.handle.close())
    }

    /// Whether a transaction is open. SQLite ends one by itself after some failures of the storage.
    pub fn in_transaction(&self) -> bool {
        // SAFETY: the connection is open.
        unsafe { ffi::sqlite3_get_autocommit(self.handle.get()) == 0 }
    }

    fn total_changes(&self) -> i64 {
        // SAFETY: the connection is open.
        unsafe { ffi::sqlite3_total_changes64(self.handle.get()) }
    }

    /// Lends the statement of that text, kept or newly compiled, and keeps it afterwards.
    fn with_statement<T>(&self, sql: &str, work: impl FnOnce(&mut Statement) -> Result<T>) -> Result<T> {
        let sql = sql.trim();
        let mut statement = match self.statements.take(sql) {
            Some(statement) => statement,
            None => {
                self.compiled.set(self.compiled.get().saturating_add(1));
                self.prepare(sql)?
            }
        };
        let result = work(&mut statement);
        self.steps.set(self.steps.get().saturating_add(statement.take_steps()));
        self.compiled
            .set(self.compiled.get().saturating_add(statement.take_recompilations()));
        self.statements.put(statement);
        result
    }

    fn prepare(&self, sql: &str) -> Result<Statement> {
        // SAFETY: the connection is open, and drops its statements before it closes.
        let (statement, rest) = unsafe { Statement::prepare(self.handle.get(), sql, Lifetime::Cached) }?;
        match statement {
            Some(statement) if rest.is_empty() => Ok(statement),
            _ => Err(Error::new(ffi::SQLITE_MISUSE, "one statement wanted").in_statement(sql)),
        }
    }
}
