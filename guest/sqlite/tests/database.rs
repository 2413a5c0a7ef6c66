//! A database through this crate's own file system, inside WebAssembly: what is kept, where, and how it fails.
#![cfg(target_family = "wasm")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use wasi_sqlite::{Connection, Constraint, Error, ErrorKind, Value, copy, exists, params, same};

/// A database with one table, `notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)`.
fn notes(file_name: &str) -> Connection {
    let connection = Connection::open(file_name).unwrap();
    connection
        .execute_batch("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)")
        .unwrap();
    connection
}

fn add(connection: &Connection, text: &str) -> Result<usize, Error> {
    connection.execute("INSERT INTO notes (text) VALUES (?1)", params![text])
}

fn count(connection: &Connection) -> u32 {
    connection
        .query_row("SELECT count(*) FROM notes", params![], |row| row.get(0))
        .unwrap()
        .unwrap()
}

fn pragma<T: wasi_sqlite::FromColumn>(connection: &Connection, name: &str) -> T {
    connection
        .query_row(&format!("PRAGMA {name}"), params![], |row| row.get(0))
        .unwrap()
        .unwrap()
}

#[test]
fn what_was_written_is_there_when_opened_again() {
    let connection = notes("reopen.db");
    assert_eq!(add(&connection, "first").unwrap(), 1);
    assert_eq!(connection.last_insert_rowid(), 1);
    connection.close().unwrap();

    let connection = Connection::open("reopen.db").unwrap();
    let texts: Vec<String> = connection
        .query("SELECT text FROM notes", params![], |row| row.get(0))
        .unwrap();
    assert_eq!(texts, ["first"]);
}

#[test]
fn a_connection_that_is_dropped_keeps_what_was_committed() {
    let connection = notes("dropped.db");
    add(&connection, "kept").unwrap();
    connection
        .execute_batch("BEGIN; INSERT INTO notes (text) VALUES ('lost')")
        .unwrap();
    drop(connection);
    assert_eq!(count(&Connection::open("dropped.db").unwrap()), 1);
}

#[test]
fn the_log_is_written_ahead_and_gone_after_close() {
    assert!(!exists("wal.db").unwrap());
    let connection = notes("wal.db");
    assert_eq!(pragma::<String>(&connection, "journal_mode"), "wal");
    assert_eq!(pragma::<String>(&connection, "locking_mode"), "exclusive");
    assert_eq!(pragma::<i64>(&connection, "synchronous"), 2);
    assert!(pragma::<bool>(&connection, "foreign_keys"));
    add(&connection, "logged").unwrap();
    assert!(exists("wal.db").unwrap());
    assert!(exists("wal.db-wal").unwrap());
    connection.close().unwrap();
    assert!(exists("wal.db").unwrap());
    assert!(!exists("wal.db-wal").unwrap());
    assert!(!exists("wal.db-shm").unwrap());
    assert!(!exists("wal.db-journal").unwrap());
}

#[test]
fn every_type_comes_back_as_it_went_in() {
    let connection = Connection::open("types.db").unwrap();
    connection
        .execute_batch("CREATE TABLE t (a, b, c, d, e, f, g)")
        .unwrap();
    let blob = vec![0_u8, 255, 7];
    connection
        .execute(
            "INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?)",
            params![
                "grüße\0!",
                i64::MIN,
                u64::from(u32::MAX),
                true,
                0.5,
                blob.as_slice(),
                None::<&str>
            ],
        )
        .unwrap();
    connection
        .query_row("SELECT * FROM t", params![], |row| {
            assert_eq!(row.get::<String>(0)?, "grüße\0!");
            assert_eq!(row.get::<i64>(1)?, i64::MIN);
            assert_eq!(row.get::<u32>(2)?, u32::MAX);
            assert_eq!(row.get::<u64>(2)?, u64::from(u32::MAX));
            assert!(row.get::<bool>(3)?);
            assert_eq!(row.get::<f64>(4)?, 0.5);
            assert_eq!(row.get::<Vec<u8>>(5)?, [0, 255, 7]);
            assert_eq!(row.get::<Option<String>>(6)?, None);
            assert_eq!(row.get::<Option<i64>>(1)?, Some(i64::MIN));
            Ok(())
        })
        .unwrap()
        .unwrap();
    let empty = connection
        .query_row("SELECT ?1, ?2", params!["", b"".as_slice()], |row| {
            Ok((row.get::<Option<String>>(0)?, row.get::<Option<Vec<u8>>>(1)?))
        })
        .unwrap();
    assert_eq!(empty, Some((Some(String::new()), Some(Vec::new()))));
}

#[test]
fn a_column_of_another_type_is_an_error_and_never_a_guess() {
    let connection = Connection::open("mismatch.db").unwrap();
    let read = |map: fn(&wasi_sqlite::Row<'_>) -> Result<(), Error>| {
        connection
            .query_row("SELECT '1', -1, NULL, 2", params![], map)
            .unwrap_err()
    };
    let error = read(|row| row.get::<i64>(0).map(drop));
    assert_eq!(error.kind(), ErrorKind::Other);
    assert!(error.message().contains("column 0 is text"), "{error}");
    assert_eq!(error.statement(), Some("SELECT '1', -1, NULL, 2"));
    read(|row| row.get::<u64>(1).map(drop));
    read(|row| row.get::<i64>(2).map(drop));
    read(|row| row.get::<bool>(3).map(drop));
    read(|row| row.get::<i64>(4).map(drop));

    assert!(connection.execute("SELECT ?1", params![u64::MAX]).is_err());
    assert!(connection.execute("SELECT ?1", params![]).is_err());
    assert!(connection.execute("SELECT ?1", params![1, 2]).is_err());
    assert!(connection.execute("SELECT 1; SELECT 2", params![]).is_err());
    assert!(connection.execute("", params![]).is_err());
}

#[test]
fn big_blobs_survive_and_can_be_read_at_odd_offsets() {
    const BYTES: usize = 3_000_001;
    let blob: Vec<u8> = (0..BYTES).map(|index| (index * 31 % 251) as u8).collect();
    let connection = Connection::open("blob.db").unwrap();
    connection.execute_batch("CREATE TABLE blobs (data BLOB)").unwrap();
    connection
        .execute("INSERT INTO blobs VALUES (?1)", params![&blob])
        .unwrap();
    connection.close().unwrap();

    let connection = Connection::open("blob.db").unwrap();
    let whole: Vec<u8> = connection
        .query_row("SELECT data FROM blobs", params![], |row| row.get(0))
        .unwrap()
        .unwrap();
    assert!(whole == blob);
    for (offset, length) in [
        (0, 1),
        (4_093, 7),
        (8_191, 20_003),
        (1_234_567, 100_001),
        (BYTES - 5, 5),
    ] {
        let part: Vec<u8> = connection
            .query_row(
                "SELECT substr(data, ?1, ?2) FROM blobs",
                params![offset as u64 + 1, length as u64],
                |row| row.get(0),
            )
            .unwrap()
            .unwrap();
        assert!(part == blob[offset..offset + length], "{length} bytes at {offset}");
    }
}

#[test]
fn a_broken_rule_says_which() {
    let connection = Connection::open("rules.db").unwrap();
    connection
        .execute_batch(
            "CREATE TABLE friends (id INTEGER PRIMARY KEY, name TEXT UNIQUE, age INTEGER NOT NULL CHECK (age > 0));
             CREATE TABLE invites (friend INTEGER NOT NULL REFERENCES friends (id));
             INSERT INTO friends VALUES (1, 'ada', 36);",
        )
        .unwrap();
    let broken = |sql: &str| match connection.execute(sql, params![]).unwrap_err().kind() {
        ErrorKind::Constraint(constraint) => constraint,
        other => panic!("{sql}: {other:?}"),
    };
    assert_eq!(broken("INSERT INTO friends VALUES (2, 'ada', 1)"), Constraint::Unique);
    assert_eq!(
        broken("INSERT INTO friends VALUES (1, 'bob', 1)"),
        Constraint::PrimaryKey
    );
    assert_eq!(
        broken("INSERT INTO friends VALUES (2, 'bob', NULL)"),
        Constraint::NotNull
    );
    assert_eq!(broken("INSERT INTO friends VALUES (2, 'bob', -1)"), Constraint::Check);
    assert_eq!(broken("INSERT INTO invites VALUES (7)"), Constraint::ForeignKey);

    let error = connection
        .execute("INSERT INTO friends VALUES (1, 'bob', 1)", params![])
        .unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("sqlite error 1555: "), "{text}");
    assert!(
        text.contains("friends.id") && text.ends_with("in `INSERT INTO friends VALUES (1, 'bob', 1)`"),
        "{text}"
    );
}

#[test]
fn a_transaction_is_done_whole_or_not_at_all() {
    #[derive(Debug)]
    enum Failure {
        Mine,
        Database(Error),
    }
    impl From<Error> for Failure {
        fn from(error: Error) -> Self {
            Self::Database(error)
        }
    }

    let connection = notes("transaction.db");
    let added = connection.transaction(|connection| {
        add(connection, "one")?;
        add(connection, "two")?;
        Ok::<_, Failure>(connection.last_insert_rowid())
    });
    assert_eq!(added.unwrap(), 2);

    let refused: Result<(), Failure> = connection.transaction(|connection| {
        add(connection, "three")?;
        Err(Failure::Mine)
    });
    assert!(matches!(refused, Err(Failure::Mine)));

    let broken: Result<(), Failure> = connection.transaction(|connection| {
        add(connection, "four")?;
        add(connection, "one")?;
        Ok(())
    });
    match broken {
        Err(Failure::Database(error)) => assert_eq!(error.kind(), ErrorKind::Constraint(Constraint::Unique)),
        other => panic!("{other:?}"),
    }
    assert_eq!(count(&connection), 2);
}

#[test]
fn a_part_of_a_transaction_is_undone_by_itself_and_kept_with_the_whole() {
    let connection = notes("part.db");
    connection.begin().unwrap();
    let add_two = |first: &str, second: &str| -> Result<(), Error> {
        connection.transaction(|connection| {
            add(connection, first)?;
            add(connection, second).map(drop)
        })
    };
    add_two("one", "two").unwrap();
    add_two("three", "one").unwrap_err();
    assert!(connection.in_transaction());
    assert_eq!(count(&connection), 2);
    connection.commit().unwrap();
    assert!(!connection.in_transaction() && connection.commit().is_err());
    drop(connection);
    assert_eq!(count(&Connection::open("part.db").unwrap()), 2);
}

#[test]
fn a_commit_that_fails_is_rolled_back() {
    let connection = Connection::open("deferred.db").unwrap();
    connection
        .execute_batch(
            "CREATE TABLE a (id INTEGER PRIMARY KEY);
             CREATE TABLE b (a INTEGER REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED);",
        )
        .unwrap();
    let dangling: Result<usize, Error> =
        connection.transaction(|connection| connection.execute("INSERT INTO b VALUES (9)", params![]));
    assert_eq!(
        dangling.unwrap_err().kind(),
        ErrorKind::Constraint(Constraint::ForeignKey)
    );
    let fine: Result<usize, Error> =
        connection.transaction(|connection| connection.execute("INSERT INTO a VALUES (9)", params![]));
    assert_eq!(fine.unwrap(), 1);
}

#[test]
fn a_query_may_ask_another_for_each_row_even_the_same() {
    let connection = notes("nested.db");
    for text in ["a", "b", "c"] {
        add(&connection, text).unwrap();
    }
    let select = "SELECT id FROM notes WHERE id > ?1 ORDER BY id";
    let ids = |after: i64| connection.query(select, params![after], |row| row.get::<i64>(0));
    let pairs = connection
        .query(select, params![0], |row| {
            let id = row.get::<i64>(0)?;
            let text: Option<String> =
                connection.query_row("SELECT text FROM notes WHERE id = ?1", params![id], |row| row.get(0))?;
            Ok((text, ids(id)?))
        })
        .unwrap();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        pairs,
        [(text("a"), vec![2, 3]), (text("b"), vec![3]), (text("c"), vec![])]
    );
    assert_eq!(ids(0).unwrap(), [1, 2, 3]);
}

#[test]
fn a_statement_that_failed_can_be_used_again() {
    let connection = notes("again.db");
    for round in 0..50 {
        assert_eq!(add(&connection, &format!("note {round}")).unwrap(), 1);
        assert!(add(&connection, "note 0").is_err());
        let stopped = connection.query("SELECT text FROM notes", params![], |row| row.get::<i64>(0));
        assert!(stopped.is_err());
    }
    assert_eq!(count(&connection), 50);
    assert_eq!(
        connection
            .execute("UPDATE notes SET text = text || '!'", params![])
            .unwrap(),
        50
    );
    assert_eq!(connection.execute("CREATE TABLE other (x)", params![]).unwrap(), 0);
    assert_eq!(
        connection
            .execute("DELETE FROM notes WHERE id > 40 RETURNING id", params![])
            .unwrap(),
        10
    );
    connection.close().unwrap();
}

#[test]
fn more_statements_than_are_kept_work_all_the_same() {
    let connection = Connection::open("many.db").unwrap();
    for number in 0..1_000_i64 {
        let found = connection
            .query_row(&format!("SELECT {number}"), params![], |row| row.get::<i64>(0))
            .unwrap();
        assert_eq!(found, Some(number));
    }
}

#[test]
fn vacuum_gives_space_back_and_the_database_stays_whole() {
    let connection = Connection::open("vacuum.db").unwrap();
    connection
        .execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, data BLOB)")
        .unwrap();
    for _ in 0..200 {
        connection
            .execute("INSERT INTO t (data) VALUES (?1)", params![&[7_u8; 10_000]])
            .unwrap();
    }
    let before: u32 = pragma(&connection, "page_count");
    connection.execute("DELETE FROM t WHERE id > 3", params![]).unwrap();
    connection.execute_batch("VACUUM").unwrap();
    let after: u32 = pragma(&connection, "page_count");
    assert!(after * 10 < before, "{before} pages, then {after}");
    assert_eq!(pragma::<String>(&connection, "integrity_check"), "ok");
    connection.close().unwrap();
    assert_eq!(
        pragma::<String>(&Connection::open("vacuum.db").unwrap(), "integrity_check"),
        "ok"
    );
}

#[test]
fn a_statement_too_big_for_memory_journals_is_undone_whole() {
    let connection = Connection::open("journal.db").unwrap();
    connection
        .execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, data BLOB, mark INTEGER UNIQUE)")
        .unwrap();
    for id in 0..300_i64 {
        connection
            .execute("INSERT INTO t VALUES (?1, ?2, ?1)", params![id, &[1_u8; 5_000]])
            .unwrap();
    }
    let undone: Result<(), Error> = connection.transaction(|connection| {
        let error = connection
            .execute(
                "UPDATE t SET data = zeroblob(5000), mark = CASE id WHEN 299 THEN 0 ELSE mark END",
                params![],
            )
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Constraint(Constraint::Unique));
        Ok(())
    });
    undone.unwrap();
    let changed = "SELECT count(*) FROM t WHERE data = zeroblob(5000)";
    assert_eq!(
        connection
            .query_row(changed, params![], |row| row.get::<u32>(0))
            .unwrap(),
        Some(0)
    );
}

#[test]
fn the_version_is_the_programs_to_count() {
    let connection = Connection::open("version.db").unwrap();
    assert_eq!(connection.user_version().unwrap(), 0);
    connection.set_user_version(7).unwrap();
    let undone: Result<(), Error> = connection.transaction(|connection| {
        connection.set_user_version(8)?;
        connection.execute_batch("nonsense")
    });
    assert_eq!(undone.unwrap_err().statement(), Some("nonsense"));
    connection.close().unwrap();
    let connection = Connection::open("version.db").unwrap();
    assert_eq!(connection.user_version().unwrap(), 7);
    assert!(connection.set_user_version(u32::MAX).is_err());
}

#[test]
fn values_are_made_from_what_a_program_has() {
    assert_eq!(Value::from(Some("x")), Value::Text("x"));
    assert_eq!(Value::from(None::<i64>), Value::Null);
    assert_eq!(Value::from(&vec![1_u8]), Value::Blob(&[1]));
    assert_eq!(Value::from(false), Value::Integer(0));
}

#[test]
fn the_clock_is_the_hosts() {
    let connection = Connection::open("clock.db").unwrap();
    let year: String = connection
        .query_row("SELECT strftime('%Y', 'now')", params![], |row| row.get(0))
        .unwrap()
        .unwrap();
    assert!(year.parse::<u32>().unwrap() >= 2025, "{year}");
    let random = || {
        connection
            .query_row("SELECT random()", params![], |row| row.get::<i64>(0))
            .unwrap()
    };
    assert_ne!(random(), random());
    assert!(
        connection
            .execute("SELECT datetime('now', 'localtime')", params![])
            .is_err()
    );
}

#[test]
fn a_copy_is_a_database_of_its_own() {
    let connection = notes("original.db");
    add(&connection, "both").unwrap();
    assert_eq!(copy("original.db", "copy.db").unwrap_err().kind(), ErrorKind::Busy);
    connection.close().unwrap();
    copy("original.db", "copy.db").unwrap();
    assert!(!exists("copy.db.part").unwrap());

    add(&Connection::open("original.db").unwrap(), "original only").unwrap();
    assert_eq!(count(&Connection::open("copy.db").unwrap()), 1);
    copy("original.db", "copy.db").unwrap();
    let copied = Connection::open("copy.db").unwrap();
    assert_eq!(count(&copied), 2);
    assert_eq!(pragma::<String>(&copied, "integrity_check"), "ok");

    assert!(copy("nothing.db", "copy2.db").is_err());
    assert!(!exists("copy2.db").unwrap());
}

#[test]
fn files_are_the_same_when_every_byte_is() {
    let connection = notes("same.db");
    for number in 0..100 {
        add(&connection, &format!("{number} {}", "x".repeat(2_000))).unwrap();
    }
    connection.close().unwrap();
    copy("same.db", "same2.db").unwrap();
    assert!(same("same.db", "same2.db").unwrap());
    let bytes = std::fs::read("/same2.db").unwrap();
    let mut last = bytes.clone();
    *last.last_mut().unwrap() ^= 1;
    for other in [&bytes[..bytes.len() - 1], &last, b""] {
        std::fs::write("/same2.db", other).unwrap();
        assert!(!same("same.db", "same2.db").unwrap());
    }
    assert!(!same("same.db", "same3.db").unwrap() && !same("same3.db", "same.db").unwrap());
    let _open = Connection::open("same.db").unwrap();
    assert_eq!(same("same.db", "same2.db").unwrap_err().kind(), ErrorKind::Busy);
}

#[test]
fn what_an_erasing_transaction_deleted_is_gone_when_it_is_done() {
    let secret = "not for your eyes";
    let files_with_secret = || {
        let mut files = ["erase.db", "erase.db-wal", "erase.db-journal"].to_vec();
        files.retain(|name| {
            let bytes = std::fs::read(format!("/{name}")).unwrap_or_default();
            bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
        });
        files
    };
    let connection = notes("erase.db");
    add(&connection, secret).unwrap();
    connection.close().unwrap();
    assert_eq!(files_with_secret(), ["erase.db"]);

    let connection = Connection::open_erasing("erase.db").unwrap();
    let undone: Result<(), Error> = connection.transaction(|connection| {
        connection.execute("DELETE FROM notes", params![])?;
        connection.execute_batch("nonsense")
    });
    undone.unwrap_err();
    assert_eq!(count(&connection), 1);
    let done: Result<usize, Error> = connection.transaction(|connection| {
        add(connection, "kept")?;
        connection.execute("DELETE FROM notes WHERE text = ?1", params![secret])
    });
    assert_eq!(done.unwrap(), 1);
    // Not only when it is closed: it may never be.
    assert_eq!(files_with_secret(), Vec::<&str>::new());
    drop(connection);
    assert_eq!(count(&Connection::open("erase.db").unwrap()), 1);
}

#[test]
fn a_second_connection_to_a_database_is_refused_until_the_first_is_gone() {
    let first = notes("claimed.db");
    let second = Connection::open("claimed.db").map(drop).unwrap_err();
    assert_eq!(second.kind(), ErrorKind::Busy);
    assert!(second.to_string().contains("claimed.db is open already"), "{second}");
    drop(first);
    Connection::open("claimed.db").unwrap();
}

#[test]
fn a_statement_is_compiled_once_whatever_is_bound_to_it() {
    let connection = Connection::open("plans.db").unwrap();
    connection
        .execute_batch(
            "CREATE TABLE entries (id INTEGER PRIMARY KEY, role TEXT NOT NULL, state TEXT NOT NULL);
             CREATE INDEX queued ON entries (id) WHERE state = 'queued';",
        )
        .unwrap();
    let before = connection.compiled();
    for state in ["queued", "done", "queued"] {
        let sql = "SELECT count(*) FROM entries WHERE state = ?1";
        let found: Option<u32> = connection.query_row(sql, params![state], |row| row.get(0)).unwrap();
        assert_eq!(found, Some(0));
    }
    assert_eq!(connection.compiled() - before, 1);
}
