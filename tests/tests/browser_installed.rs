//! The chat as something that is installed: it is offered for that, opens without a network, and keeps nothing of who
//! has left. Observed in a browser whose harness ends and comes back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::browser::{Browser, Tab};
use friends_chat_tests::{Data, Harness};
use serde_json::{Value, json};

/// Waits until the page's worker would serve it.
fn wait_worker(tab: &Tab) {
    tab.wait("navigator.serviceWorker.controller?.state === 'activated'");
}

/// The addresses that the browser keeps a response for.
fn kept(tab: &Tab) -> Vec<String> {
    let list = "return (async () => {
        const addresses = [];
        for (const name of await caches.keys())
            for (const { url } of await (await caches.open(name)).keys()) addresses.push(url);
        return addresses;
    })()";
    let list = tab.run(list, &[]);
    let text = |address: &Value| address.as_str().unwrap().to_owned();
    list.as_array().unwrap().iter().map(text).collect()
}

#[test]
fn a_browser_offers_to_install_it_under_the_agents_name() {
    let harness = Data::new().with_config("agent.name = 'Ada \"A\"'").serve(&[]);
    let (_browser, tab) = Browser::joined(&harness, "john");
    wait_worker(&tab);

    let errors = tab.devtools("Page.getInstallabilityErrors", &json!({}));
    assert_eq!(errors["installabilityErrors"], json!([]));
    let manifest = tab.devtools("Page.getAppManifest", &json!({}));
    assert_eq!(manifest["errors"], json!([]));
    let manifest: Value = serde_json::from_str(manifest["data"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&manifest["name"], &manifest["short_name"]),
        (&json!("Ada \"A\" · Friends Chat"), &json!("Ada \"A\""))
    );
}

#[test]
fn without_the_harness_the_chat_opens_and_takes_messages() {
    let harness = Harness::start();
    let port = harness.address().port();
    let (browser, tab) = Browser::joined(&harness, "john");
    browser.provoke("net::ERR_");
    tab.send("before");
    tab.wait_bubbles(&[("friend", "before"), ("agent", "You said: before")]);
    wait_worker(&tab);
    let data = harness.stop();

    tab.go("/chat");
    tab.wait_visible("#chat");
    tab.wait("document.querySelector('#empty').innerText.startsWith('No connection.')");
    tab.send("meanwhile");
    tab.wait("document.querySelector('.entry:last-child .state')?.innerText === 'Waiting for connection…'");

    let _harness = Harness::start_on(&data, port, &[]);
    tab.wait_bubbles(&[
        ("friend", "before"),
        ("agent", "You said: before"),
        ("friend", "meanwhile"),
        ("agent", "You said: meanwhile"),
    ]);
}

#[test]
fn nothing_of_a_friend_is_kept_beside_the_page() {
    let harness = Harness::start();
    let browser = Browser::open(&harness);
    browser.provoke("net::ERR_");
    let tab = browser.tab();
    let invite = harness.invite("john");
    tab.join(&invite);
    tab.send("a secret");
    tab.wait_bubbles(&[("friend", "a secret"), ("agent", "You said: a secret")]);
    wait_worker(&tab);
    tab.reload();
    tab.wait_online();
    // A used link is answered by the harness, not from what is kept.
    tab.go(&invite.target());
    tab.wait_visible("#banner");

    let kept = kept(&tab);
    assert!(kept.iter().any(|address| address.ends_with("/chat")), "{kept:?}");
    let is_shell = |address: &String| address.ends_with("/chat") || address.contains("/assets/");
    assert!(kept.iter().all(is_shell), "{kept:?}");

    tab.press("#message", "another one");
    tab.click("#menu-button");
    tab.click("#menu-signout");
    tab.click("#signout-form button.primary");
    tab.wait_visible("#signin");
    assert_eq!(tab.value("localStorage.length"), 0);
    harness.stop();
    tab.go("/chat");
    tab.wait_visible("#starting");
}
