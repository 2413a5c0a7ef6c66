//! What was said and who is signed in survive the end of the process, orderly or not. Observed by the same cookie
//! against the next process on the same data.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::process::Command;

use friends_chat_tests::{Data, Friend, Gates, Harness, Process};
use serde_json::json;

#[test]
fn cookie_history_and_open_invites_survive_an_orderly_end() {
    let harness = Harness::start();
    let john = harness.friend("john");
    let pending = harness.invite("mary");
    john.ask("remember me");
    john.post("/api/nickname", &json!({ "nickname": "Johnny" }));
    let before = john.history();
    assert_eq!(before.len(), 2);

    let harness = harness.stop().serve(&[]);
    let john = john.at(&harness);
    assert_eq!(john.status()["nickname"], "Johnny");
    assert_eq!(john.history(), before);
    assert_eq!(john.ask("still here?"), "You said: still here?");
    Friend::stranger(&harness).join(&pending);
}

#[test]
fn what_was_answered_for_survives_a_power_cut() {
    let gates = Gates::new();
    let mut gate = gates.close("john");
    let data = Data::new();
    let harness = data.serve(&["--agent", &gates.agent()]);
    let john = harness.friend("john");
    drop(john.say("are you there?"));
    harness.kill();

    let harness = data.serve(&["--agent", &gates.agent()]);
    let john = john.at(&harness);
    let history = john.history();
    assert_eq!((history.len(), &history[0]["text"]), (1, &json!("are you there?")));
    let mut feed = john.feed();
    gate.let_one_through();
    gate.let_one_through();
    assert_eq!(feed.until("reply")["text"], "You said: are you there?");
    assert_eq!(john.history().len(), 2, "answered once");
}

#[test]
fn a_page_that_comes_back_gets_what_it_missed() {
    let harness = Harness::start();
    let john = harness.friend("john");
    let mut feed = john.feed();
    harness.nudge("john", "one");
    let last = feed.until_event("nudge").id;
    drop(feed);
    let data = harness.stop();
    data.run(&["nudge", "john", "two"]).success();

    let harness = data.serve(&[]);
    let john = john.at(&harness);
    for (target, headers) in [
        ("/api/stream".to_owned(), vec![("last-event-id", last.as_str())]),
        (format!("/api/stream?after={last}"), vec![]),
    ] {
        let mut feed = friends_chat_tests::Events::read(john.request("GET", &target, &headers, b""));
        assert_eq!(feed.until("nudge")["content"], "two");
    }
}

#[test]
fn a_database_of_a_later_version_is_left_as_it_is() {
    let data = Harness::start().stop();
    let mut later = Command::new("sqlite3");
    later.arg(data.database()).arg("PRAGMA user_version = 99");
    Process::start(later).wait().success();
    let before = fs::read(data.database()).unwrap();
    for command in [&["serve", "--port", "0"][..], &["invite", "john"], &["list"]] {
        let refusal = data.run(command).failure();
        assert!(refusal.contains("later version"), "{refusal}");
        assert_eq!(fs::read(data.database()).unwrap(), before);
    }
}
