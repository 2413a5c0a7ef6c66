//! Calls whose changes are made lasting together: one transaction and one sync of the disk for all that wait at the
//! same time. Their answers and effects are withheld until then, and given up together if it fails.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::CallError;
use super::actor::PluginActor;
use super::effects::Effects;

/// The calls that wait, in order.
#[derive(Debug, Default)]
pub(super) struct Group(Vec<Member>);

#[derive(Debug)]
struct Member {
    effects: Effects,
    lasting: oneshot::Sender<Result<(), CallError>>,
}

/// Ready when a call's changes are lasting; an error when they never will be.
pub(super) type Lasting = oneshot::Receiver<Result<(), CallError>>;

impl Group {
    /// Adds a call that has returned.
    pub(super) fn join(&mut self, effects: Effects) -> Lasting {
        let (lasting, waits) = oneshot::channel();
        self.0.push(Member { effects, lasting });
        waits
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
pub(super) async fn commit_soon(plugin: Arc<PluginActor>) {
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
