//! Lets a plugin sleep that nobody needs: its instance stops, and the next call starts another. Held connections stay.

use std::sync::Arc;
use std::time::Duration;

use super::CallError;
use super::actor::PluginActor;
use super::health::Health;

impl PluginActor {
    /// Stops the instance if nobody has called it for this time and its agent has nothing to do; says whether none is left.
    /// Does not wait for a call that runs.
    pub async fn rest(self: &Arc<Self>, idle: Duration) -> bool {
        let Ok(mut slot) = self.slot.try_lock() else {
            return false;
        };
        if !slot.started || self.queue.depth() != (0, 0) || !slot.is_idle(idle) {
            return false;
        }
        if slot.running.is_none() {
            return true;
        }
        match self.halt(&mut slot).await {
            Ok(()) => {
                self.health.send_replace(Health::Asleep);
                true
            }
            Err(error) => {
                tracing::error!(%error, "the plugin does not stop as it should before it sleeps");
                false
            }
        }
    }

    /// Stops the instance for another host to go on, as if it slept, and starts none any more.
    ///
    /// # Errors
    /// When the plugin says that it could not flush its files.
    pub(crate) async fn depart(self: &Arc<Self>) -> Result<(), CallError> {
        let mut slot = self.slot.lock().await;
        let halted = match slot.running {
            Some(_) => self.halt(&mut slot).await,
            None => Ok(()),
        };
        slot.started = false;
        slot.retired = true;
        self.queue.clear();
        self.health.send_replace(Health::Stopped);
        halted
    }

    /// Drops the instance on the spot, with all that it was asked and has not answered, and starts none any more: it may be
    /// that another has the files.
    pub(crate) async fn abandon(&self) {
        let mut slot = self.slot.lock().await;
        slot.started = false;
        slot.retired = true;
        slot.give_up();
        self.queue.clear();
        self.health.send_replace(Health::Stopped);
    }

    /// Starts no instance any more, if none is there; says so.
    pub fn retire(&self) -> bool {
        let Ok(mut slot) = self.slot.try_lock() else {
            return false;
        };
        slot.retired = slot.running.is_none();
        slot.retired
    }

    /// Whether it could be dropped while it sleeps: nobody listens, and no browser is about to be woken.
    pub fn is_alone(&self) -> bool {
        self.hub.held() == 0 && self.web_push().is_none_or(crate::web_push::WebPush::is_idle)
    }
}
