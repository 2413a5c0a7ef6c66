//! How the harness is doing, for the programs that watch it: `/healthz`, `/readyz`, and `/metrics` in Prometheus's text format,
//! on an address of the owner's. It is not the chat's: all paths there are the plugin's, and behind a reverse proxy every
//! visitor comes from this machine.
//!
//! Nothing here names a friend or says what was written. Whoever is on this machine may read it; on an address that others
//! reach `/metrics` wants a token.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::SystemTime;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, StatusCode};
use hyper::body::Incoming;
use prometheus_client::encoding::prometheus_text::{self, CONTENT_TYPE as PROMETHEUS};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use crate::data_dir::DataDir;
use crate::http::Server;
use crate::owner_http::{self, Answer};
use crate::plugin::{Health, PluginActor};
use crate::tenants::Tenants;

mod count;
mod page;

pub(crate) use count::{Counter, Durations, Histogram};

/// Before the names of all metrics.
const PREFIX: &str = "host_harness";

/// Whose plugins are watched.
#[derive(Debug, Clone)]
pub(crate) enum Of {
    /// The one owner's.
    One(Arc<PluginActor>),
    /// Those of many.
    Many(Arc<Tenants>),
}

/// What the metrics are of.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    pub(crate) of: Of,
    pub(crate) server: Arc<Server>,
    pub(crate) data: DataDir,
    pub(crate) since: SystemTime,
}

/// The address for health and metrics.
#[derive(Debug)]
pub(crate) struct MetricsServer {
    listener: TcpListener,
    address: SocketAddr,
}

/// The address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error(
    "listening for metrics on {address}: {source}: choose another with --metrics, an address of this machine and a port \
     (0 takes a free one)"
)]
pub struct MetricsServerError {
    address: SocketAddr,
    source: io::Error,
}

impl MetricsServer {
    /// Opens an address of this machine.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(crate) async fn bind(address: SocketAddr) -> Result<Self, MetricsServerError> {
        let bind = async {
            let listener = TcpListener::bind(address).await?;
            let address = listener.local_addr()?;
            Ok(Self { listener, address })
        };
        bind.await.map_err(|source| MetricsServerError { address, source })
    }

    /// Where the metrics are.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }

    /// Whether only this machine reaches it.
    pub(crate) fn is_private(&self) -> bool {
        self.address.ip().is_loopback()
    }

    /// Serves for ever; `/metrics` to whoever has the token, or to anybody on this machine where there is none.
    pub(crate) async fn run(self, watched: Watched, token: Option<String>) {
        let shared = Arc::new((watched, token));
        let answer = move |request| {
            let shared = Arc::clone(&shared);
            async move { answer(&shared.0, shared.1.as_deref(), &request) }
        };
        owner_http::run(&self.listener, "of what watches the harness", answer).await;
    }
}

/// Answers on the thread that serves the chat: that there is an answer says that this thread takes its turns.
fn answer(watched: &Watched, token: Option<&str>, request: &Request<Incoming>) -> Answer {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return owner_http::plain(StatusCode::METHOD_NOT_ALLOWED, "Ask with GET\n");
    }
    let mut answer = match request.uri().path() {
        "/healthz" => owner_http::plain(StatusCode::OK, "ok\n"),
        "/readyz" => match unready(watched) {
            None => owner_http::plain(StatusCode::OK, "ready\n"),
            Some(state) => owner_http::plain(StatusCode::SERVICE_UNAVAILABLE, format!("{state}\n")),
        },
        "/metrics" => match token {
            Some(token) if !owner_http::carries(request, token) => {
                return owner_http::unauthorized("Give the token of the metrics as a bearer token\n");
            }
            // A web page can lead its own name here; it cannot lead an address.
            None if !names_an_address(request) => {
                return owner_http::plain(StatusCode::MISDIRECTED_REQUEST, "Ask by address, or as localhost\n");
            }
            _ => metrics(watched),
        },
        _ => owner_http::plain(StatusCode::NOT_FOUND, "Not found\n"),
    };
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    }
    answer
}

/// Why no new request is answered; none when they are.
fn unready(watched: &Watched) -> Option<&'static str> {
    if watched.server.is_closing() {
        return Some("stopping");
    }
    match &watched.of {
        // A tenant is started when it is called.
        Of::Many(_) => None,
        Of::One(plugin) => match plugin.health() {
            Health::Running => None,
            health => Some(health.word()),
        },
    }
}

fn names_an_address(request: &Request<Incoming>) -> bool {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let Some(authority) = host.and_then(|host| host.parse::<http::uri::Authority>().ok()) else {
        return false;
    };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

fn metrics(watched: &Watched) -> Answer {
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register_collector(Box::new(watched.clone()));
    let mut text = String::new();
    if let Err(error) = prometheus_text::encode(&mut text, &registry) {
        tracing::error!(%error, "writing the metrics");
        return owner_http::plain(StatusCode::INTERNAL_SERVER_ERROR, "The metrics cannot be written\n");
    }
    let mut answer = owner_http::plain(StatusCode::OK, text);
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(PROMETHEUS));
    answer
}
