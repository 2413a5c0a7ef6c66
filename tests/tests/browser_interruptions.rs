//! What happens under an open page: access ends, the harness ends and comes back. Observed in a browser that is left
//! open meanwhile.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::fs;

use friends_chat_tests::browser::{Browser, ENTER};
use friends_chat_tests::{Data, Harness, Script};
use serde_json::json;

#[test]
fn a_revoked_friend_is_told_at_once() {
    let harness = Harness::start();
    let (_browser, tab) = Browser::joined(&harness, "john");
    tab.send("Hello");
    tab.wait_bubbles(&[("friend", "Hello"), ("agent", "You said: Hello")]);

    harness.owner(&["revoke", "john"]).success();

    tab.wait_visible("#signin");
    let notice = tab.text("#notice");
    assert!(notice.starts_with("Your access to this chat was ended."), "{notice}");
    assert!(tab.bubbles().is_empty(), "nothing of the conversation stays behind");
    tab.reload();
    tab.wait_visible("#signin");
}

#[test]
fn a_friend_who_is_invited_again_is_told_and_comes_back() {
    let harness = Harness::start();
    let (_browser, tab) = Browser::joined(&harness, "john");
    tab.send("Hello");
    let said = [("friend", "Hello"), ("agent", "You said: Hello")];
    tab.wait_bubbles(&said);

    let invite = friends_chat_tests::Invite::parse(&harness.owner(&["reinvite", "john"]).success());

    tab.wait_visible("#signin");
    let notice = tab.text("#notice");
    assert!(notice.starts_with("You have been given a new invite"), "{notice}");
    tab.press("#code", &invite.code);
    tab.press("#code", ENTER);
    tab.wait_online();
    tab.wait_bubbles(&said);
}

#[test]
fn a_page_outlives_the_harness_and_loses_no_word() {
    let harness = Harness::start();
    let port = harness.address().port();
    let (browser, tab) = Browser::joined(&harness, "john");
    browser.provoke("net::ERR_");
    tab.send("before");
    tab.wait_bubbles(&[("friend", "before"), ("agent", "You said: before")]);

    let data = harness.stop();
    tab.wait("document.querySelector('#presence').dataset.link !== 'online'");
    tab.send("meanwhile");
    tab.wait("document.querySelector('.entry:last-child .state')?.innerText === 'Waiting for connection…'");

    let _harness = Harness::start_on(&data, port, &[]);
    tab.wait_online();
    let both = [
        ("friend", "before"),
        ("agent", "You said: before"),
        ("friend", "meanwhile"),
        ("agent", "You said: meanwhile"),
    ];
    tab.wait_bubbles(&both);
    tab.send("after");
    let all = [&both[..], &[("friend", "after"), ("agent", "You said: after")]].concat();
    tab.wait_bubbles(&all);
}

/// An agent that says one word, and the rest when it is let through the gate `rest`.
const IN_TWO_PIECES: &str = r#"printf '{"delta":"One, "}\n'
    read -r _ < "${0%/*}/rest" || exit 1
    printf '{"delta":"two."}\n'"#;

/// Keeps what an answer on its way has shown, and how the page was connected meanwhile.
const WATCH: &str = "window.shown = [];
    window.links = [];
    new MutationObserver(() => {
        const text = document.querySelector('.entry.agent .body')?.textContent;
        if (text !== window.shown.at(-1)) window.shown.push(text);
    }).observe(document.querySelector('#entries'), { childList: true, subtree: true, characterData: true });
    new MutationObserver(() => { window.links.push(document.querySelector('#presence').dataset.link); })
        .observe(document.querySelector('#presence'), { attributes: true });";

const SO_FAR: &str = "document.querySelector('.entry.agent.live .verbatim')?.textContent === 'One, '";

#[test]
fn an_upgrade_in_the_middle_of_an_answer_goes_unnoticed() {
    let script = Script::new(IN_TWO_PIECES);
    let mut rest = script.gate("rest");
    let data = Data::new();
    let plugin = data.path().join("plugin.wasm");
    fs::write(&plugin, host_harness::DEFAULT_PLUGIN).unwrap();
    let harness = data.serve(&["--plugin", plugin.to_str().unwrap(), "--agent", &script.agent()]);
    let (browser, tab) = Browser::joined(&harness, "john");
    tab.send("Count!");
    tab.wait(SO_FAR);
    tab.run(WATCH, &[]);

    let report = harness.owner(&["reload"]).success();
    assert!(report.contains("was replaced by"), "{report}");
    // The agent is asked anew; its first program may wait there too.
    rest.let_one_through();
    rest.let_one_through();

    tab.wait_bubbles(&[("friend", "Count!"), ("agent", "One, two.")]);
    let shown = tab.value("window.shown.filter((text) => !text.startsWith('One, '))");
    assert_eq!(shown, json!([]), "what was there stayed");
    let strange = tab.value("window.links.filter((link) => link !== 'online')");
    assert_eq!(strange, json!([]), "the connection was never gone");
    let requested = browser.requested();
    let streams = requested.iter().filter(|url| url.contains("/api/stream")).count();
    assert_eq!(streams, 1, "one stream throughout");
    tab.send("Again!");
    rest.let_one_through();
    tab.wait("document.querySelectorAll('.entry.agent:not(.live)').length === 2");
}

#[test]
fn an_answer_that_a_killed_harness_had_begun_comes_once_and_whole() {
    let script = Script::new(IN_TWO_PIECES);
    let mut rest = script.gate("rest");
    let harness = Data::new().serve(&["--agent", &script.agent()]);
    let port = harness.address().port();
    let (browser, tab) = Browser::joined(&harness, "john");
    browser.provoke("net::ERR_");
    tab.send("Count!");
    tab.wait(SO_FAR);
    tab.run(WATCH, &[]);

    let data = harness.kill();
    tab.wait("document.querySelector('#presence').dataset.link !== 'online'");
    let _harness = Harness::start_on(&data, port, &["--agent", &script.agent()]);
    tab.wait_online();
    // The program of the killed harness may wait there too.
    rest.let_one_through();
    rest.let_one_through();
    tab.wait_bubbles(&[("friend", "Count!"), ("agent", "One, two.")]);
    let strange = tab.value("window.shown.filter((text) => !'One, two.'.startsWith(text.trimEnd()))");
    assert_eq!(strange, json!([]), "nothing twice, on the way either");
    tab.reload();
    tab.wait_online();
    tab.wait_bubbles(&[("friend", "Count!"), ("agent", "One, two.")]);
}
