//! The owner's tools over HTTP (MCP's streamable HTTP), on a port of their own that only this machine reaches. It is not
//! the chat's: behind a reverse proxy every visitor of that one comes from this machine.
//!
//! A request needs the owner's token, names this machine as its host, and comes from no web page.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use http::{Request, StatusCode};
use hyper::body::Incoming;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::TcpListener;

use super::{Door, Session};
use crate::owner_http::{self, Answer};
use crate::plugin::PluginActor;
use crate::tenants::{Awake, Tenants};

/// The one address.
const PATH: &str = "/mcp";

/// Bytes of a request: a message of 64 KiB with every character escaped.
const BODY_BYTES: usize = 512 << 10;

type Service = StreamableHttpService<Session, NeverSessionManager>;

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

    /// Serves whoever has a token, for ever.
    pub async fn run(&self, keys: Keys) {
        let answer = move |request| respond(keys.clone(), request);
        owner_http::run(&self.listener, "an agent of the owner's", answer).await;
    }
}

/// Whom a token lets in, and to what.
#[derive(Debug, Clone)]
pub enum Keys {
    /// The one owner's.
    One(Arc<PluginActor>, Arc<str>),
    /// A tenant's, whose name stands behind the address.
    Many(Arc<Tenants>),
}

impl Keys {
    /// What a request may use; nothing is said of the rest, not even whether it is there.
    async fn open(&self, request: &Request<Incoming>) -> Option<Opened> {
        match self {
            Self::One(plugin, token) => owner_http::carries(request, token).then(|| Opened::Owner(Arc::clone(plugin))),
            Self::Many(tenants) => {
                let (_, name) = request.uri().path().rsplit_once('/')?;
                let awake = tenants
                    .opened_by(name, |token| owner_http::carries(request, token))
                    .await;
                awake.map(Opened::Tenant)
            }
        }
    }

    fn is_place(&self, path: &str) -> bool {
        match self {
            Self::One(..) => path == PATH,
            Self::Many(_) => path.rsplit_once('/').is_some_and(|(before, _)| before == PATH),
        }
    }
}

/// What a token has opened, for as long as it is used.
enum Opened {
    Owner(Arc<PluginActor>),
    Tenant(Arc<Awake>),
}

impl Opened {
    fn plugin(&self) -> &Arc<PluginActor> {
        match self {
            Self::Owner(plugin) => plugin,
            Self::Tenant(awake) => awake.plugin(),
        }
    }
}

async fn respond(keys: Keys, request: Request<Incoming>) -> Answer {
    let Some(opened) = keys.open(&request).await else {
        tracing::warn!("somebody without the token asked for the owner's tools");
        return owner_http::unauthorized("Give the owner's token as a bearer token");
    };
    if !keys.is_place(request.uri().path()) {
        return owner_http::plain(StatusCode::NOT_FOUND, "Not found");
    }
    let service = service(Arc::clone(opened.plugin()));
    match &opened {
        Opened::Owner(_) => service.handle(request).await,
        Opened::Tenant(awake) => awake.tell(service.handle(request)).await,
    }
}

fn service(plugin: Arc<PluginActor>) -> Service {
    let config = StreamableHttpServerConfig::default()
        .with_allowed_hosts(["localhost", "127.0.0.1"])
        .enforce_origin_validation()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(BODY_BYTES);
    let session = Session {
        door: Door::Here(plugin),
    };
    StreamableHttpService::new(move || Ok(session.clone()), Arc::default(), config)
}
