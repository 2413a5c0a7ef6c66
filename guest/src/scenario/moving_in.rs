//! Friends of the original plugin move in: files are written with its schema, and looked at through the plugin and
//! past it.

use std::fs;

use super::*;
use crate::plugin::StartError;
use crate::service::OpenError;
use crate::store::StoreError;
use wasi_sqlite::{Connection, ErrorKind, params};

const SCHEMA: &str = "CREATE TABLE friends (username TEXT PRIMARY KEY, nickname TEXT NOT NULL, invite_code TEXT UNIQUE,
    session_token TEXT UNIQUE, created_at INTEGER, last_seen INTEGER)";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const CODE: &str = "k7OI9xLb";
const DAY_MS: i64 = 24 * 3_600 * 1_000;

/// A database of the original's, open.
fn original(file: &str) -> Connection {
    let connection = Connection::open(file).unwrap();
    connection.execute_batch(SCHEMA).unwrap();
    connection
}

/// A database of the original's with rows such as `('john', 'John', NULL, NULL, 1, 2)`, closed.
fn original_with(file: &str, rows: &str) {
    let connection = original(file);
    connection
        .execute_batch(&format!("INSERT INTO friends VALUES {rows}"))
        .unwrap();
    connection.close().unwrap();
}

/// John, who is signed in, and Mary, who has a code.
fn john_and_mary(file: &str) {
    original_with(
        file,
        &format!(
            "('john', 'John', NULL, '{TOKEN}', 1600000000000, 1650000000000),
             ('mary', 'Mary', '{CODE}', NULL, 1600000000001, NULL)"
        ),
    );
}

fn assert_john_and_mary(scenario: &mut Scenario) {
    let mut john = with_token(TOKEN);
    assert_eq!(body(&scenario.get(&mut john, "/api/auth/status"))["username"], "john");
    assert_eq!(redeem(scenario, CODE), (200, Some("mary".to_owned())));
}

fn with_token(token: &str) -> Browser {
    Browser {
        cookie: Some(format!("tc_friend_session={token}")),
    }
}

/// What becomes of a code that is typed, and who is signed in by it.
fn redeem(scenario: &mut Scenario, code: &str) -> (u16, Option<String>) {
    let response = scenario.post(&mut Browser::default(), "/api/auth/redeem", json!({ "code": code }));
    let username = body(&response)["username"].as_str().map(str::to_owned);
    (response.status, username)
}

fn backup(file: &str) -> String {
    format!("{file}.before-friends-chat")
}

/// The lines of the owner's list, without the number of friends.
fn list(scenario: &mut Scenario) -> Vec<String> {
    let text = scenario.tool("friends_chat_list", json!({})).unwrap();
    text.lines().skip(1).map(str::to_owned).collect()
}

/// The files of the plugin that hold a text; those whose name begins with `file`.
fn files_with(file: &str, text: &str) -> Vec<String> {
    let holds = |name: &str| {
        let bytes = fs::read(format!("/{name}")).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    let names = fs::read_dir("/").unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(file) && holds(name)).collect()
}

#[test]
fn cookies_and_codes_of_the_original_keep_working() {
    let file = "moving_all.db";
    john_and_mary(file);
    let mut scenario = Scenario::started(file);
    assert_eq!(
        list(&mut scenario),
        [
            "- john, nickname \"John\", active, last seen 2022-04-15T05:20:00Z",
            "- mary, nickname \"Mary\", invite pending, last seen never"
        ]
    );
    let mut john = with_token(TOKEN);
    assert_eq!(scenario.get(&mut john, "/api/history").status, 200);
    scenario.say(&mut john, "I am still here");

    let mut mary = Browser::default();
    let response = scenario.get(&mut mary, &format!("/chat?invite={CODE}"));
    assert_eq!(response.status, 302);
    assert_eq!(body(&scenario.get(&mut mary, "/api/auth/status"))["username"], "mary");
    assert_eq!(redeem(&mut scenario, CODE).0, 401, "a code works once");
    // What has moved in stays.
    let mut scenario = scenario.crash(file);
    assert_eq!(body(&scenario.get(&mut john, "/api/auth/status"))["username"], "john");
    assert_eq!(body(&scenario.get(&mut mary, "/api/auth/status"))["username"], "mary");
}

#[test]
fn a_code_of_the_original_is_forgiven_how_it_is_typed_and_expires() {
    let file = "moving_typed.db";
    john_and_mary(file);
    let mut scenario = Scenario::started(file);
    scenario.host.now_ms += 7 * DAY_MS - 1;
    assert_eq!(redeem(&mut scenario, " K701-9XLB "), (200, Some("mary".to_owned())));

    let file = "moving_late.db";
    john_and_mary(file);
    let mut scenario = Scenario::started(file);
    scenario.host.now_ms += 7 * DAY_MS;
    assert_eq!(redeem(&mut scenario, CODE).0, 401);
}

#[test]
fn a_tool_that_is_called_before_the_start_moves_everybody_in() {
    let file = "moving_tool.db";
    john_and_mary(file);
    let mut scenario = Scenario::new(file);
    assert_eq!(list(&mut scenario).len(), 2);
    let answer = scenario.tool("friends_chat_reinvite", json!({"username": "mary"}));
    let code = code_in(&answer.unwrap());
    scenario.plugin.start(&mut scenario.host).unwrap();
    assert_eq!(redeem(&mut scenario, CODE).0, 401);
    assert_eq!(redeem(&mut scenario, &code), (200, Some("mary".to_owned())));
}

#[test]
fn half_used_rows_keep_what_makes_sense() {
    let file = "moving_half.db";
    original_with(
        file,
        &format!(
            "('both', 'Both', 'AAAAAAA2', '{TOKEN}', 1600000000000, NULL),
             ('neither', 'N', NULL, NULL, NULL, NULL),
             ('empty', 'E', '', '', 0, -5),
             ('malformed', 'M', 'short', 'xyz', 'yesterday', 'today'),
             ('blobs', x'ff00', x'4142434445464748', x'00', 1.5e12, 9000000000000),
             ('not_a_code', 'D', '--------', NULL, 1, 1)"
        ),
    );
    let mut scenario = Scenario::started(file);
    assert_eq!(
        list(&mut scenario),
        [
            "- blobs, nickname \"blobs\", invite pending, last seen 2023-11-14T22:13:20Z",
            "- both, nickname \"Both\", active, last seen never",
            "- empty, nickname \"E\", revoked, last seen never",
            "- malformed, nickname \"M\", invite pending, last seen never",
            "- neither, nickname \"N\", revoked, last seen never",
            "- not_a_code, nickname \"D\", invite pending, last seen 1970-01-01T00:00:00Z",
        ]
    );
    assert_eq!(redeem(&mut scenario, "AAAAAAA2"), (200, Some("both".to_owned())));
    let mut both = with_token(TOKEN);
    assert_eq!(body(&scenario.get(&mut both, "/api/auth/status"))["username"], "both");
    for code in ["", "-", "--------", "short"] {
        assert_ne!(redeem(&mut scenario, code).0, 200, "{code:?}");
    }
    let mut nobody = with_token("");
    assert_eq!(
        body(&scenario.get(&mut nobody, "/api/auth/status"))["authenticated"],
        false
    );
}

#[test]
fn codes_that_read_alike_let_nobody_in() {
    let file = "moving_alike.db";
    original_with(
        file,
        "('one', 'One', 'ABCDEFGO', NULL, 1, 1), ('two', 'Two', 'abcdefg0', NULL, 1, 1),
         ('john smith', 'No', 'HIJKMNPQ', NULL, 1, 1), ('three', 'Three', 'H1JKMNPQ', NULL, 1, 1),
         ('four', 'Four', 'ABCDEFGH', NULL, 1, 1)",
    );
    let mut scenario = Scenario::started(file);
    for code in ["ABCDEFGO", "abcdefg0", "H1JKMNPQ"] {
        assert_eq!(redeem(&mut scenario, code).0, 401, "{code}");
    }
    assert_eq!(redeem(&mut scenario, "ABCDEFGH"), (200, Some("four".to_owned())));
    assert_eq!(list(&mut scenario).len(), 4);
}

#[test]
fn nicknames_become_one_line_and_keep_their_script() {
    let file = "moving_names.db";
    original_with(
        file,
        &format!(
            "('jose', 'José 🙂 王', NULL, NULL, 1, 1),
             ('liar', 'x' || char(10) || '- root, active' || char(8238, 0), NULL, NULL, 1, 1),
             ('long', '{}', NULL, NULL, 1, 1),
             ('blank', '  ' || char(10), NULL, NULL, 1, 1)",
            "é".repeat(70)
        ),
    );
    let mut scenario = Scenario::started(file);
    let names: Vec<String> = list(&mut scenario)
        .iter()
        .map(|line| line.split('"').nth(1).unwrap().to_owned())
        .collect();
    assert_eq!(
        names,
        ["blank", "José 🙂 王", "x - root, active", "é".repeat(64).as_str()]
    );
}

#[test]
fn who_has_no_valid_username_stays_in_the_backup_and_keeps_nobody_out() {
    let file = "moving_rule.db";
    original_with(
        file,
        &format!(
            "('José', 'José', NULL, 'a{token}', 1, 1), ('x', 'X', NULL, NULL, 1, 1), (NULL, 'Null', NULL, NULL, 1, 1),
             (NULL, 'Null', NULL, NULL, 1, 1), (x'6a6f686e', 'Blob', NULL, NULL, 1, 1), ('', '', NULL, NULL, 1, 1),
             ('jo' || char(0) || 'hn', 'Nul', NULL, NULL, 1, 1), ('{long}', 'Long', NULL, NULL, 1, 1),
             ('john', 'John', NULL, '{TOKEN}', 1, 1)",
            token = &TOKEN[1..],
            long = "a".repeat(33)
        ),
    );
    let mut scenario = Scenario::started(file);
    let lines = list(&mut scenario);
    assert!(lines.len() == 1 && lines[0].starts_with("- john, "), "{lines:?}");
    let mut jose = with_token(&format!("a{}", &TOKEN[1..]));
    assert_eq!(
        body(&scenario.get(&mut jose, "/api/auth/status"))["authenticated"],
        false
    );
    let kept = Connection::open(&backup(file)).unwrap();
    let count = kept.query_row("SELECT count(*) FROM friends", params![], |row| row.get::<u32>(0));
    assert_eq!(count.unwrap(), Some(9));
}

#[test]
fn a_table_without_its_rules_moves_in_all_the_same() {
    let file = "moving_loose.db";
    let connection = Connection::open(file).unwrap();
    connection
        .execute_batch(&format!(
            "CREATE TABLE friends (last_seen, created_at, session_token, invite_code, nickname, username, colour);
             INSERT INTO friends VALUES (1, 1, '{TOKEN}', NULL, NULL, 'john', 'red'),
                 (1, 2, '{TOKEN}', NULL, NULL, 'jane', 'red'), (1, 3, NULL, NULL, NULL, 'john', 'blue')"
        ))
        .unwrap();
    connection.close().unwrap();
    let mut scenario = Scenario::started(file);
    assert_eq!(list(&mut scenario).len(), 2);
    let mut shared = with_token(TOKEN);
    let status = body(&scenario.get(&mut shared, "/api/auth/status"));
    assert_eq!(status["authenticated"], false, "two friends would be one");
}

#[test]
fn tables_that_only_look_like_the_originals_are_refused() {
    for (file, sql) in [
        ("moving_other.db", "CREATE TABLE friends (username, nickname)"),
        ("moving_more.db", "CREATE TABLE cats (x)"),
        ("moving_view.db", "CREATE VIEW v AS SELECT username FROM friends"),
    ] {
        let connection = Connection::open(file).unwrap();
        if file != "moving_other.db" {
            connection.execute_batch(SCHEMA).unwrap();
        }
        connection.execute_batch(sql).unwrap();
        connection.close().unwrap();
        let mut scenario = Scenario::new(file);
        let error = scenario.plugin.start(&mut scenario.host).unwrap_err();
        assert!(
            matches!(error, StartError::Open(OpenError::Store(StoreError::Foreign { .. }))),
            "{error}"
        );
        assert!(!wasi_sqlite::exists(&backup(file)).unwrap());
    }
}

#[test]
fn no_secret_is_left_outside_the_backup_not_even_a_deleted_one() {
    for (file, mode) in [("moving_wipe_wal.db", "wal"), ("moving_wipe_delete.db", "delete")] {
        let connection = original(file);
        connection
            .execute_batch(&format!("PRAGMA journal_mode = {mode}; PRAGMA secure_delete = OFF"))
            .unwrap();
        let token = |number: u32| format!("{number:08x}{}", "5ec2e7".repeat(4));
        for number in 0..2_000_u32 {
            connection
                .execute(
                    "INSERT INTO friends VALUES (?1, 'N', ?2, ?3, 1, 1)",
                    params![&format!("friend_{number}"), &format!("Q{number:07}"), &token(number)],
                )
                .unwrap();
        }
        connection
            .execute("DELETE FROM friends WHERE rowid > 3", params![])
            .unwrap();
        connection.close().unwrap();
        for secret in [token(1), token(1_999)] {
            assert_eq!(files_with(file, &secret), [file], "the test shows something");
        }

        let mut scenario = Scenario::started(file);
        assert_eq!(list(&mut scenario).len(), 3);
        let scenario = scenario.crash(file);
        for secret in ["5ec2e7", "Q0000001", "Q0001999"] {
            assert_eq!(files_with(file, secret), [backup(file)], "{secret}");
        }
        drop(scenario);
        let connection = Connection::open(file).unwrap();
        let state = connection.query_row("PRAGMA integrity_check", params![], |row| row.get::<String>(0));
        assert_eq!(state.unwrap().unwrap(), "ok");
    }
}

#[test]
fn what_a_log_or_a_journal_of_the_original_holds_is_respected() {
    // In its log, nothing of which has reached the file.
    let file = "moving_log.db";
    let connection = original(file);
    connection
        .execute(
            "INSERT INTO friends VALUES ('john', 'J', NULL, ?1, 1, 1)",
            params![TOKEN],
        )
        .unwrap();
    let (database, log) = (fs::read(format!("/{file}")), fs::read(format!("/{file}-wal")));
    connection.close().unwrap();
    fs::write(format!("/{file}"), database.unwrap()).unwrap();
    fs::write(format!("/{file}-wal"), log.unwrap()).unwrap();
    fs::write(format!("/{file}-shm"), b"of another process").unwrap();
    let mut scenario = Scenario::started(file);
    assert_eq!(list(&mut scenario).len(), 1);
    assert_eq!(files_with(file, TOKEN), [backup(file)]);

    // In its journal, a change that was not committed and had reached the file.
    let file = "moving_journal.db";
    john_and_mary(file);
    let connection = Connection::open(file).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = DELETE; PRAGMA cache_size = 1; BEGIN; UPDATE friends SET session_token = NULL;
             CREATE TABLE pages (x);
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
             INSERT INTO pages SELECT zeroblob(9000) FROM n",
        )
        .unwrap();
    let (database, journal) = (fs::read(format!("/{file}")), fs::read(format!("/{file}-journal")));
    connection.execute_batch("ROLLBACK").unwrap();
    connection.close().unwrap();
    let database = database.unwrap();
    assert!(
        !database.windows(TOKEN.len()).any(|window| window == TOKEN.as_bytes()),
        "the test shows something"
    );
    fs::write(format!("/{file}"), database).unwrap();
    fs::write(format!("/{file}-journal"), journal.unwrap()).unwrap();
    let mut scenario = Scenario::started(file);
    assert_john_and_mary(&mut scenario);
    assert_eq!(files_with(file, TOKEN), [backup(file)]);
}

#[test]
fn a_backup_is_what_the_file_was_and_is_made_once() {
    let file = "moving_backup.db";
    john_and_mary(file);
    // As a try that was interrupted leaves it: the copy is there, or a part of it is.
    let connection = Connection::open(file).unwrap();
    connection.execute_batch("PRAGMA journal_mode = DELETE").unwrap();
    connection.close().unwrap();
    let before = fs::read(format!("/{file}")).unwrap();
    fs::write(format!("/{}", backup(file)), &before).unwrap();
    fs::write(format!("/{}.part", backup(file)), &before[..5_000]).unwrap();
    assert_john_and_mary(&mut Scenario::started(file));
    assert_eq!(fs::read(format!("/{}", backup(file))).unwrap(), before);
    assert!(!wasi_sqlite::exists(&format!("{}-2", backup(file))).unwrap());

    // Another file of the original's has another backup.
    fs::write(format!("/{file}-wal"), b"").unwrap();
    fs::write(format!("/{file}"), b"").unwrap();
    original_with(file, "('jane', 'Jane', NULL, NULL, 1, 1)");
    assert_eq!(list(&mut Scenario::started(file)).len(), 1);
    assert_eq!(fs::read(format!("/{}", backup(file))).unwrap(), before);
    let second = Connection::open(&format!("{}-2", backup(file))).unwrap();
    let name = second.query_row("SELECT username FROM friends", params![], |row| row.get::<String>(0));
    assert_eq!(name.unwrap().unwrap(), "jane");
}

#[test]
fn a_damaged_file_of_the_originals_is_left_as_it_is() {
    let file = "moving_damaged.db";
    let connection = original(file);
    for number in 0..500 {
        connection
            .execute(
                "INSERT INTO friends VALUES (?1, ?2, NULL, NULL, 1, 1)",
                params![&format!("friend_{number}"), &"n".repeat(100)],
            )
            .unwrap();
    }
    connection.execute_batch("PRAGMA journal_mode = DELETE").unwrap();
    connection.close().unwrap();
    let mut bytes = fs::read(format!("/{file}")).unwrap();
    let end = bytes.len();
    bytes[end - 30_000..].fill(0xa5);
    fs::write(format!("/{file}"), &bytes).unwrap();
    let mut scenario = Scenario::new(file);
    let error = scenario.plugin.start(&mut scenario.host).unwrap_err();
    let StartError::Open(OpenError::Store(StoreError::Failed { source, .. })) = &error else {
        panic!("{error}");
    };
    assert_eq!(source.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.to_string().contains("moving"), "{error}");
    assert!(fs::read(format!("/{file}")).unwrap() == bytes);
}

#[test]
fn ten_thousand_friends_move_in_together() {
    let file = "moving_many.db";
    let connection = original(file);
    connection
        .execute_batch(
            "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)
             INSERT INTO friends SELECT 'friend_' || i, 'Freund ' || i || ' 🙂',
                 CASE i % 2 WHEN 1 THEN printf('Z%07d', i) END,
                 CASE i % 2 WHEN 0 THEN printf('%032x', i) END, 1600000000000 + i, NULL FROM n",
        )
        .unwrap();
    connection.close().unwrap();
    let mut scenario = Scenario::started(file);
    let lines = list(&mut scenario);
    assert_eq!(lines.len(), 10_000);
    assert_eq!(lines.iter().filter(|line| line.contains(", active,")).count(), 5_000);
    for number in [0, 4_998, 9_998] {
        let mut friend = with_token(&format!("{number:032x}"));
        let status = body(&scenario.get(&mut friend, "/api/auth/status"));
        assert_eq!(status["username"], format!("friend_{number}"));
        let code = format!("z{:07}", number + 1);
        assert_eq!(
            redeem(&mut scenario, &code),
            (200, Some(format!("friend_{}", number + 1)))
        );
    }
}
