//! Requests as bytes.

use serde_json::json;

use crate::data::token;

/// The same request of each friend.
pub(crate) fn by_friends(host: &str, target: &str, friends: usize) -> Vec<Vec<u8>> {
    (1..=friends)
        .map(|friend| get(host, target, Some(friend), &[]))
        .collect()
}

/// A message of a friend, whose answer is streamed.
pub(crate) fn say(host: &str, friend: usize, message: &str) -> Vec<u8> {
    post(
        host,
        "/api/chat",
        Some(friend),
        &json!({ "message": message, "stream": true }),
    )
}

/// A request for something.
pub(crate) fn get(host: &str, target: &str, friend: Option<usize>, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut text = format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n");
    if let Some(friend) = friend {
        text.push_str(&cookie(friend));
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// A request with JSON.
pub(crate) fn post(host: &str, target: &str, friend: Option<usize>, body: &serde_json::Value) -> Vec<u8> {
    let (body, cookie) = (body.to_string(), friend.map(cookie).unwrap_or_default());
    let length = body.len();
    format!(
        "POST {target} HTTP/1.1\r\nhost: {host}\r\n{cookie}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn cookie(friend: usize) -> String {
    format!("cookie: tc_friend_session={}\r\n", token(friend))
}

/// What is to go to nchan's channel.
pub(crate) fn publish(host: &str, channel: &str, text: &str) -> Vec<u8> {
    let length = text.len();
    format!(
        "POST /pub/{channel} HTTP/1.1\r\nhost: {host}\r\naccept: text/plain\r\ncontent-length: {length}\r\n\r\n{text}"
    )
    .into_bytes()
}

/// A stream of nchan's channel.
pub(crate) fn subscribe(host: &str, channel: &str) -> Vec<u8> {
    get(
        host,
        &format!("/sub/{channel}"),
        None,
        &[("accept", "text/event-stream")],
    )
}
