//! Networks as friends have them: one that goes away, a proxy that holds everything back, a name without TLS. Observed
//! in a browser on each of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::browser::{Browser, Tab};
use friends_chat_tests::{Data, Harness, Invite, Proxy, Script, free_port};
use serde_json::json;

/// Takes the network away from a tab, or gives it back.
fn set_offline(tab: &Tab, is_offline: bool) {
    let conditions = json!({ "offline": is_offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
    tab.devtools("Network.emulateNetworkConditions", &conditions);
}

#[test]
fn what_is_written_and_what_is_said_without_network_arrives_when_it_is_back() {
    let harness = Harness::start();
    let (browser, tab) = Browser::joined(&harness, "john");
    browser.provoke("net::ERR_");
    tab.send("before");
    tab.wait_bubbles(&[("friend", "before"), ("agent", "You said: before")]);

    set_offline(&tab, true);
    tab.wait("document.querySelector('#presence').dataset.link === 'offline'");
    tab.send("first");
    tab.send("second");
    harness.nudge("john", "meanwhile");
    let waiting = "Array.from(document.querySelectorAll('.entry .state'), (state) => state.innerText)
        .join() === 'Waiting for connection…,Waiting for connection…'";
    tab.wait(waiting);

    set_offline(&tab, false);
    tab.wait_online();
    let all = [
        ("friend", "before"),
        ("agent", "You said: before"),
        ("nudge", "meanwhile"),
        ("friend", "first"),
        ("friend", "second"),
        ("agent", "You said: first"),
        ("agent", "You said: second"),
    ];
    tab.wait("document.querySelectorAll('.entry.agent:not(.live)').length === 3");
    let (mut shown, mut wanted) = (said(&tab), all.map(|(role, text)| (role.to_owned(), text.to_owned())));
    // Whether the first answer is there before the second message is a matter of speed.
    shown.sort();
    wanted.sort();
    assert_eq!(shown, wanted, "each once");
}

/// The conversation as role and text.
fn said(tab: &Tab) -> Vec<(String, String)> {
    tab.bubbles()
        .into_iter()
        .map(|bubble| (bubble.role, bubble.text))
        .collect()
}

#[test]
fn where_a_proxy_holds_the_stream_back_everything_still_comes() {
    let proxy = Proxy::holding();
    let harness = Harness::start_on(&Data::new(), proxy.upstream(), &["--base-url", &proxy.url()]);
    let browser = Browser::open_at(&proxy.url());
    let tab = browser.tab();
    tab.go(&harness.invite("john").target());
    tab.wait_online();
    tab.send("Hello");
    let answered = [("friend", "Hello"), ("agent", "You said: Hello")];
    tab.wait_bubbles(&answered);
    harness.nudge("john", "By the way");
    tab.wait_bubbles(&[answered[0], answered[1], ("nudge", "By the way")]);
    assert!(browser.requested().iter().any(|url| url.contains("/api/stream")));
}

#[test]
fn a_name_without_tls_is_good_enough() {
    let script = Script::new(r#"printf '{"delta":"```\\nbake --for 40min\\n```"}\n'"#);
    let port = free_port();
    let origin = format!("http://chat.test:{port}");
    let harness = Harness::start_on(&Data::new(), port, &["--base-url", &origin, "--agent", &script.agent()]);
    let invite: Invite = harness.invite("john");
    let browser = Browser::open_at(&origin);
    // Chromium would have this header sent with TLS only.
    browser.provoke("Cross-Origin-Opener-Policy header has been ignored");
    let (tab, other) = (browser.tab(), browser.tab());
    tab.join(&invite);
    assert_eq!(tab.value("isSecureContext"), false, "otherwise nothing is shown here");
    assert_eq!(tab.value("navigator.locks === undefined"), true);
    other.go("/chat");
    other.wait_online();

    tab.send("How?");
    for tab in [&tab, &other] {
        tab.wait("document.querySelector('.entry.agent .code .copy') !== null");
    }
    tab.click(".copy");
    tab.wait("document.querySelector('.copy').textContent === 'Copied'");
    tab.click("#message");
    let paste = json!({ "type": "keyDown", "key": "v", "code": "KeyV", "modifiers": 2, "commands": ["paste"] });
    tab.devtools("Input.dispatchKeyEvent", &paste);
    tab.wait("document.querySelector('#message').value.trim() === 'bake --for 40min'");
}
