//! A conversation of very long texts is read like any other, in more pages, and costs nobody else anything. Observed
//! at the history, the feed and the log of the harness after nudges that are as long as they may be and double in
//! size with each step on their way to a page.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::{Events, Harness, Owner};
use serde_json::json;

const NUDGES: u64 = 64;
const LONGEST_BYTES: usize = 64 << 10;

#[test]
fn they_come_in_pages_that_everybody_can_carry() {
    let harness = Harness::start();
    let (john, owner) = (harness.friend("john"), Owner::new(harness.data()));
    // As HTML each character is six, as JSON two.
    let text = |number: u64| format!("{number} {}", "\"".repeat(LONGEST_BYTES - 8));
    let mut feed = john.feed();
    for number in 1..=NUDGES {
        owner.nudge("john", &text(number)).unwrap();
        assert_eq!(feed.until("nudge")["content"], text(number));
    }

    for limit in ["", "limit=200&"] {
        let (mut ids, mut before, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = john.get(&format!("/api/history?{limit}{before}"));
            assert_eq!(page.status, 200, "{}", page.text());
            let page = page.json();
            for entry in page["entries"].as_array().unwrap() {
                let id = entry["id"].as_u64().unwrap();
                assert_eq!(entry["text"], text(id));
                ids.push(id);
            }
            pages += 1;
            if page["more"] != true {
                break;
            }
            before = format!("before={}", ids.last().unwrap());
        }
        assert_eq!(ids, (1..=NUDGES).rev().collect::<Vec<_>>());
        assert!(pages > 1);
    }

    // A page that missed a little gets it, one that missed too much reads the history.
    for (after, expected) in [(NUDGES - 1, "nudge"), (1, "resync")] {
        let target = format!("/api/stream?after={after}");
        let mut feed = Events::read(john.request("GET", &target, &[], b""));
        assert_eq!(feed.next_value().unwrap()["type"], "hello");
        assert_eq!(feed.next_value().unwrap()["type"], expected);
    }
    let mut anew = john.feed();
    assert_eq!(
        anew.next_value().unwrap(),
        json!({ "type": "resync" }),
        "not a part of what was not seen"
    );
    owner.nudge("john", "short").unwrap();
    assert_eq!(anew.until("nudge")["content"], "short");
    assert!(!harness.log().text().contains("lost"), "{}", harness.log().text());
}
