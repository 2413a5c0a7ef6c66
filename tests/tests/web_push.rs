//! Browsers without an open page are woken, and learn nothing but that there is something new. Observed at a push service
//! that reads what the harness sends as a real one and its browser would.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::{Data, Friend, Harness, Invite, PushService, Subscriber};
use serde_json::json;

const ON: &str = "/api/notifications/on";

/// A harness that may send to a push service, and a friend's browser that subscribed at `/friend`'s name.
struct Stage {
    service: PushService,
    harness: Harness,
}

impl Stage {
    fn new() -> Self {
        let service = PushService::start();
        let harness = Data::new().with_config(&service.config()).serve(&[]);
        Self { service, harness }
    }

    fn subscribe(&self, friend: &Friend, path: &str) -> Subscriber {
        let subscriber = Subscriber::default();
        let subscription = subscriber.subscription(&self.service.endpoint(path));
        let answer = friend.post(ON, &subscription);
        assert_eq!((answer.status, answer.json()), (200, json!({ "ok": true })));
        subscriber
    }

    /// Everybody who is woken by a nudge to somebody else that comes after all that was before.
    fn woken_up_to_now(&self, sentinel: &str) -> Vec<String> {
        self.harness.nudge(sentinel, "and you?");
        let mut woken = Vec::new();
        loop {
            let path = self.service.next().path;
            if path == format!("/{sentinel}") {
                return woken;
            }
            woken.push(path);
        }
    }
}

#[test]
fn a_nudge_to_nobody_wakes_the_browser_once_and_says_nothing() {
    let stage = Stage::new();
    let (john, mary) = (stage.harness.friend("john"), stage.harness.friend("mary"));
    let browser = stage.subscribe(&john, "/john");
    stage.subscribe(&mary, "/mary");
    let arguments = ["nudge", "john", "Dinner at eight?", "--priority", "high"];
    stage.harness.owner(&arguments).success();

    let message = stage.service.next();
    assert_eq!(message.path, "/john");
    assert_eq!(browser.decrypt(&message), r#"{"type":"news"}"#);
    let key = john.get("/api/notifications").json()["key"].clone();
    assert_eq!(key, message.sender());
    assert_eq!((message.header("urgency"), message.header("topic")), ("high", "news"));
    assert_eq!(message.header("ttl"), "2419200");
    assert!(stage.woken_up_to_now("mary").is_empty());
}

#[test]
fn an_answer_that_nobody_waits_for_wakes_the_browser() {
    let stage = Stage::new();
    let john = stage.harness.friend("john");
    let browser = stage.subscribe(&john, "/john");
    drop(john.say("hello"));
    let message = stage.service.next();
    assert_eq!(browser.decrypt(&message), r#"{"type":"news"}"#);
    assert_eq!(message.header("urgency"), "normal");
}

#[test]
fn a_browser_with_an_open_page_is_not_woken() {
    let stage = Stage::new();
    let (john, mary) = (stage.harness.friend("john"), stage.harness.friend("mary"));
    stage.subscribe(&john, "/john");
    stage.subscribe(&mary, "/mary");
    let mut page = john.feed();
    stage.harness.nudge("john", "Dinner at eight?");
    page.until("nudge");
    assert!(stage.woken_up_to_now("mary").is_empty());
}

#[test]
fn a_subscription_that_has_ended_is_forgotten() {
    let stage = Stage::new();
    let (john, mary) = (stage.harness.friend("john"), stage.harness.friend("mary"));
    stage.subscribe(&john, "/john");
    stage.subscribe(&mary, "/mary");
    stage.service.reply("410 Gone");
    stage.harness.nudge("john", "one");
    stage.service.next();
    stage
        .harness
        .log()
        .expect(&["a browser that cannot be notified any more is forgotten"]);
    stage.harness.nudge("john", "two");
    assert!(stage.woken_up_to_now("mary").is_empty());
}

#[test]
fn a_busy_push_service_is_asked_again_when_it_says() {
    let stage = Stage::new();
    let john = stage.harness.friend("john");
    let browser = stage.subscribe(&john, "/john");
    stage.service.reply("429 Too Many Requests\r\nretry-after: 1");
    stage.harness.nudge("john", "hello");
    let begin = std::time::Instant::now();
    stage.service.next();
    assert_eq!(browser.decrypt(&stage.service.next()), r#"{"type":"news"}"#);
    assert!(begin.elapsed() >= std::time::Duration::from_millis(900));
}

#[test]
fn with_the_session_ends_the_waking() {
    let stage = Stage::new();
    let mary = stage.harness.friend("mary");
    stage.subscribe(&mary, "/mary");
    for (name, command) in [("john", "revoke"), ("jane", "reinvite")] {
        let friend = stage.harness.friend(name);
        stage.subscribe(&friend, &format!("/{name}"));
        let said = stage.harness.owner(&[command, name]).success();
        if command == "reinvite" {
            friend.at(&stage.harness).join(&Invite::parse(&said));
        }
        stage.harness.nudge(name, "hello");
    }
    for (name, target) in [("jack", "/api/auth/logout"), ("jill", "/api/notifications/off")] {
        let friend = stage.harness.friend(name);
        stage.subscribe(&friend, &format!("/{name}"));
        assert_eq!(friend.post(target, &json!({})).status, 200);
        stage.harness.nudge(name, "hello");
    }
    assert!(stage.woken_up_to_now("mary").is_empty());
}

#[test]
fn endpoints_that_lead_into_a_private_network_are_refused() {
    let stage = Stage::new();
    let (john, mary) = (stage.harness.friend("john"), stage.harness.friend("mary"));
    stage.subscribe(&mary, "/mary");
    let port = stage.harness.address().port();
    for endpoint in [
        "http://push.example.com/x".to_owned(),
        format!("http://127.0.0.1:{port}/x"),
        format!("https://localhost:{port}/x"),
        "https://10.0.0.1/x".to_owned(),
        "https://192.168.1.1/x".to_owned(),
        "https://169.254.169.254/latest/meta-data/".to_owned(),
        "https://[::1]/x".to_owned(),
        "https://[::ffff:7f00:1]/x".to_owned(),
        "push".to_owned(),
    ] {
        let answer = john.post(ON, &Subscriber::default().subscription(&endpoint));
        answer.assert_error(400);
        assert!(
            answer.text().contains("endpoint must be"),
            "{endpoint}: {}",
            answer.text()
        );
    }
    let mut odd = Subscriber::default().subscription(&stage.service.endpoint("/john"));
    odd["keys"]["p256dh"] = "BA".into();
    john.post(ON, &odd).assert_error(400);
    stage.harness.nudge("john", "hello");
    assert!(stage.woken_up_to_now("mary").is_empty());
    Friend::stranger(&stage.harness)
        .post(ON, &Subscriber::default().subscription("https://push.example.com/x"))
        .assert_error(401);
}
