//! Each of a friend's tabs sees everything of that friend and nothing of anybody else's. Observed at two tabs each
//! of two friends who chat, are nudged and change their names at the same time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::{Events, Friend, Harness};
use serde_json::{Value, json};

/// Everything up to the last thing that happens.
fn until_goodbye(mut tab: Events) -> Vec<Value> {
    let mut seen = Vec::new();
    loop {
        let event = tab.next_value().expect("the stream goes on");
        let is_last = event["type"] == "nudge" && event["content"] == "goodbye";
        seen.push(event);
        if is_last {
            return seen;
        }
    }
}

#[test]
fn each_sees_their_own_and_never_the_others() {
    let harness = Harness::start();
    let friends: [(&str, Friend); 2] = [("john", harness.friend("john")), ("mary", harness.friend("mary"))];
    let tabs: Vec<(&str, Events)> = friends
        .iter()
        .flat_map(|(name, friend)| [(*name, friend.feed()), (*name, friend.feed())])
        .collect();

    std::thread::scope(|scope| {
        for (name, friend) in &friends {
            scope.spawn(move || {
                assert_eq!(
                    friend.ask(&format!("a word of {name}")),
                    format!("You said: a word of {name}")
                );
                assert_eq!(
                    friend
                        .post("/api/nickname", &json!({ "nickname": format!("{name}!") }))
                        .status,
                    200
                );
            });
        }
    });
    for (name, _) in &friends {
        harness.nudge(name, &format!("news for {name}"));
        harness.nudge(name, "goodbye");
    }

    let seen: Vec<(&str, Vec<Value>)> = tabs.into_iter().map(|(name, tab)| (name, until_goodbye(tab))).collect();
    for (name, events) in &seen {
        let other = if *name == "john" { "mary" } else { "john" };
        let all = serde_json::to_string(events).unwrap();
        assert!(!all.contains(other), "{name} sees: {all}");
        for kind in ["message", "state", "text", "reply", "done", "nickname", "nudge"] {
            assert!(
                events.iter().any(|event| event["type"] == kind),
                "{name} sees no {kind}: {all}"
            );
        }
        let pieces = events.iter().filter(|event| event["type"] == "text");
        let said: String = pieces.map(|event| event["content"].as_str().unwrap()).collect();
        assert_eq!(said, format!("You said: a word of {name}"));
    }
    assert_eq!(seen[0].1, seen[1].1, "two tabs of one friend see the same");
    assert_eq!(seen[2].1, seen[3].1, "two tabs of one friend see the same");
    for (name, friend) in &friends {
        let history = serde_json::to_string(&friend.history()).unwrap();
        let other = if *name == "john" { "mary" } else { "john" };
        assert!(history.contains(*name) && !history.contains(other), "{history}");
    }
}
