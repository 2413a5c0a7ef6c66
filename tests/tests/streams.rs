//! The feed is an event stream as the standard has it, from which a page that comes back gets all that it missed and
//! nothing twice. Observed at the bytes of the stream, and at readers that are cut off after every single event.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::{Data, Event, Events, Friend, Harness, Owner, Script};
use serde_json::{Value, json};

/// Texts that a careless framing would take apart.
const HOSTILE: [&str; 8] = [
    "two\nlines",
    "a\r\nb\rc\n\n\nd",
    "data: x\n\nid: 99\nevent: y\nretry: 1\n\n",
    "\n: no comment",
    "\u{feff}x\u{2028}y\u{85}z",
    "a\0b",
    "{\"type\":\"end\"}</script>",
    "é🙂\u{202e}",
];

/// Opens the feed as a page does that has everything up to an entry, in the way that a browser says so or in ours.
fn resume(friend: &Friend, after: &str, by_header: bool) -> Events {
    let incoming = if by_header {
        friend.request("GET", "/api/stream", &[("last-event-id", after)], b"")
    } else {
        friend.request("GET", &format!("/api/stream?after={after}"), &[], b"")
    };
    let mut feed = Events::read(incoming);
    assert_eq!(feed.next_value().unwrap()["type"], "hello");
    feed
}

fn json(event: &Event) -> Value {
    serde_json::from_str(&event.data).unwrap()
}

/// The id of what stands in the log.
fn log_id(event: &Event) -> Option<String> {
    let json = json(event);
    let is_entry = ["message", "reply", "nudge"].iter().any(|kind| json["type"] == *kind);
    is_entry.then(|| json["id"].to_string())
}

/// The ids of the log, oldest first.
fn log(friend: &Friend) -> Vec<String> {
    let entries = friend.get("/api/history?limit=200").json()["entries"].clone();
    let ids = entries.as_array().unwrap().iter().map(|entry| entry["id"].to_string());
    ids.rev().collect()
}

/// Takes the feed apart at its empty lines, up to and with the block that holds `last`.
fn blocks(friend: &Friend, target: &str, last: &str) -> Vec<String> {
    use std::io::Read;
    let mut body = friend.request("GET", target, &[], b"").body;
    let mut text = Vec::new();
    let is_whole = |text: &[u8]| {
        let text = String::from_utf8_lossy(text);
        text.find(last).is_some_and(|at| text[at..].contains("\n\n"))
    };
    while !is_whole(&text) {
        let mut piece = [0; 1024];
        let read = body.read(&mut piece).unwrap();
        assert!(read > 0, "the stream ended");
        text.extend_from_slice(&piece[..read]);
    }
    let text = String::from_utf8(text).unwrap();
    text.split_terminator("\n\n").map(str::to_owned).collect()
}

#[test]
fn the_first_bytes_come_at_once_and_say_where_the_page_stands() {
    let script = Script::new(r#"echo '{"delta":"one "}'; read -r _ < "${0%/*}/next"; echo '{"delta":"two"}'"#);
    let mut gate = script.gate("next");
    let harness = Data::new().serve(&["--agent", &script.agent()]);
    let john = harness.friend("john");
    // Nothing has ever happened here, and nothing does.
    let blocks = blocks(&john, "/api/stream", "id: 0");
    assert_eq!((blocks.len(), blocks[0].as_str()), (3, "retry: 2000"));
    let hello: Value = serde_json::from_str(blocks[1].strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(
        hello,
        json!({
            "type": "hello", "epoch": hello["epoch"], "latest": 0, "unread": 0, "agent": "idle",
            "name": "the agent", "username": "john", "nickname": "john"
        })
    );
    assert!(!hello["epoch"].as_str().unwrap().is_empty());

    harness.nudge("john", "one");
    harness.nudge("john", "two");
    john.say("go").until("text");
    let again = Events::read(john.request("GET", "/api/stream", &[], b""))
        .next_value()
        .unwrap();
    assert_eq!(again["epoch"], hello["epoch"]);
    assert_eq!(
        (&again["latest"], &again["unread"], &again["agent"]),
        (&json!(3), &json!(2), &json!("answering"))
    );
    gate.let_one_through();
}

#[test]
fn nothing_on_the_way_is_allowed_to_keep_or_change_it() {
    let harness = Harness::start();
    let john = harness.friend("john");
    for events in [john.feed(), john.say("hello")] {
        let value = |name: &str| {
            let mut values = events.headers().iter().filter(|(other, _)| other == name);
            let value = values.next().map(|(_, value)| value.as_str());
            assert_eq!(values.next(), None, "{name} stands once");
            value
        };
        assert_eq!(value("x-accel-buffering"), Some("no"));
        assert_eq!(value("cache-control"), Some("no-store, no-transform"));
        assert_eq!(value("content-length"), None);
        assert_eq!(value("content-encoding"), None);
    }
}

#[test]
fn what_stands_in_the_log_has_its_id_and_nothing_else_has_one() {
    let harness = Harness::start();
    let john = harness.friend("john");
    // One reader sees it live, as far as it is there in time, and one afterwards.
    let live = std::thread::scope(|scope| {
        let live = scope.spawn(|| blocks(&john, "/api/stream?after=0", "goodbye"));
        john.ask("hello");
        john.post("/api/nickname", &json!({ "nickname": "Johnny" }));
        harness.nudge("john", "goodbye");
        live.join().unwrap()
    });
    for blocks in [live, blocks(&john, "/api/stream?after=0", "goodbye")] {
        let mut ids = Vec::new();
        for block in &blocks[1..] {
            let lines: Vec<&str> = block.lines().collect();
            let (id, data) = match lines.as_slice() {
                // Where the reader is, without an event.
                [id] if id.starts_with("id: ") => continue,
                [data] => (None, data),
                [id, data] => (id.strip_prefix("id: "), data),
                _ => panic!("{block:?}"),
            };
            let event: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
            let is_entry = ["message", "reply", "nudge"].iter().any(|kind| event["type"] == *kind);
            assert_eq!(
                id.map(str::to_owned),
                is_entry.then(|| event["id"].to_string()),
                "{block:?}"
            );
            ids.extend(id.map(str::to_owned));
        }
        assert_eq!(ids, log(&john));
    }
}

#[test]
fn any_text_arrives_as_it_was_live_and_replayed() {
    let harness = Harness::start();
    let john = harness.friend("john");
    let owner = Owner::new(harness.data());
    let mut live = resume(&john, "0", true);
    for text in HOSTILE {
        owner.nudge("john", text).unwrap();
        john.ask(text);
    }
    let texts = |feed: &mut Events| -> Vec<(String, String)> {
        let wanted = 3 * HOSTILE.len();
        let entries = std::iter::from_fn(|| feed.next_event()).filter_map(|event| {
            let (id, json) = (log_id(&event)?, json(&event));
            assert_eq!(id, event.id);
            let text = json.get("text").or(json.get("content")).unwrap();
            Some((
                json["type"].as_str().unwrap().to_owned(),
                text.as_str().unwrap().to_owned(),
            ))
        });
        entries.take(wanted).collect()
    };
    let expected: Vec<(String, String)> = HOSTILE
        .iter()
        .flat_map(|text| {
            [
                ("nudge", text.to_string()),
                ("message", text.to_string()),
                ("reply", format!("You said: {text}")),
            ]
        })
        .map(|(kind, text)| (kind.to_owned(), text))
        .collect();
    assert_eq!(texts(&mut live), expected);
    assert_eq!(texts(&mut resume(&john, "0", false)), expected);
}

#[test]
fn a_replay_that_is_cut_anywhere_goes_on_from_there() {
    let harness = Harness::start();
    let john = harness.friend("john");
    for number in 0..4 {
        john.ask(&format!("message {number}"));
        harness.nudge("john", &format!("nudge {number}"));
    }
    let log = log(&john);
    assert_eq!(log.len(), 12);
    for by_header in [true, false] {
        for cut in 0..=log.len() {
            let mut seen = Vec::new();
            for wanted in [cut, log.len() - cut] {
                let after = seen.last().map_or("0", String::as_str).to_owned();
                let mut feed = resume(&john, &after, by_header);
                let entries = std::iter::from_fn(|| feed.next_event());
                seen.extend(entries.filter_map(|event| log_id(&event)).take(wanted));
            }
            assert_eq!(seen, log, "cut after {cut}");
        }
    }
}

#[test]
fn a_live_feed_that_is_cut_after_any_event_goes_on_from_there() {
    let harness = Harness::start();
    let john = harness.friend("john");
    let mut last = "0".to_owned();
    for cut in 0.. {
        let mut seen = Vec::new();
        let mut feed = resume(&john, &last, true);
        let text = format!("message {cut}");
        let answer = john.say(&text);
        let mut is_over = false;
        for _ in 0..cut {
            let event = feed.next_event().unwrap();
            is_over = json(&event)["type"] == "done";
            seen.extend(log_id(&event));
            if is_over {
                break;
            }
        }
        drop(feed);
        // Half of the time the answer is complete before the page comes back.
        let answer = if cut % 2 == 0 {
            assert_eq!(answer.answer(), format!("You said: {text}"));
            None
        } else {
            Some(answer)
        };
        let after = seen.last().unwrap_or(&last).clone();
        let mut feed = resume(&john, &after, cut % 3 == 0);
        drop(answer.map(Events::answer));
        harness.nudge("john", "next");
        let mut pieces = String::new();
        loop {
            let event = feed.next_event().unwrap();
            seen.extend(log_id(&event));
            let event = json(&event);
            match event["type"].as_str().unwrap() {
                "text" => pieces.push_str(event["content"].as_str().unwrap()),
                "reply" if !pieces.is_empty() => {
                    assert_eq!(event["text"], pieces, "what was said before the cut comes first");
                }
                "nudge" => break,
                _ => {}
            }
        }
        let log = log(&john);
        assert_eq!(seen, log[log.len() - 3..], "cut after {cut}");
        last = seen.pop().unwrap();
        if is_over {
            break;
        }
    }
}

#[test]
fn a_page_that_comes_in_the_middle_of_an_answer_gets_the_text_so_far_first() {
    let script = Script::new(
        r#"echo '{"delta":"one "}'; echo '{"delta":"two "}'; echo '{"status":"thinking"}'
        read -r _ < "${0%/*}/next"; echo '{"delta":"three"}'"#,
    );
    let mut gate = script.gate("next");
    let harness = Data::new().serve(&["--agent", &script.agent()]);
    let john = harness.friend("john");
    let mut answer = john.say("count");
    answer.until("status");
    let mut pages = [john.feed(), resume(&john, "0", true), resume(&john, "1", false)];
    for page in &mut pages {
        assert_eq!(page.until("text")["content"], "one two ");
    }
    gate.let_one_through();
    for page in &mut pages {
        assert_eq!(page.until("text")["content"], "three");
        assert_eq!(page.until("reply")["text"], "one two three");
    }
    assert_eq!(answer.answer(), "three");
}

#[test]
fn whoever_missed_too_much_or_comes_from_elsewhere_is_told_to_read_the_history() {
    let harness = Harness::start();
    let john = harness.friend("john");
    let owner = Owner::new(harness.data());
    for number in 1..=501 {
        owner.nudge("john", &format!("nudge {number}")).unwrap();
    }
    // Nobody else has an entry here, so that the numbers are the ids.
    assert_eq!(log(&john).last().unwrap(), "501");
    for (latest, by_header) in [(501, true), (502, false)] {
        let mut too_old = resume(&john, &(latest - 501).to_string(), by_header);
        assert_eq!(too_old.next_value().unwrap(), json!({ "type": "resync" }));
        let mut future = resume(&john, &(latest + 1).to_string(), by_header);
        assert_eq!(future.next_value().unwrap(), json!({ "type": "resync" }));
        let mut just_not = resume(&john, &(latest - 500).to_string(), by_header);
        for number in latest - 499..=latest {
            assert_eq!(just_not.next_value().unwrap()["content"], format!("nudge {number}"));
        }
        // Each of them is live from there.
        owner.nudge("john", &format!("nudge {}", latest + 1)).unwrap();
        for feed in [&mut too_old, &mut future, &mut just_not] {
            assert_eq!(feed.next_value().unwrap()["content"], format!("nudge {}", latest + 1));
        }
    }
}

#[test]
fn an_idle_feed_is_heard_of() {
    let harness = Harness::start();
    let beat = harness.friend("john").feed().heartbeat();
    assert_eq!((beat.data.as_str(), beat.id.as_str()), (r#"{"type":"heartbeat"}"#, "0"));
}

#[test]
fn a_reader_by_the_letter_knows_where_it_is_after_each_greeting() {
    let harness = Harness::start();
    let john = harness.friend("john");
    harness.nudge("john", "not seen, and not the latest");
    john.ask("hello");
    let latest = log(&john).pop().unwrap();
    // Each connection begins without an id, so that its first event without one takes away what was known before.
    for target in [
        "/api/stream",
        &format!("/api/stream?after={latest}"),
        "/api/stream?after=1",
    ] {
        let mut feed = Events::read(john.request("GET", target, &[], b""));
        john.post("/api/nickname", &json!({ "nickname": "Johnny" }));
        assert_eq!(feed.until_event("nickname").id, latest, "{target}");
    }
}
