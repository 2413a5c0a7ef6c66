//! An edge: the sockets and the held streams, of plugins that are on nodes.
//!
//! It asks the node that has a tenant, and one that has room when none has it. A node that has just gone answers nobody: what
//! was not begun there is asked of the next, what may have been begun is not repeated unless that changes nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::{Request, client::RequestErrorKind};
use cluster::{Link, Owners, place};
use tokio::time::{Instant, timeout_at};

use super::far::FarPlugin;
use super::wire::{self, Ask, Call, Reply};
use super::{Sender, subject};
use crate::limits::Limits;
use crate::plugin::CallError;
use crate::request_id::RequestId;
use crate::tenants::{Guide, Name, NoVisit, below, completed};

/// Time in which a question is answered, with all that has to happen first: a tenant whose node has died has another by then.
const ANSWER: Duration = Duration::from_secs(10);

/// Time for one node's answer. A call of the plugin is far shorter, but it may have to be compiled first.
const NODE: Duration = Duration::from_secs(8);

/// Longest time before it is looked again who has a tenant.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Who has the sockets.
#[derive(Debug)]
pub(crate) struct Edge {
    sender: Sender,
    link: Link,
    owners: Owners,
    guide: Arc<Guide>,
    limits: Limits,
    plugins: Mutex<HashMap<Name, Arc<FarPlugin>>>,
    connections: AtomicU64,
}

/// Whether a question may be asked again though it may have been answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// It changes nothing, or nothing more.
    Harmless,
    Never,
}

impl Edge {
    pub(super) fn new(sender: Sender, link: Link, owners: Owners, guide: Arc<Guide>, limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            sender,
            link,
            owners,
            guide,
            limits,
            plugins: Mutex::default(),
            // Unique in the cluster: a plugin knows connections of all edges.
            connections: AtomicU64::new(sender.number() << 32),
        })
    }

    /// Whose a request is, and what it asks there.
    pub(crate) fn visit<B>(
        self: &Arc<Self>,
        request: http::Request<B>,
    ) -> Result<(Arc<FarPlugin>, http::Request<B>), NoVisit> {
        let (tenant, prefix) = self.guide.find(&request).ok_or(NoVisit::Nowhere)?;
        if let Some(whole) = completed(&request, prefix) {
            return Err(NoVisit::Elsewhere(whole));
        }
        if tenant.is_suspended() {
            return Err(NoVisit::Suspended);
        }
        Ok((self.plugin(tenant.name()), below(request, prefix)))
    }

    fn plugin(self: &Arc<Self>, name: &Name) -> Arc<FarPlugin> {
        let mut plugins = self.plugins();
        if let Some(plugin) = plugins.get(name) {
            return Arc::clone(plugin);
        }
        let plugin = Arc::new(FarPlugin::new(self, name.clone(), &self.limits));
        plugins.insert(name.clone(), Arc::clone(&plugin));
        plugin
    }

    /// The plugin of a tenant of whom somebody is here.
    pub(super) fn known(&self, name: &str) -> Option<Arc<FarPlugin>> {
        self.plugins()
            .iter()
            .find(|(known, _)| known.as_str() == name)
            .map(|(_, plugin)| Arc::clone(plugin))
    }

    /// The fencing token of the node that has a tenant.
    pub(super) fn epoch(&self, tenant: &Name) -> Option<u64> {
        self.owners.owner(tenant.as_str()).map(|owner| owner.epoch)
    }

    /// Takes up the streams of every tenant that is not where it was.
    pub(super) fn follow(&self) {
        for plugin in self.all() {
            plugin.streams().follow(self);
        }
    }

    /// Has it looked whether something was lost while NATS was away.
    pub(super) fn look_again(&self) {
        for plugin in self.all() {
            plugin.streams().look_again();
        }
    }

    /// Ends every connection.
    pub(super) fn end_all(&self) {
        for plugin in self.all() {
            plugin.streams().end_all();
        }
    }

    /// Connections that are held here.
    pub(super) fn held(&self) -> u64 {
        let held = self.all().iter().map(|plugin| plugin.streams().held()).sum::<usize>();
        held.try_into().unwrap_or(u64::MAX)
    }

    /// Forgets the plugins of which nobody is here.
    pub(super) fn tidy(&self) {
        self.plugins()
            .retain(|_, plugin| Arc::strong_count(plugin) > 1 || plugin.streams().held() > 0);
    }

    /// Every plugin of which somebody is here.
    fn all(&self) -> Vec<Arc<FarPlugin>> {
        self.plugins().values().cloned().collect()
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    /// A number for a connection that no other has.
    pub(super) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Asks the node that has a tenant.
    ///
    /// # Errors
    /// When nobody answers in time.
    pub(super) async fn ask(&self, tenant: &Name, ask: Ask, again: Again) -> Result<Reply, CallError> {
        self.sender.ask(&self.link, &self.owners, tenant, ask, again).await
    }

    /// Tells the node that has a tenant, which need not answer.
    pub(super) async fn tell(&self, tenant: &Name, ask: Ask) {
        let Some(owner) = self.owners.owner(tenant.as_str()) else {
            return;
        };
        let Ok(call) = self.sender.call(tenant, ask) else {
            return;
        };
        // What is lost so is found out when this edge has gone.
        let _ = self.link.client().publish(subject::call(&owner.node), call).await;
    }

    fn plugins(&self) -> MutexGuard<'_, HashMap<Name, Arc<FarPlugin>>> {
        self.plugins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sender {
    fn call(self, tenant: &Name, ask: Ask) -> Result<bytes::Bytes, CallError> {
        let call = Call {
            tenant: tenant.to_string(),
            from: self.number(),
            request_id: RequestId::current_or_new().to_string(),
            ask,
        };
        wire::write(&call).map_err(|_| CallError::Trapped)
    }

    /// Asks the node that has a tenant, or else one that has room.
    ///
    /// # Errors
    /// When nobody answers in time.
    pub(super) async fn ask(
        self,
        link: &Link,
        owners: &Owners,
        tenant: &Name,
        ask: Ask,
        again: Again,
    ) -> Result<Reply, CallError> {
        let deadline = Instant::now() + ANSWER;
        let call = self.call(tenant, ask)?;
        if call.len() > link.client().server_info().max_payload {
            tracing::error!(
                bytes = call.len(),
                "a request is larger than NATS takes: set its max_payload higher"
            );
            return Err(CallError::Trapped);
        }
        let down = CallError::Down {
            retry_after: Duration::from_secs(1),
        };
        let mut changes = owners.changes();
        loop {
            let node = match owners.owner(tenant.as_str()) {
                Some(owner) => Some(owner.node),
                None => place(tenant.as_str(), &owners.members()),
            };
            if let Some(node) = node {
                let request = Request::new().payload(call.clone()).timeout(Some(NODE));
                let asked = link.client().send_request(subject::call(&node), request);
                let answered = tokio::select! {
                    answered = asked => Some(answered),
                    () = has_moved(owners, tenant, &node) => None,
                };
                match answered {
                    Some(Ok(answer)) => match wire::read(&answer.payload) {
                        Ok(Reply::Elsewhere) => {}
                        Ok(reply) => return Ok(reply),
                        Err(error) => {
                            tracing::error!(%error, "a node's answer");
                            return Err(down);
                        }
                    },
                    Some(Err(error)) if error.kind() == RequestErrorKind::NoResponders => {}
                    Some(Err(_)) | None if again == Again::Harmless => {}
                    Some(Err(_)) | None => {
                        tracing::warn!(node, "a node does not answer");
                        return Err(down);
                    }
                }
            }
            if Instant::now() >= deadline {
                return Err(down);
            }
            let look = (Instant::now() + LOOK_AGAIN).min(deadline);
            // Either way it is looked who has it now.
            let _ = timeout_at(look, changes.recv()).await;
        }
    }
}

/// Returns when a node that had a tenant has it no more.
async fn has_moved(owners: &Owners, tenant: &Name, node: &str) {
    let mut changes = owners.changes();
    let mut has_had = false;
    loop {
        match owners.owner(tenant.as_str()) {
            Some(owner) if owner.node == node => has_had = true,
            Some(_) => return,
            None if has_had => return,
            None => {}
        }
        // Whoever is behind looks again too.
        let _ = changes.recv().await;
    }
}
