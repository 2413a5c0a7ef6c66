//! Each view of the page is usable by everyone: axe-core finds nothing in it, on a phone and a desk, light and dark,
//! in either direction of writing.
//! With `SCREENSHOTS=directory` a picture of each is put there, which is what `make screenshots` does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod eyes;

use std::fs;

use eyes::Eyes;
use friends_chat_tests::browser::{Browser, ENTER};
use friends_chat_tests::{Data, Invite, Script};
use serde_json::json;

/// The key that deletes what is selected.
const BACKSPACE: &str = "\u{e003}";

/// What a friend and an agent may say to each other, with everything that can be rendered.
const AGENT: &str = r####"case "$message" in
    *bake*) printf '{"delta":"## Bread\\n\\nMix, **wait**, bake:\\n\\n1. 500 g of flour\\n2. salt\\n\\n| step | minutes |\\n|---|---|\\n| knead | 10 |\\n| bake | 40 |\\n\\n> Patience is the yeast.\\n\\n`oven 230` or so:\\n\\n```\\npreheat --to 230 --then bake --for 40min --and let it rest on a rack before you cut it\\n```\\n\\nMore at [the baker](https://example.com/)."}\n' ;;
    *) exit 1 ;;
esac"####;

#[test]
fn everyone_can_come_in() {
    let script = Script::new(AGENT);
    let data = Data::new().with_config("channels.friends.join = 'click'");
    let harness = data.serve(&["--agent", &script.agent()]);
    let invite = Invite::parse(&harness.owner(&["invite", "anna", "--nickname", "Anna"]).success());
    let browser = Browser::open(&harness);
    browser.provoke("net::ERR_");
    browser.provoke("status of 401");
    let tab = browser.tab();
    let eyes = Eyes::of(&tab, &eyes::language());

    eyes.without_network(|| {
        tab.wait("document.querySelector('#starting-text').textContent !== ''");
        eyes.look("starting");
    });
    tab.wait_visible("#signin");
    eyes.look("sign-in");
    tab.press("#code", "ABCD-EFGH-JKMN");
    tab.press("#code", ENTER);
    tab.wait_visible("#code-error");
    eyes.look("sign-in-wrong");
    tab.go(&invite.target());
    tab.wait_visible("#join");
    eyes.look("join");
}

#[test]
fn everyone_can_chat() {
    look_at_chat(&eyes::language());
}

#[test]
fn everyone_can_chat_from_right_to_left() {
    look_at_chat("ar");
}

fn look_at_chat(language: &str) {
    let script = Script::new(AGENT);
    let data = Data::new();
    let harness = data.serve(&["--agent", &script.agent()]);
    let invite = harness.invite("anna");
    let browser = Browser::open(&harness);
    let tab = browser.tab();
    let eyes = Eyes::of(&tab, language);

    tab.join(&invite);
    tab.wait_visible("#empty");
    eyes.look("empty");
    tab.send("Hi! How do I bake bread?");
    tab.wait("document.querySelector('.entry.agent .code') !== null");
    harness
        .owner(&["nudge", "anna", "Dinner at **eight**?", "--priority", "high"])
        .success();
    tab.wait("document.querySelector('.entry.nudge') !== null");
    eyes.look("chat");
    tab.send("And cake?");
    tab.wait("document.querySelector('.entry[data-state=failed]') !== null");
    eyes.look("failed");

    for (view, length) in [("near-limit", 65_000), ("over-limit", 66_000)] {
        tab.run("document.querySelector('#message').select();", &[]);
        let text = "word ".repeat(length / 5);
        tab.devtools("Input.insertText", &json!({ "text": text }));
        tab.wait(&format!(
            "document.querySelector('#limit').classList.contains('over') === {}",
            length > 65_536
        ));
        tab.wait_visible("#limit");
        eyes.look(view);
    }
    tab.run("document.querySelector('#message').select();", &[]);
    tab.press("#message", BACKSPACE);

    let notes = "## anna\n\n### Noted by the agent\n\n- Bakes on Sundays.\n- Her sister is called Bea.\n";
    fs::write(data.path().join("FRIENDS.md"), notes).unwrap();
    tab.click("#menu-button");
    tab.wait_visible("#menu");
    eyes.look("menu");
    for dialog in ["settings", "device", "notify", "notes", "signout"] {
        tab.run(
            "document.querySelector('#menu').hidden || document.querySelector('#menu-button').click();",
            &[],
        );
        tab.click("#menu-button");
        tab.click(&format!("#menu-{dialog}"));
        tab.wait_visible(&format!("#{dialog}-dialog"));
        tab.wait("!document.querySelector('#device-dialog').open || document.querySelector('#device-code').textContent !== ''");
        tab.wait("!document.querySelector('#notes-dialog').open || document.querySelector('#notes li') !== null");
        eyes.look(dialog);
        tab.run("document.querySelector('dialog[open]').close();", &[]);
    }
    // A link that is spent, opened by somebody who is signed in already.
    let other = harness.invite("bert");
    harness.owner(&["revoke", "bert"]).success();
    tab.go(&other.target());
    tab.wait_online();
    tab.wait_visible("#banner");
    eyes.look("banner");
}
