//! What the wrapper lends to SQLite and borrows from it, tried on a double that reads and takes away as SQLite does.
//! `make miri` looks at every pointer meanwhile.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use crate::buffer::fill;
use crate::double::{UNOPENABLE, vfs};
use crate::{Connection, Constraint, Error, ErrorKind, Value, params};

fn open() -> Connection {
    Connection::open("chat.db").unwrap()
}

#[test]
fn values_come_back_as_they_were_lent() {
    let connection = open();
    let text = "é".repeat(100);
    for blob in [&b""[..], b"\0", &[7; 300]] {
        let row = connection.query_row(
            "SHOW ?, ?, ?, ?, ?, ?",
            params![&text, blob, -1_i64, 0.5, true, None::<&str>],
            |row| {
                assert_eq!(row.get::<Option<i64>>(5)?, None);
                Ok((
                    row.get::<String>(0)?,
                    row.get::<Vec<u8>>(1)?,
                    row.get::<i64>(2)?,
                    row.get::<f64>(3)?,
                    row.get::<bool>(4)?,
                ))
            },
        );
        assert_eq!(row.unwrap().unwrap(), (text.clone(), blob.to_vec(), -1, 0.5, true));
    }
    connection.close().unwrap();
}

#[test]
fn every_row_is_read_before_the_next_takes_its_place() {
    let connection = open();
    let rows = connection.query("SHOW TWICE ?, ?", params!["one", ""], |row| {
        Ok((row.get::<String>(0)?, row.get::<String>(1)?))
    });
    assert_eq!(rows.unwrap(), vec![("one".to_owned(), String::new()); 2]);
}

#[test]
fn a_value_that_is_gone_is_not_looked_at_again() {
    let connection = open();
    for length in [1_000, 2, 0] {
        let lent = "x".repeat(length);
        let show = |value: &str| connection.query_row("SHOW ?", params![value], |row| row.get::<String>(0));
        assert_eq!(show(&lent).unwrap().as_deref(), Some(lent.as_str()));
        drop(lent);
        let null = connection.query_row("SHOW ?", params![None::<&str>], |row| row.get::<Option<String>>(0));
        assert_eq!(null.unwrap(), Some(None));
    }
    // A query that stops half-way, in its map or at its first row.
    let stopped = connection.query("SHOW TWICE ?", params![&"y".repeat(9)], |row| row.get::<i64>(0));
    assert_eq!(stopped.unwrap_err().message(), "column 0 is text, not an integer");
    let first = connection.query_row("SHOW TWICE ?", params![&"z".repeat(9)], |row| row.get::<String>(0));
    assert_eq!(first.unwrap().unwrap(), "z".repeat(9));
}

#[test]
fn a_statement_in_use_is_prepared_once_more() {
    let connection = open();
    let inner = |word: &str| connection.query_row("SHOW ?", params![word], |row| row.get::<String>(0));
    let both = connection.query_row("SHOW ?", params!["outer"], |row| {
        Ok((inner("inner")?.unwrap(), row.get::<String>(0)?))
    });
    assert_eq!(both.unwrap().unwrap(), ("inner".to_owned(), "outer".to_owned()));
    assert_eq!(inner("again").unwrap().unwrap(), "again");
    assert!(connection.steps() > 0);
}

#[test]
fn more_statements_than_are_kept_leave_none_open() {
    let connection = open();
    for number in 0..300 {
        connection.execute(&format!("CHANGE {number}"), params![]).unwrap();
    }
    connection.close().unwrap();
}

#[test]
fn a_batch_is_read_to_its_end() {
    let connection = open();
    connection.execute_batch(" CHANGE 1; ;CHANGE 2 ; CHANGE 3").unwrap();
    assert_eq!(connection.last_insert_rowid(), 3);
    connection.execute_batch("").unwrap();
    let error = connection.execute_batch("CHANGE 4; nonsense").unwrap_err();
    assert_eq!((error.kind(), error.statement()), (ErrorKind::Other, Some("nonsense")));
    let two = connection.execute("CHANGE 5; CHANGE 6", params![]).unwrap_err();
    assert_eq!(two.message(), "one statement wanted");
    assert_eq!(connection.execute("CHANGE 7", params![]).unwrap(), 1);
    assert_eq!(connection.execute("SHOW ?", params![1]).unwrap(), 0);
}

#[test]
fn transactions_end_with_what_was_done_or_without() {
    let connection = open();
    let broken = connection.transaction(|connection| {
        assert!(connection.in_transaction());
        connection.transaction(|connection| connection.execute("BREAK", params![]))
    });
    let error: Error = broken.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Constraint(Constraint::Unique));
    assert!(!connection.in_transaction());
    connection.begin().unwrap();
    connection.begin().unwrap_err();
    connection.commit().unwrap();
    connection.set_user_version(7).unwrap();
    assert_eq!(connection.user_version().unwrap(), 7);
    assert!(connection.set_user_version(u32::MAX).is_err());
}

#[test]
fn errors_keep_the_words_of_a_failure_when_the_next_has_others() {
    let connection = open();
    vfs::leave_reason("the disk is on fire");
    let first = connection.execute("BREAK", params![]).unwrap_err();
    let second = connection.execute("oops", params![]).unwrap_err();
    drop(connection);
    assert_eq!(first.message(), "UNIQUE constraint failed");
    assert_eq!(first.storage(), Some("the disk is on fire"));
    assert_eq!((first.code(), first.extended_code()), (19, 2067));
    assert_eq!(second.message(), r#"near "oops": syntax error"#);
    assert_eq!(second.storage(), None);
    assert_eq!(
        first.to_string(),
        "sqlite error 2067: UNIQUE constraint failed, in `BREAK`: the disk is on fire"
    );
}

#[test]
fn what_is_asked_wrongly_is_an_error() {
    let connection = open();
    let get = |params: &[Value<'_>], index| connection.query_row("SHOW ?", params, |row| row.get::<u32>(index));
    assert_eq!(get(params![5], 0).unwrap(), Some(5));
    assert_eq!(get(params![5], 1).unwrap_err().message(), "no column 1 among 1");
    assert_eq!(
        get(params![5], usize::MAX).unwrap_err().message(),
        format!("no column {} among 1", usize::MAX)
    );
    assert_eq!(
        get(params![-5], 0).unwrap_err().message(),
        "column 0 is an integer out of range, not an unsigned 32-bit number"
    );
    assert_eq!(get(params![], 0).unwrap_err().message(), "1 values wanted, 0 given");
    assert_eq!(
        get(params![u64::MAX], 0).unwrap_err().message(),
        "parameter 1 does not fit a signed integer"
    );
    let lost = connection.query_row("RUN OUT", params![], |row| row.get::<Vec<u8>>(0));
    assert_eq!(lost.unwrap_err().message(), "out of memory");
    let garbled = connection.query_row("SHOW ?", params![&[0xff_u8, 0xfe]], |row| row.get::<String>(0));
    assert!(garbled.unwrap_err().message().contains("a blob"));
}

#[test]
fn a_connection_that_does_not_open_is_let_go_of() {
    let error = Connection::open(UNOPENABLE).map(drop).unwrap_err();
    assert_eq!(error.message(), "unable to open");
    for name in ["", "..", "a/b", "a\0b", "file:x"] {
        assert!(Connection::open(name).is_err(), "{name:?}");
    }
    for opened in [Connection::open_erasing("chat.db"), Connection::open_to_look("chat.db")] {
        opened.unwrap().close().unwrap();
    }
}

#[test]
fn lent_memory_is_filled_as_far_as_there_are_bytes() {
    for (length, bytes, filled) in [(4, &b"abcdef"[..], 4), (4, b"ab", 2), (0, b"ab", 0), (3, b"", 0)] {
        let mut memory = vec![b'.'; length];
        // SAFETY: it is writable for its length, and apart.
        assert_eq!(unsafe { fill(memory.as_mut_ptr(), length, bytes) }, filled);
        assert_eq!(&memory[..filled], &bytes[..filled]);
        assert!(memory[filled..].iter().all(|byte| *byte == b'.'));
    }
    // SAFETY: nothing is written.
    assert_eq!(unsafe { fill(std::ptr::null_mut(), 0, b"ab") }, 0);
}
