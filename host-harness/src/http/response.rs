//! Turns the plugin's answers into HTTP, and says in its place what the plugin cannot say.

use std::time::Duration;

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE,
};
use http::{Response, StatusCode};

use super::cache::HOST_CACHE_CONTROL;
use super::socket::Socket;
use crate::plugin::{self, CallError};
use crate::push::Held;

/// What comes after the head of a response.
#[derive(Debug)]
pub(super) enum Content {
    /// A whole body.
    Whole(Bytes),
    /// A body that begins so and goes on.
    Stream(Bytes, Held),
    /// Messages both ways.
    Socket(Box<Socket>),
}

/// Headers that belong to the connection (RFC 9110, section 7.6.1) or to its framing: the plugin has no say in them.
const CONNECTION_HEADERS: [HeaderName; 7] = [
    CONNECTION,
    CONTENT_LENGTH,
    HeaderName::from_static("keep-alive"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// A complete response of the plugin, or 502 where it broke the contract.
pub(super) fn complete(response: plugin::Response) -> Response<Content> {
    whole(response).map_or_else(unfit, sent)
}

/// A complete response of the plugin, unless it broke the contract.
pub(super) fn whole(response: plugin::Response) -> Option<Response<Bytes>> {
    let body = response.body.clone();
    head(response).map(|head| head.map(|()| body))
}

/// A complete response as it is sent.
pub(super) fn sent(response: Response<Bytes>) -> Response<Content> {
    without_own(response).map(Content::Whole)
}

/// A response of the plugin that goes on, or 502 where it broke the contract. One that has no body (RFC 9110, section 6.4.1)
/// ends at once.
pub(super) fn going_on(response: plugin::Response, held: Held) -> Response<Content> {
    let Some(response) = whole(response) else {
        return unfit();
    };
    match response.status().as_u16() {
        204 | 205 | 304 => sent(response),
        _ => without_own(response).map(|beginning| Content::Stream(beginning, held)),
    }
}

/// Without what is said to the harness alone.
fn without_own(mut response: Response<Bytes>) -> Response<Bytes> {
    response.headers_mut().remove(HOST_CACHE_CONTROL);
    response
}

pub(super) fn unfit() -> Response<Content> {
    let sentence = "The chat gave an answer that cannot be sent. Please try again.";
    error(StatusCode::BAD_GATEWAY, sentence, None)
}

fn head(response: plugin::Response) -> Option<Response<()>> {
    let status = StatusCode::from_u16(response.status)
        .ok()
        .filter(|status| (200..600).contains(&status.as_u16()));
    let Some(status) = status else {
        tracing::error!(
            status = response.status,
            "the plugin answered with an impossible status"
        );
        return None;
    };
    let mut head = Response::new(());
    *head.status_mut() = status;
    for (name, value) in response.headers {
        let (Ok(header), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(&value)) else {
            tracing::error!(name = %name.escape_debug(), "the plugin answered with an impossible header");
            return None;
        };
        if !CONNECTION_HEADERS.contains(&header) {
            head.headers_mut().append(header, value);
        }
    }
    Some(head)
}

/// An error of the harness's own, in the form that the plugin's have.
pub(super) fn error(status: StatusCode, sentence: &str, retry_after: Option<Duration>) -> Response<Content> {
    let body = serde_json::json!({ "error": sentence }).to_string();
    let mut response = Response::new(Content::Whole(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(time) = retry_after {
        // Rounded up: a client that comes back too early is refused once more.
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(time.as_secs() + 1));
    }
    response
}

/// What a client is told whose connection cannot be held.
pub(super) fn full() -> Response<Content> {
    let sentence = "Too many people are here at the moment. Please try again.";
    error(StatusCode::SERVICE_UNAVAILABLE, sentence, Some(Duration::from_secs(5)))
}

/// What a client is told when the plugin gave no answer. The cause is in the log.
pub(super) fn no_answer(cause: &CallError) -> Response<Content> {
    match cause {
        CallError::Trapped => tracing::info!(error = %cause, "a request has no answer"),
        // Any number of requests can meet these in a moment.
        _ => tracing::debug!(error = %cause, "a request has no answer"),
    }
    let retry_after = match cause {
        CallError::Down { retry_after } => *retry_after,
        CallError::Unfit(_) => return unfit(),
        _ => Duration::from_secs(1),
    };
    error(
        StatusCode::SERVICE_UNAVAILABLE,
        "The chat is not available for the moment. Please try again.",
        Some(retry_after),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn respond(status: u16, headers: &[(&str, &str)]) -> Response<Content> {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
            .collect();
        complete(plugin::Response {
            status,
            headers,
            body: Bytes::from_static(b"body"),
        })
    }

    #[test]
    fn framing_is_not_the_plugins_to_say() {
        let response = respond(
            200,
            &[
                ("content-length", "9999"),
                ("Transfer-Encoding", "chunked"),
                ("x-own", "1"),
            ],
        );
        assert_eq!(response.headers().len(), 1);
        assert_eq!(response.headers().get("x-own").unwrap(), "1");
    }

    #[test]
    fn what_breaks_the_contract_is_not_sent() {
        for (status, name, value) in [
            (99, "a", "b"),
            (101, "a", "b"),
            (700, "a", "b"),
            (200, "a b", "c"),
            (200, "a", "b\r\nc: d"),
        ] {
            assert_eq!(respond(status, &[(name, value)]).status(), StatusCode::BAD_GATEWAY);
        }
    }
}
