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
use friends_chat_tests::{Data, Gates, Harness};

#[test]
fn a_revoked_friend_is_told_at_once() {
    let harness = Harness::start();
    let browser = Browser::open(&harness);
    let tab = browser.tab();
    tab.join(&harness.invite("john"));
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
    let browser = Browser::open(&harness);
    let tab = browser.tab();
    tab.join(&harness.invite("john"));
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
    let browser = Browser::open(&harness);
    browser.provoke("net::ERR_");
    let tab = browser.tab();
    tab.join(&harness.invite("john"));
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

#[test]
fn an_upgrade_under_an_open_page_goes_unnoticed() {
    let (data, gates) = (Data::new(), Gates::new());
    let mut gate = gates.close("john");
    let plugin = data.path().join("plugin.wasm");
    fs::write(&plugin, host_harness::DEFAULT_PLUGIN).unwrap();
    let harness = data.serve(&["--plugin", plugin.to_str().unwrap(), "--agent", &gates.agent()]);
    let browser = Browser::open(&harness);
    let tab = browser.tab();
    tab.join(&harness.invite("john"));
    tab.run(
        "window.links = [];
         new MutationObserver(() => { window.links.push(document.querySelector('#presence').dataset.link); })
             .observe(document.querySelector('#presence'), { attributes: true });",
        &[],
    );
    tab.send("Hello");
    tab.wait("document.querySelector('.entry.agent.live') !== null");

    let report = harness.owner(&["reload"]).success();
    assert!(report.contains("was replaced by"), "{report}");
    gate.let_one_through();

    tab.wait_bubbles(&[("friend", "Hello"), ("agent", "You said: Hello")]);
    let strange = "window.links.filter((link) => link !== 'online').length";
    assert_eq!(tab.value(strange), 0, "the connection was never gone");
    let requested = browser.requested();
    let streams = requested.iter().filter(|url| url.contains("/api/stream")).count();
    assert_eq!(streams, 1, "one stream throughout");
}
