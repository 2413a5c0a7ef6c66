//! Told to end, the harness takes nothing new, lets what is queued finish, says goodbye on every open stream, and
//! leaves with status 0. Observed by the order of events around SIGTERM and SIGINT.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::{Connection, Data, Gates, Harness, Signal};
use serde_json::json;

fn ends_in_order(signal: Signal) {
    let gates = Gates::new();
    let mut gate = gates.close("john");
    let data = Data::new();
    let harness = data.serve(&["--agent", &gates.agent()]);
    let john = harness.friend("john");
    let feed = john.feed();
    let mut first = john.say("first");
    let second = john.say("second");
    first.until("status");
    assert!(data.path().join("owner.sock").exists());

    harness.signal(signal);
    harness.log().expect(&["ending"]);
    gate.let_one_through();
    assert_eq!(first.answer(), "You said: first");
    gate.let_one_through();
    assert_eq!(second.answer(), "You said: second", "what was queued is answered");

    let events = feed.rest();
    let replies = events.iter().filter(|event| event["type"] == "reply").count();
    assert_eq!(replies, 2, "{events:?}");
    assert_eq!(
        *events.last().unwrap(),
        json!({ "type": "end", "reason": "stopping" }),
        "{events:?}"
    );

    let address = harness.address();
    let outcome = harness.wait();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stderr.contains("friends chat has stopped"), "{outcome:?}");
    assert!(!outcome.stderr.contains("ERROR"), "{outcome:?}");
    assert!(Connection::open(address).is_err(), "nothing listens");
    assert!(!data.path().join("owner.sock").exists(), "the socket is gone");
}

#[test]
fn sigterm_ends_in_order() {
    ends_in_order(Signal::TERM);
}

#[test]
fn sigint_ends_in_order() {
    ends_in_order(Signal::INT);
}

#[test]
fn connections_that_ask_for_nothing_are_no_obstacle() {
    let harness = Harness::start();
    let john = harness.friend("john");
    let feed = john.feed();
    // One says nothing, one does not come to the end of its request.
    let idle = Connection::open(harness.address()).unwrap();
    let mut begun = Connection::open(harness.address()).unwrap();
    begun.write(b"POST /api/chat HTTP/1.1\r\n");
    harness.signal(Signal::TERM);
    assert_eq!(feed.rest().last().unwrap()["reason"], "stopping");
    assert_eq!(harness.wait().code, Some(0));
    drop((idle, begun));
}

#[test]
fn an_answer_that_takes_too_long_is_begun_anew_after_the_next_start() {
    let gates = Gates::new();
    let mut gate = gates.close("john");
    let data = Data::new().with_config("[limits]\ndrain = \"100ms\"\n");
    let harness = data.serve(&["--agent", &gates.agent()]);
    let john = harness.friend("john");
    let mut answer = john.say("take your time");
    answer.until("status");
    harness.signal(Signal::TERM);
    let outcome = harness.wait();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stderr.contains("the agent is still busy"), "{outcome:?}");

    let harness = data.serve(&["--agent", &gates.agent()]);
    let mut feed = john.at(&harness).feed();
    // Should the first agent still be there, it gets one, and nobody hears it.
    gate.let_one_through();
    gate.let_one_through();
    assert_eq!(feed.until("reply")["text"], "You said: take your time");
}
