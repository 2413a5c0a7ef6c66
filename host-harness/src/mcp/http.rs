//! The owner's tools over HTTP (MCP's streamable HTTP), on a port of their own that only this machine reaches. It is not
//! the chat's: behind a reverse proxy every visitor of that one comes from this machine.
//!
//! A request needs the owner's token, names this machine as its host, and comes from no web page.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use subtle::ConstantTimeEq as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::{Door, Session};
use crate::plugin::PluginActor;

/// The one address.
const PATH: &str = "/mcp";

/// Bytes of a request: a message of 64 KiB with every character escaped.
const BODY_BYTES: usize = 512 << 10;

/// Connections at a time. An owner has a handful of agents.
const CONNECTIONS: usize = 64;

/// Time for a request's head to arrive.
const HEAD: Duration = Duration::from_secs(10);

/// Time for a request, from its head to its answer. Tools take milliseconds; the rest is for the body to arrive.
const REQUEST: Duration = Duration::from_secs(30);

type Service = StreamableHttpService<Session, NeverSessionManager>;
type Answer = Response<BoxBody<Bytes, Infallible>>;

/// The port for the owner's other agents.
#[derive(Debug)]
pub struct McpServer {
    listener: TcpListener,
    address: SocketAddr,
}

/// The port cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error(
    "listening for the owner's agents on port {port}: {source}: choose another with --mcp-port (0 takes a free one)"
)]
pub struct McpServerError {
    port: u16,
    source: io::Error,
}

impl McpServer {
    /// Opens a port of this machine; 0 for a free one.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn bind(port: u16) -> Result<Self, McpServerError> {
        let bind = async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
            let address = listener.local_addr()?;
            Ok(Self { listener, address })
        };
        bind.await.map_err(|source| McpServerError { port, source })
    }

    /// Where an agent finds it.
    pub fn url(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }

    /// Serves whoever has the token, for ever.
    pub async fn run(&self, plugin: Arc<PluginActor>, token: String) {
        let config = StreamableHttpServerConfig::default()
            .with_allowed_hosts(["localhost", "127.0.0.1"])
            .enforce_origin_validation()
            .with_legacy_session_mode(false)
            .with_json_response(true)
            .with_max_request_body_bytes(BODY_BYTES);
        let session = Session {
            door: Door::Here(plugin),
        };
        let service: Service = StreamableHttpService::new(move || Ok(session.clone()), Arc::default(), config);
        let token = Arc::new(token);
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let accepted = self.listener.accept().await;
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            match accepted {
                Ok((stream, _)) => {
                    let (service, token) = (service.clone(), Arc::clone(&token));
                    tokio::spawn(async move {
                        serve(stream, service, token).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "accepting an agent of the owner's");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}

async fn serve(stream: TcpStream, service: Service, token: Arc<String>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (service, token) = (service.clone(), Arc::clone(&token));
        async move { Ok::<_, Infallible>(respond(&service, request, &token).await) }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD);
    if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a connection of an agent of the owner's");
    }
}

async fn respond(service: &Service, request: Request<Incoming>, token: &str) -> Answer {
    if !is_owner(&request, token) {
        tracing::warn!("somebody without the token asked for the owner's tools");
        let mut answer = plain(StatusCode::UNAUTHORIZED, "Give the owner's token as a bearer token");
        answer
            .headers_mut()
            .insert(WWW_AUTHENTICATE, http::HeaderValue::from_static("Bearer"));
        return answer;
    }
    if request.uri().path() != PATH {
        return plain(StatusCode::NOT_FOUND, "Not found");
    }
    match tokio::time::timeout(REQUEST, service.handle(request)).await {
        Ok(answer) => answer,
        Err(_) => plain(StatusCode::REQUEST_TIMEOUT, "The request took too long"),
    }
}

/// Whether a request carries the token (RFC 6750, section 2.1). How long it takes to see that it does not says nothing of it.
fn is_owner(request: &Request<Incoming>, token: &str) -> bool {
    let given = request.headers().get(AUTHORIZATION).and_then(|value| {
        let (scheme, given) = value.as_bytes().split_at_checked("Bearer ".len())?;
        scheme.eq_ignore_ascii_case(b"Bearer ").then_some(given)
    });
    given.is_some_and(|given| given.ct_eq(token.as_bytes()).into())
}

fn plain(status: StatusCode, sentence: &'static str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from_static(sentence.as_bytes())).boxed());
    *answer.status_mut() = status;
    answer
}
