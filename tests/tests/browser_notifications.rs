//! Notifications: asked for on a click only, shown once, taken away when seen. Observed in a browser whose window is put
//! away, and whose worker is woken as a push service does it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::browser::{Browser, Devtools, Tab, wait_for};
use friends_chat_tests::{Data, Harness, PushService, Subscriber};
use serde_json::{Value, json};

/// Chromium's record of the notifications of this page's worker. A notification must not be asked for before it is shown:
/// Chromium forgets it then.
struct Notified {
    devtools: Devtools,
}

impl Notified {
    fn watch(tab: &Tab) -> Self {
        let mut devtools = tab.attach();
        devtools.command(
            "BackgroundService.startObserving",
            &json!({ "service": "notifications" }),
        );
        let recording = json!({ "service": "notifications", "shouldRecord": true });
        devtools.command("BackgroundService.setRecording", &recording);
        Self { devtools }
    }

    fn wait(&mut self) {
        loop {
            let event = self.devtools.event("BackgroundService.backgroundServiceEventReceived");
            if event["backgroundServiceEvent"]["eventName"] == "Notification displayed" {
                return;
            }
        }
    }

    /// How often something was shown that was not waited for.
    fn others(&mut self) -> usize {
        let events = self.devtools.events("BackgroundService.backgroundServiceEventReceived");
        let is_shown = |event: &&Value| event["backgroundServiceEvent"]["eventName"] == "Notification displayed";
        events.iter().filter(is_shown).count()
    }
}

/// What is notified, as title, text and tag.
fn shown(tab: &Tab) -> Value {
    tab.run(
        "return navigator.serviceWorker.ready.then((worker) => worker.getNotifications())
            .then((all) => all.map(({ title, body, tag }) => [title, body, tag]));",
        &[],
    )
}

fn wait_none(tab: &Tab) {
    let look = || (shown(tab) == json!([])).then_some(());
    wait_for("nothing is notified", look, || shown(tab).to_string());
}

/// Turns notifications on as a friend does, in a browser where the friend says yes.
fn turn_on(tab: &Tab) {
    tab.wait("navigator.serviceWorker.controller?.state === 'activated'");
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
    let (browser, tab) = Browser::joined(&harness, "john");
    let other = browser.tab();
    turn_on(&tab);
    let mut notified = Notified::watch(&tab);
    other.go("/chat");
    other.wait_online();
    tab.put_away();
    other.put_away();

    harness.nudge("john", "Dinner at *eight*?");

    notified.wait();
    let all = shown(&tab);
    assert_eq!(all.as_array().unwrap().len(), 1, "{all}");
    assert_eq!(
        (&all[0][0], &all[0][1]),
        (&json!("the agent"), &json!("Dinner at eight?"))
    );
    assert!(all[0][2].as_str().unwrap().starts_with("entry-"));
    assert_eq!(shown(&tab), all, "it stays until it is seen");
    other.take_out();
    wait_none(&tab);
    assert_eq!(notified.others(), 0, "by one of the two pages");
}

#[test]
fn a_worker_that_is_woken_says_what_is_new() {
    let harness = Harness::start();
    let (_browser, tab) = Browser::joined(&harness, "john");
    turn_on(&tab);
    let mut notified = Notified::watch(&tab);
    tab.put_away();
    harness.nudge("john", "Dinner at *eight*?");
    notified.wait();
    let by_page = shown(&tab);
    tab.run(
        "return navigator.serviceWorker.ready.then((worker) => worker.getNotifications())
            .then((all) => all.forEach((one) => one.close()));",
        &[],
    );

    wake(&tab);
    notified.wait();
    assert_eq!(shown(&tab), by_page);

    tab.take_out();
    wait_none(&tab);
    wake(&tab);
    notified.wait();
    assert_eq!(shown(&tab), json!([["the agent", "You have a new message.", "news"]]));
}

#[test]
fn who_has_blocked_notifications_is_told_what_to_do() {
    let harness = Harness::start();
    let (_browser, tab) = Browser::joined(&harness, "john");
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
    let (_browser, tab) = Browser::joined(&harness, "john");
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

#[test]
fn a_browser_with_a_push_service_is_woken_there_until_it_is_turned_off() {
    let service = PushService::start();
    let harness = Data::new().with_config(&service.config()).serve(&[]);
    let (browser, tab) = Browser::joined(&harness, "john");
    // What a browser asks for beside a picture.
    browser.provoke("/favicon.ico");
    let subscriber = Subscriber::default();
    // The one thing that needs a push service of the browser's own.
    tab.run(
        "const [subscription] = arguments;
         PushManager.prototype.subscribe = async ({ userVisibleOnly, applicationServerKey }) => {
             window.subscribed = { userVisibleOnly, applicationServerKey };
             return { toJSON: () => subscription };
         };",
        &[subscriber.subscription(&service.endpoint("/john"))],
    );
    turn_on(&tab);
    tab.wait(
        "performance.getEntriesByType('resource').some(({ name, responseStatus }) =>
        name.endsWith('/api/notifications/on') && responseStatus === 200)",
    );
    tab.go("/assets/icon.svg");
    harness.nudge("john", "Dinner at eight?");
    let message = service.next();
    assert_eq!(
        (message.path.as_str(), subscriber.decrypt(&message)),
        ("/john", r#"{"type":"news"}"#.to_owned())
    );

    tab.run("history.back();", &[]);
    tab.wait_online();
    tab.click("#menu-button");
    tab.click("#menu-notify");
    tab.click("#notify-go");
    tab.wait("document.querySelector('#notify-go').innerText === 'Notify me'");
    tab.go("/assets/icon.svg");
    let mary = harness.friend("mary");
    let hers = Subscriber::default().subscription(&service.endpoint("/mary"));
    assert_eq!(mary.post("/api/notifications/on", &hers).status, 200);
    harness.nudge("john", "And tomorrow?");
    harness.nudge("mary", "What comes after it has come");
    assert_eq!(service.next().path, "/mary");
}

#[test]
fn an_iphone_is_told_where_notifications_are_to_be_had() {
    let harness = Harness::start();
    let (_browser, tab) = Browser::joined(&harness, "john");
    // As Safari is there, outside the home screen.
    let safari = json!({ "source": "navigator.standalone = false; delete globalThis.PushManager; delete globalThis.Notification;" });
    tab.devtools("Page.addScriptToEvaluateOnNewDocument", &safari);
    tab.reload();
    tab.wait_online();
    tab.click("#menu-button");
    tab.click("#menu-notify");
    assert!(
        tab.text("#notify-lead").contains("Add to Home Screen"),
        "{}",
        tab.text("#notify-lead")
    );
    assert_eq!(
        tab.value("document.querySelector('#notify-go').checkVisibility()"),
        false
    );
}
