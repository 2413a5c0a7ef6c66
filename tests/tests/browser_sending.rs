//! What a friend sends: kept until it is taken, and always with a word on what became of it. Observed in a browser whose
//! harness is away, slow, at its limit, or has an agent that fails.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::browser::{Browser, ENTER, Tab};
use friends_chat_tests::{Data, Gates, Harness, Script, Signal};
use serde_json::json;

/// The bytes that the server takes as one request.
const BODY_BYTES: u64 = 64 * 1024;

/// Puts a text of so many letters into the field, as by pasting.
fn paste(tab: &Tab, letters: u64) {
    tab.click("#message");
    tab.run("document.querySelector('#message').select();", &[]);
    let text = "a".repeat(usize::try_from(letters).unwrap());
    tab.devtools("Input.insertText", &json!({ "text": text }));
    tab.wait(&format!(
        "document.querySelector('#message').value.length === {letters}"
    ));
}

/// The number in what is said about the limit.
fn said_number(tab: &Tab) -> u64 {
    let digits: String = tab.text("#limit").chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

#[test]
fn what_waits_to_be_sent_survives_a_reload() {
    let harness = Harness::start();
    let port = harness.address().port();
    let (browser, tab) = Browser::joined(&harness, "john");
    browser.provoke("net::ERR_");
    tab.wait("navigator.serviceWorker.controller?.state === 'activated'");
    let data = harness.stop();
    let waiting = "document.querySelector('.entry:last-child .state')?.innerText === 'Waiting for connection…'";
    tab.send("first");
    tab.send("second");
    tab.wait(waiting);

    tab.reload();
    tab.wait_visible("#chat");
    tab.wait(waiting);
    let texts: Vec<String> = tab.bubbles().into_iter().map(|bubble| bubble.text).collect();
    assert_eq!(texts, ["first", "second"]);

    let harness = Harness::start_on(&data, port, &[]);
    tab.wait("document.querySelectorAll('.entry.agent:not(.live)').length === 2");
    harness.nudge("john", "last");
    tab.wait("document.querySelector('.entry.nudge') !== null");
    let sent = tab.bubbles().into_iter().filter(|bubble| bubble.role == "friend");
    let sent: Vec<String> = sent.map(|bubble| bubble.text).collect();
    assert_eq!(sent, ["first", "second"], "each once");
}

#[test]
fn a_message_says_what_becomes_of_it() {
    let gates = Gates::new();
    let mut gate = gates.close("john");
    let harness = Data::new().serve(&["--agent", &gates.agent()]);
    let (_browser, tab) = Browser::joined(&harness, "john");
    let says = |words: &str| {
        tab.wait(&format!(
            "(document.querySelector('.entry.friend .state')?.innerText ?? '') === {words:?}"
        ));
    };

    harness.signal(Signal::STOP);
    tab.send("Hello");
    says("Sending…");
    harness.signal(Signal::CONT);
    says("Sent");
    gate.let_one_through();
    tab.wait_bubbles(&[("friend", "Hello"), ("agent", "You said: Hello")]);
    says("");
}

#[test]
fn a_message_without_an_answer_can_be_sent_again() {
    let script = Script::new(
        r#"well="${0%/*}/well"
        [ -e "$well" ] || { : > "$well"; exit 1; }
        printf '{"delta":"Here I am."}\n'"#,
    );
    let harness = Data::new().serve(&["--agent", &script.agent()]);
    let (_browser, tab) = Browser::joined(&harness, "john");
    tab.send("Are you there?");
    tab.wait("document.querySelector('.entry[data-state=failed]') !== null");
    assert_eq!(tab.bubbles()[0].note, "No answer came.");

    tab.click(".entry.friend .link");
    tab.wait_bubbles(&[
        ("friend", "Are you there?"),
        ("friend", "Are you there?"),
        ("agent", "Here I am."),
    ]);
}

#[test]
fn a_message_that_is_refused_stays_and_can_be_sent_again_or_deleted() {
    let harness = Harness::start();
    let (browser, tab) = Browser::joined(&harness, "john");
    browser.provoke("status of 413");
    let mut devtools = tab.attach();
    devtools.command("Fetch.enable", &json!({ "patterns": [{ "urlPattern": "*/api/chat" }] }));
    let mut refuse = || {
        let request = devtools.event("Fetch.requestPaused")["requestId"].take();
        devtools.command(
            "Fetch.fulfillRequest",
            &json!({ "requestId": request, "responseCode": 413 }),
        );
    };
    for text in ["one", "two"] {
        tab.send(text);
        refuse();
        tab.wait("document.querySelector('.entry:last-child[data-state=unsent]') !== null");
    }
    assert_eq!(tab.bubbles()[1].note, "Not sent. It is too long.");
    tab.reload();
    tab.wait_online();
    assert_eq!(tab.bubbles().len(), 2, "both are still there");

    tab.click(".entry:first-child .link:last-child");
    tab.wait("document.querySelectorAll('.entry').length === 1");
    tab.reload();
    tab.wait_online();
    assert_eq!(tab.bubbles().len(), 1, "what was deleted is gone");
    devtools.command("Fetch.disable", &json!({}));
    tab.click(".entry .link");
    tab.wait_bubbles(&[("friend", "two"), ("agent", "You said: two")]);
}

#[test]
fn the_limit_is_shown_before_it_is_met_and_is_the_servers() {
    let harness = Harness::start();
    let (_browser, tab) = Browser::joined(&harness, "john");
    paste(&tab, BODY_BYTES / 2);
    assert_eq!(tab.text("#limit"), "");
    paste(&tab, BODY_BYTES - 1_000);
    let left = said_number(&tab);
    assert!(
        tab.text("#limit").ends_with("characters left"),
        "{}",
        tab.text("#limit")
    );
    let longest = BODY_BYTES - 1_000 + left;

    paste(&tab, longest + 3);
    let limit = tab.text("#limit");
    assert!(limit.starts_with("Too long by 3 characters."), "{limit}");
    assert_eq!(tab.value("document.querySelector('#send').disabled"), true);
    tab.press("#message", ENTER);
    assert_eq!(
        tab.value("document.querySelector('#message').value.length"),
        longest + 3
    );
    assert!(tab.bubbles().is_empty());

    paste(&tab, longest);
    assert_eq!(said_number(&tab), 0);
    tab.press("#message", ENTER);
    let text = "a".repeat(usize::try_from(longest).unwrap());
    tab.wait_bubbles(&[("friend", &text), ("agent", &format!("You said: {text}"))]);
}
