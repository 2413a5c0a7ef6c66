//! What holds for every response and every frame, whatever was sent.

use host_harness::plugin::Response;
use http::{HeaderName, HeaderValue};
use serde_json::Value;

use super::browser::header;
use crate::Parser;

/// Every type of event that the contract knows.
const EVENTS: [&str; 16] = [
    "accepted",
    "done",
    "end",
    "error",
    "heartbeat",
    "hello",
    "message",
    "nickname",
    "nudge",
    "reply",
    "restarted",
    "resync",
    "seen",
    "state",
    "status",
    "text",
];

/// Asserts that a response is one that the contract knows.
pub(super) fn response(response: &Response, is_head: bool) {
    for (name, value) in &response.headers {
        assert!(HeaderName::from_bytes(name.as_bytes()).is_ok(), "{name:?}");
        assert!(HeaderValue::from_bytes(value).is_ok(), "{name}: {value:?}");
    }
    let content_type = header(response, "content-type").unwrap();
    assert_eq!(header(response, "x-content-type-options"), Some("nosniff"));
    if content_type.starts_with("text/html") {
        let policy = header(response, "content-security-policy");
        assert!(
            policy.is_some_and(|policy| policy.contains("default-src 'none'")),
            "HTML without a policy"
        );
    }
    match response.status {
        200 => {}
        302 => assert_eq!(header(response, "location"), Some("/chat")),
        304 => assert!(response.body.is_empty() && header(response, "etag").is_some()),
        // The page says it itself.
        429 if content_type.starts_with("text/html") => assert!(header(response, "retry-after").is_some()),
        400 | 401 | 403 | 404 | 409 | 413 | 415 | 502 => error(response, is_head),
        405 => {
            error(response, is_head);
            assert!(header(response, "allow").is_some());
        }
        426 => {
            error(response, is_head);
            assert_eq!(header(response, "upgrade"), Some("websocket"));
        }
        429 => {
            error(response, is_head);
            let seconds = header(response, "retry-after").unwrap().parse::<u32>();
            assert!(seconds.is_ok_and(|seconds| seconds > 0));
        }
        other => panic!("status {other}: {}", text(response)),
    }
    if is_head {
        assert!(response.body.is_empty());
    } else if content_type == "application/json" {
        assert!(serde_json::from_slice::<Value>(&response.body).is_ok_and(|json| json.is_object()));
    } else if content_type == "text/event-stream" {
        stream(&response.body);
    }
}

/// Asserts that a piece of a stream is complete events of known types.
pub(super) fn stream(bytes: &[u8]) {
    assert!(bytes.ends_with(b"\n\n"), "{}", String::from_utf8_lossy(bytes));
    for happened in Parser::default().feed(bytes) {
        event(&happened.data);
    }
}

/// Asserts that a text is an event of a known type.
pub(super) fn event(json: &str) {
    let kind = serde_json::from_str::<Value>(json).ok();
    let kind = kind.as_ref().and_then(|event| event["type"].as_str());
    assert!(kind.is_some_and(|kind| EVENTS.contains(&kind)), "{json}");
}

fn error(response: &Response, is_head: bool) {
    assert_eq!(header(response, "content-type"), Some("application/json"));
    if is_head {
        return;
    }
    let json: Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(json.as_object().map(|object| object.len()), Some(1), "{json}");
    assert!(
        json["error"].as_str().is_some_and(|sentence| !sentence.is_empty()),
        "{json}"
    );
}

fn text(response: &Response) -> String {
    String::from_utf8_lossy(&response.body).into_owned()
}
