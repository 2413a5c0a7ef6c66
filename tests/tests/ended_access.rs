//! Revoked or invited anew, a friend is out at once: open streams are told and closed, the cookie and earlier codes
//! mean nothing. Observed at streams that are open while the owner decides, and at requests afterwards.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::{Data, Friend, Gates, Harness};
use serde_json::json;

fn ends_everything(command: &str, reason: &str) {
    let gates = Gates::new();
    let _gate = gates.close("john");
    let harness = Data::new().serve(&["--agent", &gates.agent()]);
    let (john, mary) = (harness.friend("john"), harness.friend("mary"));
    let feeds = [john.feed(), john.feed()];
    let mut hers = mary.feed();
    let mut answer = john.say("do you hear me?");
    answer.until("status");

    let said = harness.owner(&[command, "john"]).success();

    let end = json!({ "type": "end", "reason": reason });
    for feed in feeds {
        assert_eq!(feed.rest().last(), Some(&end));
    }
    assert_eq!(answer.rest().last(), Some(&end));
    assert_eq!(john.status()["authenticated"], false);
    john.post("/api/chat", &json!({ "message": "hello?" }))
        .assert_error(401);
    john.get("/api/stream").assert_error(401);
    john.get("/api/history").assert_error(401);

    assert_eq!(mary.ask("hi"), "You said: hi");
    hers.until("reply");
    if command == "reinvite" {
        let anew = Friend::stranger(&harness);
        anew.join(&friends_chat_tests::Invite::parse(&said));
        assert_eq!(anew.history().len(), 1, "the conversation is kept");
        assert_eq!(john.status()["authenticated"], false, "the old cookie stays void");
    }
}

#[test]
fn revoke_ends_sessions_and_streams() {
    ends_everything("revoke", "revoked");
}

#[test]
fn reinvite_ends_sessions_and_streams() {
    ends_everything("reinvite", "reinvited");
}

#[test]
fn earlier_codes_end_too() {
    let harness = Harness::start();
    let first = harness.invite("john");
    let second = friends_chat_tests::Invite::parse(&harness.owner(&["reinvite", "john"]).success());
    let john = Friend::stranger(&harness);
    john.post("/api/auth/redeem", &json!({ "code": first.code }))
        .assert_error(401);
    harness.owner(&["revoke", "john"]).success();
    john.post("/api/auth/redeem", &json!({ "code": second.code }))
        .assert_error(401);
    let third = friends_chat_tests::Invite::parse(&harness.owner(&["reinvite", "john"]).success());
    john.join(&third);
}

#[test]
fn signing_out_ends_this_browser_only() {
    let harness = Harness::start();
    let john = harness.friend("john");
    let link = john.post("/api/auth/link", &json!({})).json();
    let phone = Friend::stranger(&harness);
    assert_eq!(
        phone.post("/api/auth/redeem", &json!({ "code": link["code"] })).status,
        200
    );
    let (here, mut there) = (john.feed(), phone.feed());
    let cookie = john.cookie();

    let answer = john.post("/api/auth/logout", &json!({}));
    assert_eq!((answer.status, answer.json()), (200, json!({ "ok": true })));
    assert_eq!(john.cookie(), None);
    assert_eq!(
        here.rest().last(),
        Some(&json!({ "type": "end", "reason": "signed-out" }))
    );
    assert_eq!(Friend::with_cookie(&harness, cookie).status()["authenticated"], false);

    harness.nudge("john", "still there?");
    assert_eq!(there.until("nudge")["content"], "still there?");
}
