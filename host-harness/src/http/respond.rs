//! Answers one request: reads it in full and within bounds, asks the plugin, and sends what that says.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, LOCATION};
use http::{HeaderValue, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use tokio::sync::Notify;
use tracing::Instrument as _;

use super::cache::Cache;
use super::carrier::Carrier;
use super::response::{self, Content};
use super::shape;
use super::site::{Answerer, Site, Sites};
use super::socket::{self, Socket};
use super::stream::Stream;
use crate::limits::Limits;
use crate::plugin::{self, CallError, Generation, HttpAnswer};
use crate::push::{End, Held};
use crate::tenants::{NoVisit, RETRY_AFTER};

/// What the requests on a connection share, of which one follows another; on one of HTTP/2 each has its own.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Told when what is held is cut.
    pub(super) cut: Arc<Notify>,
    left: Mutex<Option<Left>>,
    calls: Carrier<Result<(Request<Bytes>, HttpAnswer), CallError>>,
}

/// What a connection of HTTP/1.1 is left to after a request.
#[derive(Debug)]
pub(super) enum Left {
    /// A held stream.
    Stream(Box<Stream>),
    /// A WebSocket, with the head of the answer, and whoever is told when it is cut.
    Socket(Vec<u8>, Box<Socket>, Arc<Notify>),
}

impl Line {
    /// Leaves the connection to something else.
    pub(super) fn leave(&self, to: Left) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(to);
    }

    /// What it is left to, if anything.
    pub(super) fn left(&self) -> Option<Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Answers a request.
pub(super) async fn respond(
    sites: &Sites,
    request: Request<Incoming>,
    client: IpAddr,
    line: &Line,
) -> Response<Content> {
    tracing::debug!(method = %request.method(), path = request.uri().path(), "a request");
    let version = request.version();
    let request = match shape::checked(request) {
        Ok(request) => request,
        Err(sentence) => return unread(response::error(StatusCode::BAD_REQUEST, sentence, None), version),
    };
    match sites {
        Sites::One(site) => ask_here(site, request, client, line).await,
        Sites::Many(tenants) => match tenants.visit(request).await {
            Ok((tenant, request)) => tenant.tell(ask_here(tenant.site(), request, client, line)).await,
            Err(why) => unread(nobody(&why), version),
        },
        Sites::Far(edge) => match edge.visit(request) {
            Ok((plugin, request)) => {
                let span = plugin.span();
                ask(Answerer::There(plugin), None, request, client, line)
                    .instrument(span)
                    .await
            }
            Err(why) => unread(nobody(&why), version),
        },
    }
}

/// Has a request answered by the plugin whose it is.
async fn ask_here(site: &Site, request: Request<Incoming>, client: IpAddr, line: &Line) -> Response<Content> {
    let Site { plugin, cache } = site;
    let generation = plugin.generation();
    if request.body().is_end_stream()
        && let Some(answer) = cache.find(generation, &request)
    {
        return response::sent(answer);
    }
    let plugin = Answerer::Here(Arc::clone(plugin));
    ask(plugin, Some((cache, generation)), request, client, line).await
}

/// Asks whoever answers. What may be given again is kept, where there is a place for that.
async fn ask(
    plugin: Answerer,
    cache: Option<(&Cache, Generation)>,
    request: Request<Incoming>,
    client: IpAddr,
    line: &Line,
) -> Response<Content> {
    if socket::is_handshake(&request) {
        return socket::shake_hands(plugin, request, client, line).await;
    }
    let request = match read(request, plugin.limits()).await {
        Ok(inner) => plugin::Request { inner, client },
        Err(refusal) => return *refusal,
    };
    let cut = Arc::clone(&line.cut);
    let call = async move {
        let answer = plugin.http(&request, &cut).await?;
        Ok((request.inner, answer))
    };
    match line.calls.carry(call).await {
        Ok((request, HttpAnswer::Complete(answer))) => match response::whole(answer) {
            Some(answer) => {
                if let Some((cache, generation)) = cache {
                    cache.keep(generation, &request, &answer);
                }
                response::sent(answer)
            }
            None => response::unfit(),
        },
        Ok((_, HttpAnswer::Stream(answer, held))) => response::going_on(answer, held),
        Ok((_, HttpAnswer::Later(fallback, held))) => later(fallback, held).await,
        Ok((_, HttpAnswer::Full)) => response::full(),
        Err(error) => response::no_answer(&error),
    }
}

async fn later(fallback: plugin::Response, held: Held) -> Response<Content> {
    match tokio::time::timeout(held.hold().life, held.end()).await {
        Ok(End::Answered(answer)) => response::complete(*answer),
        Ok(End::Closed(_) | End::Cut) | Err(_) => response::complete(fallback),
    }
}

/// Reads a request in full, so that no client, however slow, can hold the instance.
async fn read(request: Request<Incoming>, limits: &Limits) -> Result<Request<Bytes>, Box<Response<Content>>> {
    let version = request.version();
    let refusal = |status, sentence| Box::new(unread(response::error(status, sentence, None), version));
    let too_large = || refusal(StatusCode::PAYLOAD_TOO_LARGE, "The request is too large.");
    let (head, body) = request.into_parts();
    if body.size_hint().lower() > u64::try_from(limits.body_bytes).unwrap_or(u64::MAX) {
        return Err(too_large());
    }
    let collected = tokio::time::timeout(limits.body, Limited::new(body, limits.body_bytes).collect()).await;
    match collected {
        Ok(Ok(body)) => Ok(Request::from_parts(head, body.to_bytes())),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(refusal(StatusCode::BAD_REQUEST, "The request broke off.")),
        Err(_) => Err(refusal(StatusCode::REQUEST_TIMEOUT, "The request took too long.")),
    }
}

/// The answer to a request that was not read in full, with which the connection goes: what follows on it may be a part of
/// that.
fn unread(mut response: Response<Content>, version: Version) -> Response<Content> {
    if version < Version::HTTP_2 {
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The answer to a request that is for no plugin that answers.
fn nobody(why: &NoVisit) -> Response<Content> {
    if let NoVisit::Elsewhere(target) = why
        && let Ok(location) = HeaderValue::from_str(target)
    {
        let mut redirect = response::error(StatusCode::PERMANENT_REDIRECT, &why.to_string(), None);
        redirect.headers_mut().insert(LOCATION, location);
        return redirect;
    }
    let (status, retry_after) = match why {
        NoVisit::Nowhere | NoVisit::Elsewhere(_) => (StatusCode::NOT_FOUND, None),
        NoVisit::Suspended => (StatusCode::SERVICE_UNAVAILABLE, None),
        NoVisit::Down => (StatusCode::SERVICE_UNAVAILABLE, Some(RETRY_AFTER)),
    };
    response::error(status, &why.to_string(), retry_after)
}

/// What is said to a new request while the harness ends.
pub(super) fn going_away() -> Response<Content> {
    let sentence = "The chat is being restarted. Please try again.";
    response::error(StatusCode::SERVICE_UNAVAILABLE, sentence, Some(Duration::from_secs(2)))
}
