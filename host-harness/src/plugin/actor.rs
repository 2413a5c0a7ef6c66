//! Owns the instance and lets one call at a time at it, in order.
//!
//! The instance and the sockets share a thread: a call returns within microseconds and waits for nothing but its own
//! files. What could wait, or be given up in the middle, costs the instance, and a new one is started in its place.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, Notify, Semaphore};
use wasmtime::Store;

use super::bindings::{Plugin, PluginPre};
use super::imports::State;
use super::{CallError, Grants, LoadError, linker};
use crate::agent::AgentQueue;
use crate::contract;
use crate::engine::{CacheUse, Engine};
use crate::limits::Limits;
use crate::push::PushHub;

use super::bindings::exports::tinyclaw::plugin::channel;

/// Pause before the second new instance in a row; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Longest such pause: an owner who has mended the cause should not have to wait for it.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// One plugin.
pub struct PluginActor {
    engine: Arc<Engine>,
    pre: PluginPre<State>,
    grants: Grants,
    limits: Limits,
    hub: PushHub,
    queue: AgentQueue,
    slot: Mutex<Slot>,
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

/// The instance, or why there is none.
#[derive(Default)]
struct Slot {
    running: Option<Running>,
    /// What a new instance is told first.
    started: bool,
    /// Instances lost in a row without a call that succeeded.
    strikes: u32,
    not_before: Option<Instant>,
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot")
            .field("started", &self.started)
            .field("strikes", &self.strikes)
            .finish_non_exhaustive()
    }
}

struct Running {
    store: Store<State>,
    plugin: Plugin,
    /// A call has begun and has not returned. Found at the begin of the next one, it was given up in the middle.
    entered: bool,
}

/// What a call is made with.
pub(super) struct Call<'a> {
    pub(super) plugin: &'a Plugin,
    pub(super) store: &'a mut Store<State>,
}

impl PluginActor {
    /// Compiles and links a component; does not instantiate it.
    ///
    /// # Errors
    /// When it is not a channel plugin of this contract.
    pub fn load(
        engine: Arc<Engine>,
        component: &[u8],
        grants: Grants,
        limits: Limits,
        hub: PushHub,
        queue: AgentQueue,
    ) -> Result<(Arc<Self>, CacheUse), LoadError> {
        contract::check_preamble(component)?;
        let (component, cache_use) = engine.compile(component).map_err(|error| {
            tracing::debug!(%error, "compiling");
            contract::Misfit::Damaged
        })?;
        contract::check(&component)?;
        let pre = linker::linker(engine.inner())
            .map_err(LoadError::Host)?
            .instantiate_pre(&component)
            .and_then(PluginPre::new)
            .map_err(|error| {
                tracing::debug!(%error, "linking");
                contract::Misfit::OtherTypes
            })?;
        let waiting = Semaphore::new(limits.waiting_calls);
        let slot = Mutex::default();
        Ok((
            Arc::new(Self {
                engine,
                pre,
                grants,
                limits,
                hub,
                queue,
                slot,
                waiting,
                lost: Notify::new(),
            }),
            cache_use,
        ))
    }

    /// The connections that are held for this plugin.
    pub fn hub(&self) -> &PushHub {
        &self.hub
    }

    /// The queue in front of the agent.
    pub fn queue(&self) -> &AgentQueue {
        &self.queue
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
        if slot.running.is_none() {
            return Ok(());
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
        stopped?.map_err(CallError::Channel)
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

    /// Makes one call. `settle` runs when it has returned and before what it asked for is released.
    pub(super) async fn call<R, T>(
        self: &Arc<Self>,
        make: impl AsyncFnOnce(Call<'_>) -> wasmtime::Result<R>,
        settle: impl FnOnce(R) -> T,
    ) -> Result<T, CallError> {
        let mut slot = self.slot.lock().await;
        self.ensure_running(&mut slot).await?;
        self.enter(&mut slot, self.limits.call, make, settle).await
    }

    /// Gives the slot an instance if it has none, and starts it if it is to be started.
    async fn ensure_running(self: &Arc<Self>, slot: &mut Slot) -> Result<(), CallError> {
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
        let state =
            State::new(&self.grants, &self.limits, self.hub.clone(), self.queue.clone()).map_err(CallError::Host)?;
        let mut store = Store::new(self.engine.inner(), state);
        store.limiter(|state| &mut state.store_limits);
        store.set_hostcall_fuel(self.limits.hostcall_bytes);
        store.set_epoch_deadline(self.engine.deadline_ticks(self.limits.life_cycle_call));
        let instantiated = self.pre.instantiate_async(&mut store).await;
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
        started.map_err(|error| {
            slot.running = None;
            slot.not_before = Some(Instant::now() + FIRST_PAUSE);
            CallError::Channel(error)
        })
    }

    async fn enter<R, T>(
        self: &Arc<Self>,
        slot: &mut Slot,
        time: Duration,
        make: impl AsyncFnOnce(Call<'_>) -> wasmtime::Result<R>,
        settle: impl FnOnce(R) -> T,
    ) -> Result<T, CallError> {
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
                slot.strikes = 0;
                slot.not_before = None;
                let settled = settle(value);
                effects.release(&self.hub, &self.queue, self);
                Ok(settled)
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
