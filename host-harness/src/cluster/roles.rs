//! The roles, from their begin to their end, and what the owner of the cluster asks of them.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use cluster::lease::LEASE;
use cluster::{Change, Link, LinkError, Logs, Owners, Role, TurnError, Turns, heir, surplus};

use futures_util::StreamExt as _;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::edge::{Again, Edge};
use super::mirror::{Mirror, MirrorError};
use super::node::{Keeper, Node};
use super::replica::Replicas;
use super::wire::{Ask, Reply};
use super::{Sender, subject};
use crate::http::{Server, Tls};
use crate::owner::{Desks, OwnerServer};
use crate::serve::{ServeError, let_connections_end, listen};
use crate::settings::Settings;
use crate::tenants::{Guide, Name, Tenants};

/// Time between two looks at what is not told.
const ROUND: Duration = Duration::from_secs(1);

/// Time for a tenant's agent to finish before the tenant is handed over; what is not finished begins anew.
const PATIENCE: Duration = Duration::from_secs(5);

/// Tenants that are handed over at once.
const AT_ONCE: usize = 8;

/// Time for a node to be drained.
const DRAINED: Duration = Duration::from_secs(120);

/// What a drained node answers.
const DRAINED_WELL: &[u8] = b"drained";

/// A role is not taken, or a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No address of NATS.
    #[error(
        "this needs the address of NATS: give it as --nats nats://HOST:4222, or write it into the configuration, as [nats] url = \"…\""
    )]
    NoNats,
    /// NATS has not what it takes.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The tenants.
    #[error(transparent)]
    Mirror(#[from] MirrorError),
    /// As a harness that is all in one.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// NATS does not let it listen.
    #[error("listening at NATS: {0}: see that the user has the subjects `chats.>` and those of JetStream")]
    Subscribe(#[from] async_nats::SubscribeError),
    /// The agent's queue.
    #[error(transparent)]
    Turns(#[from] TurnError),
    /// No answer came.
    #[error("{0}")]
    NoAnswer(String),
}

pub(super) async fn link(settings: &Settings, name: &str) -> Result<Link, ClusterError> {
    let access = settings.nats.as_ref().ok_or(ClusterError::NoNats)?;
    Ok(Link::open(access, name).await?)
}

/// Serves as an edge until `end` is ready.
///
/// # Errors
/// When something is in the way of serving.
pub async fn edge(
    settings: &Settings,
    name: &str,
    say: impl Fn(&str),
    end: impl Future<Output = ()>,
) -> Result<(), ClusterError> {
    let _lock = settings.data.lock().map_err(ServeError::from)?;
    let sender = Sender::new();
    let id = format!("{name}.{:x}", sender.number());
    let link = link(settings, &id).await?;
    let owners = Owners::join(&link, &id, Role::Edge, env!("CARGO_PKG_VERSION")).await?;
    let tls = settings
        .tls
        .clone()
        .map(Tls::load)
        .transpose()
        .map_err(ServeError::from)?;
    let listener = listen(&settings.host, settings.port).await?;
    let port = listener.local_addr().map_or(settings.port, |address| address.port());
    let guide = Arc::new(Guide::default());
    let mirror = Mirror::open(&link).await?;
    let edge = Edge::new(
        sender,
        link.clone(),
        owners.clone(),
        Arc::clone(&guide),
        settings.limits.clone(),
    );
    let server = Server::of_edge(
        Arc::clone(&edge),
        settings.limits.clone(),
        settings.proxies.clone(),
        tls,
    );
    let (ready, mut is_ready) = watch::channel(false);
    let looked = settings.clone();
    let mirroring = async move {
        let look = |name: Name| {
            guide.forget(&name);
            if looked.tenants.has(&name)
                && let Err(error) = guide.look(&looked, &name)
            {
                tracing::error!(tenant = %name, %error, "this tenant is not served");
            }
        };
        mirror.keep(&looked.tenants, &ready, look).await;
    };
    let saying = async {
        // An error means that this is ending.
        let _ = is_ready.wait_for(|ready| *ready).await;
        say(&format!(
            "The edge {name} has chats served at {}",
            settings.base_url(port)
        ));
        std::future::pending::<()>().await;
    };
    let serving = server.run(listener);
    tokio::pin!(serving);
    tokio::select! {
        () = serving.as_mut() => {}
        () = follow(&edge, &link, &owners) => {}
        () = mirroring => {}
        () = saying => {}
        () = end => {}
    }
    tracing::info!("ending");
    server.close();
    edge.end_all();
    let_connections_end(serving, async {}).await;
    owners.leave().await;
    Ok(())
}

/// Follows tenants from node to node, for ever.
async fn follow(edge: &Arc<Edge>, link: &Link, owners: &Owners) {
    let mut changes = owners.changes();
    let mut rounds = interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut was_up = true;
    loop {
        tokio::select! {
            change = changes.recv() => match change {
                Ok(Change::Tenant(tenant)) => {
                    if let Some(plugin) = edge.known(&tenant) {
                        plugin.streams().follow(edge);
                    }
                }
                // Of everybody else nothing is told when many things happen at once.
                Ok(Change::Member(_)) | Err(_) => edge.follow(),
            },
            _ = rounds.tick() => {
                edge.tidy();
                owners.set_load(edge.held());
                let is_up = link.is_up();
                if is_up && !was_up {
                    edge.look_again();
                }
                was_up = is_up;
            }
        }
    }
}

/// Serves as a node until `end` is ready, then hands over what it has.
///
/// # Errors
/// When something is in the way of serving.
pub async fn node(
    settings: &Settings,
    name: &str,
    say: impl Fn(&str),
    end: impl Future<Output = ()>,
) -> Result<(), ClusterError> {
    let _lock = settings.data.lock().map_err(ServeError::from)?;
    let link = link(settings, name).await?;
    let mirror = Mirror::open(&link).await?;
    let (ready, mut is_ready) = watch::channel(false);
    let (changed, mut changes) = mpsc::unbounded_channel();
    let directory = settings.tenants.clone();
    let mirroring = tokio::spawn(async move {
        mirror.keep(&directory, &ready, |name| drop(changed.send(name))).await;
    });
    // An error means that the task has ended.
    let _ = is_ready.wait_for(|ready| *ready).await;
    let owners = Owners::join(&link, name, Role::Node, env!("CARGO_PKG_VERSION")).await?;
    let sending = Sending::begin()?;
    let replicas = match settings.replicated {
        true => Some(sending.replicas(settings, name).await?),
        false => None,
    };
    let keeper = Arc::new(Keeper {
        link: link.clone(),
        owners: owners.clone(),
        turns: Turns::open(&link).await?,
        replicas,
    });
    let tenants = Arc::new(Tenants::of_node(settings.clone(), Arc::clone(&keeper))?);
    let node = Node::new(name.to_owned(), keeper, Arc::clone(&tenants));
    let owner = OwnerServer::bind(&settings.whole.owner_socket()).map_err(ServeError::from)?;
    let looking = async {
        while let Some(name) = changes.recv().await {
            if let Err(error) = tenants.look(&name).await {
                tracing::error!(tenant = %name, %error, "this tenant is not as it should be");
            }
        }
    };
    let mut drains = link.client().subscribe(subject::drain(name)).await?;
    let draining = async {
        while let Some(message) = drains.next().await {
            give_up_all(&node, &owners).await;
            if let Some(inbox) = message.reply {
                // Who asked may have gone.
                let _ = link.client().publish(inbox, DRAINED_WELL.into()).await;
            }
        }
    };
    say(&format!(
        "The node {name} is ready, with {} tenants to be served at NATS",
        tenants.count()
    ));
    let answered = tokio::select! {
        answered = node.answer() => answered.map_err(ClusterError::from),
        () = owner.run(Desks::Many(Arc::clone(&tenants))) => Ok(()),
        () = tenants.tend() => Ok(()),
        () = looking => Ok(()),
        () = draining => Ok(()),
        () = keep_up(&node, &owners) => Ok(()),
        () = end => Ok(()),
    };
    tracing::info!("ending");
    mirroring.abort();
    // What is asked meanwhile is asked of others: this one does not listen any more.
    give_up_all(&node, &owners).await;
    owners.leave().await;
    answered
}

/// The thread that sends what plugins write: the others may wait for it.
struct Sending(Option<Runtime>);

impl Sending {
    fn begin() -> Result<Self, ServeError> {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build();
        Ok(Self(Some(runtime.map_err(ServeError::Runtime)?)))
    }

    async fn replicas(&self, settings: &Settings, name: &str) -> Result<Replicas, ClusterError> {
        let Some(runtime) = &self.0 else {
            return Err(ClusterError::NoNats);
        };
        let (own, name) = (settings.clone(), format!("{name}, sending"));
        let opening = runtime.spawn(async move {
            let link = link(&own, &name).await?;
            Ok::<_, ClusterError>(Logs::open(&link).await?)
        });
        let logs = opening
            .await
            .map_err(|error| ClusterError::NoAnswer(error.to_string()))??;
        Ok(Replicas::new(logs, settings.tenants.clone(), runtime.handle().clone()))
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Hands over every tenant, and takes none any more.
async fn give_up_all(node: &Arc<Node>, owners: &Owners) {
    owners.set_draining(true).await;
    let names = node.tenants.awake();
    tracing::info!(tenants = names.len(), "everything is handed over");
    futures_util::stream::iter(names)
        .for_each_concurrent(AT_ONCE, |name| hand_over(node, name))
        .await;
    owners.set_load(0);
}

async fn hand_over(node: &Arc<Node>, name: Name) {
    let is_done = node.tenants.hand_over(&name, PATIENCE).await;
    node.forget(name.as_str());
    if !is_done {
        // Somebody waits for what is not done yet.
        let keeper = &node.keeper;
        let waking = Sender::new().ask(&keeper.link, &keeper.owners, &name, Ask::Wake, Again::Harmless);
        if let Err(error) = waking.await {
            tracing::warn!(tenant = %name, %error, "nobody goes on with what is not done");
        }
    }
}

/// Takes up what dead nodes have left, gives up what is more than this one's share, and everything when its session is lost; for
/// ever.
async fn keep_up(node: &Arc<Node>, owners: &Owners) {
    let mut changes = owners.changes();
    let mut session = owners.session();
    session.mark_unchanged();
    let mut rounds = interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = session.changed() => {
                node.tenants.abandon().await;
                node.tidy(|_| false);
            }
            change = changes.recv() => match change {
                Ok(Change::Tenant(_)) => {}
                Ok(Change::Member(_)) | Err(_) => take_up_orphans(node, owners),
            },
            _ = rounds.tick() => {
                node.tenants.drop_broken().await;
                let awake = node.tenants.awake();
                owners.set_load(awake.len().try_into().unwrap_or(u64::MAX));
                let members = owners.members();
                node.tidy(|edge| members.iter().any(|member| member.id.ends_with(&format!(".{edge:x}"))));
                take_up_orphans(node, owners);
                let surplus = usize::try_from(surplus(&node.id, &members)).unwrap_or_default();
                let idle = awake.into_iter().filter(|name| node.tenants.is_idle(name));
                for name in idle.take(surplus.min(AT_ONCE)) {
                    tracing::info!(tenant = %name, "handed over, since others have less to do");
                    hand_over(node, name).await;
                }
            }
        }
    }
}

/// Wakes those whose node has died and who are this one's to take up: somebody may wait for them.
fn take_up_orphans(node: &Arc<Node>, owners: &Owners) {
    let members = owners.members();
    for tenant in owners.orphans() {
        if heir(&tenant, &members).as_deref() != Some(&*node.id) {
            continue;
        }
        let tenants = Arc::clone(&node.tenants);
        tokio::spawn(async move {
            match tenants.named(&tenant).await {
                Ok(_) => tracing::info!(tenant, "taken up from a node that has gone"),
                Err(error) => tracing::debug!(tenant, %error, "not taken up"),
            }
        });
    }
}

/// How the cluster is, for its owner to read.
///
/// # Errors
/// When NATS does not answer.
pub async fn status(settings: &Settings) -> Result<String, ClusterError> {
    let link = link(settings, "status").await?;
    let owners = Owners::look_on(&link).await?;
    let tenants = Mirror::open(&link).await?.list().await?;
    // Who has gone is known by its silence.
    tokio::time::sleep(LEASE).await;
    let counts = owners.counts();
    let members = owners.members();
    let mut text = String::new();
    for member in &members {
        let role = match member.role {
            Role::Edge => "edge",
            Role::Node => "node",
            Role::Worker => "worker",
        };
        let does = match member.role {
            Role::Edge => format!("{} held connections", member.load),
            Role::Node => format!("{} tenants", counts.get(&member.id).copied().unwrap_or_default()),
            Role::Worker => format!("{} turns", member.load),
        };
        let draining = if member.draining { ", takes nothing more" } else { "" };
        // Writing into memory does not fail.
        let _ = writeln!(
            text,
            "{role:<6}  {}  {does}{draining}  version {}",
            member.id, member.version
        );
    }
    let awake: usize = counts.values().sum();
    let suspended = tenants.iter().filter(|(_, suspended)| *suspended).count();
    let _ = write!(
        text,
        "{} tenants: {awake} on nodes, {suspended} suspended, {} left by nodes that have gone",
        tenants.len(),
        owners.orphans().len()
    );
    Ok(text)
}

/// Has a node hand over all that it has, and take nothing more until it is started anew.
///
/// # Errors
/// When there is no such node, or it does not answer.
pub async fn drain(settings: &Settings, node: &str) -> Result<String, ClusterError> {
    let link = link(settings, "drain").await?;
    let request = async_nats::Request::new().timeout(Some(DRAINED));
    match link.client().send_request(subject::drain(node), request).await {
        Ok(_) => Ok(format!(
            "The node {node} has handed over all that it had, and can be stopped."
        )),
        Err(error) => Err(ClusterError::NoAnswer(format!(
            "the node `{node}` does not answer: {error}: see `host-harness cluster status`"
        ))),
    }
}

/// Asks what an owner asks of the node that has the tenant; both in JSON.
///
/// # Errors
/// When nobody answers.
pub async fn ask_owner(settings: &Settings, tenant: &Name, request: String) -> Result<String, ClusterError> {
    let link = link(settings, "owner").await?;
    let owners = Owners::look_on(&link).await?;
    let asking = Sender::new().ask(&link, &owners, tenant, Ask::Owner(request), Again::Never);
    match timeout(DRAINED, asking).await {
        Ok(Ok(Reply::Owner(answer))) => Ok(answer),
        Ok(Ok(Reply::Nobody)) => Err(ClusterError::NoAnswer(format!(
            "there is no tenant `{tenant}`, or it is suspended: see `host-harness tenant list`"
        ))),
        _ => Err(ClusterError::NoAnswer(format!(
            "no node answers for `{tenant}`: see `host-harness cluster status`"
        ))),
    }
}
