//! The agent's server dies, hangs or floods, and the harness goes on serving. Observed by friends, at the harness's memory, and
//! once the server is back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::{Data, Events, Model, Reply, piece};
use serde_json::json;

/// What friends are told when there is no answer.
const SENTENCE: &str = "The agent could not answer. Please try again.";

/// More than a whole answer takes, in all the forms that it has on its way.
const MOST_MEMORY: u64 = 48 << 20;

#[track_caller]
fn ends_in_a_sentence(mut answer: Events) {
    assert_eq!(answer.until("error")["error"], SENTENCE);
}

#[test]
fn a_server_that_dies_in_the_middle_and_comes_back() {
    let model = Model::start([Reply::stream(&piece("Half of ")).held()]);
    let address = model.address();
    let harness = Data::new().serve(&["--agent", &model.agent()]);
    let john = harness.friend("john");
    let mut answer = john.say("one");
    answer.until("text");
    let waiting = john.say("two");
    drop(model);
    ends_in_a_sentence(answer);
    let model = Model::start_at(address, []);
    assert_eq!(waiting.answer(), "and so on", "what waited is answered");
    assert_eq!(john.ask("three"), "and so on");
    let texts: Vec<String> = john.history().iter().map(|entry| entry["text"].to_string()).collect();
    for said in ["\"one\"", "\"two\"", "\"three\""] {
        assert!(texts.iter().any(|text| text == said), "{said} is lost: {texts:?}");
    }
    drop(model);
}

#[test]
fn a_server_that_hangs_keeps_nobody_else_waiting() {
    let model = Model::start([Reply::raw("").held()]);
    let harness = Data::new().serve(&["--agent", &model.agent()]);
    let (john, mary) = (harness.friend("john"), harness.friend("mary"));
    let _hanging = john.say("one");
    // The request has arrived: the next is another reply's.
    model.wait_until_asked(1);
    assert_eq!(mary.ask("hello"), "and so on");
    assert_eq!(harness.data().chat(&[], "hello\n").success(), "and so on");
    assert_eq!(john.post("/api/chat/stop", &json!({})).status, 200);
    model.wait_until_left();
    assert_eq!(john.ask("two"), "and so on");
}

#[test]
fn a_flood_is_stopped_and_takes_no_memory() {
    let begun = Reply::stream(&piece("It begins. "));
    for flood in [piece(&"x".repeat(1000)), ": still there\n\n".to_owned(), piece("")] {
        let model = Model::start([begun.clone().flooding(&flood), begun.clone().flooding(&flood)]);
        let harness = Data::new().serve(&["--agent", &model.agent()]);
        let (john, mary) = (harness.friend("john"), harness.friend("mary"));
        john.get("/");
        let before = harness.memory_bytes();
        let answer = john.say("one");
        model.wait_until_asked(1);
        let owners = harness.data().chat(&[], "hello\n");
        assert_eq!(owners.code, Some(1), "{}", owners.stderr);
        assert!(
            owners.stderr.contains("too long") || owners.stderr.contains("longer than"),
            "{}",
            owners.stderr
        );
        assert_eq!(mary.ask("hello"), "and so on");
        ends_in_a_sentence(answer);
        let grown = harness.memory_bytes().saturating_sub(before);
        assert!(grown < MOST_MEMORY, "{} MiB for {}", grown >> 20, &flood[..10]);
        assert_eq!(john.ask("two"), "and so on");
    }
}
