//! Files that are not what they should be, written past SQLite with the standard library.
#![cfg(target_family = "wasm")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::fs;

use wasi_sqlite::{Connection, Error, ErrorKind, copy, exists, params};

fn open_error(file_name: &str) -> Error {
    Connection::open(file_name).map(drop).unwrap_err()
}

/// A database with some rows in it, closed.
fn filled(file_name: &str) {
    let connection = Connection::open(file_name).unwrap();
    connection
        .execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, data BLOB)")
        .unwrap();
    for _ in 0..20 {
        connection
            .execute("INSERT INTO t (data) VALUES (randomblob(3000))", params![])
            .unwrap();
    }
    connection.close().unwrap();
}

#[test]
fn a_file_that_is_no_database_is_named_so_and_left_alone() {
    let text = "not a database, just words. ".repeat(1_000);
    fs::write("/words.db", &text).unwrap();
    assert_eq!(open_error("words.db").kind(), ErrorKind::NotADatabase);
    assert_eq!(fs::read_to_string("/words.db").unwrap(), text);
}

#[test]
fn an_empty_file_becomes_a_database() {
    fs::write("/empty.db", b"").unwrap();
    let connection = Connection::open("empty.db").unwrap();
    connection.execute_batch("CREATE TABLE t (x)").unwrap();
    connection.close().unwrap();
    assert!(fs::read("/empty.db").unwrap().starts_with(b"SQLite format 3\0"));
}

#[test]
fn a_database_cut_short_is_corrupt() {
    filled("short.db");
    let bytes = fs::read("/short.db").unwrap();
    fs::write("/short.db", &bytes[..bytes.len() / 2]).unwrap();
    let read = Connection::open("short.db")
        .and_then(|connection| connection.query("SELECT data FROM t", params![], |row| row.get::<Vec<u8>>(0)));
    assert_eq!(read.unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn a_database_overwritten_inside_is_corrupt() {
    filled("scribbled.db");
    let mut bytes = fs::read("/scribbled.db").unwrap();
    bytes[100..8_000].fill(0xa5);
    fs::write("/scribbled.db", &bytes).unwrap();
    let read = Connection::open("scribbled.db")
        .and_then(|connection| connection.query("SELECT data FROM t", params![], |row| row.get::<Vec<u8>>(0)));
    assert_eq!(read.unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn a_log_left_by_a_crash_is_read_and_a_torn_end_of_it_is_not() {
    let connection = Connection::open("crashed.db").unwrap();
    connection.execute_batch("CREATE TABLE t (x INTEGER)").unwrap();
    for x in 0..10 {
        connection.execute("INSERT INTO t VALUES (?1)", params![x]).unwrap();
    }
    // What a disk would hold if the machine had stopped now, and again in the middle of the last commit.
    let (database, log) = (fs::read("/crashed.db").unwrap(), fs::read("/crashed.db-wal").unwrap());
    connection.close().unwrap();

    let rows_after = |log: &[u8]| {
        fs::write("/crashed.db", &database).unwrap();
        fs::write("/crashed.db-wal", log).unwrap();
        assert_eq!(copy("crashed.db", "backup.db").unwrap_err().kind(), ErrorKind::Busy);
        assert!(!exists("backup.db").unwrap());
        let connection = Connection::open("crashed.db").unwrap();
        let rows = connection
            .query_row("SELECT count(*) FROM t", params![], |row| row.get::<u32>(0))
            .unwrap();
        connection.close().unwrap();
        rows.unwrap()
    };
    assert_eq!(rows_after(&log), 10);
    assert_eq!(rows_after(&log[..log.len() - 100]), 9);
}

#[test]
fn names_that_are_no_file_of_the_directory_are_refused() {
    for name in [
        "",
        ".",
        "..",
        "../other.db",
        "/etc/passwd",
        "sub/dir.db",
        ":memory:",
        "file:x.db?mode=ro",
        "a\0b",
    ] {
        assert_eq!(open_error(name).kind(), ErrorKind::Other, "{name:?}");
        assert!(exists(name).is_err(), "{name:?}");
        assert!(
            copy(name, "target.db").is_err() && copy("source.db", name).is_err(),
            "{name:?}"
        );
    }
}

#[test]
fn what_the_file_system_said_is_kept() {
    fs::create_dir("/folder.db").unwrap();
    let error = open_error("folder.db");
    assert_eq!(error.storage(), Some("opening folder.db: is-directory"), "{error}");
    let error = copy("missing.db", "target.db").unwrap_err();
    assert_eq!(error.storage(), Some("opening missing.db: no-entry"), "{error}");
}
