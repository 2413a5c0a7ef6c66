//! A hundred friends with two tabs each, on bad lines: whatever breaks off and whenever, each tab ends up with what
//! is in the log. Observed at tabs that build their state from events alone and drop their connection at moments drawn
//! from `SEED`, which a failure prints; a repeated event is a failure like a missing one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;

use fastrand::Rng;
use friends_chat_tests::{Events, Friend, Harness, Owner};
use serde_json::{Value, json};

const FRIENDS: usize = 100;
/// Messages of each friend, and nudges to each.
const MESSAGES: usize = 3;
/// Times that a tab loses its connection. With two tabs it stays below what one friend may open in a minute.
const DISCONNECTS: usize = 12;
/// Most events that a tab reads before that.
const MOST_EVENTS: usize = 8;

/// What a tab shows.
#[derive(Default)]
struct Tab {
    /// By id: role, text, and for a message its state.
    entries: BTreeMap<i64, (&'static str, String, String)>,
    /// Of the answers being made on this connection, by message.
    pieces: BTreeMap<i64, String>,
    nickname: String,
}

impl Tab {
    /// Follows the feed up to the goodbye, over as many connections as it takes.
    fn follow(friend: &Friend, rng: &mut Rng) -> Self {
        let mut tab = Self::default();
        for _ in 0..DISCONNECTS {
            let mut feed = tab.connect(friend, rng);
            for _ in 0..rng.usize(..MOST_EVENTS) {
                if tab.take(&feed.next_value().unwrap()) {
                    return tab;
                }
            }
        }
        let mut feed = tab.connect(friend, rng);
        while !tab.take(&feed.next_value().unwrap()) {}
        tab
    }

    fn connect(&mut self, friend: &Friend, rng: &mut Rng) -> Events {
        self.pieces.clear();
        let last = self.entries.keys().last().copied().unwrap_or_default().to_string();
        Events::read(if rng.bool() {
            friend.request("GET", "/api/stream", &[("last-event-id", &last)], b"")
        } else {
            friend.request("GET", &format!("/api/stream?after={last}"), &[], b"")
        })
    }

    /// Shows what an event tells; gives whether it is the last one.
    fn take(&mut self, event: &Value) -> bool {
        let text = |name: &str| event[name].as_str().unwrap().to_owned();
        let number = |name: &str| event[name].as_i64().unwrap();
        match event["type"].as_str().unwrap() {
            "hello" | "nickname" => self.nickname = text("nickname"),
            "message" => self.add(number("id"), "friend", text("text"), text("state")),
            "nudge" => {
                self.add(number("id"), "nudge", text("content"), String::new());
                return event["content"] == "goodbye";
            }
            "state" => {
                let message = self.entries.get_mut(&number("message"));
                message.unwrap_or_else(|| panic!("of what is {event}?")).2 = text("state");
            }
            "text" => self
                .pieces
                .entry(number("message"))
                .or_default()
                .push_str(&text("content")),
            "reply" => {
                if let Some(pieces) = self.pieces.remove(&number("message")) {
                    assert_eq!(text("text"), pieces, "the pieces are not the whole");
                }
                self.entries.get_mut(&number("message")).unwrap().2 = "answered".to_owned();
                self.add(number("id"), "agent", text("text"), String::new());
            }
            "done" => {}
            other => panic!("{other}: {event}"),
        }
        false
    }

    fn add(&mut self, id: i64, role: &'static str, text: String, state: String) {
        let last = self.entries.keys().last().copied().unwrap_or_default();
        assert!(id > last, "{id} {text:?} comes after {last}");
        self.entries.insert(id, (role, text, state));
    }

    fn assert_shows_what_is_in_the_log(&self, friend: &Friend) {
        let log = friend.history();
        assert_eq!(log.len(), 3 * MESSAGES + 1);
        let shown = self.entries.iter().rev();
        let shown: Vec<Value> = shown
            .map(|(id, (role, text, state))| json!([id, role, text, if *role == "friend" { state } else { "" }]))
            .collect();
        let state = |entry: &Value| {
            if entry["role"] == "friend" {
                entry["state"].clone()
            } else {
                json!("")
            }
        };
        let log: Vec<Value> = log
            .iter()
            .map(|entry| json!([entry["id"], entry["role"], entry["text"], state(entry)]))
            .collect();
        assert_eq!(shown, log);
        assert_eq!(self.nickname, friend.status()["nickname"]);
    }
}

#[test]
fn every_tab_ends_up_with_what_is_in_the_log() {
    let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    eprintln!("SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    let harness = Harness::start();
    let owner = Owner::new(harness.data());
    let names: Vec<String> = (0..FRIENDS).map(|number| format!("friend_{number}")).collect();
    let friends: Vec<Friend> = names
        .iter()
        .map(|name| {
            let friend = Friend::stranger(&harness);
            friend.join(&owner.invite(name));
            friend
        })
        .collect();
    std::thread::scope(|scope| {
        for (name, friend) in names.iter().zip(&friends) {
            let tabs = [rng.fork(), rng.fork()].map(|mut rng| scope.spawn(move || Tab::follow(friend, &mut rng)));
            let owner = &owner;
            scope.spawn(move || {
                for number in 0..MESSAGES {
                    let answer = friend.say(&format!("message {number} of {name}"));
                    owner.nudge(name, &format!("nudge {number} for {name}")).unwrap();
                    let nickname = json!({ "nickname": format!("{name} {number}") });
                    assert_eq!(friend.post("/api/nickname", &nickname).status, 200);
                    // The last answer is complete before the goodbye.
                    assert_eq!(answer.answer(), format!("You said: message {number} of {name}"));
                }
                owner.nudge(name, "goodbye").unwrap();
                for tab in tabs {
                    tab.join().unwrap().assert_shows_what_is_in_the_log(friend);
                }
            });
        }
    });
}
