//! The page in everybody's hands: a keyboard alone, a phone with a notch, eyes that bear no motion. Observed in a browser
//! that is told to be one of these. What axe-core has to say is in `browser_views`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::browser::{Browser, ENTER, Tab};
use friends_chat_tests::{Data, Gates, Harness};
use serde_json::json;

/// Keys as WebDriver names them.
const TAB: &str = "\u{e004}";
const ESCAPE: &str = "\u{e00c}";

/// Fingers need this much, in CSS pixels.
const FINGER_PX: f64 = 44.0;

/// What the keyboard is at.
fn focus(tab: &Tab) -> String {
    let focus = "(({ id, className, localName }) => id || className || localName)(document.activeElement)";
    tab.value(focus).as_str().unwrap().to_owned()
}

/// Presses a key wherever the keyboard is.
fn press(tab: &Tab, key: &str) {
    tab.press(":focus", key);
}

#[test]
fn everything_is_reached_and_left_by_keyboard() {
    let harness = Harness::start();
    let browser = Browser::open(&harness);
    let tab = browser.tab();
    let invite = harness.invite("john");
    tab.go("/");
    tab.wait_visible("#signin");
    tab.press("body", TAB);
    assert_eq!(focus(&tab), "code");
    press(&tab, &format!("{}{ENTER}", invite.code));
    tab.wait_online();
    tab.press("body", TAB);
    while focus(&tab) != "message" {
        press(&tab, TAB);
    }
    press(&tab, &format!("Hello{ENTER}"));
    tab.wait_bubbles(&[("friend", "Hello"), ("agent", "You said: Hello")]);
    press(&tab, "draft");

    // Round the page from where one writes, whatever stands between.
    let mut round = Vec::new();
    while round.last().is_none_or(|last| last != "message") {
        press(&tab, TAB);
        if focus(&tab) == "body" {
            // Past the end, where a browser's own buttons are.
            tab.press("body", TAB);
        }
        let here = focus(&tab);
        let ring = "(({ outlineStyle, outlineColor }) => outlineStyle !== 'none' && !outlineColor.endsWith(', 0)'))
            (getComputedStyle(document.activeElement))";
        assert_eq!(tab.value(ring), true, "{here} shows that it has the keyboard");
        round.push(here);
        assert!(round.len() < 20, "{round:?}");
    }
    assert_eq!(round, ["send", "menu-button", "log", "message"]);

    for (entry, dialog) in [
        ("menu-settings", "settings-dialog"),
        ("menu-device", "device-dialog"),
        ("menu-notify", "notify-dialog"),
        ("menu-notes", "notes-dialog"),
        ("menu-signout", "signout-dialog"),
    ] {
        tab.press("#menu-button", ENTER);
        tab.wait("!document.querySelector('#menu').hidden");
        while focus(&tab) != entry {
            press(&tab, TAB);
        }
        press(&tab, ENTER);
        tab.wait(&format!("document.querySelector('#{dialog}').open"));
        assert_eq!(
            tab.value(&format!("document.activeElement.closest('dialog')?.id === '{dialog}'")),
            true
        );
        press(&tab, ESCAPE);
        tab.wait(&format!("!document.querySelector('#{dialog}').open"));
        assert_eq!(focus(&tab), "menu-button", "after {dialog}");
    }
    press(&tab, ENTER);
    press(&tab, ESCAPE);
    assert_eq!(tab.value("document.querySelector('#menu').hidden"), true);
    assert_eq!(focus(&tab), "menu-button");
}

#[test]
fn nothing_moves_for_those_who_want_it_so() {
    let gates = Gates::new();
    let _gate = gates.close("john");
    let harness = Data::new().serve(&["--agent", &gates.agent()]);
    let (_browser, tab) = Browser::joined(&harness, "john");
    tab.send("Hello");
    tab.wait("document.querySelector('.entry.agent.live .dots') !== null");
    let moving = "document.getAnimations().length > 0";
    assert_eq!(tab.value(moving), true);
    let reduced = json!({ "features": [{ "name": "prefers-reduced-motion", "value": "reduce" }] });
    tab.devtools("Emulation.setEmulatedMedia", &reduced);
    assert_eq!(tab.value(moving), false);
    assert_eq!(tab.value("document.querySelector('.dots').checkVisibility()"), true);
}

/// What on the page is too small for a finger, or makes an iPhone zoom in when it is written in.
const TOO_SMALL: &str = "return Array.from(document.querySelectorAll('button, input, select, textarea'))
    .filter((element) => element.checkVisibility())
    .filter((element) => {
        const { width, height } = element.getBoundingClientRect();
        const isText = element.localName !== 'button';
        return width < arguments[0] || height < arguments[0] || (isText && parseFloat(getComputedStyle(element).fontSize) < 16);
    }).map(({ id, className, localName }) => id || className || localName);";

#[test]
fn everything_is_large_enough_for_a_finger() {
    let harness = Harness::start();
    let browser = Browser::open(&harness);
    let tab = browser.tab();
    let check = |what: &str| {
        tab.resize(390, 844);
        assert_eq!(tab.run(TOO_SMALL, &[FINGER_PX.into()]), json!([]), "{what}");
    };
    tab.go("/");
    tab.wait_visible("#signin");
    check("sign-in");
    tab.join(&harness.invite("john"));
    tab.send("```\ncode\n```");
    tab.wait("document.querySelector('.entry.agent:not(.live)') !== null");
    harness.nudge("john", "```\ncode\n```");
    tab.wait("document.querySelector('.copy') !== null");
    check("chat");
    for dialog in ["settings", "device", "notify", "notes", "signout"] {
        tab.click("#menu-button");
        check("menu");
        tab.click(&format!("#menu-{dialog}"));
        tab.wait(&format!("document.querySelector('#{dialog}-dialog').open"));
        check(dialog);
        tab.run("document.querySelector('dialog[open]').close();", &[]);
    }
}

#[test]
fn a_phone_keeps_its_edges_for_itself() {
    let harness = Harness::start();
    let (_browser, tab) = Browser::joined(&harness, "john");
    tab.resize(390, 844);
    let edge = |selector: &str, side: &str| {
        let script = format!("document.querySelector('{selector}').getBoundingClientRect().{side}");
        tab.value(&script).as_f64().unwrap()
    };
    assert!(edge("#composer", "bottom") <= 844.0 && edge("#composer", "bottom") > 840.0);
    let insets =
        json!({ "insets": { "top": 47, "topMax": 47, "bottom": 34, "bottomMax": 34, "left": 20, "right": 20 } });
    tab.devtools("Emulation.setSafeAreaInsetsOverride", &insets);
    assert!(edge("#agent-name", "top") >= 47.0);
    assert!(edge("#message", "bottom") <= 844.0 - 34.0);
    assert!(edge("#message", "left") >= 20.0 && edge("#send", "right") <= 390.0 - 20.0);
    // With the keyboard of the phone the page is lower, and the field still in sight.
    tab.resize(390, 400);
    assert!(edge("#message", "bottom") <= 400.0);
    assert_eq!(tab.value("document.documentElement.scrollHeight <= innerHeight"), true);
}

#[test]
fn a_friend_chooses_what_to_be_called() {
    let harness = Harness::start();
    let (browser, tab) = Browser::joined(&harness, "john");
    let other = browser.tab();
    other.go("/chat");
    other.wait_online();
    let open = || {
        tab.click("#menu-button");
        tab.click("#menu-settings");
        tab.wait("document.querySelector('#settings-dialog').open");
        tab.run("document.querySelector('#nickname').select();", &[]);
    };
    open();
    assert_eq!(tab.value("document.querySelector('#nickname').value"), "john");
    tab.press("#nickname", &format!("Johnny{ENTER}"));
    tab.wait("!document.querySelector('#settings-dialog').open");
    for tab in [&tab, &other] {
        tab.wait("document.querySelector('#my-name').textContent === 'Johnny'");
    }
    let list = harness.owner(&["list"]).success();
    assert!(list.contains("Johnny"), "{list}");

    open();
    browser.provoke("status of 400");
    tab.press("#nickname", &format!(" {ENTER}"));
    tab.wait_visible("#settings-error");
    assert_eq!(tab.text("#settings-error"), "A nickname has 1 to 64 characters.");
    tab.click("#settings-form [data-close]");
    assert_eq!(tab.value("document.querySelector('#my-name').textContent"), "Johnny");
}
