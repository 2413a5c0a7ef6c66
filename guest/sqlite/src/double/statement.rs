//! Statements. `SHOW ?, ?` gives the values of its parameters as a row, `SHOW TWICE ?` as two; `CHANGE` changes a row,
//! `BREAK` breaks a rule, `RUN OUT` runs out of memory at a blob; transactions and some pragmas are as in SQLite.

use std::ffi::{c_char, c_int, c_uint, c_void};
use std::{mem, ptr, slice, str};

use super::codes::*;
use super::sqlite3;

/// A statement.
pub(crate) struct sqlite3_stmt {
    database: *mut sqlite3,
    program: Program,
    /// What is lent, as the caller said.
    bound: Vec<Bound>,
    /// The row that the statement stands on, made anew by each step.
    row: Vec<Cell>,
    rows: usize,
    steps: c_int,
}

#[derive(Clone, Copy)]
enum Program {
    Show(usize),
    Answer(i64),
    Word(&'static str),
    Change,
    Break,
    RunOut,
    Begin,
    End,
    SetVersion(i64),
    Nothing,
}

#[derive(Clone, Copy)]
enum Bound {
    Null,
    Integer(i64),
    Real(f64),
    Text(*const u8, usize),
    Blob(*const u8, usize),
}

enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(Box<[u8]>),
    Blob(Box<[u8]>),
    /// A blob for which there is no memory.
    Lost(usize),
}

impl Program {
    fn of(text: &str, database: &sqlite3) -> Option<Self> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        Some(match *words.as_slice() {
            ["SHOW", "TWICE", ..] => Self::Show(2),
            ["SHOW", ..] => Self::Show(1),
            ["CHANGE", ..] => Self::Change,
            ["BREAK"] => Self::Break,
            ["RUN", "OUT"] => Self::RunOut,
            ["BEGIN", ..] => Self::Begin,
            ["COMMIT" | "ROLLBACK"] => Self::End,
            ["SAVEPOINT" | "RELEASE" | "ROLLBACK", ..] => Self::Nothing,
            ["PRAGMA", "page_count"] => Self::Answer(0),
            ["PRAGMA", "user_version"] => Self::Answer(database.version),
            ["PRAGMA", "user_version", "=", version] => Self::SetVersion(version.parse().ok()?),
            ["PRAGMA", "journal_mode", "=", "wal"] => Self::Word("wal"),
            ["PRAGMA", "journal_mode", "=", "delete"] => Self::Word("delete"),
            ["PRAGMA", ..] => Self::Nothing,
            _ => return None,
        })
    }
}

pub(crate) unsafe fn sqlite3_prepare_v3(
    database: *mut sqlite3,
    text: *const c_char,
    length: c_int,
    _flags: c_uint,
    statement: *mut *mut sqlite3_stmt,
    tail: *mut *const c_char,
) -> c_int {
    let length = usize::try_from(length).unwrap();
    let all = str::from_utf8(unsafe { slice::from_raw_parts(text.cast(), length) }).unwrap();
    let end = all.find(';').map_or(length, |at| at + 1);
    unsafe {
        tail.write(text.add(end));
        statement.write(ptr::null_mut());
    }
    let own = all[..end].trim_end_matches(';').trim();
    if own.is_empty() {
        return SQLITE_OK;
    }
    let connection = unsafe { &mut *database };
    let Some(program) = Program::of(own, connection) else {
        return connection.fail(SQLITE_ERROR, &format!("near {own:?}: syntax error"));
    };
    connection.statements += 1;
    let prepared = sqlite3_stmt {
        database,
        program,
        bound: vec![Bound::Null; own.matches('?').count()],
        row: Vec::new(),
        rows: 0,
        steps: 0,
    };
    unsafe { statement.write(Box::into_raw(Box::new(prepared))) };
    SQLITE_OK
}

pub(crate) unsafe fn sqlite3_finalize(statement: *mut sqlite3_stmt) -> c_int {
    let statement = unsafe { Box::from_raw(statement) };
    unsafe { (*statement.database).statements -= 1 };
    SQLITE_OK
}

pub(crate) unsafe fn sqlite3_step(statement: *mut sqlite3_stmt) -> c_int {
    let statement = unsafe { &mut *statement };
    let database = unsafe { &mut *statement.database };
    statement.steps += 1;
    // The row before this one is gone.
    statement.row.clear();
    let is_first = statement.rows == 0;
    let row = match statement.program {
        Program::Show(rows) if statement.rows < rows => {
            statement.bound.iter().map(|bound| unsafe { bound.read() }).collect()
        }
        Program::Answer(number) if is_first => vec![Cell::Integer(number)],
        Program::Word(word) if is_first => vec![Cell::Text(word.as_bytes().into())],
        Program::RunOut if is_first => vec![Cell::Lost(5)],
        Program::Change => {
            database.changes = 1;
            database.all_changes += 1;
            return SQLITE_DONE;
        }
        Program::Break => return database.fail(SQLITE_CONSTRAINT_UNIQUE, "UNIQUE constraint failed"),
        Program::Begin => {
            if mem::replace(&mut database.is_in_transaction, true) {
                return database.fail(SQLITE_ERROR, "there is one");
            }
            return SQLITE_DONE;
        }
        Program::End => {
            database.is_in_transaction = false;
            return SQLITE_DONE;
        }
        Program::SetVersion(version) => {
            database.version = version;
            return SQLITE_DONE;
        }
        _ => return SQLITE_DONE,
    };
    statement.row = row;
    statement.rows += 1;
    SQLITE_ROW
}

impl Bound {
    unsafe fn read(&self) -> Cell {
        let bytes = |start: *const u8, length| unsafe { slice::from_raw_parts(start, length) }.into();
        match *self {
            Self::Null => Cell::Null,
            Self::Integer(value) => Cell::Integer(value),
            Self::Real(value) if value.is_nan() => Cell::Null,
            Self::Real(value) => Cell::Real(value),
            Self::Text(start, length) => Cell::Text(bytes(start, length)),
            Self::Blob(start, length) => Cell::Blob(bytes(start, length)),
        }
    }
}

pub(crate) unsafe fn sqlite3_reset(statement: *mut sqlite3_stmt) -> c_int {
    let statement = unsafe { &mut *statement };
    statement.row.clear();
    statement.rows = 0;
    SQLITE_OK
}

pub(crate) unsafe fn sqlite3_clear_bindings(statement: *mut sqlite3_stmt) -> c_int {
    unsafe { (*statement).bound.fill(Bound::Null) };
    SQLITE_OK
}

pub(crate) unsafe fn sqlite3_stmt_status(statement: *mut sqlite3_stmt, what: c_int, _reset: c_int) -> c_int {
    match what {
        SQLITE_STMTSTATUS_VM_STEP => unsafe { mem::take(&mut (*statement).steps) },
        _ => 0,
    }
}

pub(crate) unsafe fn sqlite3_bind_parameter_count(statement: *mut sqlite3_stmt) -> c_int {
    c_int::try_from(unsafe { (*statement).bound.len() }).unwrap()
}

unsafe fn bind(statement: *mut sqlite3_stmt, index: c_int, value: Bound) -> c_int {
    let at = usize::try_from(index - 1).unwrap();
    unsafe { (&mut (*statement).bound)[at] = value };
    SQLITE_OK
}

pub(crate) unsafe fn sqlite3_bind_null(statement: *mut sqlite3_stmt, index: c_int) -> c_int {
    unsafe { bind(statement, index, Bound::Null) }
}

pub(crate) unsafe fn sqlite3_bind_int64(statement: *mut sqlite3_stmt, index: c_int, value: i64) -> c_int {
    unsafe { bind(statement, index, Bound::Integer(value)) }
}

pub(crate) unsafe fn sqlite3_bind_double(statement: *mut sqlite3_stmt, index: c_int, value: f64) -> c_int {
    unsafe { bind(statement, index, Bound::Real(value)) }
}

/// What frees a value: nothing here.
pub(crate) type Destructor = Option<unsafe extern "C" fn(*mut c_void)>;

/// A value stays the caller's, who keeps it until the bindings are cleared.
#[allow(non_snake_case, reason = "SQLite's name")]
pub(crate) fn SQLITE_STATIC() -> Destructor {
    None
}

pub(crate) unsafe fn sqlite3_bind_text64(
    statement: *mut sqlite3_stmt,
    index: c_int,
    start: *const c_char,
    length: u64,
    _destructor: Destructor,
    _encoding: u8,
) -> c_int {
    let value = Bound::Text(start.cast(), usize::try_from(length).unwrap());
    unsafe { bind(statement, index, value) }
}

pub(crate) unsafe fn sqlite3_bind_blob64(
    statement: *mut sqlite3_stmt,
    index: c_int,
    start: *const c_void,
    length: u64,
    _destructor: Destructor,
) -> c_int {
    let value = Bound::Blob(start.cast(), usize::try_from(length).unwrap());
    unsafe { bind(statement, index, value) }
}

pub(crate) unsafe fn sqlite3_data_count(statement: *mut sqlite3_stmt) -> c_int {
    c_int::try_from(unsafe { (*statement).row.len() }).unwrap()
}

unsafe fn cell<'a>(statement: *mut sqlite3_stmt, index: c_int) -> &'a Cell {
    unsafe { &(&(*statement).row)[usize::try_from(index).unwrap()] }
}

pub(crate) unsafe fn sqlite3_column_type(statement: *mut sqlite3_stmt, index: c_int) -> c_int {
    match unsafe { cell(statement, index) } {
        Cell::Null => 5,
        Cell::Integer(_) => SQLITE_INTEGER,
        Cell::Real(_) => SQLITE_FLOAT,
        Cell::Text(_) => SQLITE_TEXT,
        Cell::Blob(_) | Cell::Lost(_) => SQLITE_BLOB,
    }
}

pub(crate) unsafe fn sqlite3_column_int64(statement: *mut sqlite3_stmt, index: c_int) -> i64 {
    match unsafe { cell(statement, index) } {
        Cell::Integer(value) => *value,
        _ => 0,
    }
}

pub(crate) unsafe fn sqlite3_column_double(statement: *mut sqlite3_stmt, index: c_int) -> f64 {
    match unsafe { cell(statement, index) } {
        Cell::Real(value) => *value,
        _ => 0.0,
    }
}

pub(crate) unsafe fn sqlite3_column_text(statement: *mut sqlite3_stmt, index: c_int) -> *const u8 {
    unsafe { sqlite3_column_blob(statement, index) }.cast()
}

/// None for an empty blob, as in SQLite.
pub(crate) unsafe fn sqlite3_column_blob(statement: *mut sqlite3_stmt, index: c_int) -> *const c_void {
    match unsafe { cell(statement, index) } {
        Cell::Text(bytes) => bytes.as_ptr().cast(),
        Cell::Blob(bytes) if !bytes.is_empty() => bytes.as_ptr().cast(),
        _ => ptr::null(),
    }
}

pub(crate) unsafe fn sqlite3_column_bytes(statement: *mut sqlite3_stmt, index: c_int) -> c_int {
    let length = match unsafe { cell(statement, index) } {
        Cell::Text(bytes) | Cell::Blob(bytes) => bytes.len(),
        Cell::Lost(length) => *length,
        _ => 0,
    };
    c_int::try_from(length).unwrap()
}
