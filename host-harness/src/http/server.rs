//! Serves HTTP/1.1 on a listener, on the thread of the instance: a request that finds the instance free is answered
//! without waking another thread.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Either, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::client_address::Proxies;
use super::held::HeldBody;
use super::response::{self, Body};
use super::socket::{self, Handover};
use crate::limits::Limits;
use crate::plugin::{self, HttpAnswer, PluginActor};
use crate::push::{End, Held};

/// Pause after a failure to accept, such as too many open files: others may close some meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Whether requests are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Serving,
    /// New requests are refused, those begun are answered.
    Closing,
}

/// The web side of one plugin.
#[derive(Debug)]
pub struct Server {
    plugin: Arc<PluginActor>,
    proxies: Arc<Proxies>,
    phase: watch::Sender<Phase>,
}

impl Server {
    /// A server that takes requests for a plugin, behind some proxies or none, once [`Server::run`] is called.
    pub fn new(plugin: Arc<PluginActor>, proxies: Proxies) -> Self {
        Self {
            plugin,
            proxies: Arc::new(proxies),
            phase: watch::Sender::new(Phase::Serving),
        }
    }

    /// Takes no new request: those on open connections are answered with 503.
    pub fn close(&self) {
        self.phase.send_replace(Phase::Closing);
    }

    /// Accepts connections until [`Server::close`], then waits for those that are open.
    pub async fn run(&self, listener: TcpListener) {
        let mut closing = self.phase.subscribe();
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = closing.wait_for(|phase| *phase == Phase::Closing) => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let (plugin, proxies) = (Arc::clone(&self.plugin), Arc::clone(&self.proxies));
                    connections.spawn(serve(plugin, proxies, stream, peer.ip(), self.phase.subscribe()));
                }
                Err(error) => {
                    tracing::warn!(%error, "accepting a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
            while connections.try_join_next().is_some() {}
        }
        drop(listener);
        while connections.join_next().await.is_some() {}
    }
}

async fn serve(
    plugin: Arc<PluginActor>,
    proxies: Arc<Proxies>,
    stream: TcpStream,
    peer: IpAddr,
    mut phase: watch::Receiver<Phase>,
) {
    // A piece of an answer is small and wanted now.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "setting TCP_NODELAY");
    }
    let limits = plugin.limits().clone();
    // A stream that is cut ends its connection from here: its body is not asked for while its client does not read.
    let cut = Arc::new(Notify::new());
    let handover = Handover::default();
    let service = service_fn({
        let (plugin, cut, handover, phase) = (
            Arc::clone(&plugin),
            Arc::clone(&cut),
            Arc::clone(&handover),
            phase.clone(),
        );
        move |request: Request<Incoming>| {
            let client = proxies.client(peer, request.headers());
            let (plugin, cut, handover) = (Arc::clone(&plugin), Arc::clone(&cut), Arc::clone(&handover));
            let closing = *phase.borrow() == Phase::Closing;
            async move {
                if closing {
                    return Ok(going_away());
                }
                Ok::<_, Infallible>(respond(&plugin, request, client, &cut, &handover).await)
            }
        }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(64 << 10);
    let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::pin!(connection);
    let mut graceful = false;
    loop {
        tokio::select! {
            result = connection.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(%error, "a connection");
                }
                break;
            }
            () = cut.notified() => return,
            _ = phase.wait_for(|phase| *phase == Phase::Closing), if !graceful => {
                graceful = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
    let socket = handover.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(socket) = socket {
        socket.run(&plugin, &cut).await;
    }
}

async fn respond(
    plugin: &Arc<PluginActor>,
    request: Request<Incoming>,
    client: IpAddr,
    cut: &Arc<Notify>,
    handover: &Handover,
) -> Response<Body> {
    if socket::is_handshake(&request) {
        return socket::shake_hands(plugin, request, client, cut, handover).await;
    }
    let request = match read(request, plugin.limits()).await {
        Ok(inner) => plugin::Request { inner, client },
        Err(refusal) => return *refusal,
    };
    match plugin.http(request, cut).await {
        Ok(HttpAnswer::Complete(answer)) => response::complete(answer),
        Ok(HttpAnswer::Stream(answer, held)) => {
            let beginning = answer.body.clone();
            response::with_body(answer, Either::Right(HeldBody::new(beginning, held)))
        }
        Ok(HttpAnswer::Later(fallback, held)) => later(fallback, held).await,
        Ok(HttpAnswer::Full) => response::full(),
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

fn going_away() -> Response<Body> {
    let sentence = "The chat is being restarted. Please try again.";
    response::error(StatusCode::SERVICE_UNAVAILABLE, sentence, Some(Duration::from_secs(2)))
}
