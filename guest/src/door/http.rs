//! The web side as plain records.

use super::{Component, enter};
use crate::bindings::exports::tinyclaw::plugin::http::Guest;
use crate::bindings::tinyclaw::plugin::http_types as wit;
use crate::request::Request;
use crate::response::{Hold, Response};
use crate::topic::Wire;

impl Guest for Component {
    fn handle(request: wit::Request) -> wit::Response {
        to_wit(answer(&from_wit(request)))
    }
}

/// Answers a request by either door.
pub(super) fn answer(request: &Request) -> Response {
    enter(|plugin, host| plugin.handle(host, request)).unwrap_or_else(busy)
}

/// What a client gets while the plugin is in the middle of another call.
pub(super) fn busy() -> Response {
    Response::error(503, "The chat is busy. Please try again.").with("retry-after", "1")
}

/// The request as the router takes it.
pub(super) fn from_wit(request: wit::Request) -> Request {
    Request::new(
        request.method,
        &request.target,
        request.headers,
        request.body,
        request.client,
    )
}

/// A response as the host takes it.
pub(super) fn to_wit(response: Response) -> wit::Response {
    wit::Response {
        status: response.status,
        headers: headers(response.headers),
        body: response.body,
        hold: response.hold.map(hold),
    }
}

/// The terms of a held connection.
pub(super) fn hold(hold: Hold) -> wit::Hold {
    wit::Hold {
        mode: match hold.wire {
            Wire::Stream | Wire::Socket => wit::HoldMode::Stream,
            Wire::Json => wit::HoldMode::Response,
        },
        topics: hold.topics.into_iter().map(|topic| topic.name(hold.wire)).collect(),
        keep_alive: hold.keep_alive.map(|(frame, every_ms)| wit::KeepAlive {
            frame: frame.as_bytes().to_vec(),
            every_ms,
        }),
        life_ms: hold.life_ms,
    }
}

fn headers(headers: Vec<(&'static str, String)>) -> Vec<(String, Vec<u8>)> {
    headers
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into_bytes()))
        .collect()
}
