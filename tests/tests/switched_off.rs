//! A plugin that the configuration switches off says so once and does nothing else. Observed at the log, at every
//! route and at the owner's commands.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::{Answer, Data, Friend};

fn off() -> Data {
    Data::new().with_config("[channels.friends]\nenabled = false\n")
}

#[test]
fn every_address_answers_503() {
    let harness = off().serve(&[]);
    harness
        .log()
        .expect(&["INFO", "switched off", "channels.friends.enabled"]);
    let stranger = Friend::stranger(&harness);
    let requests = [
        ("GET", "/"),
        ("GET", "/chat"),
        ("GET", "/chat?invite=0000-0000-0000"),
        ("GET", "/assets/app.js"),
        ("GET", "/api/health"),
        ("GET", "/api/auth/status"),
        ("POST", "/api/auth/redeem"),
        ("POST", "/api/nickname"),
        ("POST", "/api/chat"),
        ("GET", "/api/history"),
        ("GET", "/api/stream"),
        ("GET", "/api/push"),
        ("GET", "/nothing"),
        ("DELETE", "/"),
    ];
    for (method, target) in requests {
        let answer = Answer::read(stranger.request(method, target, &[("content-type", "application/json")], b"{}"));
        assert!(
            answer.header("retry-after").unwrap().parse::<u32>().unwrap() > 0,
            "{method} {target}"
        );
        answer.assert_error(503);
    }
}

#[test]
fn a_message_to_a_friend_is_refused_as_not_running() {
    let data = off();
    let refusal = data.run(&["nudge", "john", "hello"]).failure();
    assert!(refusal.contains("not running"), "{refusal}");
    let harness = data.serve(&[]);
    let refusal = harness.owner(&["nudge", "john", "hello"]).failure();
    assert!(refusal.contains("not running"), "{refusal}");
}

#[test]
fn the_owner_may_invite_already() {
    let data = off();
    let harness = data.serve(&[]);
    let invite = harness.invite("john");
    harness.stop();
    let harness = data.with_config("").serve(&[]);
    Friend::stranger(&harness).join(&invite);
}
