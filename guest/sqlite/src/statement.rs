//! A prepared statement: bound, stepped and reset by its connection.
//!
//! Values are lent to SQLite only while a [`Run`] lives; its end resets the statement, whatever happened.

use std::ffi::c_int;
use std::ptr;

use crate::error::{Error, Result};
use crate::ffi;
use crate::row::Column;
use crate::value::Value;

/// A compiled statement and the text it was compiled from.
pub(crate) struct Statement {
    handle: *mut ffi::sqlite3_stmt,
    database: *mut ffi::sqlite3,
    sql: Box<str>,
}

/// How often a statement is expected to be used.
#[derive(Clone, Copy)]
pub(crate) enum Lifetime {
    Once,
    Cached,
}

/// What one step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Row,
    Done,
}

impl Statement {
    /// Compiles the first statement of `sql`; returns it, if there was more than space and comments, and the text
    /// that follows it.
    ///
    /// # Safety
    ///
    /// `database` is open, and stays so until the statement is dropped.
    pub(crate) unsafe fn prepare(
        database: *mut ffi::sqlite3,
        sql: &str,
        lifetime: Lifetime,
    ) -> Result<(Option<Self>, &str)> {
        let length = c_int::try_from(sql.len()).map_err(|_| Error::new(ffi::SQLITE_TOOBIG, "statement too long"))?;
        let flags = match lifetime {
            Lifetime::Once => 0,
            Lifetime::Cached => ffi::SQLITE_PREPARE_PERSISTENT,
        };
        let mut handle = ptr::null_mut();
        let mut tail = ptr::null();
        // SAFETY: the handle is open; the text is given with its length, and both results are ours to write.
        let code = unsafe {
            ffi::sqlite3_prepare_v3(
                database,
                sql.as_ptr().cast(),
                length,
                flags,
                &raw mut handle,
                &raw mut tail,
            )
        };
        if code != ffi::SQLITE_OK {
            // SAFETY: the handle is open.
            return Err(unsafe { Error::last(database, code) }.in_statement(sql));
        }
        let used = (tail as usize).saturating_sub(sql.as_ptr() as usize);
        let (own, rest) = sql.split_at_checked(used).unwrap_or((sql, ""));
        let statement = (!handle.is_null()).then(|| Self {
            handle,
            database,
            sql: own.into(),
        });
        Ok((statement, rest))
    }

    pub(crate) fn sql(&self) -> &str {
        &self.sql
    }

    /// Steps of SQLite's virtual machine since this was asked last.
    pub(crate) fn take_steps(&mut self) -> u64 {
        // SAFETY: the statement is live.
        let steps = unsafe { ffi::sqlite3_stmt_status(self.handle, ffi::SQLITE_STMTSTATUS_VM_STEP, 1) };
        u64::try_from(steps).unwrap_or_default()
    }

    /// Times that SQLite compiled it anew since this was asked last.
    pub(crate) fn take_recompilations(&mut self) -> u64 {
        // SAFETY: the statement is live.
        let times = unsafe { ffi::sqlite3_stmt_status(self.handle, ffi::SQLITE_STMTSTATUS_REPREPARE, 1) };
        u64::try_from(times).unwrap_or_default()
    }

    /// Binds `values` to the parameters and is ready for the first step.
    pub(crate) fn run<'a>(&'a mut self, values: &'a [Value<'a>]) -> Result<Run<'a>> {
        // SAFETY: the statement is live.
        let wanted = unsafe { ffi::sqlite3_bind_parameter_count(self.handle) };
        if usize::try_from(wanted) != Ok(values.len()) {
            let message = format!("{wanted} values wanted, {} given", values.len());
            return Err(Error::new(ffi::SQLITE_RANGE, message).in_statement(&self.sql));
        }
        let run = Run { statement: self };
        for (index, value) in (1..).zip(values) {
            run.statement.bind(index, *value)?;
        }
        Ok(run)
    }

    /// Lends `value` to SQLite until the bindings are cleared.
    fn bind(&self, index: c_int, value: Value<'_>) -> Result<()> {
        // SAFETY: the statement is live. Text and blobs are not copied: `run` borrows them for as long as the `Run`
        // lives, which clears the bindings when it ends.
        let code = unsafe {
            match value {
                Value::Null => ffi::sqlite3_bind_null(self.handle, index),
                Value::Integer(value) => ffi::sqlite3_bind_int64(self.handle, index, value),
                Value::Unsigned(value) => match i64::try_from(value) {
                    Ok(value) => ffi::sqlite3_bind_int64(self.handle, index, value),
                    Err(_) => {
                        let message = format!("parameter {index} does not fit a signed integer");
                        return Err(Error::new(ffi::SQLITE_MISMATCH, message).in_statement(&self.sql));
                    }
                },
                Value::Real(value) => ffi::sqlite3_bind_double(self.handle, index, value),
                Value::Text(text) => ffi::sqlite3_bind_text64(
                    self.handle,
                    index,
                    text.as_ptr().cast(),
                    text.len() as u64,
                    ffi::SQLITE_STATIC(),
                    ffi::SQLITE_UTF8 as u8,
                ),
                Value::Blob(bytes) => ffi::sqlite3_bind_blob64(
                    self.handle,
                    index,
                    bytes.as_ptr().cast(),
                    bytes.len() as u64,
                    ffi::SQLITE_STATIC(),
                ),
            }
        };
        self.check(code)
    }

    /// The content of a column of the current row.
    pub(crate) fn column(&self, index: usize) -> Result<Column<'_>> {
        // SAFETY: the statement is live.
        let count = unsafe { ffi::sqlite3_data_count(self.handle) };
        let column = match c_int::try_from(index) {
            Ok(column) if column < count => column,
            _ => {
                let message = format!("no column {index} among {count}");
                return Err(Error::new(ffi::SQLITE_RANGE, message).in_statement(&self.sql));
            }
        };
        // SAFETY: the statement stands on a row that has this column. Its bytes stay until the next step or reset,
        // which both need the `Run` that the row is borrowed from.
        unsafe {
            match ffi::sqlite3_column_type(self.handle, column) {
                ffi::SQLITE_INTEGER => Ok(Column::Integer(ffi::sqlite3_column_int64(self.handle, column))),
                ffi::SQLITE_FLOAT => Ok(Column::Real(ffi::sqlite3_column_double(self.handle, column))),
                ffi::SQLITE_TEXT => {
                    let text = ffi::sqlite3_column_text(self.handle, column);
                    self.bytes(text, column).map(Column::Text)
                }
                ffi::SQLITE_BLOB => {
                    let blob = ffi::sqlite3_column_blob(self.handle, column);
                    self.bytes(blob.cast(), column).map(Column::Blob)
                }
                _ => Ok(Column::Null),
            }
        }
    }

    /// # Safety
    ///
    /// `start` was just given by SQLite for `column` of the current row.
    unsafe fn bytes(&self, start: *const u8, column: c_int) -> Result<&[u8]> {
        // SAFETY: the statement stands on a row.
        let length = unsafe { ffi::sqlite3_column_bytes(self.handle, column) };
        let length = usize::try_from(length).unwrap_or(0);
        if !start.is_null() {
            // SAFETY: SQLite holds that many bytes there.
            return Ok(unsafe { std::slice::from_raw_parts(start, length) });
        }
        if length == 0 {
            // SQLite has no address for an empty blob.
            return Ok(&[]);
        }
        Err(Error::from_code(ffi::SQLITE_NOMEM).in_statement(&self.sql))
    }

    fn check(&self, code: c_int) -> Result<()> {
        if code == ffi::SQLITE_OK {
            return Ok(());
        }
        // SAFETY: the connection outlives its statements.
        Err(unsafe { Error::last(self.database, code) }.in_statement(&self.sql))
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        // SAFETY: the statement is live and ours. The code repeats an error that was reported when it happened.
        unsafe { ffi::sqlite3_finalize(self.handle) };
    }
}

/// A statement with its values, under way.
pub(crate) struct Run<'a> {
    statement: &'a mut Statement,
}

impl Run<'_> {
    /// Moves on to the next row, or to the end.
    pub(crate) fn step(&mut self) -> Result<Step> {
        // SAFETY: the statement is live.
        match unsafe { ffi::sqlite3_step(self.statement.handle) } {
            ffi::SQLITE_ROW => Ok(Step::Row),
            ffi::SQLITE_DONE => Ok(Step::Done),
            // SAFETY: the connection outlives its statements.
            code => Err(unsafe { Error::last(self.statement.database, code) }.in_statement(&self.statement.sql)),
        }
    }

    pub(crate) fn statement(&self) -> &Statement {
        self.statement
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        // SAFETY: the statement is live. The reset's code repeats an error that the step already reported.
        unsafe {
            ffi::sqlite3_reset(self.statement.handle);
            ffi::sqlite3_clear_bindings(self.statement.handle);
        }
    }
}
