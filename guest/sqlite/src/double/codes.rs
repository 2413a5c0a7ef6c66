//! The codes in use, as SQLite has them.

use std::ffi::{c_int, c_uint};

pub(crate) const SQLITE_BLOB: c_int = 4;
pub(crate) const SQLITE_BUSY: c_int = 5;
pub(crate) const SQLITE_CANTOPEN: c_int = 14;
pub(crate) const SQLITE_CHECKPOINT_TRUNCATE: c_int = 3;
pub(crate) const SQLITE_CONSTRAINT: c_int = 19;
pub(crate) const SQLITE_CONSTRAINT_CHECK: c_int = 275;
pub(crate) const SQLITE_CONSTRAINT_FOREIGNKEY: c_int = 787;
pub(crate) const SQLITE_CONSTRAINT_NOTNULL: c_int = 1299;
pub(crate) const SQLITE_CONSTRAINT_PRIMARYKEY: c_int = 1555;
pub(crate) const SQLITE_CONSTRAINT_ROWID: c_int = 2579;
pub(crate) const SQLITE_CONSTRAINT_UNIQUE: c_int = 2067;
pub(crate) const SQLITE_CORRUPT: c_int = 11;
pub(crate) const SQLITE_DONE: c_int = 101;
pub(crate) const SQLITE_ERROR: c_int = 1;
pub(crate) const SQLITE_FLOAT: c_int = 2;
pub(crate) const SQLITE_FULL: c_int = 13;
pub(crate) const SQLITE_INTEGER: c_int = 1;
pub(crate) const SQLITE_IOERR: c_int = 10;
pub(crate) const SQLITE_LOCKED: c_int = 6;
pub(crate) const SQLITE_MISMATCH: c_int = 20;
pub(crate) const SQLITE_MISUSE: c_int = 21;
pub(crate) const SQLITE_NOMEM: c_int = 7;
pub(crate) const SQLITE_NOTADB: c_int = 26;
pub(crate) const SQLITE_OK: c_int = 0;
pub(crate) const SQLITE_OPEN_CREATE: c_int = 4;
pub(crate) const SQLITE_OPEN_READWRITE: c_int = 2;
pub(crate) const SQLITE_PREPARE_PERSISTENT: c_uint = 1;
pub(crate) const SQLITE_RANGE: c_int = 25;
pub(crate) const SQLITE_ROW: c_int = 100;
pub(crate) const SQLITE_STMTSTATUS_VM_STEP: c_int = 4;
pub(crate) const SQLITE_STMTSTATUS_REPREPARE: c_int = 5;
pub(crate) const SQLITE_DBCONFIG_ENABLE_QPSG: c_int = 1007;
pub(crate) const SQLITE_TEXT: c_int = 3;
pub(crate) const SQLITE_TOOBIG: c_int = 18;
pub(crate) const SQLITE_UTF8: c_int = 1;
