//! Calls whose changes are made lasting together: one transaction and one sync of the disk for all that wait at the
//! same time. Their answers and effects are withheld until then, and given up together if it fails. While the disk is
//! busy with one group the next one gathers.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::Instrument as _;

use super::CallError;
use super::actor::PluginActor;
use super::effects::Effects;
use super::memory::Writing;
use super::syncs::Making;

/// The calls that wait, in order.
#[derive(Debug, Default)]
pub(super) struct Group(Vec<Member>);

#[derive(Debug)]
struct Member {
    effects: Effects,
    lasting: oneshot::Sender<Result<(), CallError>>,
}

/// A place in a group.
pub(super) struct Lasting {
    /// Ready when the call's changes are lasting; an error when they never will be.
    waits: oneshot::Receiver<Result<(), CallError>>,
    /// Calls before it in the group.
    before: usize,
}

/// What is to happen before a call is answered.
pub(super) enum Waits {
    ForDisk(Lasting),
    ForNotes(Option<Writing>),
}

impl Waits {
    /// Calls before it that wait for the same.
    pub(super) fn before(&self) -> usize {
        match self {
            Self::ForDisk(lasting) => lasting.before,
            Self::ForNotes(_) => 0,
        }
    }

    /// Waits for it.
    pub(super) async fn end(self) -> Result<(), CallError> {
        match self {
            Self::ForDisk(lasting) => lasting.waits.await.map_err(|_| CallError::Trapped)?,
            Self::ForNotes(Some(writing)) => writing.done().await,
            Self::ForNotes(None) => Ok(()),
        }
    }
}

impl Group {
    /// Adds a call that has returned.
    pub(super) fn join(&mut self, effects: Effects) -> Lasting {
        let (lasting, waits) = oneshot::channel();
        let before = self.0.len();
        self.0.push(Member { effects, lasting });
        Lasting { waits, before }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Releases what the calls asked for, in their order, and then lets them answer.
    pub(super) fn release(self, plugin: &Arc<PluginActor>) {
        for Member { effects, lasting } in self.0 {
            // A client that has gone waits for nothing.
            match effects.release(plugin) {
                None => drop(lasting.send(Ok(()))),
                Some(writing) => drop(tokio::spawn(async move { lasting.send(writing.done().await) })),
            }
        }
    }
}

/// Commits the group when nobody is left who could join it now. A call on its own is committed at once.
pub(super) fn commit_soon(plugin: &Arc<PluginActor>) {
    tokio::spawn(commit_when_complete(Arc::clone(plugin)).in_current_span());
}

async fn commit_when_complete(plugin: Arc<PluginActor>) {
    let mut members = 1;
    loop {
        // Whoever has a request ready has its turn first.
        tokio::task::yield_now().await;
        let joined = plugin.group_len().await;
        if joined == members || joined >= plugin.limits().calls_per_commit {
            break;
        }
        members = joined;
    }
    if let Err(error) = plugin.commit().await {
        tracing::error!(%error, "what was to be made lasting is given up");
    }
}

/// Waits for a sync beside the instance's thread, then lets those go on who wait for it, and commits what has gathered.
pub(super) async fn synced(plugin: Arc<PluginActor>, making: Arc<Making>, task: JoinHandle<()>) {
    if let Err(error) = task.await {
        tracing::error!(%error, "syncing");
    }
    if plugin.finish(&making).await {
        commit_soon(&plugin);
    }
}
