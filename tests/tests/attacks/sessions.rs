//! Sessions: planted, replaced, replayed, and ended in the middle of what the agent does.

use std::fs::File;

use friends_chat_tests::{Data, Friend, Harness, Lines, Script};
use serde_json::json;

#[test]
fn a_planted_cookie_is_worth_nothing_after_signing_in() {
    let harness = Harness::start();
    let planted = "ab".repeat(32);
    let victim = Friend::with_cookie(&harness, Some(planted.clone()));
    victim.join(&harness.invite("john"));
    assert_ne!(victim.cookie().as_deref(), Some(planted.as_str()));
    let mallory = Friend::with_cookie(&harness, Some(planted));
    assert_eq!(mallory.status()["authenticated"], false);
}

#[test]
fn a_planted_session_of_the_thief_is_asked_about_and_never_becomes_the_friends() {
    let harness = Harness::start();
    let mallory = harness.friend("mallory");
    let victim = Friend::with_cookie(&harness, mallory.cookie());
    let invite = harness.invite("john");

    let page = victim.get(&invite.target());
    assert_eq!((page.status, page.header("set-cookie")), (200, None));
    let body = json!({ "code": invite.code });
    victim.post("/api/auth/redeem", &body).assert_error(409);
    assert_eq!(
        victim.status()["username"],
        "mallory",
        "nothing was switched without a question"
    );

    let body = json!({ "code": invite.code, "switch": true });
    assert_eq!(victim.post("/api/auth/redeem", &body).status, 200);
    assert_eq!(victim.status()["username"], "john");
    assert_ne!(victim.cookie(), mallory.cookie());
    assert_eq!(
        mallory.status()["authenticated"],
        false,
        "the session that was left has ended"
    );
}

#[test]
fn a_cookie_that_was_signed_out_stays_out_also_after_a_restart() {
    let harness = Harness::start();
    let john = harness.friend("john");
    let stolen = john.cookie();
    assert_eq!(john.post("/api/auth/logout", &json!({})).status, 200);
    let replay = Friend::with_cookie(&harness, stolen);
    assert_eq!(replay.status()["authenticated"], false);
    replay.get("/api/history").assert_error(401);
    replay.get("/api/stream").assert_error(401);
    replay.post("/api/chat", &json!({ "message": "hi" })).assert_error(401);

    let harness = harness.kill().serve(&[]);
    assert_eq!(replay.at(&harness).status()["authenticated"], false);
}

#[test]
fn a_device_code_adds_a_device_once_and_reinvite_ends_them_all() {
    let harness = Harness::start();
    let laptop = harness.friend("john");
    let code = laptop.post("/api/auth/link", &json!({})).json()["code"].clone();
    let (phone, thief) = (Friend::stranger(&harness), Friend::stranger(&harness));
    let body = json!({ "code": code });
    assert_eq!(phone.post("/api/auth/redeem", &body).status, 200);
    thief.post("/api/auth/redeem", &body).assert_error(401);
    assert_eq!(
        (phone.status()["username"].clone(), laptop.status()["username"].clone()),
        ("john".into(), "john".into())
    );
    let unused = laptop.post("/api/auth/link", &json!({})).json()["code"].clone();

    harness.owner(&["reinvite", "john"]).success();
    for device in [&laptop, &phone] {
        assert_eq!(device.status()["authenticated"], false);
    }
    thief
        .post("/api/auth/redeem", &json!({ "code": unused }))
        .assert_error(401);
}

#[test]
fn revoke_ends_what_the_agent_is_doing_for_the_friend() {
    // What holds this pipe open is the agent's program.
    let script = Script::new(
        r#"exec 3>"${0%/*}/alive"
        echo '{"status":"working"}'
        read -r _ < "${0%/*}/never""#,
    );
    let alive = script.pipe("alive");
    let _never = script.gate("never");
    let harness = Data::new().serve(&["--agent", &script.agent()]);
    let john = harness.friend("john");
    let answer = std::thread::scope(|scope| {
        // Opening waits for the program to open the other end.
        let opened = scope.spawn(|| Lines::collect(File::open(&alive).unwrap()));
        let mut answer = john.say("work for me");
        answer.until("status");
        let lines = opened.join().unwrap();
        harness.owner(&["revoke", "john"]).success();
        lines.end();
        answer
    });
    assert_eq!(answer.rest().last().unwrap()["reason"], "revoked");
}
