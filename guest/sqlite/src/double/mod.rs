//! Stands in for SQLite in native tests, so that Miri, which runs no C, sees every pointer that the wrapper hands out and
//! gets: what it lends is read when SQLite would read it, what it borrows is gone when SQLite would take it away.
//!
//! It understands a handful of [statements](statement) and stores nothing.
#![allow(
    non_camel_case_types,
    clippy::undocumented_unsafe_blocks,
    clippy::missing_safety_doc,
    reason = "the names and contracts are SQLite's"
)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod codes;
mod statement;
pub(crate) mod vfs;

use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr;

pub(crate) use codes::*;
pub(crate) use statement::*;

/// A name that cannot be opened.
pub(crate) const UNOPENABLE: &str = "unopenable.db";

/// A connection.
#[derive(Default)]
pub(crate) struct sqlite3 {
    code: c_int,
    words: CString,
    is_in_transaction: bool,
    changes: i64,
    all_changes: i64,
    version: i64,
    statements: usize,
}

impl sqlite3 {
    fn fail(&mut self, code: c_int, words: &str) -> c_int {
        self.code = code;
        self.words = CString::new(words).unwrap();
        code & 0xff
    }
}

pub(crate) unsafe fn sqlite3_open_v2(
    name: *const c_char,
    database: *mut *mut sqlite3,
    _flags: c_int,
    vfs: *const c_char,
) -> c_int {
    let mut connection = Box::<sqlite3>::default();
    let is_known = unsafe { CStr::from_ptr(vfs) } == vfs::NAME;
    let name = unsafe { CStr::from_ptr(name) }.to_str().unwrap();
    let code = match name == UNOPENABLE || !is_known {
        true => connection.fail(SQLITE_CANTOPEN, "unable to open"),
        false => SQLITE_OK,
    };
    unsafe { database.write(Box::into_raw(connection)) };
    code
}

/// SQLite's own takes what belongs to each option; this one is enough for those that are switched.
pub(crate) unsafe fn sqlite3_db_config(_database: *mut sqlite3, _what: c_int, _on: c_int, _was: *mut c_int) -> c_int {
    SQLITE_OK
}

pub(crate) unsafe fn sqlite3_close(database: *mut sqlite3) -> c_int {
    if database.is_null() {
        return SQLITE_OK;
    }
    if unsafe { (*database).statements } > 0 {
        return SQLITE_BUSY;
    }
    drop(unsafe { Box::from_raw(database) });
    SQLITE_OK
}

/// Words that last until the next failure, as SQLite's do.
pub(crate) unsafe fn sqlite3_errmsg(database: *mut sqlite3) -> *const c_char {
    unsafe { (*database).words.as_ptr() }
}

pub(crate) unsafe fn sqlite3_extended_errcode(database: *mut sqlite3) -> c_int {
    unsafe { (*database).code }
}

/// No words for an unknown code.
pub(crate) unsafe fn sqlite3_errstr(code: c_int) -> *const c_char {
    match code & 0xff {
        SQLITE_BUSY => c"database is locked".as_ptr(),
        SQLITE_NOMEM => c"out of memory".as_ptr(),
        _ => ptr::null(),
    }
}

pub(crate) unsafe fn sqlite3_changes64(database: *mut sqlite3) -> i64 {
    unsafe { (*database).changes }
}

pub(crate) unsafe fn sqlite3_total_changes64(database: *mut sqlite3) -> i64 {
    unsafe { (*database).all_changes }
}

pub(crate) unsafe fn sqlite3_last_insert_rowid(database: *mut sqlite3) -> i64 {
    unsafe { (*database).all_changes }
}

pub(crate) unsafe fn sqlite3_get_autocommit(database: *mut sqlite3) -> c_int {
    unsafe { c_int::from(!(*database).is_in_transaction) }
}

pub(crate) unsafe fn sqlite3_wal_checkpoint_v2(
    database: *mut sqlite3,
    _name: *const c_char,
    _mode: c_int,
    _frames: *mut c_int,
    _moved: *mut c_int,
) -> c_int {
    unsafe { (*database).code = SQLITE_OK };
    SQLITE_OK
}
