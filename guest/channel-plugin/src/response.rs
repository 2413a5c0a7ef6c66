//! A response as both doors take it from the plugin, with the terms on which its connection is held.

use serde::Serialize;

use crate::{Hold, HoldMode, KeepAlive};

/// One response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// From 200 to 599.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body, or its beginning when the connection is held.
    pub body: Vec<u8>,
    /// Whether and how the connection stays open.
    pub hold: Option<Hold>,
}

impl Hold {
    /// Terms on which a connection stays open: what it listens to, what is written while nothing happens and how often in
    /// milliseconds, and the milliseconds after which it ends.
    pub fn new(mode: HoldMode, topics: Vec<String>, keep_alive: Option<(&str, u32)>, life_ms: u32) -> Self {
        let keep_alive = keep_alive.map(|(frame, every_ms)| KeepAlive {
            frame: frame.as_bytes().to_vec(),
            every_ms,
        });
        Self {
            mode,
            topics,
            keep_alive,
            life_ms,
        }
    }
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: &'a str,
}

impl Response {
    /// A response that no cache keeps.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            hold: None,
        }
        .with("content-type", content_type)
        .with("cache-control", "no-store")
        .with("x-content-type-options", "nosniff")
    }

    /// A JSON object.
    pub fn json(status: u16, body: &(impl Serialize + ?Sized)) -> Self {
        match serde_json::to_vec(body) {
            Ok(bytes) => Self::new(status, "application/json", bytes),
            // Only maps with keys that are not strings fail, and none is ever sent.
            Err(_) => Self::new(
                500,
                "application/json",
                br#"{"error":"Something went wrong"}"#.as_slice(),
            ),
        }
    }

    /// `{"error": sentence}`.
    pub fn error(status: u16, sentence: &str) -> Self {
        Self::json(status, &ErrorBody { error: sentence })
    }

    /// The same response with a header set in place of any of its name.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value.into()));
        self
    }

    /// The same response, which the host may give again for so many seconds while this instance lives.
    pub fn kept_by_host(self, seconds: u32) -> Self {
        self.with("host-cache-control", format!("max-age={seconds}"))
    }

    /// The same response, held.
    pub fn held(mut self, hold: Hold) -> Self {
        self.hold = Some(hold);
        self
    }

    /// What a `HEAD` request gets: no body, and nothing to wait for.
    pub fn without_body(mut self) -> Self {
        self.body.clear();
        self.hold = None;
        self
    }
}
