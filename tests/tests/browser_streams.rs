//! The event stream of a page that has to look after it: a line that falls silent, a harness that is long away, a page
//! that was put aside. Observed in a browser, whose clock the test moves on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::browser::Browser;
use friends_chat_tests::{Harness, Signal};

/// The pause before the first try to come back, and the longest, in milliseconds.
const PAUSE_FIRST_MS: f64 = 1_000.0;
const PAUSE_LONGEST_MS: f64 = 30_000.0;

/// Keeps the pauses that are drawn, which are the only broken numbers among them, and makes them short.
const WATCH_PAUSES: &str = "window.pauses = [];
    const wait = window.setTimeout;
    window.setTimeout = (then, pause = 0, ...rest) => {
        if (Number.isInteger(pause)) return wait(then, pause, ...rest);
        window.pauses.push(pause);
        return wait(then, 0, ...rest);
    };";

#[test]
fn a_line_that_falls_silent_is_noticed_and_opened_again() {
    let harness = Harness::start();
    let (_browser, tab) = Browser::joined(&harness, "john");
    harness.signal(Signal::STOP);
    tab.skip_seconds(30);
    tab.wait("document.querySelector('#presence').dataset.link !== 'online'");
    harness.signal(Signal::CONT);
    tab.wait_online();
    harness.nudge("john", "By the way");
    tab.wait_bubbles(&[("nudge", "By the way")]);
}

#[test]
fn tries_to_come_back_grow_rarer_and_are_not_made_in_step() {
    let harness = Harness::start();
    let port = harness.address().port();
    let (browser, tab) = Browser::joined(&harness, "john");
    browser.provoke("net::ERR_");
    tab.run(WATCH_PAUSES, &[]);
    let data = harness.stop();
    tab.wait("window.pauses.length >= 12");
    let pauses = tab.value("window.pauses.slice(0, 12)");
    let pauses: Vec<f64> = pauses
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|pause| pause.as_f64())
        .collect();
    let mut ceiling = PAUSE_FIRST_MS;
    for pause in &pauses {
        assert!((ceiling / 2.0..=ceiling).contains(pause), "{pauses:?}");
        ceiling = PAUSE_LONGEST_MS.min(ceiling * 2.0);
    }
    let longest = &pauses[6..];
    assert!(
        longest.iter().any(|pause| (pause - longest[0]).abs() > 1.0),
        "{pauses:?}"
    );

    let harness = Harness::start_on(&data, port, &[]);
    tab.wait_online();
    harness.nudge("john", "By the way");
    tab.wait_bubbles(&[("nudge", "By the way")]);
}

#[test]
fn a_page_that_was_put_aside_has_what_came_meanwhile() {
    let harness = Harness::start();
    let (browser, tab) = Browser::joined(&harness, "john");
    // What a browser asks for beside a picture.
    browser.provoke("/favicon.ico");
    // Chromium puts no page aside of which a worker has taken possession while it was open.
    tab.wait("navigator.serviceWorker.controller?.state === 'activated'");
    tab.reload();
    tab.wait_online();
    tab.run("window.isTheSame = true;", &[]);
    tab.go("/assets/icon.svg");
    harness.nudge("john", "By the way");
    tab.run("history.back();", &[]);
    tab.wait_bubbles(&[("nudge", "By the way")]);
    let reasons = tab.value("performance.getEntriesByType('navigation')[0].notRestoredReasons");
    assert_eq!(
        tab.value("window.isTheSame"),
        true,
        "the browser has kept the page: {reasons}"
    );
    harness.nudge("john", "And");
    tab.wait_bubbles(&[("nudge", "By the way"), ("nudge", "And")]);
}
