//! A message that the agent sends on its own account is shown at once where a page is open, and kept where none is.
//! Observed at the friend's stream, at the history and at the log.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::Harness;
use serde_json::json;

#[test]
fn an_open_page_gets_it_at_once() {
    let harness = Harness::start();
    let john = harness.friend("john");
    let (mut page, mut phone) = (john.feed(), john.feed());
    let arguments = [
        "nudge",
        "john",
        "Dinner at *eight*?",
        "--source",
        "background-agent",
        "--priority",
        "high",
    ];
    let said = harness.owner(&arguments).success();
    assert!(said.contains("2 open pages"), "{said}");
    for feed in [&mut page, &mut phone] {
        let event = feed.until_event("nudge");
        let nudge: serde_json::Value = serde_json::from_str(&event.data).unwrap();
        assert_eq!(nudge["content"], "Dinner at *eight*?");
        assert_eq!(
            (&nudge["source"], &nudge["priority"]),
            (&json!("background-agent"), &json!("high"))
        );
        assert!(nudge["timestamp"].as_u64().unwrap() > 1_600_000_000_000);
        assert_eq!(nudge["id"].to_string(), event.id);
    }
    assert_eq!(page.retry_ms(), Some(2_000));
}

#[test]
fn both_names_of_the_stream_mean_the_same() {
    let harness = Harness::start();
    let john = harness.friend("john");
    let mut push = friends_chat_tests::Events::read(john.request("GET", "/api/push", &[], b""));
    push.until("hello");
    harness.nudge("john", "hello");
    assert_eq!(push.until("nudge")["content"], "hello");
}

#[test]
fn it_is_kept_until_the_friend_comes_and_sees_it() {
    let harness = Harness::start();
    let john = harness.friend("john");
    let said = harness.nudge("john", "while you were away");
    assert!(said.contains("kept"), "{said}");
    harness.log().expect(&["WARN", "nobody is connected"]);

    let history = john.history();
    assert_eq!(
        (&history[0]["role"], &history[0]["text"]),
        (&json!("nudge"), &json!("while you were away"))
    );
    let id = history[0]["id"].clone();
    for _ in 0..2 {
        let mut feed = john.feed();
        let nudge = feed.until("nudge");
        assert_eq!((&nudge["content"], &nudge["id"]), (&json!("while you were away"), &id));
    }
    let mut feed = john.feed();
    assert_eq!(
        john.post("/api/seen", &json!({ "id": id })).json(),
        json!({ "ok": true })
    );
    assert_eq!(feed.until("seen")["id"], id);

    // Another one, so that there is an event to wait for that comes after the seen one would have.
    harness.nudge("john", "next");
    let mut feed = john.feed();
    assert_eq!(feed.until("nudge")["content"], "next");
}

#[test]
fn it_is_kept_over_a_restart() {
    let harness = Harness::start();
    let john = harness.friend("john");
    harness.nudge("john", "before the storm");
    let data = harness.kill();
    let harness = data.serve(&[]);
    assert_eq!(john.at(&harness).feed().until("nudge")["content"], "before the storm");
}

#[test]
fn one_to_nobody_says_who_is_meant() {
    let harness = Harness::start();
    harness.invite("john");
    let unknown = harness.owner(&["nudge", "mary", "hi"]).failure();
    assert!(unknown.contains("friend:mary"), "{unknown}");
    for user in [
        "telegram:john",
        "friend:",
        "friend:JOHN",
        "friend:jo hn",
        "John Smith",
        "friend:friend:john",
    ] {
        let malformed = harness.owner(&["nudge", user, "hi"]).failure();
        assert!(malformed.contains("friend:<username>"), "{malformed}");
    }
    let empty = harness.owner(&["nudge", "john", " "]).failure();
    assert!(empty.contains("content"), "{empty}");
}
