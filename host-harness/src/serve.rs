//! Puts the parts together: loads the plugin, opens the sockets, and ends in order.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cluster::Turns;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

use crate::agent::{AgentChoice, AgentError, AgentQueue, Notes};
use crate::cluster::Workers;
use crate::data_dir::DataDirError;
use crate::engine::Engine;
use crate::http::{Server, Tls, TlsError};
use crate::mcp::{Keys, McpServer, McpServerError};
use crate::metrics::{MetricsServer, MetricsServerError, Of, Watched};
use crate::owner::{Desk, Desks, OwnerServer, OwnerServerError};
use crate::pin::{Pin, PinError};
use crate::plugin::{CallError, Condition, Grants, Journal, LoadError, PluginActor};
use crate::programs::Programs;
use crate::push::{End, PushHub, Reason, Relay};
use crate::settings::Settings;
use crate::source::SourceError;
use crate::web_push::{WebPush, WebPushError};

/// Time for connections to end after the plugin has stopped: enough to write what they have.
const CONNECTIONS_END: Duration = Duration::from_secs(2);

/// Name of the secret from which the key follows that push services know this host by. The plugin is not granted it.
const WEB_PUSH_KEY: &str = "web-push-key";

/// Why the harness does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The data directory cannot be used.
    #[error(transparent)]
    Data(#[from] DataDirError),
    /// The plugin's component cannot be read or fetched.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The plugin cannot be loaded.
    #[error("{plugin}: {source}")]
    Load {
        /// As the owner names it.
        plugin: String,
        /// What does not fit.
        source: LoadError,
    },
    /// The plugin is not the accepted one.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// The agent cannot be reached from this machine.
    #[error("the agent: {0}")]
    Agent(AgentError),
    /// Notifications cannot be sent.
    #[error(transparent)]
    WebPush(#[from] WebPushError),
    /// Wasmtime cannot be set up.
    #[error("setting up the WebAssembly engine: {0:#}")]
    Engine(wasmtime::Error),
    /// The plugin does not start, or stop.
    #[error("the plugin: {0}")]
    Start(CallError),
    /// The plugin's files are damaged. They have not been touched.
    #[error(
        "the files in {} are damaged, and were left as they are: {found}; bring back a backup with \
         `host-harness restore FILE --data {}`, which sets these files aside and removes none",
        directory.display(), data.display()
    )]
    Damaged {
        /// The plugin's directory.
        directory: PathBuf,
        /// The data directory.
        data: PathBuf,
        /// What the plugin found first.
        found: String,
    },
    /// The port is taken.
    #[error("port {port} of {host} is in use: stop what uses it, or choose another with --port (0 takes a free one)")]
    PortInUse {
        /// The address.
        host: String,
        /// The port.
        port: u16,
    },
    /// The address cannot be listened on.
    #[error(
        "listening on {host}, port {port}: {source}: choose an address of this machine with --host, and a port you may use with --port"
    )]
    Listen {
        /// The address.
        host: String,
        /// The port.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// The certificate or its key.
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
    /// The owner's socket.
    #[error(transparent)]
    Owner(#[from] OwnerServerError),
    /// The port for the owner's other agents.
    #[error(transparent)]
    Mcp(#[from] McpServerError),
    /// The address for health and metrics.
    #[error(transparent)]
    Metrics(#[from] MetricsServerError),
    /// The tenants.
    #[error(transparent)]
    Tenants(#[from] crate::tenants::DirectoryError),
    /// The runtime cannot be made.
    #[error("starting: {0}")]
    Runtime(io::Error),
}

/// What a plugin is connected with that is not on this machine.
#[derive(Debug, Default)]
pub(crate) struct Around {
    /// Where what it publishes goes.
    pub(crate) relay: Option<Relay>,
    /// The queue of workers.
    pub(crate) turns: Option<Turns>,
    /// What sends its files' changes.
    pub(crate) journal: Option<Arc<Journal>>,
}

/// A plugin with what it is connected to, without sockets.
#[derive(Debug)]
pub struct Host {
    plugin: Arc<PluginActor>,
}

impl Host {
    /// Loads the plugin that the settings name, for a chat on `port`.
    ///
    /// # Errors
    /// When it cannot be read, compiled or linked, or its secrets cannot be kept.
    pub fn load(settings: &Settings, port: u16) -> Result<Self, ServeError> {
        let engine = Engine::new(&settings.whole.cache()).map_err(ServeError::Engine)?;
        Self::of(&Programs::new(Arc::new(engine)), settings, port, Around::default())
    }

    /// As [`Host::load`], with a program that may be loaded already.
    pub(crate) fn of(programs: &Programs, settings: &Settings, port: u16, around: Around) -> Result<Self, ServeError> {
        let mut secrets = std::collections::BTreeMap::new();
        for name in settings.granted_secrets() {
            secrets.insert(name.clone(), settings.data.secret(name)?);
        }
        if !settings.allowed_push_services.is_empty() {
            tracing::warn!(addresses = ?settings.allowed_push_services, "friends may have the harness send to these private addresses");
        }
        let contact = settings.base_url.clone().filter(|url| url.starts_with("https://"));
        let web_push = WebPush::new(
            &settings.data.secret(WEB_PUSH_KEY)?,
            contact,
            settings.allowed_push_services.clone(),
        )?;
        let grants = Grants {
            capabilities: settings.capabilities.clone(),
            directory: settings.data.plugin(),
            config: settings.plugin_config(port),
            secrets,
            notes: Some(Notes::at(settings.data.notes())),
            web_push: Some(Arc::new(web_push)),
            journal: around.journal,
        };
        let limits = settings.limits.clone();
        let hub = match around.relay {
            Some(relay) => PushHub::relayed(&limits, relay),
            None => PushHub::new(&limits),
        };
        let agent = match around.turns.filter(|_| settings.agent == AgentChoice::Workers) {
            Some(turns) => {
                let tenant = settings.tenant.as_ref().map(ToString::to_string).unwrap_or_default();
                Arc::new(Workers::new(
                    turns,
                    tenant,
                    settings.agent_name().to_owned(),
                    settings.data.notes(),
                ))
            }
            None => settings
                .agent
                .agent(
                    settings.agent_key.clone(),
                    settings.agent_name(),
                    Notes::at(settings.data.notes()),
                )
                .map_err(ServeError::Agent)?,
        };
        let queue = AgentQueue::new(agent, &limits);
        let loaded = programs.load(settings, &settings.capabilities)?;
        if settings.plugin.is_some() {
            Pin::of(&loaded, settings).check(&settings.data.pin())?;
        }
        let engine = Arc::clone(programs.engine());
        let plugin = PluginActor::new(engine, loaded.program, grants, limits, hub, queue);
        Ok(Self { plugin })
    }

    /// The plugin.
    pub fn plugin(&self) -> &Arc<PluginActor> {
        &self.plugin
    }
}

/// Starts the plugin; where it fails because its files are damaged, the error says so and what to do.
pub(crate) async fn start(plugin: &Arc<PluginActor>, settings: &Settings) -> Result<(), ServeError> {
    let Err(error) = plugin.start().await else {
        return Ok(());
    };
    Err(match damage(plugin, settings, &error).await {
        Some(damaged) => damaged,
        None => ServeError::Start(error),
    })
}

/// Whether a call failed because the plugin's files are damaged: the error then says so and what to do.
pub(crate) async fn damage(plugin: &Arc<PluginActor>, settings: &Settings, failed: &CallError) -> Option<ServeError> {
    if !failed.is_about_storage() {
        return None;
    }
    match plugin.verify().await {
        Ok(Condition::Damaged(found)) => Some(ServeError::Damaged {
            directory: settings.data.plugin(),
            data: settings.data.root().to_owned(),
            found,
        }),
        _ => None,
    }
}

/// What to do once before the first visitor.
#[derive(Debug, Clone, Default)]
pub struct Welcome {
    /// A friend to invite if the plugin has never run here.
    pub first_friend: Option<String>,
}

/// Serves until `end` is ready, then answers what is queued, stops the plugin and closes every connection.
///
/// `say` is told, in whole lines, what the owner should see: the address, and an invite.
///
/// # Errors
/// When something is in the way of serving. Nothing is left running.
pub async fn serve(
    settings: &Settings,
    welcome: Welcome,
    say: impl Fn(&str),
    end: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let _lock = settings.data.lock()?;
    let is_new = settings.data.is_new();
    let tls = settings.tls.clone().map(Tls::load).transpose()?;
    let listener = listen(&settings.host, settings.port).await?;
    let port = listener.local_addr().map_or(settings.port, |address| address.port());
    let host = Host::load(settings, port)?;
    let plugin = Arc::clone(host.plugin());
    let server = Arc::new(Server::new(Arc::clone(&plugin), settings.proxies.clone(), tls));
    // From before the start, which may take its time, to the very end; it ends with this.
    let mut watching = JoinSet::new();
    let metrics = open_to_watchers(settings, &mut watching, Of::One(Arc::clone(&plugin)), &server).await?;
    start(&plugin, settings).await?;
    let owner = OwnerServer::bind(&settings.whole.owner_socket())?;
    let mcp = match settings.mcp_port {
        Some(port) => Some((McpServer::bind(port).await?, settings.data.mcp_token()?)),
        None => None,
    };

    say(&format!("The chat is at {}", settings.base_url(port)));
    if let Some((agents, _)) = &mcp {
        say(&format!("Your other agents find it at {}", agents.url()));
    }
    if let Some(url) = metrics {
        say(&format!("Its metrics are at {url}"));
    }
    if let Some(name) = welcome.first_friend.filter(|_| is_new) {
        let arguments = serde_json::json!({ "username": name }).to_string();
        let invite = crate::owner::Command::ToolEnding {
            suffix: "_invite".to_owned(),
            arguments,
        };
        match invite.run(&plugin).await {
            Ok(text) | Err(text) => say(&text),
        }
    }

    let healing = tokio::spawn(Arc::clone(&plugin).heal());
    let serving = server.run(listener);
    tokio::pin!(serving);
    tokio::select! {
        () = serving.as_mut() => {}
        () = owner.run(Desks::One(Arc::new(Desk::open(&plugin, settings)))) => {}
        () = serve_agents(mcp, &plugin) => {}
        () = end => {}
    }

    tracing::info!("ending");
    server.close();
    let (_, stopped) = let_connections_end(serving, stop(&plugin, &healing.abort_handle())).await;
    stopped.map_err(ServeError::Start)
}

/// Answers what is queued, within the limit for that, then stops the plugin and ends its connections. Says whether all was
/// answered, and whether the plugin has stopped as it should.
pub(crate) async fn stop(plugin: &Arc<PluginActor>, healing: &AbortHandle) -> (bool, Result<(), CallError>) {
    let drained = tokio::time::timeout(plugin.limits().drain, plugin.queue().drain()).await;
    if drained.is_err() {
        tracing::warn!("the agent is still busy: what is not answered is answered after the next start");
    }
    healing.abort();
    let stopped = plugin.stop().await;
    plugin.hub().end_all(&End::Closed(Reason {
        code: 1001,
        text: "going away".to_owned(),
    }));
    (drained.is_ok(), stopped)
}

/// Serves connections while the plugin ends, so that answers in progress reach their readers, and for a moment after that.
pub(crate) async fn let_connections_end<T>(serving: impl Future<Output = ()>, ended: impl Future<Output = T>) -> T {
    tokio::pin!(serving, ended);
    let mut is_serving = true;
    let result = loop {
        tokio::select! {
            result = ended.as_mut() => break result,
            () = serving.as_mut(), if is_serving => is_serving = false,
        }
    };
    if is_serving && tokio::time::timeout(CONNECTIONS_END, serving).await.is_err() {
        tracing::info!("some connections did not end by themselves");
    }
    result
}

/// Opens the address for health and metrics, where there is to be one, and says which it is.
pub(crate) async fn open_to_watchers(
    settings: &Settings,
    watching: &mut JoinSet<()>,
    of: Of,
    server: &Arc<Server>,
) -> Result<Option<String>, ServeError> {
    let Some(address) = settings.metrics else {
        return Ok(None);
    };
    let metrics = MetricsServer::bind(address).await?;
    let token = match metrics.is_private() {
        true => None,
        false => Some(settings.data.metrics_token()?),
    };
    let watched = Watched {
        of,
        server: Arc::clone(server),
        data: settings.data.clone(),
        since: SystemTime::now(),
    };
    let url = metrics.url();
    watching.spawn(metrics.run(watched, token));
    Ok(Some(url))
}

async fn serve_agents(agents: Option<(McpServer, String)>, plugin: &Arc<PluginActor>) {
    match agents {
        Some((server, token)) => server.run(Keys::One(Arc::clone(plugin), token.into())).await,
        None => std::future::pending().await,
    }
}

pub(crate) async fn listen(host: &str, port: u16) -> Result<TcpListener, ServeError> {
    TcpListener::bind((host, port))
        .await
        .map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => ServeError::PortInUse {
                host: host.to_owned(),
                port,
            },
            _ => ServeError::Listen {
                host: host.to_owned(),
                port,
                source,
            },
        })
}
