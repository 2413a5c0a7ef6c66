//! Friends of the original plugin are there after its database was put in the place of ours, and notice nothing.
//! Observed through the real harness with cookies and codes of theirs, at the files, and at what is left when the
//! plugin is killed anywhere in the middle.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod host;
mod original;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use friends_chat_tests::{Data, Friend, Harness};
use host::Host;
use original::{Left, ask, code, files_with_secrets, names_in, token, username, write};
use serde_json::json;

const DATABASE: &str = "friends.db";
const BACKUP: &str = "friends.db.before-friends-chat";
/// The plugin is killed at so many moments that lie evenly over its instructions,
const EVENLY: u64 = 30;
/// and then before and after whatever can be seen to happen, closer and closer, down to this part of them.
const FINEST: u64 = 5_000;

/// Data with a database of the original's in the plugin's directory.
fn data_with(friends: u32, more: &str, left: Left) -> Data {
    let data = Data::new();
    fs::create_dir(plugin_dir(&data)).unwrap();
    write(&data.database(), friends, more, left);
    data
}

fn plugin_dir(data: &Data) -> PathBuf {
    data.path().join("plugin")
}

fn signed_in(harness: &Harness, number: u32) -> Friend {
    Friend::with_cookie(harness, Some(token(number)))
}

#[test]
fn friends_notice_nothing_and_their_secrets_are_in_the_backup_only() {
    for left in [Left::Closed, Left::InLog] {
        let data = data_with(6, "", left);
        let harness = data.serve(&[]);
        harness.log().expect(&["INFO", BACKUP, "delete"]);
        assert!(!harness.log().text().contains("WARN"), "{}", harness.log().text());

        let friend = signed_in(&harness, 0);
        assert_eq!(friend.status()["username"], username(0));
        assert_eq!(friend.status()["nickname"], "Freund 0 🙂");
        assert_eq!(friend.ask("still here?"), "You said: still here?");

        let by_link = Friend::stranger(&harness);
        let link = format!("/chat?invite={}", code(1));
        assert_eq!(by_link.get(&link).status, 302);
        assert_eq!(by_link.status()["username"], username(1));
        let too_late = Friend::stranger(&harness);
        assert_eq!(too_late.get(&link).status, 200);
        assert_eq!(too_late.status()["authenticated"], false);
        let typing = Friend::stranger(&harness);
        let typed = code(3).to_lowercase().replace('0', " o");
        let answer = typing.post("/api/auth/redeem", &json!({ "code": typed }));
        assert_eq!(answer.json()["username"], username(3));

        let list = harness.owner(&["list"]).success();
        for number in 0..6 {
            let status = if number % 2 == 0 || number < 5 {
                "active"
            } else {
                "invite pending"
            };
            let line = list.lines().find(|line| line.contains(&username(number))).unwrap();
            assert!(line.contains(status), "{line}");
        }
        assert_eq!(files_with_secrets(&plugin_dir(&data)), [BACKUP]);
        // And a process that is killed leaves it so.
        let data = harness.kill();
        assert_eq!(files_with_secrets(&plugin_dir(&data)), [BACKUP]);
        let harness = data.serve(&[]);
        assert_eq!(signed_in(&harness, 0).status()["username"], username(0));
        assert_eq!(by_link.at(&harness).status()["username"], username(1));
    }
}

#[test]
fn the_backup_is_a_database_for_the_original() {
    let data = data_with(6, "", Left::InLog);
    data.run(&["list"]).success();
    let backup = plugin_dir(&data).join(BACKUP);
    assert_eq!(
        ask(&backup, "SELECT count(*) FROM friends; PRAGMA integrity_check"),
        "6\nok"
    );
    let tokens = ask(&backup, "SELECT session_token FROM friends WHERE username = 'friend_4'");
    assert_eq!(tokens, token(4));
    let names = names_in(&plugin_dir(&data));
    assert!(
        !names
            .iter()
            .any(|name| name.ends_with("-journal") || name.ends_with(".part")),
        "{names:?}"
    );
}

#[test]
fn who_cannot_move_in_is_named_with_what_can_be_done() {
    let more =
        "INSERT INTO friends VALUES ('José', 'José', 'ABCDEFGH', NULL, 1, 1), ('mary', 'Mary', 'x', NULL, 1, 1);";
    let harness = data_with(2, more, Left::Closed).serve(&[]);
    harness.log().expect(&["WARN", "José", "backup", "\"jose\""]);
    harness.log().expect(&["WARN", "mary", "reinvite"]);
    let list = harness.owner(&["list"]).success();
    assert!(list.contains("3 friends") && list.contains("- mary,"), "{list}");
}

#[test]
fn so_many_that_the_log_has_no_room_are_counted() {
    let more = "INSERT INTO friends SELECT 'No ' || value, 'N', NULL, NULL, 1, 1 FROM generate_series(1, 150);";
    let harness = data_with(2, more, Left::Closed).serve(&[]);
    harness.log().expect(&["WARN", "others=100"]);
    harness.log().expect(&["INFO", BACKUP]);
    assert_eq!(harness.log().text().matches("No ").count(), 50);
}

#[test]
fn ten_thousand_friends_move_in_before_the_first_answer() {
    // Nothing has been started, so that they move in within one call: as long as a busy machine takes for it.
    let data = data_with(10_000, "", Left::InLog).with_config("[limits]\ncall = \"60s\"\n");
    let list = data.run(&["list"]).success();
    assert!(list.contains("10000 friends"), "{}", list.lines().next().unwrap());
    let data = data_with(10_000, "", Left::Closed);
    let harness = data.serve(&[]);
    assert_eq!(signed_in(&harness, 9_998).status()["username"], username(9_998));
    assert_eq!(files_with_secrets(&plugin_dir(&data)), [BACKUP]);
}

#[test]
fn killed_at_any_moment_everybody_is_either_here_or_still_there() {
    const FRIENDS: u32 = 40;
    let host = Host::load();
    for left in [Left::Closed, Left::InLog] {
        let before = tempfile::tempdir().unwrap();
        write(&before.path().join(DATABASE), FRIENDS, "", left);
        let whole = copy_of(before.path());
        let instructions = host.start(whole.path(), u64::MAX).unwrap();

        let mut seen = BTreeMap::new();
        let mut moments: Vec<u64> = (0..=EVENLY).map(|part| instructions / EVENLY * part).collect();
        while let Some(moment) = moments.pop() {
            let directory = copy_of(before.path());
            host.start(directory.path(), moment);
            seen.insert(moment, whole_state(directory.path(), FRIENDS));
            // The next start completes it.
            host.start(directory.path(), u64::MAX).unwrap();
            assert!(whole_state(directory.path(), FRIENDS).starts_with("ours"));
            if moments.is_empty() {
                moments = between(&seen, instructions / FINEST);
            }
        }
        let states: BTreeSet<&String> = seen.values().collect();
        for state in [
            format!("the original's: {DATABASE}"),
            format!("the original's: {DATABASE} {BACKUP}.part"),
            format!("the original's: {DATABASE} {BACKUP}"),
            format!("the original's: {DATABASE} {DATABASE}-journal {BACKUP}"),
            format!("ours: {DATABASE} {BACKUP}"),
        ] {
            assert!(states.contains(&state), "{state} is not among {states:?}");
        }
    }
}

/// Moments in the middle between two neighbours after which different things were found.
fn between(seen: &BTreeMap<u64, String>, finest: u64) -> Vec<u64> {
    let neighbours = seen.iter().zip(seen.iter().skip(1));
    neighbours
        .filter(|((early, before), (late, after))| before != after && **late - **early > finest)
        .map(|((early, _), (late, _))| early + (late - early) / 2)
        .collect()
}

/// Whose the database in a directory is, and what lies beside it; everybody must be in it, and the secrets nowhere
/// but where they may be. Looks at a copy: to open a database mends it.
fn whole_state(directory: &Path, friends: u32) -> String {
    let looked_at = copy_of(directory);
    let database = looked_at.path().join(DATABASE);
    let mut names = names_in(directory);
    // SQLite's own program leaves its shared memory behind, which holds nothing.
    names.retain(|name| !name.ends_with("-shm"));
    let count = "SELECT count(*), count(session_token), count(invite_code) FROM friends; PRAGMA integrity_check";
    let everybody = format!("{friends}|{}|{}\nok", friends / 2, friends / 2);
    for backup in names
        .iter()
        .filter(|name| name.starts_with(BACKUP) && !name.ends_with(".part"))
    {
        assert_eq!(ask(&looked_at.path().join(backup), count), everybody, "{backup}");
    }
    let whose = if ask(&database, "PRAGMA user_version") == "0" {
        assert_eq!(ask(&database, count), everybody);
        "the original's"
    } else {
        let count = "SELECT (SELECT count(*) FROM friends), (SELECT count(*) FROM sessions),
                     (SELECT count(*) FROM invites); PRAGMA integrity_check";
        assert_eq!(ask(&database, count), everybody);
        assert!(names.iter().any(|name| name == BACKUP), "{names:?}");
        let mut secrets = files_with_secrets(directory);
        secrets.retain(|name| !name.starts_with(BACKUP));
        assert_eq!(secrets, Vec::<String>::new(), "among {names:?}");
        "ours"
    };
    format!("{whose}: {}", names.join(" "))
}

fn copy_of(directory: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for name in names_in(directory) {
        fs::copy(directory.join(&name), copy.path().join(&name)).unwrap();
    }
    copy
}
