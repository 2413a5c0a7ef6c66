//! The dialog with what the agent has noted about a friend. Observed in a browser, with the mouse and with keys.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::fs;

use friends_chat_tests::Harness;
use friends_chat_tests::browser::{Browser, ENTER, Tab};

/// The notes in sight.
const SHOWN: &str = "[...document.querySelectorAll('#notes span')].map((span) => span.innerText).join('|')";

fn open_dialog(tab: &Tab) {
    tab.click("#menu-button");
    assert_eq!(tab.text("#menu-notes"), "What the agent knows about me");
    tab.click("#menu-notes");
    tab.wait("document.querySelector('#notes-lead').textContent !== ''");
}

fn remembers(harness: &Harness, notes: &str) {
    let text = format!("## john\nA secret of the owner's.\n\n### Noted by the agent\n\n{notes}");
    fs::write(harness.data().path().join("FRIENDS.md"), text).unwrap();
}

#[test]
fn nothing_is_said_to_be_nothing() {
    let harness = Harness::start();
    let (_browser, tab) = Browser::joined(&harness, "john");
    open_dialog(&tab);
    let lead = tab.text("#notes-lead");
    assert!(lead.starts_with("Nothing so far."), "{lead}");
    tab.click("#notes-close");
    tab.wait("!document.querySelector('#notes-dialog').open");
}

#[test]
fn each_note_can_be_removed_and_the_keyboard_goes_on_where_it_was() {
    let harness = Harness::start();
    let (_browser, tab) = Browser::joined(&harness, "john");
    remembers(&harness, "- Likes <b>tea</b>.\n- Has a dog.\n- Lives in Lisbon.\n");

    open_dialog(&tab);
    assert_eq!(tab.value(SHOWN), "Likes <b>tea</b>.|Has a dog.|Lives in Lisbon.");
    assert!(!tab.text("#notes-dialog").contains("secret"));
    let second = "#notes li:nth-child(2) button";
    assert_eq!(
        tab.value(&format!("document.querySelector('{second}').ariaLabel")),
        "Remove: Has a dog."
    );

    tab.press(second, ENTER);
    tab.wait("document.querySelectorAll('#notes li').length === 2");
    assert_eq!(
        tab.value("document.querySelector('#notes-status').textContent"),
        "Removed."
    );
    assert_eq!(
        tab.value("document.activeElement.ariaLabel"),
        "Remove: Lives in Lisbon."
    );
    tab.click("#notes li:first-child button");
    tab.wait("document.querySelectorAll('#notes li').length === 1");
    tab.press("#notes button", ENTER);
    tab.wait("document.querySelectorAll('#notes li').length === 0");
    assert_eq!(tab.value("document.activeElement.id"), "notes-close");
    assert!(tab.text("#notes-lead").starts_with("Nothing so far."));

    let left = fs::read_to_string(harness.data().path().join("FRIENDS.md")).unwrap();
    assert!(left.contains("secret") && !left.contains("- "), "{left}");
}

#[test]
fn a_note_that_is_gone_already_is_said_to_be() {
    let harness = Harness::start();
    let (browser, tab) = Browser::joined(&harness, "john");
    browser.provoke("status of 404");
    remembers(&harness, "- Likes tea.\n- Has a dog.\n");
    open_dialog(&tab);
    remembers(&harness, "- Has a dog.\n");

    tab.click("#notes li:first-child button");
    tab.wait_visible("#notes-error");
    assert_eq!(tab.text("#notes-error"), "This note is not there any more.");
    tab.wait(&format!("{SHOWN} === 'Has a dog.'"));
}
