//! A WebSocket is the feed in another form: the same events in the same order, messages, stop and seen the other way,
//! the same rules about who may. Observed at a WebSocket beside a stream, and at how it is refused and closed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::{COOKIE, Data, Friend, Gates, Harness, Message, Owner, Received, Signal, Socket};
use serde_json::{Value, json};

const TARGET: &str = "/api/socket";

fn open(friend: &Friend) -> Socket {
    let mut socket = Socket::open(friend, TARGET, &[]).unwrap();
    assert_eq!(socket.next_value()["type"], "hello");
    socket
}

/// Everything up to the nudge that says goodbye.
fn until_goodbye(mut next: impl FnMut() -> Value) -> Vec<Value> {
    let mut seen = Vec::new();
    loop {
        seen.push(next());
        if seen.last().unwrap()["content"] == "goodbye" {
            return seen;
        }
    }
}

#[test]
fn it_carries_the_same_events_as_the_stream() {
    let gates = Gates::new();
    let mut gate = gates.close("john");
    let harness = Data::new().serve(&["--agent", &gates.agent()]);
    let (john, owner) = (harness.friend("john"), Owner::new(harness.data()));
    let (mut feed, mut socket) = (john.feed(), open(&john));

    let answer = john.say("two\nlines, data: x\n\nand \u{2028}");
    gate.let_one_through();
    answer.answer();
    let mut stopped = john.say("never mind");
    stopped.until("status");
    john.post("/api/chat/stop", &json!({}));
    stopped.rest();
    john.post("/api/nickname", &json!({ "nickname": "Johnny" }));
    owner.nudge("john", "*news*").unwrap();
    john.post("/api/seen", &json!({ "id": 3 }));
    owner.nudge("john", "goodbye").unwrap();

    let of_feed = until_goodbye(|| feed.next_value().unwrap());
    assert_eq!(until_goodbye(|| socket.next_value()), of_feed);
    for kind in [
        "message", "state", "status", "text", "reply", "done", "nickname", "nudge", "seen",
    ] {
        assert!(
            of_feed.iter().any(|event| event["type"] == kind),
            "no {kind}: {of_feed:?}"
        );
    }

    // Those who come back, too.
    for after in ["0", "2", "99999"] {
        let target = format!("/api/stream?after={after}");
        let mut feed = friends_chat_tests::Events::read(john.request("GET", &target, &[], b""));
        let mut socket = Socket::open(&john, &format!("{TARGET}?after={after}"), &[]).unwrap();
        owner.nudge("john", "goodbye").unwrap();
        assert_eq!(
            until_goodbye(|| socket.next_value()),
            until_goodbye(|| feed.next_value().unwrap()),
            "after {after}"
        );
    }
}

#[test]
fn it_takes_messages_stop_and_seen() {
    let gates = Gates::new();
    let mut gate = gates.close("john");
    let harness = Data::new().serve(&["--agent", &gates.agent()]);
    let john = harness.friend("john");
    let (mut feed, mut socket) = (john.feed(), open(&john));

    // The same message twice, as after a connection that broke off, is one message.
    let message = json!({ "type": "message", "message": "hello there", "id": "page-1" });
    socket.say(&message);
    let accepted = socket.until("accepted");
    assert_eq!(accepted["client_id"], "page-1");
    socket.say(&message);
    assert_eq!(socket.until("accepted"), accepted);
    gate.let_one_through();
    let reply = socket.until("reply");
    assert_eq!(
        (&reply["text"], &reply["message"]),
        (&json!("You said: hello there"), &accepted["id"])
    );
    assert_eq!(feed.until("message")["client_id"], "page-1");
    assert_eq!(feed.until("reply"), reply);

    socket.say(&json!({ "type": "seen", "id": reply["id"] }));
    assert_eq!(feed.until("seen")["id"], reply["id"]);
    assert_eq!(john.history()[0]["text"], "You said: hello there");

    socket.say(&json!({ "type": "message", "message": "never mind", "id": "page-2" }));
    socket.until("status");
    socket.say(&json!({ "type": "stop" }));
    let state = loop {
        let state = feed.until("state");
        if state["state"] != "answering" && state["message"] != accepted["id"] {
            break state;
        }
    };
    assert_eq!(state["state"], "stopped");
    assert_eq!(john.history().len(), 3, "nothing was said of the stopped one");
}

#[test]
fn what_it_does_not_take_gets_one_sentence_and_it_goes_on() {
    let harness = Harness::start();
    let john = harness.friend("john");
    let mut socket = open(&john);
    for wrong in ["", "hello", "[]", "{}", r#"{"type":"end"}"#, r#"{"type":"message"}"#] {
        socket.send(Message::text(wrong));
        let error = socket.until("error");
        assert!(
            error["error"].as_str().unwrap().ends_with("understands"),
            "{wrong:?}: {error}"
        );
    }
    socket.say(&json!({ "type": "message", "message": " ", "id": "page-1" }));
    assert_eq!(socket.until("error")["client_id"], "page-1", "the page knows which");
    socket.say(&json!({ "type": "message", "message": "x".repeat(70_000), "id": "page-2" }));
    assert_eq!(socket.until("error")["client_id"], "page-2");
    assert_eq!(john.history(), Vec::<Value>::new());
    socket.say(&json!({ "type": "message", "message": "hello" }));
    assert_eq!(socket.until("reply")["text"], "You said: hello");
    socket.send(Message::binary(b"hello".to_vec()));
    let (_, code, _) = socket.end();
    assert_eq!(code, 1003, "text only");
}

#[test]
fn other_origins_and_strangers_are_refused() {
    let harness = Harness::start();
    let john = harness.friend("john");
    let own = format!("http://localhost:{}", harness.address().port());
    let refused = |friend: &Friend, headers: &[(&str, &str)]| Socket::open(friend, TARGET, headers).err();
    for origin in [
        "https://evil.example",
        "http://localhost",
        "http://localhost:1",
        "null",
        "",
    ] {
        assert_eq!(refused(&john, &[("origin", origin)]), Some(403), "{origin:?}");
    }
    for site in ["cross-site", "same-site", "none"] {
        let headers = [("origin", own.as_str()), ("sec-fetch-site", site)];
        assert_eq!(refused(&john, &headers), Some(403), "{site}");
    }
    assert_eq!(refused(&john, &[("origin", own.as_str())]), None);
    assert_eq!(refused(&john, &[]), None, "no browser");
    assert_eq!(refused(&Friend::stranger(&harness), &[]), Some(401));
    let forger = Friend::with_cookie(&harness, Some("0".repeat(32)));
    assert_eq!(refused(&forger, &[]), Some(401));
    assert_eq!(Socket::open(&john, "/api/other", &[]).err(), Some(404));

    // A plain request for it is none for a page either.
    let cookie = format!("{COOKIE}={}", john.cookie().unwrap());
    let plain = Friend::stranger(&harness).request("GET", TARGET, &[("cookie", &cookie)], b"");
    assert_eq!(plain.status, 426);
}

#[test]
fn stopping_closes_it_with_1001() {
    let harness = Harness::start();
    let socket = open(&harness.friend("john"));
    harness.signal(Signal::TERM);
    let (last, code, reason) = socket.end();
    assert_eq!((code, reason.as_str()), (1001, "stopping"));
    assert_eq!(last, json!({ "type": "end", "reason": "stopping" }));
    assert_eq!(harness.wait().code, Some(0));
}

#[test]
fn the_end_of_the_session_closes_it_with_4401() {
    let harness = Harness::start();
    for (user, reason) in [("john", "revoked"), ("mary", "reinvited"), ("ahmed", "signed-out")] {
        let friend = harness.friend(user);
        let socket = open(&friend);
        match reason {
            "revoked" => drop(harness.owner(&["revoke", user]).success()),
            "reinvited" => drop(harness.owner(&["reinvite", user]).success()),
            _ => assert_eq!(friend.post("/api/auth/logout", &json!({})).status, 200),
        }
        let (last, code, text) = socket.end();
        assert_eq!((code, text.as_str()), (4401, reason));
        assert_eq!(last, json!({ "type": "end", "reason": reason }));
    }
}

#[test]
fn an_idle_one_is_heard_of() {
    let harness = Harness::start();
    let mut socket = open(&harness.friend("john"));
    assert_eq!(socket.receive(), Received::Event(json!({ "type": "heartbeat" })));
}
