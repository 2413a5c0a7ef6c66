//! A reader that has stopped reading costs the harness next to nothing: it is cut, and gets what it missed when it
//! comes back. Observed at the memory of the process while twenty thousand pieces of 10 kB are published to such a
//! reader, and to one who reads them all.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::{Data, Events, Friend, Harness, Script};
use serde_json::Value;

/// Pieces of one answer: together less than what the harness keeps for a connection, so that whoever reads one
/// answer before asking for the next is never cut, however slow the machine is.
const PIECES: usize = 50;
const PIECE_BYTES: usize = 10_000;
const ANSWERS: usize = 20_000 / PIECES;
/// Answers after which the harness has all the memory that it needs.
const WARM_UP: usize = 50;
const MOST_GROWTH_BYTES: usize = 2 << 20;

/// An agent that says a lot and fails in the end: then nothing of it goes to disk, where it would be cached.
fn talkative() -> Script {
    Script::new(&format!(
        r#"piece=$(head -c {PIECE_BYTES} /dev/zero | tr '\0' x)
        for _ in $(seq {PIECES}); do echo "{{\"delta\":\"$piece\"}}"; done
        echo '{{"error":"that was all"}}'"#
    ))
}

/// Asks, and reads all of it at a feed.
fn ask_and_read(john: &Friend, feed: &mut Events) {
    drop(john.say("go on"));
    let mut bytes = 0;
    loop {
        let event = feed.next_value().unwrap();
        match event["type"].as_str().unwrap() {
            "text" => bytes += event["content"].as_str().unwrap().len(),
            "error" => break,
            _ => {}
        }
    }
    assert_eq!(bytes, PIECES * PIECE_BYTES);
}

/// Bytes that a process has in memory.
fn resident(harness: &Harness) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", harness.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() * 1024
}

#[test]
fn one_that_does_not_read_costs_nothing_and_catches_up() {
    let script = talkative();
    let data = Data::new().with_config("[channels.friends]\nmessagesPerMinute = 1000000\n");
    let harness = data.serve(&["--agent", &script.agent()]);
    let john = harness.friend("john");
    let mut feed = john.feed();
    for _ in 0..WARM_UP {
        ask_and_read(&john, &mut feed);
    }
    let mut paused = john.feed();
    let before = resident(&harness);
    for _ in 0..ANSWERS {
        ask_and_read(&john, &mut feed);
    }
    let after = resident(&harness);
    assert!(
        after.saturating_sub(before) < MOST_GROWTH_BYTES,
        "{before} bytes before, {after} after"
    );

    // What its socket holds is still there, then it is over.
    let mut last = None;
    let mut bytes = 0;
    while let Ok(Some(event)) = paused.try_next() {
        let json: Value = serde_json::from_str(&event.data).unwrap();
        bytes += json["content"].as_str().map_or(0, str::len);
        last = event.id.parse::<u64>().ok().or(last);
    }
    assert!(bytes < ANSWERS * PIECES * PIECE_BYTES, "it was cut");
    let last = last.expect("it saw the first message");

    let mut back = Events::read(john.request("GET", &format!("/api/stream?after={last}"), &[], b""));
    harness.nudge("john", "welcome back");
    let mut missed = Vec::new();
    loop {
        let event = back.next_value().unwrap();
        match event["type"].as_str().unwrap() {
            "message" => missed.push(event["id"].as_u64().unwrap()),
            "nudge" => break,
            _ => {}
        }
    }
    // Nobody else has an entry here: the ids are the numbers of the messages.
    let asked = u64::try_from(WARM_UP + ANSWERS).unwrap();
    assert_eq!(missed, (last + 1..=asked).collect::<Vec<_>>());
}
