//! A conversation as a friend has it: sending, the answer as it comes, stopping it, reloading, a second tab. Observed
//! in a browser, with agents that speak when the test lets them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::browser::{Browser, ENTER, LINE_BREAK};
use friends_chat_tests::{Data, Harness, Script};

/// Keeps every text that an answer on its way has shown.
const WATCH_ANSWER: &str = "window.shown = [];
    new MutationObserver(() => {
        const text = document.querySelector('.entry.agent .verbatim')?.textContent;
        if (text && text !== window.shown.at(-1)) window.shown.push(text);
    }).observe(document.querySelector('#entries'), { childList: true, subtree: true, characterData: true });";

/// An agent that says one word, and the rest when it is let through the gate `rest`.
const IN_TWO_PIECES: &str = r#"printf '{"delta":"One, "}\n'
    read -r _ < "${0%/*}/rest" || exit 1
    printf '{"delta":"two."}\n'"#;

/// The condition that an answer on its way says this so far.
fn says_so_far(text: &str) -> String {
    format!("document.querySelector('.entry.agent.live .verbatim')?.textContent === {text:?}")
}

#[test]
fn an_answer_appears_in_pieces_and_ends_as_one_bubble() {
    let script = Script::new(
        r#"printf '{"delta":"One, "}\n'
        read -r _ < "${0%/*}/second"
        printf '{"delta":"two, "}\n'
        read -r _ < "${0%/*}/third"
        printf '{"delta":"**three**."}\n'"#,
    );
    let (mut second, mut third) = (script.gate("second"), script.gate("third"));
    let harness = Data::new().serve(&["--agent", &script.agent()]);
    let (_browser, tab) = Browser::joined(&harness, "john");
    tab.run(WATCH_ANSWER, &[]);

    tab.press("#message", "Count!");
    tab.press("#message", ENTER);
    tab.wait(&says_so_far("One, "));
    assert_eq!(tab.text("#presence"), "writing…");
    second.let_one_through();
    tab.wait(&says_so_far("One, two, "));
    third.let_one_through();

    tab.wait_bubbles(&[("friend", "Count!"), ("agent", "One, two, three.")]);
    assert_eq!(tab.text(".entry.agent .body strong"), "three");
    assert_eq!(tab.text("#presence"), "online");
    assert_eq!(tab.value("document.querySelector('#message').value"), "");
    let shown = tab.value("window.shown");
    let shown: Vec<&str> = shown
        .as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap())
        .collect();
    assert!(shown.len() >= 2, "{shown:?}");
    for (earlier, later) in shown.iter().zip(&shown[1..]) {
        assert!(later.starts_with(earlier), "what was shown stays: {shown:?}");
    }
}

#[test]
fn shift_and_enter_break_the_line() {
    let harness = Harness::start();
    let (_browser, tab) = Browser::joined(&harness, "john");

    tab.press("#message", &format!("first{LINE_BREAK}second"));
    assert_eq!(tab.value("document.querySelector('#message').value"), "first\nsecond");
    assert!(tab.bubbles().is_empty());
    tab.press("#message", ENTER);

    tab.wait_bubbles(&[("friend", "first\nsecond"), ("agent", "You said: first\nsecond")]);
}

#[test]
fn a_reload_keeps_the_conversation_and_the_draft_and_shows_nothing_twice() {
    let harness = Harness::start();
    let (_browser, tab) = Browser::joined(&harness, "john");
    tab.send("one");
    tab.wait_bubbles(&[("friend", "one"), ("agent", "You said: one")]);
    tab.press("#message", "tw");

    tab.reload();
    tab.wait_online();
    tab.wait_bubbles(&[("friend", "one"), ("agent", "You said: one")]);
    assert_eq!(tab.value("document.querySelector('#message').value"), "tw");

    // Whatever else the stream had to say has come when this is answered.
    tab.press("#message", "o");
    tab.press("#message", ENTER);
    tab.wait_bubbles(&[
        ("friend", "one"),
        ("agent", "You said: one"),
        ("friend", "two"),
        ("agent", "You said: two"),
    ]);
}

#[test]
fn a_reload_in_the_middle_of_an_answer_misses_nothing_of_it() {
    let script = Script::new(IN_TWO_PIECES);
    let mut rest = script.gate("rest");
    let harness = Data::new().serve(&["--agent", &script.agent()]);
    let (_browser, tab) = Browser::joined(&harness, "john");
    tab.send("Count!");
    tab.wait(&says_so_far("One, "));

    tab.reload();
    tab.wait(&says_so_far("One, "));
    assert_eq!(tab.bubbles().len(), 2, "{:#?}", tab.bubbles());
    rest.let_one_through();

    tab.wait_bubbles(&[("friend", "Count!"), ("agent", "One, two.")]);
}

#[test]
fn a_stopped_answer_keeps_what_was_said() {
    let script = Script::new(IN_TWO_PIECES);
    let _rest = script.gate("rest");
    let harness = Data::new().serve(&["--agent", &script.agent()]);
    let (_browser, tab) = Browser::joined(&harness, "john");
    let is_stop_shown = "document.querySelector('#stop').checkVisibility()";
    assert_eq!(tab.value(is_stop_shown), false);
    tab.send("Count!");
    tab.wait(&says_so_far("One, "));

    tab.click("#stop");

    let stopped = [("friend", "Count!"), ("agent", "One,")];
    tab.wait_bubbles(&stopped);
    assert_eq!(tab.bubbles()[0].note, "Stopped");
    assert_eq!(tab.value(is_stop_shown), false);
    tab.reload();
    tab.wait_online();
    tab.wait_bubbles(&stopped);
    assert_eq!(tab.bubbles()[0].note, "Stopped");
}

#[test]
fn two_tabs_show_the_same_once() {
    let harness = Harness::start();
    let (browser, left) = Browser::joined(&harness, "john");
    let right = browser.tab();
    right.go("/chat");
    right.wait_online();

    left.send("from the left");
    let first = [("friend", "from the left"), ("agent", "You said: from the left")];
    left.wait_bubbles(&first);
    right.wait_bubbles(&first);

    right.send("from the right");
    let both = [
        first[0],
        first[1],
        ("friend", "from the right"),
        ("agent", "You said: from the right"),
    ];
    left.wait_bubbles(&both);
    right.wait_bubbles(&both);
}
