//! Notifications: asked for on a click only, shown once, taken away when seen. Observed in a browser whose window is put
//! away, and whose worker is woken as a push service does it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::thread::sleep;
use std::time::Duration;

use friends_chat_tests::Harness;
use friends_chat_tests::browser::{Browser, Tab, wait_for};
use serde_json::{Value, json};

/// What is notified, as title, text and tag.
fn shown(tab: &Tab) -> Value {
    tab.run(
        "return navigator.serviceWorker.ready.then((worker) => worker.getNotifications())
            .then((all) => all.map(({ title, body, tag }) => [title, body, tag]));",
        &[],
    )
}

/// Chromium forgets a notification that it is about to show when it is asked what it shows, so it is asked seldom.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

fn wait_shown(tab: &Tab, count: usize) -> Value {
    let look = || {
        sleep(LOOK_AGAIN);
        Some(shown(tab)).filter(|all| all.as_array().unwrap().len() == count)
    };
    wait_for(&format!("{count} are notified"), look, || shown(tab).to_string())
}

/// Turns notifications on as a friend does, in a browser where the friend says yes.
fn turn_on(tab: &Tab) {
    let permission = json!({ "origin": tab.origin(), "permissions": ["notifications"] });
    tab.devtools("Browser.grantPermissions", &permission);
    tab.click("#menu-button");
    tab.click("#menu-notify");
    tab.click("#notify-go");
    tab.wait("document.querySelector('#notify-go').innerText === 'Turn off'");
    tab.click("#notify-form .plain");
}

/// Wakes the worker as a push service does.
fn wake(tab: &Tab) {
    tab.devtools("ServiceWorker.enable", &json!({}));
    let message = json!({ "origin": tab.origin(), "registrationId": "0", "data": "{\"type\":\"news\"}" });
    tab.devtools("ServiceWorker.deliverPushMessage", &message);
}

#[test]
fn hidden_pages_notify_once_until_it_is_seen() {
    let harness = Harness::start();
    let browser = Browser::open(&harness);
    let (tab, other) = (browser.tab(), browser.tab());
    tab.join(&harness.invite("john"));
    tab.wait("navigator.serviceWorker.controller?.state === 'activated'");
    turn_on(&tab);
    other.go("/chat");
    other.wait_online();
    tab.put_away();
    other.put_away();

    harness.nudge("john", "Dinner at *eight*?");

    let all = wait_shown(&tab, 1);
    assert_eq!(
        (&all[0][0], &all[0][1]),
        (&json!("the agent"), &json!("Dinner at eight?"))
    );
    assert!(all[0][2].as_str().unwrap().starts_with("entry-"));
    other.take_out();
    wait_shown(&tab, 0);
}

#[test]
fn a_worker_that_is_woken_says_what_is_new() {
    let harness = Harness::start();
    let browser = Browser::open(&harness);
    let tab = browser.tab();
    tab.join(&harness.invite("john"));
    tab.wait("navigator.serviceWorker.controller?.state === 'activated'");
    turn_on(&tab);
    tab.put_away();
    harness.nudge("john", "Dinner at *eight*?");
    let by_page = wait_shown(&tab, 1);
    tab.run(
        "return navigator.serviceWorker.ready.then((worker) => worker.getNotifications())
            .then((all) => all.forEach((one) => one.close()));",
        &[],
    );

    wake(&tab);
    assert_eq!(wait_shown(&tab, 1), by_page);

    tab.take_out();
    wait_shown(&tab, 0);
    wake(&tab);
    let all = wait_shown(&tab, 1);
    assert_eq!(all, json!([["the agent", "You have a new message.", "news"]]));
}

#[test]
fn who_has_blocked_notifications_is_told_what_to_do() {
    let harness = Harness::start();
    let browser = Browser::open(&harness);
    let tab = browser.tab();
    tab.join(&harness.invite("john"));
    let denied = json!({ "origin": tab.origin(), "permission": { "name": "notifications" }, "setting": "denied" });
    tab.devtools("Browser.setPermission", &denied);
    tab.click("#menu-button");
    tab.click("#menu-notify");
    assert!(tab.text("#notify-lead").contains("Allow them in the browser settings"));
    assert_eq!(
        tab.value("document.querySelector('#notify-go').checkVisibility()"),
        false
    );
}

#[test]
fn nobody_is_asked_before_a_click() {
    let harness = Harness::start();
    let browser = Browser::open(&harness);
    let tab = browser.tab();
    tab.join(&harness.invite("john"));
    tab.wait("navigator.serviceWorker.controller?.state === 'activated'");
    tab.run(
        "globalThis.asked = 0;
         Notification.requestPermission = async () => { asked += 1; return 'default'; };",
        &[],
    );
    harness.nudge("john", "Dinner at eight?");
    tab.wait_bubbles(&[("nudge", "Dinner at eight?")]);
    tab.click("#menu-button");
    tab.click("#menu-notify");
    assert_eq!(tab.value("asked"), 0);
    tab.click("#notify-go");
    tab.wait("asked === 1");
}
