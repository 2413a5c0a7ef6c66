//! Answers one request: reads it in full and within bounds, asks the plugin, and sends what that says.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Either, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use tokio::sync::Notify;

use super::cache::Cache;
use super::carrier::Carrier;
use super::held::{Alive, HeldBody};
use super::response::{self, Body};
use super::shape;
use super::socket::{self, Handover};
use crate::limits::Limits;
use crate::plugin::{self, CallError, HttpAnswer, PluginActor};
use crate::push::{End, Held};

/// What the requests on a connection share, of which one follows another; on one of HTTP/2 each has its own.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Told when what is held is cut.
    pub(super) cut: Arc<Notify>,
    /// Where a connection that becomes a WebSocket is left for when its handshake has been written.
    pub(super) handover: Handover,
    calls: Carrier<Result<(Request<Bytes>, HttpAnswer), CallError>>,
}

/// Answers a request. A held stream keeps `alive` to its end.
pub(super) async fn respond(
    plugin: &Arc<PluginActor>,
    cache: &Cache,
    request: Request<Incoming>,
    client: IpAddr,
    line: &Line,
    alive: Alive,
) -> Response<Body> {
    tracing::debug!(method = %request.method(), path = request.uri().path(), "a request");
    let version = request.version();
    let request = match shape::checked(request) {
        Ok(request) => request,
        Err(sentence) => return misshapen(sentence, version),
    };
    if socket::is_handshake(&request) {
        return socket::shake_hands(plugin, request, client, line).await;
    }
    let generation = plugin.generation();
    if request.body().is_end_stream()
        && let Some(answer) = cache.find(generation, &request)
    {
        return response::sent(answer);
    }
    let request = match read(request, plugin.limits()).await {
        Ok(inner) => plugin::Request { inner, client },
        Err(refusal) => return *refusal,
    };
    let (asked, cut) = (Arc::clone(plugin), Arc::clone(&line.cut));
    let call = async move {
        let answer = asked.http(&request, &cut).await?;
        Ok((request.inner, answer))
    };
    match line.calls.carry(call).await {
        Ok((request, HttpAnswer::Complete(answer))) => match response::whole(answer) {
            Some(answer) => {
                cache.keep(generation, &request, &answer);
                response::sent(answer)
            }
            None => response::unfit(),
        },
        Ok((_, HttpAnswer::Stream(answer, held))) => {
            let beginning = answer.body.clone();
            response::with_body(answer, Either::Right(HeldBody::new(beginning, held, alive)))
        }
        Ok((_, HttpAnswer::Later(fallback, held))) => later(fallback, held).await,
        Ok((_, HttpAnswer::Full)) => response::full(),
        Err(error) => response::no_answer(&error),
    }
}

async fn later(fallback: plugin::Response, held: Held) -> Response<Body> {
    match tokio::time::timeout(held.hold().life, held.end()).await {
        Ok(End::Answered(answer)) => response::complete(*answer),
        Ok(End::Closed(_) | End::Cut) | Err(_) => response::complete(fallback),
    }
}

/// Reads a request in full, so that no client, however slow, can hold the instance.
async fn read(request: Request<Incoming>, limits: &Limits) -> Result<Request<Bytes>, Box<Response<Body>>> {
    let too_large = || response::error(StatusCode::PAYLOAD_TOO_LARGE, "The request is too large.", None);
    let (head, body) = request.into_parts();
    if body.size_hint().lower() > u64::try_from(limits.body_bytes).unwrap_or(u64::MAX) {
        return Err(Box::new(too_large()));
    }
    let collected = tokio::time::timeout(limits.body, Limited::new(body, limits.body_bytes).collect()).await;
    match collected {
        Ok(Ok(body)) => Ok(Request::from_parts(head, body.to_bytes())),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Box::new(too_large())),
        Ok(Err(_)) => Err(Box::new(response::error(
            StatusCode::BAD_REQUEST,
            "The request broke off.",
            None,
        ))),
        Err(_) => Err(Box::new(response::error(
            StatusCode::REQUEST_TIMEOUT,
            "The request took too long.",
            None,
        ))),
    }
}

/// The connection goes with the request: what follows on it may be a part of that.
fn misshapen(sentence: &str, version: Version) -> Response<Body> {
    let mut response = response::error(StatusCode::BAD_REQUEST, sentence, None);
    if version < Version::HTTP_2 {
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// What is said to a new request while the harness ends.
pub(super) fn going_away() -> Response<Body> {
    let sentence = "The chat is being restarted. Please try again.";
    response::error(StatusCode::SERVICE_UNAVAILABLE, sentence, Some(Duration::from_secs(2)))
}
