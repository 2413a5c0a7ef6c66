//! Owns the instance and lets one call at a time at it, in order.
//!
//! The instance and the sockets share a thread: a call returns within microseconds and waits for nothing but its own
//! files. What could wait, or be given up in the middle, costs the instance, and a new one is started in its place.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, Notify, Semaphore};
use wasmtime::Store;

use super::bindings::Plugin;
use super::effects::Effects;
use super::group::{Group, commit_soon};
use super::imports::State;
use super::memory::Writing;
use super::slot::{Running, Slot};
use super::{CallError, Grants, Program};
use crate::agent::{AgentQueue, Notes};
use crate::engine::Engine;
use crate::limits::Limits;
use crate::push::PushHub;
use crate::web_push::Delivery;

use super::bindings::exports::tinyclaw::plugin::channel;

/// Pause before the second new instance in a row; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Longest such pause: an owner who has mended the cause should not have to wait for it.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// One plugin.
pub struct PluginActor {
    pub(super) engine: Arc<Engine>,
    pub(super) grants: Grants,
    pub(super) limits: Limits,
    hub: PushHub,
    pub(super) queue: AgentQueue,
    pub(super) slot: Mutex<Slot>,
    pub(super) upgrading: Mutex<()>,
    waiting: Semaphore,
    lost: Notify,
}

impl std::fmt::Debug for PluginActor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PluginActor")
            .field("slot", &self.slot)
            .finish_non_exhaustive()
    }
}

/// What a call is made with.
pub(super) struct Call<'a> {
    pub(super) plugin: &'a Plugin,
    pub(super) store: &'a mut Store<State>,
}

impl PluginActor {
    /// A plugin that runs a program, once it is started.
    pub fn new(
        engine: Arc<Engine>,
        program: Program,
        grants: Grants,
        limits: Limits,
        hub: PushHub,
        queue: AgentQueue,
    ) -> Arc<Self> {
        let waiting = Semaphore::new(limits.waiting_calls);
        Arc::new(Self {
            engine,
            grants,
            limits,
            hub,
            queue,
            slot: Mutex::new(Slot::new(program)),
            upgrading: Mutex::default(),
            waiting,
            lost: Notify::new(),
        })
    }

    /// The connections that are held for this plugin.
    pub fn hub(&self) -> &PushHub {
        &self.hub
    }

    /// The queue in front of the agent.
    pub fn queue(&self) -> &AgentQueue {
        &self.queue
    }

    /// What the agent keeps about users.
    pub(super) fn notes(&self) -> Option<&Notes> {
        self.grants.notes.as_ref()
    }

    /// Wakes a browser in the background; the plugin hears when it cannot be woken any more.
    pub(super) fn wake(self: &Arc<Self>, delivery: Delivery) {
        let Some(sender) = &self.grants.web_push else {
            return;
        };
        let plugin = Arc::clone(self);
        sender.send(delivery, async move |endpoint| {
            if let Err(error) = plugin.web_push_gone(&endpoint).await {
                tracing::warn!(%error, "the plugin does not know that a browser cannot be woken any more");
            }
        });
    }

    /// Gives up what was to wake a browser.
    pub(super) fn cancel_wake(&self, endpoint: &str) {
        if let Some(sender) = &self.grants.web_push {
            sender.cancel(endpoint);
        }
    }

    /// The bounds of this plugin.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Starts the plugin, and again whenever its instance is lost.
    ///
    /// # Errors
    /// When it cannot be called or says that it cannot start.
    pub async fn start(self: &Arc<Self>) -> Result<(), CallError> {
        let mut slot = self.slot.lock().await;
        if !slot.started {
            slot.started = true;
            // One that was only asked something has not been started.
            slot.running = None;
            if let Err(error) = self.ensure_running(&mut slot).await {
                slot.started = false;
                slot.running = None;
                return Err(error);
            }
            return Ok(());
        }
        Err(CallError::Channel(channel::Error::AlreadyStarted))
    }

    /// Stops the plugin and drops its instance. May be repeated.
    ///
    /// # Errors
    /// When the plugin says that it could not flush its files.
    pub async fn stop(self: &Arc<Self>) -> Result<(), CallError> {
        let mut slot = self.slot.lock().await;
        slot.started = false;
        let lasting = self.commit_group(&mut slot).await;
        if slot.running.is_none() {
            return lasting;
        }
        let time = self.limits.life_cycle_call;
        let stopped = self
            .enter(
                &mut slot,
                time,
                async |call| call.plugin.tinyclaw_plugin_channel().call_stop(call.store).await,
                |result| result,
            )
            .await;
        slot.running = None;
        let (stopped, effects) = stopped?;
        let writing = effects.release(self);
        stopped.map_err(CallError::Channel)?;
        written(writing).await
    }

    /// Starts a new instance soon after one is lost: what was being answered must not wait for the next visitor.
    pub async fn heal(self: Arc<Self>) {
        loop {
            self.lost.notified().await;
            let not_before = self.slot.lock().await.not_before;
            if let Some(at) = not_before {
                tokio::time::sleep_until(at.into()).await;
            }
            let mut slot = self.slot.lock().await;
            if slot.started
                && let Err(error) = self.ensure_running(&mut slot).await
            {
                tracing::error!(%error, "starting the plugin anew");
            }
        }
    }

    /// Makes a call for a client, unless too many wait already.
    pub(super) async fn call_for_client<R, T>(
        self: &Arc<Self>,
        make: impl AsyncFnOnce(Call<'_>) -> wasmtime::Result<R>,
        settle: impl FnOnce(R) -> T,
    ) -> Result<T, CallError> {
        let _waiting = self.waiting.try_acquire().map_err(|_| CallError::Saturated)?;
        self.call(make, settle).await
    }

    /// Makes one call. `settle` runs when it has returned and before what it asked for is released; what it changed is
    /// lasting when this returns.
    pub(super) async fn call<R, T>(
        self: &Arc<Self>,
        make: impl AsyncFnOnce(Call<'_>) -> wasmtime::Result<R>,
        settle: impl FnOnce(R) -> T,
    ) -> Result<T, CallError> {
        let (settled, lasting) = {
            let mut slot = self.slot.lock().await;
            self.ensure_running(&mut slot).await?;
            slot.let_changes_wait();
            let (settled, effects) = self.enter(&mut slot, self.limits.call, make, settle).await?;
            if !slot.is_open() {
                let writing = effects.release(self);
                drop(slot);
                written(writing).await?;
                return Ok(settled);
            }
            let lasting = slot.group.join(effects);
            if slot.group.len() == 1 {
                tokio::spawn(commit_soon(Arc::clone(self)));
            }
            (settled, lasting)
        };
        lasting.await.map_err(|_| CallError::Trapped)??;
        Ok(settled)
    }

    /// Number of calls whose changes are not lasting yet.
    pub(super) async fn group_len(&self) -> usize {
        self.slot.lock().await.group.len()
    }

    /// Makes lasting what calls have changed, then releases what they asked for.
    pub(super) async fn commit(self: &Arc<Self>) -> Result<(), CallError> {
        self.commit_group(&mut *self.slot.lock().await).await
    }

    pub(super) async fn commit_group(self: &Arc<Self>, slot: &mut Slot) -> Result<(), CallError> {
        let calls = slot.group.len();
        if calls == 0 {
            return Ok(());
        }
        let time = self.limits.call;
        let committed = self
            .enter(
                slot,
                time,
                async |call| call.plugin.tinyclaw_plugin_channel().call_commit(call.store).await,
                |result| result,
            )
            .await;
        match committed.and_then(|(result, _)| result.map_err(CallError::Channel)) {
            Ok(()) => {
                tracing::debug!(calls, "committed");
                slot.close_group().release(self);
                Ok(())
            }
            Err(error) => {
                slot.keep_apart();
                if slot.running.is_some() {
                    self.lose(slot, &format!("committing: {error}"));
                }
                Err(error)
            }
        }
    }

    /// Gives the slot an instance if it has none, and starts it if it is to be started.
    pub(super) async fn ensure_running(self: &Arc<Self>, slot: &mut Slot) -> Result<(), CallError> {
        if slot.running.as_ref().is_some_and(|running| running.entered) {
            self.lose(slot, "a call was given up in the middle");
        }
        if slot.running.is_some() {
            return Ok(());
        }
        let now = Instant::now();
        if let Some(wait) = slot.not_before.and_then(|at| at.checked_duration_since(now)) {
            return Err(CallError::Down { retry_after: wait });
        }
        slot.last_instance += 1;
        let (hub, queue) = (self.hub.clone(), self.queue.clone());
        let state = State::new(slot.last_instance, &self.grants, &self.limits, hub, queue).map_err(CallError::Host)?;
        let mut store = Store::new(self.engine.inner(), state);
        store.limiter(|state| &mut state.store_limits);
        store.set_hostcall_fuel(self.limits.hostcall_bytes);
        store.set_epoch_deadline(self.engine.deadline_ticks(self.limits.life_cycle_call));
        let instantiated = slot.program.instantiate(&mut store).await;
        match instantiated {
            Ok(plugin) => {
                slot.running = Some(Running {
                    store,
                    plugin,
                    entered: false,
                })
            }
            Err(error) => {
                drop(store);
                self.lose(slot, &format!("instantiating: {error:#}"));
                return Err(CallError::Down {
                    retry_after: FIRST_PAUSE,
                });
            }
        }
        if !slot.started {
            return Ok(());
        }
        let time = self.limits.life_cycle_call;
        let started = self
            .enter(
                slot,
                time,
                async |call| call.plugin.tinyclaw_plugin_channel().call_start(call.store).await,
                |result| result,
            )
            .await?;
        match started {
            (Ok(()), effects) => written(effects.release(self)).await,
            (Err(error), _) => {
                slot.running = None;
                slot.not_before = Some(Instant::now() + FIRST_PAUSE);
                Err(CallError::Channel(error))
            }
        }
    }

    /// Makes a call on the instance; gives what it asked for unreleased.
    pub(super) async fn enter<R, T>(
        self: &Arc<Self>,
        slot: &mut Slot,
        time: Duration,
        make: impl AsyncFnOnce(Call<'_>) -> wasmtime::Result<R>,
        settle: impl FnOnce(R) -> T,
    ) -> Result<(T, Effects), CallError> {
        let Some(running) = slot.running.as_mut() else {
            return Err(CallError::Down {
                retry_after: FIRST_PAUSE,
            });
        };
        running.entered = true;
        running.store.set_epoch_deadline(self.engine.deadline_ticks(time));
        running.store.set_hostcall_fuel(self.limits.hostcall_bytes);
        // The epoch ends a call that computes, this one that waits.
        let call = Call {
            plugin: &running.plugin,
            store: &mut running.store,
        };
        let returned = tokio::time::timeout(time, make(call)).await;
        match returned {
            Ok(Ok(value)) => {
                running.entered = false;
                let effects = running.store.data_mut().end_call();
                slot.forget_failures();
                Ok((settle(value), effects))
            }
            Ok(Err(trap)) => {
                self.lose(slot, &format!("{trap:#}"));
                Err(CallError::Trapped)
            }
            Err(_) => {
                self.lose(slot, "a call waited too long");
                Err(CallError::Trapped)
            }
        }
    }

    /// Drops the instance with all that it asked for. Its held connections stay.
    fn lose(&self, slot: &mut Slot, why: &str) {
        slot.running = None;
        // Those who wait for it learn that it is given up.
        slot.group = Group::default();
        self.queue.clear();
        let pause = FIRST_PAUSE
            .saturating_mul(2_u32.saturating_pow(slot.strikes))
            .min(LONGEST_PAUSE);
        slot.strikes = slot.strikes.saturating_add(1);
        // The first loss is mended at once.
        slot.not_before = (slot.strikes > 1).then(|| Instant::now() + pause);
        self.lost.notify_one();
        tracing::error!(strikes = slot.strikes, why, "the plugin's instance is lost");
    }
}

/// Waits until what a call has asked for is written.
async fn written(writing: Option<Writing>) -> Result<(), CallError> {
    match writing {
        Some(writing) => writing.done().await,
        None => Ok(()),
    }
}
