//! What is said in a chat is nobody else's business: it is in no line of the log, whatever the log's level. Observed in
//! the log of the harness at its finest level. (Codes and cookies are looked for in every test's log.)

use friends_chat_tests::{Data, Friend, Harness, Script};
use serde_json::json;

const SAID: &str = "marzipan-said-by-the-friend";
const ANSWERED: &str = "pumpernickel-answered-by-the-agent";
const STATUS: &str = "bretzel-done-by-the-agent";
const NUDGED: &str = "schnitzel-nudged-by-the-agent";
const NICKNAME: &str = "Sauerkraut";

#[test]
fn nothing_that_is_said_is_logged() {
    let agent = Script::new(&format!(
        r#"echo '{{"status":"{STATUS}"}}'; echo '{{"delta":"{ANSWERED}"}}'"#
    ));
    let harness = Data::new().serve(&["--agent", &agent.agent()]);
    let john = harness.friend("john");
    assert_eq!(john.post("/api/nickname", &json!({ "nickname": NICKNAME })).status, 200);
    assert_eq!(john.ask(SAID), ANSWERED);
    harness.nudge("john", NUDGED);
    let history = john.get("/api/history");
    for text in [SAID, ANSWERED, NUDGED] {
        assert!(history.text().contains(text), "{text}");
    }

    assert_eq!(refused(&harness, SAID), 401);
    let log = end_of_log(harness);
    assert!(log.contains("TRACE"), "the log says all it can");
    for text in [SAID, ANSWERED, STATUS, NUDGED, NICKNAME] {
        assert!(!log.contains(text), "{text} is in the log");
    }
}

/// What a request with this text everywhere is answered with.
fn refused(harness: &Harness, text: &str) -> u16 {
    let body = json!({ "code": text }).to_string();
    let headers = [
        ("content-type", "application/json"),
        ("x-text", text),
        ("user-agent", text),
    ];
    Friend::stranger(harness)
        .request(
            "POST",
            &format!("/api/auth/redeem?text={text}"),
            &headers,
            body.as_bytes(),
        )
        .status
}

fn end_of_log(harness: Harness) -> String {
    harness.signal(friends_chat_tests::Signal::TERM);
    harness.wait().stderr
}
