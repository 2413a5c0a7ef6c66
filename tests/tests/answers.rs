//! The agent's answer reaches the friend piece by piece, in the order of the questions, or as one object. Observed
//! at the streams of the chat while the agent waits at a gate that the test opens.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::{Answer, Data, Events, Gates, Harness, Script};
use serde_json::{Value, json};

#[test]
fn an_answer_comes_in_pieces_and_then_done() {
    let harness = Harness::start();
    let john = harness.friend("john");
    let events = john.say("good morning, dear agent").rest();
    let (done, pieces) = events.split_last().unwrap();
    assert_eq!(*done, json!({ "type": "done" }));
    assert!(pieces.len() > 1, "in one piece: {events:?}");
    let mut said = String::new();
    for piece in pieces {
        assert_eq!(*piece, json!({ "type": "text", "content": piece["content"] }));
        said.push_str(piece["content"].as_str().unwrap());
    }
    assert_eq!(said, "You said: good morning, dear agent");
}

#[test]
fn a_piece_is_there_before_the_next_is_made() {
    let script = Script::new(r#"echo '{"delta":"one "}'; read -r _ < "${0%/*}/next"; echo '{"delta":"two"}'"#);
    let mut gate = script.gate("next");
    let harness = Data::new().serve(&["--agent", &script.agent()]);
    let john = harness.friend("john");
    let mut answer = john.say("go");
    assert_eq!(answer.until("text")["content"], "one ");
    gate.let_one_through();
    assert_eq!(answer.answer(), "two");
}

#[test]
fn any_text_arrives_as_it_was() {
    let harness = Harness::start();
    let john = harness.friend("john");
    for text in [
        "a\nb\r\nc\rd",
        "data: x\n\nevent: y\n\n",
        "🙂 \u{2028} \"\\ <b>é</b>",
        "\u{feff}x",
        "a\0b",
    ] {
        assert_eq!(john.ask(text), format!("You said: {text}"), "{text:?}");
    }
}

#[test]
fn the_whole_answer_as_one_object() {
    let harness = Harness::start();
    let john = harness.friend("john");
    let answer = john.post("/api/chat", &json!({ "message": "hello there", "stream": false }));
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({ "content": "You said: hello there" }))
    );
}

#[test]
fn an_answer_longer_than_a_frame_is_streamed_in_full_and_kept() {
    let script = Script::new(
        r#"piece=$(head -c 8192 /dev/zero | tr '\0' x)
        for _ in $(seq 100); do echo "{\"delta\":\"$piece\"}"; done"#,
    );
    let harness = Data::new().serve(&["--agent", &script.agent()]);
    let john = harness.friend("john");
    let mut feed = john.feed();
    let answer = john.ask("tell me everything");
    assert_eq!(answer.len(), 100 * 8192);
    // It does not fit one event, so that the feed advises to load the history.
    feed.until("resync");
    feed.until("done");
    assert!(john.history()[0]["text"] == answer.as_str());
}

#[test]
fn when_the_agent_fails_the_friend_reads_plain_words_and_the_log_has_the_reason() {
    let script = Script::new(
        r#"echo '{"delta":"half an "}'
        case $message in *crash*) echo "/secret/path" >&2; exit 3;; *rubbish*) echo 'panicked at x.rs';; esac
        echo '{"error":"no credit at 10.0.0.1"}'"#,
    );
    let harness = Data::new().serve(&["--agent", &script.agent()]);
    let john = harness.friend("john");
    for message in ["crash", "rubbish", "error"] {
        let events = john.say(message).rest();
        let last = events.last().unwrap();
        assert_eq!(*last, json!({ "type": "error", "error": last["error"] }), "{message}");
        let sentence = last["error"].as_str().unwrap();
        for internal in ["path", "exit", "status", ".rs", "credit", "10.0.0.1", "agent`", "sh"] {
            assert!(!sentence.contains(internal), "{sentence}");
        }
        let whole = john.post("/api/chat", &json!({ "message": message, "stream": false }));
        assert_eq!(whole.assert_error(502), sentence);
    }
    harness.log().expect(&["no credit at 10.0.0.1"]);
    assert!(
        john.history()
            .iter()
            .all(|entry| entry["role"] == "friend" && entry["state"] == "failed")
    );
}

#[test]
fn an_agent_that_cannot_be_started_is_a_failure_like_any_other() {
    let harness = Data::new().serve(&["--agent", "cmd:/nowhere/agent"]);
    let john = harness.friend("john");
    assert_eq!(john.say("hi").rest().last().unwrap()["type"], "error");
    harness.log().expect(&["/nowhere/agent"]);
}

#[test]
fn one_friends_messages_are_answered_in_order() {
    let gates = Gates::new();
    let mut gate = gates.close("john");
    let harness = Data::new().serve(&["--agent", &gates.agent()]);
    let john = harness.friend("john");
    let mut feed = john.feed();
    let messages = ["first", "second", "third"];
    let answers: Vec<_> = messages.iter().map(|message| john.say(message)).collect();
    let mut ids = Vec::new();
    for message in messages {
        let event = feed.until("message");
        assert_eq!((&event["text"], &event["state"]), (&json!(message), &json!("queued")));
        ids.push(event["id"].clone());
    }
    for (id, message) in ids.iter().zip(messages) {
        gate.let_one_through();
        let reply = feed.until("reply");
        assert_eq!(
            (&reply["message"], &reply["text"]),
            (id, &json!(format!("You said: {message}")))
        );
        assert_eq!(feed.until("done")["message"], *id);
    }
    for (answer, message) in answers.into_iter().zip(messages) {
        assert_eq!(answer.answer(), format!("You said: {message}"));
    }
    let history = john.history();
    let texts: Vec<&Value> = history.iter().rev().map(|entry| &entry["text"]).collect();
    assert_eq!(texts.len(), 6);
    assert!(history.iter().all(|entry| entry["state"] == "answered"), "{history:?}");
}

#[test]
fn a_friend_whose_queue_is_full_is_asked_to_wait_and_nobody_else_is() {
    let gates = Gates::new();
    let mut gate = gates.close("john");
    let harness = Data::new().serve(&["--agent", &gates.agent()]);
    let (john, mary) = (harness.friend("john"), harness.friend("mary"));
    let mut taken = Vec::new();
    let refused = loop {
        assert!(taken.len() < 100, "the queue has no end");
        let body = json!({ "message": format!("message {}", taken.len()), "stream": true }).to_string();
        let incoming = john.request(
            "POST",
            "/api/chat",
            &[("content-type", "application/json")],
            body.as_bytes(),
        );
        if incoming.status != 200 {
            break Answer::read(incoming);
        }
        taken.push(Events::read(incoming));
    };
    assert!(taken.len() > 1, "one waits while another is answered");
    assert!(refused.header("retry-after").unwrap().parse::<u32>().unwrap() > 0);
    refused.assert_error(429);
    assert_eq!(mary.ask("hi"), "You said: hi");

    let count = taken.len();
    for (index, answer) in taken.into_iter().enumerate() {
        gate.let_one_through();
        assert_eq!(answer.answer(), format!("You said: message {index}"));
    }
    assert_eq!(john.history().len(), 2 * count, "what was refused is not kept");
    gate.let_one_through();
    assert_eq!(john.ask("again"), "You said: again");
}
