//! What the agent says first. Observed in a browser whose window is in sight or put away, and in what the harness
//! tells a second client of the same friend about what is unread.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::browser::{Browser, wait_for};
use friends_chat_tests::{COOKIE, Events, Friend, Harness};

/// How many messages the friend has not seen, as the harness has it.
fn unread(harness: &Harness, browser: &Browser) -> u64 {
    let friend = Friend::with_cookie(harness, browser.cookie(COOKIE));
    let hello = Events::read(friend.request("GET", "/api/stream", &[], b"")).next_value();
    hello.unwrap()["unread"].as_u64().unwrap()
}

fn wait_unread(harness: &Harness, browser: &Browser, wanted: u64) {
    let look = || (unread(harness, browser) == wanted).then_some(());
    wait_for(&format!("{wanted} are unread"), look, || {
        unread(harness, browser).to_string()
    });
}

#[test]
fn a_nudge_in_sight_looks_like_one_and_is_seen() {
    let harness = Harness::start();
    let (browser, tab) = Browser::joined(&harness, "john");
    tab.send("Hello");
    let answered = [("friend", "Hello"), ("agent", "You said: Hello")];
    tab.wait_bubbles(&answered);

    harness.nudge("john", "Dinner at eight?");

    let all = [answered[0], answered[1], ("nudge", "Dinner at eight?")];
    tab.wait_bubbles(&all);
    assert_eq!(tab.bubbles()[2].label, "News from the agent");
    let colour = |role: &str| {
        tab.value(&format!(
            "getComputedStyle(document.querySelector('.{role} .bubble')).backgroundColor"
        ))
    };
    assert_ne!(colour("nudge"), colour("agent"));
    let heard = tab.value("document.querySelector('#announcer').textContent");
    assert!(heard.as_str().unwrap().contains("Dinner at eight?"), "{heard}");
    wait_unread(&harness, &browser, 0);

    tab.reload();
    tab.wait_online();
    tab.wait_bubbles(&all);
    assert!(tab.bubbles().iter().all(|bubble| !bubble.is_marked_new));
    assert_eq!(tab.value("document.title"), "the agent");
}

#[test]
fn a_nudge_in_a_window_that_is_put_away_is_counted_until_it_is_seen() {
    let harness = Harness::start();
    let (browser, chat) = Browser::joined(&harness, "john");
    chat.put_away();

    harness.nudge("john", "Dinner at eight?");

    chat.wait_bubbles(&[("nudge", "Dinner at eight?")]);
    chat.wait("document.title === '(1) the agent'");
    let icon = "document.querySelector('#favicon').href.split('/').at(-1)";
    assert_eq!(chat.value(icon), "icon-unread.svg");
    assert!(chat.bubbles()[0].is_marked_new);
    assert_eq!(unread(&harness, &browser), 1);

    chat.take_out();
    chat.wait("document.title === 'the agent'");
    assert_eq!(chat.value(icon), "icon.svg");
    wait_unread(&harness, &browser, 0);
}

#[test]
fn a_nudge_to_nobody_waits_for_the_friend() {
    let harness = Harness::start();
    let browser = Browser::open(&harness);
    let tab = browser.tab();
    let invite = harness.invite("john");
    harness.nudge("john", "Dinner at eight?");

    tab.join(&invite);

    tab.wait_bubbles(&[("nudge", "Dinner at eight?")]);
    tab.wait("document.querySelector('.entry.nudge .new') !== null");
    wait_unread(&harness, &browser, 0);
}
