//! Writing: with an input method, as most of Asia does, and with or without a mouse. Observed in the message field.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::Harness;
use friends_chat_tests::browser::{Browser, ENTER, Tab};
use serde_json::json;

/// The Tab key.
const TAB: &str = "\u{e004}";

/// Composes a text, without choosing it yet.
fn compose(tab: &Tab, text: &str) {
    tab.click("#message");
    let at = text.chars().count();
    let composition = json!({ "text": text, "selectionStart": at, "selectionEnd": at });
    tab.devtools("Input.imeSetComposition", &composition);
    tab.wait(&format!("document.querySelector('#message').value === {text:?}"));
}

/// Enter, as a browser tells the page about it with this key code.
fn press_enter(tab: &Tab, key_code: u32) {
    let key = json!({ "type": "rawKeyDown", "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": key_code });
    tab.devtools("Input.dispatchKeyEvent", &key);
}

#[test]
fn enter_chooses_a_word_and_sends_nothing() {
    let harness = Harness::start();
    let (_browser, tab) = Browser::joined(&harness, "yuki");
    tab.run(
        "window.composing = [];
         document.querySelector('#message').addEventListener('keydown', (event) => {
             window.composing.push(`${event.key} ${event.isComposing} ${event.keyCode}`);
         });",
        &[],
    );

    compose(&tab, "こんにちは");
    press_enter(&tab, 13);
    tab.wait("window.composing.length === 1");
    assert_eq!(tab.value("window.composing[0]"), "Enter true 13");
    tab.devtools("Input.insertText", &json!({ "text": "こんにちは" }));
    // Safari tells of the end of composing before it tells of the key that ended it.
    press_enter(&tab, 229);
    tab.wait("window.composing.length === 2");
    assert_eq!(tab.value("window.composing[1]"), "Enter false 229");
    assert_eq!(tab.value("document.querySelector('#message').value"), "こんにちは");
    assert!(tab.bubbles().is_empty());

    tab.press("#message", ENTER);
    tab.wait_bubbles(&[("friend", "こんにちは"), ("agent", "You said: こんにちは")]);
}

#[test]
fn the_ring_around_the_field_is_for_those_who_came_by_keyboard() {
    let harness = Harness::start();
    let (_browser, tab) = Browser::joined(&harness, "john");
    let has_ring = "(({ outlineStyle, outlineColor }) => outlineStyle === 'solid' && !outlineColor.endsWith(', 0)'))
        (getComputedStyle(document.querySelector('#message')))";
    tab.click("#message");
    assert_eq!(
        tab.value("document.activeElement.matches('#message:focus-visible')"),
        true
    );
    assert_eq!(tab.value(has_ring), false, "clicked");
    tab.press("#log", TAB);
    tab.wait("document.activeElement.id === 'message'");
    assert_eq!(tab.value(has_ring), true, "reached with Tab");
}

#[test]
fn a_long_draft_leaves_the_conversation_where_it_is() {
    let harness = Harness::start();
    let (_browser, tab) = Browser::joined(&harness, "john");
    tab.send(&"line\n".repeat(60));
    tab.wait("document.querySelector('.entry.agent:not(.live)') !== null");
    tab.click("#message");
    tab.devtools("Input.insertText", &json!({ "text": "draft\n".repeat(8) }));
    let is_at_end = "(({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight < 2)
        (document.querySelector('#log'))";
    tab.wait(is_at_end);
    tab.press("#message", "more");
    tab.run(
        "return new Promise((resolve) => { requestAnimationFrame(() => { setTimeout(resolve); }); });",
        &[],
    );
    assert_eq!(tab.value(is_at_end), true);
    assert_eq!(tab.value("document.querySelector('#pill').checkVisibility()"), false);
}
