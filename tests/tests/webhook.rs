//! The example of a second plugin does what it says: texts in by webhook, replies as a stream, and nothing is lost.
//! Observed at `examples/webhook` in the real harness.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::{Answer, Connection, Data, Events, Harness, Incoming, Script, wasm};
use serde_json::{Value, json};

fn serve(data: &Data, arguments: &[&str]) -> Harness {
    let file = wasm("webhook_channel");
    data.serve(&[&["--plugin", file.to_str().unwrap()], arguments].concat())
}

/// Opens a hook and gives its path.
fn open(harness: &Harness, name: &str) -> String {
    let arguments = json!({ "name": name }).to_string();
    let answer = harness.owner(&["tool", "hook_open", &arguments]).success();
    let path = answer.split([' ', ',']).find(|word| word.starts_with("/hook/"));
    path.unwrap().to_owned()
}

fn ask(harness: &Harness, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Incoming {
    let mut connection = Connection::open(harness.address()).unwrap();
    connection.request(method, target, headers, body.as_bytes());
    connection.response()
}

fn post(harness: &Harness, hook: &str, text: &str) -> u64 {
    let answer = Answer::read(ask(harness, "POST", hook, &[], text));
    assert_eq!(answer.status, 202, "{}", answer.text());
    answer.json()["id"].as_u64().unwrap()
}

fn stream(harness: &Harness, hook: &str, last: &str) -> Events {
    Events::read(ask(harness, "GET", hook, &[("last-event-id", last)], ""))
}

/// The next entry of a stream: its id, who and what.
fn next(events: &mut Events) -> (String, String, String) {
    let event = events.next_event().unwrap();
    let entry: Value = serde_json::from_str(&event.data).unwrap();
    assert_eq!(entry["id"].to_string(), event.id);
    let text = |key: &str| entry[key].as_str().unwrap().to_owned();
    (event.id, text("role"), text("text"))
}

fn entry(id: &str, role: &str, text: &str) -> (String, String, String) {
    (id.to_owned(), role.to_owned(), text.to_owned())
}

#[test]
fn a_reader_sees_what_was_said_and_what_follows() {
    let harness = serve(&Data::new(), &[]);
    let hook = open(&harness, "ci");
    assert_eq!(post(&harness, &hook, "build 7 failed"), 1);
    let mut events = stream(&harness, &hook, "0");
    assert_eq!(next(&mut events), entry("1", "user", "build 7 failed"));
    assert_eq!(next(&mut events), entry("2", "agent", "You said: build 7 failed"));
    harness.nudge("hook:ci", "look at it");
    assert_eq!(next(&mut events), entry("3", "nudge", "look at it"));
    let mut from_there = stream(&harness, &format!("{hook}?after=2"), "");
    assert_eq!(next(&mut from_there), entry("3", "nudge", "look at it"));
}

#[test]
fn an_address_that_is_opened_anew_ends() {
    let harness = serve(&Data::new(), &[]);
    let first = open(&harness, "ci");
    let mut events = stream(&harness, &first, "0");
    let second = open(&harness, "ci");
    assert!(events.next_event().is_none(), "its stream ends");
    assert_eq!(Answer::read(ask(&harness, "POST", &first, &[], "hello")).status, 404);
    post(&harness, &second, "hello");
    for (method, body, status) in [("POST", " ", 400), ("PUT", "hello", 405)] {
        assert_eq!(Answer::read(ask(&harness, method, &second, &[], body)).status, status);
    }
    let refusal = harness.owner(&["tool", "hook_open", r#"{"name":"C I"}"#]).failure();
    assert!(refusal.contains("a name of 1 to 32 of a-z, 0-9 and _"), "{refusal}");
}

#[test]
fn a_text_is_answered_though_the_host_is_killed() {
    let script = Script::new(
        r#"read -r _ < "${0%/*}/gate" || exit 1
        printf '{"delta":"You said: "}\n{"delta":%s}\n' "$message""#,
    );
    let mut gate = script.gate("gate");
    let data = Data::new();
    let harness = serve(&data, &["--agent", &script.agent()]);
    let hook = open(&harness, "ci");
    post(&harness, &hook, "are you there?");
    harness.kill();

    let harness = serve(&data, &["--agent", &script.agent()]);
    let mut events = stream(&harness, &hook, "1");
    gate.let_one_through();
    gate.let_one_through();
    assert_eq!(next(&mut events), entry("2", "agent", "You said: are you there?"));
    harness.nudge("hook:ci", "that was all");
    assert_eq!(next(&mut events), entry("3", "nudge", "that was all"), "answered once");
}
