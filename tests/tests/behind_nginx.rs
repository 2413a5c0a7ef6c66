//! Behind nginx with its default settings nothing is held back and nothing breaks: pieces arrive as they are made,
//! heartbeats pass, WebSockets work. Observed through an nginx that is told no more than where to pass requests on to,
//! while the agent waits at a gate that the test opens.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::{Data, Friend, Harness, Proxy, Received, Script, Socket};
use serde_json::json;

/// A harness behind a proxy, and a friend in front of it.
fn behind(proxy: &Proxy, script: &Script) -> (Harness, Friend) {
    let arguments = ["--base-url", &proxy.url(), "--agent", &script.agent()];
    let harness = Harness::start_on(&Data::new(), proxy.upstream(), &arguments);
    let john = Friend::stranger(&harness).at_address(proxy.address());
    john.join(&harness.invite("john"));
    (harness, john)
}

/// An agent that says one thing, waits at the gate `next`, and says another.
fn hesitant() -> Script {
    Script::new(r#"echo '{"delta":"one "}'; read -r _ < "${0%/*}/next"; echo '{"delta":"two"}'"#)
}

#[test]
fn a_piece_is_there_before_the_next_is_made() {
    let (proxy, script) = (Proxy::start(), hesitant());
    let mut gate = script.gate("next");
    let (harness, john) = behind(&proxy, &script);
    let mut feed = john.feed();
    let mut answer = john.say("go");
    assert_eq!(answer.until("text")["content"], "one ");
    assert_eq!(feed.until("text")["content"], "one ");
    harness.nudge("john", "meanwhile");
    assert_eq!(feed.until("nudge")["content"], "meanwhile");
    gate.let_one_through();
    assert_eq!(answer.answer(), "two");
    assert_eq!(feed.until("reply")["text"], "one two");
}

#[test]
fn a_page_that_lost_its_connection_goes_on_from_there() {
    let (proxy, script) = (Proxy::start(), hesitant());
    let (harness, john) = behind(&proxy, &script);
    let mut feed = john.feed();
    harness.nudge("john", "one");
    let last = feed.until_event("nudge").id;
    drop(feed);
    harness.nudge("john", "two");
    let headers = [("last-event-id", last.as_str())];
    let mut feed = friends_chat_tests::Events::read(john.request("GET", "/api/stream", &headers, b""));
    assert_eq!(feed.until("nudge")["content"], "two");
}

#[test]
fn an_idle_feed_is_heard_of_long_before_nginx_gives_it_up() {
    let (proxy, script) = (Proxy::start(), hesitant());
    let (_harness, john) = behind(&proxy, &script);
    std::thread::scope(|scope| {
        scope.spawn(|| assert_eq!(john.feed().heartbeat().data, r#"{"type":"heartbeat"}"#));
        scope.spawn(|| {
            let mut socket = Socket::open(&john, "/api/socket", &[]).unwrap();
            socket.until("hello");
            assert_eq!(socket.receive(), Received::Event(json!({ "type": "heartbeat" })));
        });
    });
}

#[test]
fn a_websocket_passes_both_ways() {
    let (proxy, script) = (Proxy::start(), hesitant());
    let mut gate = script.gate("next");
    let (harness, john) = behind(&proxy, &script);
    let own = [("origin", proxy.url())];
    let mut socket = Socket::open(
        &john,
        "/api/socket",
        &own.each_ref().map(|(name, value)| (*name, value.as_str())),
    )
    .unwrap();
    socket.say(&json!({ "type": "message", "message": "go" }));
    assert_eq!(socket.until("text")["content"], "one ");
    gate.let_one_through();
    assert_eq!(socket.until("reply")["text"], "one two");
    assert_eq!(
        Socket::open(&john, "/api/socket", &[("origin", "https://evil.example")]).err(),
        Some(403)
    );
    let stopping = std::thread::spawn(move || harness.stop());
    let (last, code, _) = socket.end();
    assert_eq!((&last["reason"], code), (&json!("stopping"), 1001));
    stopping.join().unwrap();
}
