//! Commands of the WebDriver protocol (W3C), one connection each.

use std::net::SocketAddr;

use serde_json::Value;

use crate::{Answer, Connection};

/// Name under which an element's reference stands in JSON.
pub(super) const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Why a command was not carried out.
#[derive(Debug)]
pub(super) struct Failure {
    /// The protocol's word for it, as `no such element`.
    pub(super) error: String,
    message: String,
}

/// Carries out a command; what it has no body for is `Value::Null`.
pub(super) fn attempt(address: SocketAddr, method: &str, path: &str, body: &Value) -> Result<Value, Failure> {
    let mut connection = Connection::open(address).unwrap();
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let headers = [("content-type", "application/json; charset=utf-8")];
    connection.request(method, path, &headers, body.as_bytes());
    let answer = Answer::read(connection.response());
    let mut json: Value = serde_json::from_slice(&answer.body).unwrap();
    let value = json["value"].take();
    if answer.status == 200 {
        return Ok(value);
    }
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    Err(Failure {
        error: text("error"),
        message: text("message"),
    })
}

/// As [`attempt`]; a failure is the test's.
#[track_caller]
pub(super) fn command(address: SocketAddr, method: &str, path: &str, body: &Value) -> Value {
    attempt(address, method, path, body).unwrap_or_else(|failure| {
        let first = failure.message.lines().next().unwrap_or_default();
        panic!("{method} {path} {body}: {}: {first}", failure.error)
    })
}

/// Closes a browser, unless it is gone already.
pub(super) fn close(address: SocketAddr, session: &str) {
    let path = format!("/session/{session}");
    if let Ok(mut connection) = Connection::open(address) {
        connection.request("DELETE", &path, &[], b"");
        // The answer comes when the browser has ended and writes no more files.
        let _ = connection.response();
    }
}
