//! What SQLite, or the storage under it, could not do.
//!
//! An error keeps the codes to decide by, and for the reader SQLite's words, the statement and WASI's reason.

use std::ffi::{CStr, c_int};

use crate::{ffi, vfs};

/// The result of whatever touches the database.
pub type Result<T> = std::result::Result<T, Error>;

/// A failed call, with what was being done.
#[derive(Debug, Clone, thiserror::Error)]
#[error("sqlite error {extended_code}: {message}{}{}", in_statement(.statement.as_deref()), because(.storage.as_deref()))]
pub struct Error {
    extended_code: i32,
    message: String,
    statement: Option<String>,
    storage: Option<String>,
}

/// What a caller may decide by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The statement would have broken a rule of the schema; nothing was changed by it.
    Constraint(Constraint),
    /// The disk or the directory's quota is full.
    Full,
    /// The storage failed to read, write or sync.
    Io,
    /// The file is a database whose content makes no sense.
    Corrupt,
    /// The file is something other than a database.
    NotADatabase,
    /// The database is in use by another connection of this instance.
    Busy,
    /// Anything else: mostly a mistake in the statement or in how it was called.
    Other,
}

/// Which rule of the schema was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Constraint {
    /// A `UNIQUE` column or index.
    Unique,
    /// A `PRIMARY KEY` or row id.
    PrimaryKey,
    /// A `FOREIGN KEY`.
    ForeignKey,
    /// A `NOT NULL` column.
    NotNull,
    /// A `CHECK` expression.
    Check,
    /// A trigger's, a type's or another rule.
    Other,
}

impl Error {
    /// An error that this crate found itself, in SQLite's terms.
    pub(crate) fn new(extended_code: c_int, message: impl Into<String>) -> Self {
        Self {
            extended_code,
            message: message.into(),
            statement: None,
            storage: None,
        }
    }

    /// What `database` says about the call that just failed with `code`.
    ///
    /// # Safety
    ///
    /// `database` is null or a handle that is open.
    pub(crate) unsafe fn last(database: *mut ffi::sqlite3, code: c_int) -> Self {
        if database.is_null() {
            return Self::from_code(code);
        }
        // SAFETY: the caller vouches for the handle; the message is copied before the next call on it.
        let (extended_code, message) = unsafe {
            let message = ffi::sqlite3_errmsg(database);
            (ffi::sqlite3_extended_errcode(database), text_of(message))
        };
        if extended_code & PRIMARY_CODE != code & PRIMARY_CODE {
            // The call was refused before it reached the connection, whose words are of an older failure.
            return Self::from_code(code);
        }
        Self {
            extended_code,
            message,
            statement: None,
            storage: vfs::take_reason(extended_code),
        }
    }

    /// The general meaning of a result code, where no connection can say more.
    pub(crate) fn from_code(code: c_int) -> Self {
        // SAFETY: SQLite answers any number with a static string.
        let message = unsafe { text_of(ffi::sqlite3_errstr(code)) };
        Self {
            extended_code: code,
            message,
            statement: None,
            storage: vfs::take_reason(code),
        }
    }

    pub(crate) fn in_statement(mut self, sql: &str) -> Self {
        self.statement = Some(sql.trim().to_owned());
        self
    }

    #[cfg(target_family = "wasm")]
    pub(crate) fn with_storage(mut self, reason: &str) -> Self {
        self.storage = Some(reason.to_owned());
        self
    }

    /// What a caller may decide by.
    pub fn kind(&self) -> ErrorKind {
        match self.code() {
            ffi::SQLITE_CONSTRAINT => ErrorKind::Constraint(self.constraint()),
            ffi::SQLITE_FULL => ErrorKind::Full,
            ffi::SQLITE_IOERR => ErrorKind::Io,
            ffi::SQLITE_CORRUPT => ErrorKind::Corrupt,
            ffi::SQLITE_NOTADB => ErrorKind::NotADatabase,
            ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => ErrorKind::Busy,
            _ => ErrorKind::Other,
        }
    }

    fn constraint(&self) -> Constraint {
        match self.extended_code {
            ffi::SQLITE_CONSTRAINT_UNIQUE => Constraint::Unique,
            ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => Constraint::PrimaryKey,
            ffi::SQLITE_CONSTRAINT_FOREIGNKEY => Constraint::ForeignKey,
            ffi::SQLITE_CONSTRAINT_NOTNULL => Constraint::NotNull,
            ffi::SQLITE_CONSTRAINT_CHECK => Constraint::Check,
            _ => Constraint::Other,
        }
    }

    /// SQLite's primary result code.
    pub fn code(&self) -> i32 {
        self.extended_code & PRIMARY_CODE
    }

    /// SQLite's extended result code: the primary one, and which case of it.
    pub fn extended_code(&self) -> i32 {
        self.extended_code
    }

    /// SQLite's own words.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The statement that failed, without the values bound to it.
    pub fn statement(&self) -> Option<&str> {
        self.statement.as_deref()
    }

    /// What the file system answered, when it was the file system that failed.
    pub fn storage(&self) -> Option<&str> {
        self.storage.as_deref()
    }
}

/// SQLite keeps the primary code in the low byte of an extended one.
const PRIMARY_CODE: c_int = 0xff;

fn in_statement(statement: Option<&str>) -> String {
    statement.map_or_else(String::new, |sql| format!(", in `{sql}`"))
}

fn because(storage: Option<&str>) -> String {
    storage.map_or_else(String::new, |reason| format!(": {reason}"))
}

/// # Safety
///
/// `text` is null or a C string that stays until this returns.
unsafe fn text_of(text: *const std::ffi::c_char) -> String {
    if text.is_null() {
        return "out of memory".to_owned();
    }
    // SAFETY: checked for null; the caller vouches for the rest.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
