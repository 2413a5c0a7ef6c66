//! A crowd of friends chats, each by one of the three ways that there are, while the plugin is replaced again and again,
//! each time by another file. Who says something waits for its answer and then says the next thing.
//!
//! `UPGRADES` and `UPGRADE_FRIENDS` make it longer and the crowd larger, as `make soak` does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use friends_chat_tests::{Answer, Data, Events, Friend, Harness, Owner, Socket, log, twin};
use serde_json::{Value, json};

use log::Log;

/// Ends every feed.
const GOODBYE: u64 = u64::MAX;

/// Sets what the chatting waits for, however its owner ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn friends_who_chat_do_not_notice() {
    let (upgrades, friends) = (
        variable("UPGRADES").unwrap_or(10),
        variable("UPGRADE_FRIENDS").unwrap_or(20),
    );
    let data = Data::new().with_config("[channels.friends]\nmessagesPerMinute = 1000000\n");
    let twins = ["one", "other"].map(|name| twin(data.path(), name).to_str().unwrap().to_owned());
    let harness = Harness::start_quietly(&data, &["--plugin", &twins[0]], |_| ());
    let owner = Owner::new(&data);
    let names: Vec<String> = (0..friends).map(|number| format!("friend{number}")).collect();
    let crowd: Vec<Friend> = names.iter().map(|name| harness.friend(name)).collect();
    let is_over = AtomicBool::new(false);

    let ends = std::thread::scope(|scope| {
        let over = Over(&is_over);
        let pages: Vec<_> = crowd
            .iter()
            .map(|friend| {
                let feed = friend.feed();
                scope.spawn(move || follow(feed))
            })
            .collect();
        let chats: Vec<_> = (0..)
            .zip(&crowd)
            .map(|(number, friend)| {
                let is_over = &is_over;
                scope.spawn(move || chat(friend, number, is_over))
            })
            .collect();
        let begin = Instant::now();
        for number in 1..=upgrades {
            let report = harness.owner(&["reload", &twins[number % 2]]).success();
            assert!(report.contains("was replaced by"), "{report}");
            eprintln!("{:.1?}: {report}", begin.elapsed());
        }
        drop(over);
        let said: Vec<(u64, Duration)> = chats.into_iter().map(|chat| chat.join().unwrap()).collect();
        for name in &names {
            owner.nudge(name, &log::nudge(GOODBYE)).unwrap();
        }
        let pages = pages.into_iter().map(|page| page.join().unwrap());
        said.into_iter().zip(pages).collect::<Vec<_>>()
    });

    let messages: u64 = ends.iter().map(|((said, _), _)| said).sum();
    let longest = ends.iter().map(|((_, longest), _)| longest).max().unwrap();
    eprintln!(
        "{upgrades} upgrades, {messages} messages of {friends} friends, of which one waited {longest:.1?} for its answer"
    );
    for (friend, ((said, _), page)) in crowd.iter().zip(ends) {
        let log = Log::whole(friend);
        let found = log.check();
        let all: Vec<u64> = (0..said).collect();
        assert_eq!(
            (&found.messages, &found.answered),
            (&all, &all),
            "taken once and answered once"
        );
        assert_eq!(found.nudges, [GOODBYE]);
        let ids = |entries: &[Value]| -> Vec<Value> { entries.iter().map(|entry| entry["id"].clone()).collect() };
        assert_eq!(ids(&page), ids(&log.entries), "the page has what the log has");
    }
    let lost = harness
        .log()
        .text()
        .lines()
        .find(|line| line.contains("instance is lost"))
        .map(str::to_owned);
    assert_eq!(lost, None);
    assert_eq!(harness.stop().integrity(), "ok");
}

/// One message after another, and the longest that one waited for its answer.
fn chat(friend: &Friend, way: usize, is_over: &AtomicBool) -> (u64, Duration) {
    let mut socket = (way % 3 == 2).then(|| Socket::open(friend, "/api/socket", &[]).unwrap());
    let (mut said, mut longest) = (0, Duration::ZERO);
    while !is_over.load(Ordering::Relaxed) || said == 0 {
        let text = log::message(said);
        let begin = Instant::now();
        let answer = match &mut socket {
            Some(socket) => over_socket(socket, &text),
            None if way % 3 == 1 => at_once(friend, &text),
            None => in_pieces(friend, &text),
        };
        assert_eq!(answer, format!("You said: {text}"));
        longest = longest.max(begin.elapsed());
        said += 1;
    }
    (said, longest)
}

fn over_socket(socket: &mut Socket, text: &str) -> String {
    socket.say(&json!({ "type": "message", "message": text, "id": text }));
    loop {
        let event = socket.next_value();
        match event["type"].as_str().unwrap() {
            "reply" => return event["text"].as_str().unwrap().to_owned(),
            "end" | "error" | "resync" => panic!("{text} got {event}"),
            _ => {}
        }
    }
}

fn at_once(friend: &Friend, text: &str) -> String {
    let answer = friend.post("/api/chat", &json!({ "message": text, "id": text, "stream": false }));
    assert_eq!(answer.status, 200, "{text} got {}", answer.text());
    answer.json()["content"].as_str().unwrap().to_owned()
}

fn in_pieces(friend: &Friend, text: &str) -> String {
    let body = json!({ "message": text, "id": text, "stream": true }).to_string();
    let headers = [("content-type", "application/json")];
    let incoming = friend.request("POST", "/api/chat", &headers, body.as_bytes());
    if incoming.status != 200 {
        panic!("{text} got {}", Answer::read(incoming).text());
    }
    let mut said = String::new();
    for event in Events::read(incoming).rest() {
        match event["type"].as_str().unwrap() {
            "text" => said.push_str(event["content"].as_str().unwrap()),
            "restarted" => said.clear(),
            "error" => panic!("{text} got {event}"),
            _ => {}
        }
    }
    said
}

/// Everything that stands in the log, as a page sees it come, up to the goodbye.
fn follow(mut feed: Events) -> Vec<Value> {
    let mut entries = Vec::new();
    loop {
        let event = feed.next_value().expect("the stream goes on");
        match event["type"].as_str().unwrap() {
            "message" | "reply" => entries.push(event),
            "nudge" => {
                entries.push(event);
                return entries;
            }
            "end" | "error" | "resync" | "hello" => panic!("{event}"),
            _ => {}
        }
    }
}

fn variable(name: &str) -> Option<usize> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text:?}")))
}
