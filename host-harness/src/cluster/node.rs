//! A node: it has plugins, and answers for edges what is asked of them.
//!
//! It answers for a tenant only while it has the lease, which is looked at again before each answer and each frame leaves: what a
//! node says that was paused in the middle is not heard.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::Message;
use cluster::{Claim, ClaimError, Link, Owners, Turns};
use futures_util::StreamExt as _;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::replica::{ReplicaError, Replicas};
use super::subject;
use super::wire::{self, Ask, Call, Holding, Published, Reply};
use crate::plugin::{Accepted, CallError, HttpAnswer, Journal, SocketAnswer};
use crate::push::{Held, Moment, Relay, Relayed};
use crate::request_id::RequestId;
use crate::serve::Around;
use crate::tenants::{Awake, Name, Tenants, WakeError};

/// Calls that a node has at once, before edges have to come again.
const CALLS: usize = 4096;

/// Time for which the node goes on counting a connection after its end: an edge says when one has gone.
const AFTER_LIFE: Duration = Duration::from_secs(60);

/// What a node claims tenants with.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(super) link: Link,
    pub(super) owners: Owners,
    pub(super) turns: Turns,
    /// What brings files here; none where all nodes have the same.
    pub(super) replicas: Option<Replicas>,
}

/// A tenant that this node has.
#[derive(Debug)]
pub(crate) struct Keeping {
    claim: Claim,
    owners: Owners,
    journal: Option<Arc<Journal>>,
}

/// A tenant is not had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TakeError {
    #[error(transparent)]
    Claim(#[from] ClaimError),
    #[error(transparent)]
    Replica(#[from] ReplicaError),
}

impl Keeper {
    /// Claims a tenant and brings its files here; gives what its plugin publishes and writes through.
    ///
    /// # Errors
    /// When another node has it, it cannot be known who has, or its files cannot be had.
    pub(crate) async fn take(&self, name: &Name) -> Result<(Keeping, Around), TakeError> {
        let claim = self.owners.claim(name.as_str()).await?;
        tracing::info!(epoch = claim.epoch, "this node has the tenant");
        let journal = match &self.replicas {
            None => None,
            Some(replicas) => match replicas.bring(name, claim.epoch).await {
                Ok(journal) => Some(journal),
                Err(error) => {
                    self.owners.release(&claim).await;
                    return Err(error.into());
                }
            },
        };
        let (relay, frames) = Relay::new();
        let keeping = Keeping {
            claim: claim.clone(),
            owners: self.owners.clone(),
            journal: journal.clone(),
        };
        let around = Around {
            relay: Some(relay),
            turns: Some(self.turns.clone()),
            journal,
        };
        let sending = send(self.link.clone(), self.owners.clone(), claim, frames);
        tokio::spawn(sending.in_current_span());
        Ok((keeping, around))
    }
}

impl Keeping {
    /// Whether this node has the tenant, at this moment, with all that it said.
    pub(crate) fn holds(&self) -> bool {
        self.owners.holds(&self.claim) && !self.is_broken()
    }

    /// Whether what was said here is not what another node would find.
    pub(crate) fn is_broken(&self) -> bool {
        self.journal.as_ref().is_some_and(|journal| journal.is_broken())
    }

    /// The fencing token.
    pub(crate) fn epoch(&self) -> u64 {
        self.claim.epoch
    }

    /// Gives the tenant up.
    pub(crate) async fn release(&self) {
        self.owners.release(&self.claim).await;
    }
}

/// Sends to the edges what a plugin publishes, as long as the tenant is here.
async fn send(link: Link, owners: Owners, claim: Claim, mut frames: mpsc::Receiver<Relayed>) {
    while let Some(relayed) = frames.recv().await {
        if !owners.holds(&claim) {
            continue;
        }
        let subject = subject::frames(&claim.tenant, &relayed.topic);
        let sent = match wire::write(&Published::new(relayed, claim.epoch)) {
            Ok(message) => link
                .client()
                .publish(subject, message)
                .await
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = sent {
            tracing::debug!(error, "a frame is lost, which edges notice");
        }
    }
}

/// A node at work.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) id: String,
    pub(super) keeper: Arc<Keeper>,
    pub(super) tenants: Arc<Tenants>,
    /// Connections that edges hold, by edge and number.
    held: Mutex<HashMap<(u64, u64), Kept>>,
    places: Arc<Semaphore>,
}

/// A connection that an edge holds.
#[derive(Debug)]
struct Kept {
    tenant: String,
    until: Instant,
    _held: Held,
}

impl Node {
    pub(super) fn new(id: String, keeper: Arc<Keeper>, tenants: Arc<Tenants>) -> Arc<Self> {
        Arc::new(Self {
            id,
            keeper,
            tenants,
            held: Mutex::default(),
            places: Arc::new(Semaphore::new(CALLS)),
        })
    }

    /// Answers edges, for ever.
    ///
    /// # Errors
    /// When NATS does not let it listen.
    pub(super) async fn answer(self: &Arc<Self>) -> Result<(), async_nats::SubscribeError> {
        let client = self.keeper.link.client();
        let mut calls = client.subscribe(subject::call(&self.id)).await?;
        while let Some(message) = calls.next().await {
            match Arc::clone(&self.places).try_acquire_owned() {
                Ok(place) => {
                    let node = Arc::clone(self);
                    tokio::spawn(async move {
                        node.answer_one(message).await;
                        drop(place);
                    });
                }
                Err(_) => self.reply(&message, &Reply::Saturated).await,
            }
        }
        Ok(())
    }

    async fn answer_one(self: &Arc<Self>, message: Message) {
        let call = match wire::read::<Call>(&message.payload) {
            Ok(call) => call,
            Err(error) => return tracing::error!(%error, "an edge's question"),
        };
        let id = RequestId::given(call.request_id.as_bytes()).unwrap_or_default();
        if let Some(reply) = id.scope(self.reply_to(call)).await {
            self.reply(&message, &reply).await;
        }
    }

    async fn reply(&self, to: &Message, reply: &Reply) {
        let Some(inbox) = &to.reply else { return };
        let client = self.keeper.link.client();
        let mut bytes = match wire::write(reply) {
            Ok(bytes) => bytes,
            Err(error) => return tracing::error!(%error, "answering"),
        };
        if bytes.len() > client.server_info().max_payload {
            tracing::error!(
                bytes = bytes.len(),
                "an answer is larger than NATS takes: set its max_payload higher"
            );
            bytes = wire::write(&Reply::Unfit).unwrap_or_default();
        }
        if let Err(error) = client.publish(inbox.clone(), bytes).await {
            tracing::debug!(%error, "answering");
        }
    }

    /// The answer to a call; none where this node may not give one any more.
    async fn reply_to(self: &Arc<Self>, call: Call) -> Option<Reply> {
        let Call { tenant, from, ask, .. } = call;
        if let Ask::Gone(connections) = &ask {
            let mut held = self.held();
            for connection in connections {
                held.remove(&(from, *connection));
            }
            return Some(Reply::Done);
        }
        let awake = match self.tenants.named(&tenant).await {
            Ok(awake) => awake,
            Err(WakeError::Elsewhere(_)) => return Some(Reply::Elsewhere),
            Err(WakeError::Unknown(_) | WakeError::Suspended(_)) => return Some(Reply::Nobody),
            Err(error) => {
                tracing::debug!(tenant, %error, "a visitor finds nobody");
                let retry_after = crate::tenants::RETRY_AFTER;
                return Some(CallError::Down { retry_after }.into());
            }
        };
        let reply = awake.tell(self.carry_out(&awake, &tenant, from, ask)).await;
        awake.holds().then_some(reply)
    }

    async fn carry_out(&self, awake: &Arc<Awake>, tenant: &str, from: u64, ask: Ask) -> Reply {
        self.try_to(awake, tenant, from, ask).await.unwrap_or_else(Reply::from)
    }

    async fn try_to(&self, awake: &Arc<Awake>, tenant: &str, from: u64, ask: Ask) -> Result<Reply, CallError> {
        let (plugin, epoch) = (awake.plugin(), awake.epoch());
        // What is published from now on may be for a connection that begins with this call.
        let after = plugin.hub().relay().map_or(0, Relay::last);
        let keep = |number, held: Held| {
            let holding = Holding::new(held.hold(), held.since(), epoch, after);
            let kept = Kept {
                tenant: tenant.to_owned(),
                until: Instant::now() + held.hold().life + AFTER_LIFE,
                _held: held,
            };
            self.held().insert((from, number), kept);
            holding
        };
        // Connections are cut where they are held.
        let cut = Arc::new(Notify::new());
        Ok(match ask {
            Ask::Http(number, request) => {
                let request = request.try_into().map_err(|_| CallError::Trapped)?;
                match plugin.http(&request, &cut).await? {
                    HttpAnswer::Complete(response) => Reply::Complete(response.into()),
                    HttpAnswer::Stream(response, held) => Reply::Stream(response.into(), keep(number, held)),
                    HttpAnswer::Later(response, held) => Reply::Later(response.into(), keep(number, held)),
                    HttpAnswer::Full => Reply::Full,
                }
            }
            Ask::Open(number, request) => {
                let request = request.try_into().map_err(|_| CallError::Trapped)?;
                match plugin.socket_open(number, request, &cut).await? {
                    SocketAnswer::Accepted(messages, held, accepted) => {
                        Reply::Accepted(messages, keep(number, held), accepted.by())
                    }
                    SocketAnswer::Refused(response) => Reply::Complete(response.into()),
                    SocketAnswer::Full => Reply::Full,
                }
            }
            Ask::Message {
                connection,
                handshake,
                by,
                text,
            } => {
                let handshake = handshake.try_into().map_err(|_| CallError::Trapped)?;
                let mut accepted = Accepted::new(connection, handshake, by);
                let messages = plugin.socket_message(&mut accepted, &text).await?;
                Reply::Messages(messages, accepted.by())
            }
            Ask::Closed(connection) => {
                plugin.socket_gone(connection).await?;
                Reply::Done
            }
            Ask::Recent { topics, after, since } => {
                let topics: Vec<Arc<str>> = topics.into_iter().map(Arc::from).collect();
                let relay = plugin.hub().relay();
                Reply::recent(
                    relay.and_then(|relay| relay.recent(&topics, after, Moment::at(since))),
                    epoch,
                )
            }
            Ask::Owner(request) => Reply::Owner(crate::owner::answer(awake.desk(), &request).await),
            Ask::Gone(_) | Ask::Wake => Reply::Done,
        })
    }

    /// Forgets the connections that have gone, of those that edges hold which are not among the living.
    pub(super) fn tidy(&self, lives: impl Fn(u64) -> bool) {
        let now = Instant::now();
        self.held().retain(|(edge, _), kept| kept.until > now && lives(*edge));
    }

    /// Forgets the connections of a tenant that is here no more.
    pub(super) fn forget(&self, tenant: &str) {
        self.held().retain(|_, kept| kept.tenant != tenant);
    }

    fn held(&self) -> MutexGuard<'_, HashMap<(u64, u64), Kept>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
