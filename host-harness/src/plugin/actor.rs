//! Owns the instance and lets one call at a time at it, in order.
//!
//! The instance and the sockets share a thread: a call returns within microseconds and waits for nothing but its own
//! files. What could wait, or be given up in the middle, costs the instance, and a new one is started in its place.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, Notify, Semaphore, watch};
use tracing::Instrument as _;
use wasmtime::{Store, UpdateDeadline};

use super::bindings::Plugin;
use super::counts::{Cause, Counts, Kind};
use super::directory::Directory;
use super::effects::Effects;
use super::group::{Group, Waits, commit_soon, synced};
use super::health::Health;
use super::imports::State;
use super::journal::Shipment;
use super::slot::{Running, Slot, Syncing};
use super::syncs::Making;
use super::{CallError, Generation, Grants, Instance, Program};
use crate::agent::{AgentQueue, Notes};
use crate::engine::Engine;
use crate::limits::{Limit, Limits, Rates};
use crate::push::PushHub;
use crate::request_id::RequestId;
use crate::turns::Share;
use crate::web_push::{Delivery, WebPush};

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
    pub(super) rates: Rates,
    pub(super) directory: Directory,
    pub(super) hub: PushHub,
    pub(super) queue: AgentQueue,
    pub(super) slot: Mutex<Slot>,
    serving: Arc<AtomicU64>,
    pub(super) upgrading: Mutex<()>,
    waiting: Semaphore,
    lost: Notify,
    pub(super) counts: Arc<Counts>,
    pub(super) share: Arc<Share>,
    pub(super) health: watch::Sender<Health>,
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
        let serving = Arc::default();
        Arc::new(Self {
            engine,
            rates: Rates::new(&limits),
            directory: Directory::new(&grants.directory, &limits),
            grants,
            limits,
            hub,
            queue,
            slot: Mutex::new(Slot::new(program, Arc::clone(&serving))),
            serving,
            upgrading: Mutex::default(),
            waiting,
            lost: Notify::new(),
            counts: Arc::default(),
            share: Arc::default(),
            health: watch::Sender::default(),
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
            let telling = RequestId::new().scope(plugin.web_push_gone(&endpoint));
            if let Err(error) = telling.await {
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

    /// How the plugin is.
    pub fn health(&self) -> Health {
        self.health.borrow().clone()
    }

    /// Which instance serves.
    pub fn generation(&self) -> Generation {
        Generation::new(self.serving.load(Ordering::Relaxed))
    }

    /// Instances that were lost so far.
    pub fn lost_instances(&self) -> u64 {
        Cause::ALL.iter().map(|cause| self.counts.lost(*cause)).sum()
    }

    /// What was counted of its calls and instances.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// What wakes browsers, if anything does.
    pub(crate) fn web_push(&self) -> Option<&WebPush> {
        self.grants.web_push.as_deref()
    }

    /// Calls of clients that wait or run.
    pub(crate) fn waiting_calls(&self) -> usize {
        self.limits
            .waiting_calls
            .saturating_sub(self.waiting.available_permits())
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
            slot.clear();
            if let Err(error) = self.ensure_running(&mut slot).await {
                slot.started = false;
                slot.clear();
                self.health.send_replace(Health::Stopped);
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
        self.health.send_replace(Health::Stopped);
        let lasting = self.make_lasting(&mut slot).await;
        if slot.running.is_none() {
            return lasting;
        }
        let stopped = self
            .enter(
                &mut slot,
                Kind::Stop,
                async |call| call.plugin.tinyclaw_plugin_channel().call_stop(call.store).await,
                |result| result,
            )
            .await;
        slot.clear();
        let (stopped, effects) = stopped?;
        self.shipped().await?;
        let writing = effects.release(self);
        stopped.map_err(CallError::Channel)?;
        Waits::ForNotes(writing).end().await
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
        kind: Kind,
        make: impl AsyncFnOnce(Call<'_>) -> wasmtime::Result<R>,
        settle: impl FnOnce(R) -> T,
    ) -> Result<T, CallError> {
        let _waiting = self.waiting.try_acquire().map_err(|_| {
            self.limits.tell(Limit::waiting_calls);
            CallError::Saturated
        })?;
        self.limits.note(Limit::waiting_calls, self.waiting_calls());
        self.engine.turns().wait_for(&self.share).await;
        self.call(kind, make, settle).await
    }

    /// Makes one call. `settle` runs when it has returned and before what it asked for is released; what it changed is
    /// lasting when this returns.
    pub(super) async fn call<R, T>(
        self: &Arc<Self>,
        kind: Kind,
        make: impl AsyncFnOnce(Call<'_>) -> wasmtime::Result<R>,
        settle: impl FnOnce(R) -> T,
    ) -> Result<T, CallError> {
        let (settled, waits) = self.call_ahead(kind, make, settle).await?;
        waits.end().await?;
        Ok(settled)
    }

    /// Makes one call as [`PluginActor::call`] does, without waiting for what is not lasting yet: another may follow
    /// it, whose effects are released after its own.
    pub(super) async fn call_ahead<R, T>(
        self: &Arc<Self>,
        kind: Kind,
        make: impl AsyncFnOnce(Call<'_>) -> wasmtime::Result<R>,
        settle: impl FnOnce(R) -> T,
    ) -> Result<(T, Waits), CallError> {
        let mut slot = self.slot.lock().await;
        self.ensure_running(&mut slot).await?;
        slot.let_changes_wait();
        let (settled, effects) = self.enter(&mut slot, kind, make, settle).await?;
        let waits = if slot.is_open() {
            let lasting = slot.group.join(effects);
            if slot.group.len() >= self.limits.calls_per_commit {
                self.make_lasting(&mut slot).await?;
            } else if slot.group.len() == 1 && slot.syncing.is_none() {
                commit_soon(self);
            }
            Waits::ForDisk(lasting)
        } else if let Some(syncing) = &mut slot.syncing {
            // It may tell of what is not lasting yet.
            Waits::ForDisk(syncing.group.join(effects))
        } else if let Some(shipment) = self.ship() {
            let lasting = slot.group.join(effects);
            slot.close_group();
            self.begin_syncing(&mut slot, Some(shipment));
            Waits::ForDisk(lasting)
        } else {
            Waits::ForNotes(effects.release(self))
        };
        Ok((settled, waits))
    }

    /// Number of calls whose changes are not lasting yet.
    pub(super) async fn group_len(&self) -> usize {
        self.slot.lock().await.group.len()
    }

    /// Commits what calls have changed, unless the disk is busy with those before, and has it synced beside this thread.
    pub(super) async fn commit(self: &Arc<Self>) -> Result<(), CallError> {
        let mut slot = self.slot.lock().await;
        if slot.syncing.is_some() {
            return Ok(());
        }
        self.commit_group(&mut slot).await?;
        let shipment = self.ship();
        match self.begin_syncing(&mut slot, shipment) {
            true => Ok(()),
            false => self.finish_syncing(&mut slot),
        }
    }

    /// Begins to sync what was committed, beside this thread; says whether there is anything to wait for.
    fn begin_syncing(self: &Arc<Self>, slot: &mut Slot, shipment: Option<Shipment>) -> bool {
        let Slot { running, syncing, .. } = slot;
        if let (Some(running), Some(syncing)) = (running, syncing)
            && let Some((making, task)) = running.store.data_mut().syncs.begin(shipment)
        {
            syncing.making = Some(Arc::clone(&making));
            tokio::spawn(synced(Arc::clone(self), making, task).in_current_span());
            return true;
        }
        false
    }

    /// Sends to other machines what has changed, where there are any and something has.
    fn ship(&self) -> Option<Shipment> {
        self.grants.journal.as_ref()?.send()
    }

    /// Sends what has changed outside of a group, and waits until it has arrived.
    pub(super) async fn shipped(&self) -> Result<(), CallError> {
        match self.ship() {
            None => Ok(()),
            Some(shipment) => shipment.arrived().await.map_err(|error| CallError::Host(error.into())),
        }
    }

    /// Makes lasting what calls have changed, and releases what they asked for, before this returns.
    pub(super) async fn make_lasting(self: &Arc<Self>, slot: &mut Slot) -> Result<(), CallError> {
        self.finish_syncing(slot)?;
        self.commit_group(slot).await?;
        let shipment = self.ship();
        self.begin_syncing(slot, shipment);
        self.finish_syncing(slot)
    }

    async fn commit_group(self: &Arc<Self>, slot: &mut Slot) -> Result<(), CallError> {
        let calls = slot.group.len();
        if calls == 0 {
            return Ok(());
        }
        slot.let_sync_be_left();
        let committed = self
            .enter(
                slot,
                Kind::Commit,
                async |call| call.plugin.tinyclaw_plugin_channel().call_commit(call.store).await,
                |result| result,
            )
            .await;
        self.limits.note(Limit::calls_per_commit, calls);
        match committed.and_then(|(result, _)| result.map_err(CallError::Channel)) {
            Ok(()) => {
                tracing::debug!(calls, "committed");
                self.counts.commits.one();
                self.counts.committed_calls.add(calls.try_into().unwrap_or(u64::MAX));
                slot.close_group();
                Ok(())
            }
            Err(error) => {
                slot.keep_apart();
                if slot.running.is_some() {
                    self.lose(slot, Cause::Refused, &format!("committing: {error}"));
                }
                Err(error)
            }
        }
    }

    /// Waits for the disk, and releases those who wait for it.
    pub(super) fn finish_syncing(self: &Arc<Self>, slot: &mut Slot) -> Result<(), CallError> {
        self.release_synced(slot).map_err(|error| {
            slot.keep_apart();
            self.lose(slot, Cause::Disk, &format!("syncing: {error}"));
            CallError::Host(error.into())
        })
    }

    /// Releases those who wait for a sync that is made, and says whether others have gathered meanwhile.
    pub(super) async fn finish(self: &Arc<Self>, made: &Arc<Making>) -> bool {
        let mut slot = self.slot.lock().await;
        let is_this = |making: &Arc<Making>| Arc::ptr_eq(making, made);
        let making = slot.syncing.as_ref().and_then(|syncing| syncing.making.as_ref());
        if making.is_some_and(is_this)
            && let Err(error) = self.finish_syncing(&mut slot)
        {
            tracing::error!(%error, "what was to be made lasting is given up");
        }
        slot.syncing.is_none() && slot.group.len() > 0
    }

    fn release_synced(self: &Arc<Self>, slot: &mut Slot) -> io::Result<()> {
        let Some(Syncing { group, .. }) = slot.syncing.take() else {
            return Ok(());
        };
        if let Some(running) = &mut slot.running {
            running.store.data_mut().syncs.settle()?;
        }
        group.release(self);
        Ok(())
    }

    /// Gives the slot an instance if it has none, and starts it if it is to be started.
    pub(super) async fn ensure_running(self: &Arc<Self>, slot: &mut Slot) -> Result<(), CallError> {
        if slot.running.as_ref().is_some_and(|running| running.entered) {
            self.lose(slot, Cause::Abandoned, "a call was given up in the middle");
        }
        if slot.running.is_some() {
            return Ok(());
        }
        if slot.retired {
            return Err(CallError::Down {
                retry_after: FIRST_PAUSE,
            });
        }
        let now = Instant::now();
        if let Some(wait) = slot.not_before.and_then(|at| at.checked_duration_since(now)) {
            return Err(CallError::Down { retry_after: wait });
        }
        slot.last_instance += 1;
        if slot.started {
            self.health.send_modify(Health::starting);
        }
        let mut store = self.new_store(slot.last_instance).map_err(CallError::Host)?;
        let instantiating = slot.program.instantiate(&mut store);
        let instantiated = match tokio::time::timeout(self.limits.start, instantiating).await {
            Ok(instantiated) => instantiated.map_err(|error| (Cause::Trap, format!("instantiating: {error:#}"))),
            Err(_) => Err((Cause::Time, self.too_long(Limit::start))),
        };
        match instantiated {
            Ok(plugin) => {
                slot.running = Some(Running {
                    store,
                    plugin,
                    entered: false,
                })
            }
            Err((cause, why)) => {
                store.data_mut().tell_met();
                drop(store);
                self.lose(slot, cause, &why);
                return Err(CallError::Down {
                    retry_after: FIRST_PAUSE,
                });
            }
        }
        if !slot.started {
            return Ok(());
        }
        let started = self
            .enter(
                slot,
                Kind::Start,
                async |call| call.plugin.tinyclaw_plugin_channel().call_start(call.store).await,
                |result| result,
            )
            .await?;
        match started {
            (Ok(()), effects) => {
                self.health.send_modify(Health::running);
                slot.serve();
                self.counts.starts.one();
                self.shipped().await?;
                Waits::ForNotes(effects.release(self)).end().await
            }
            (Err(error), _) => {
                let error = CallError::Channel(error);
                self.lose(slot, Cause::Refused, &format!("starting: {error}"));
                Err(error)
            }
        }
    }

    /// A store for an instance, within all bounds.
    pub(super) fn new_store(&self, instance: Instance) -> wasmtime::Result<Store<State>> {
        let state = State::new(instance, self)?;
        let mut store = Store::new(self.engine.inner(), state);
        store.limiter(|state| &mut state.bounds);
        store.set_hostcall_fuel(self.limits.hostcall_bytes);
        let engine = Arc::clone(&self.engine);
        store.epoch_deadline_callback(move |store| {
            tracing::trace!("a call lets others take their turns");
            let turn = engine.deadline_ticks(Duration::ZERO);
            let others = engine.turns().others(&store.data().share);
            Ok(UpdateDeadline::YieldCustom(turn, Box::pin(others)))
        });
        self.begin_turn(&mut store);
        Ok(store)
    }

    /// Gives what is called next its thread to itself, for a moment.
    fn begin_turn(&self, store: &mut Store<State>) {
        store.set_epoch_deadline(self.engine.deadline_ticks(self.engine.turns().alone()));
    }

    fn time(&self, limit: Limit) -> Duration {
        match limit {
            Limit::start => self.limits.start,
            Limit::stop => self.limits.stop,
            _ => self.limits.call,
        }
    }

    fn too_long(&self, limit: Limit) -> String {
        self.limits.tell(limit);
        format!(
            "a call lasted longer than {:?}: the limit `{}`",
            self.time(limit),
            limit.name()
        )
    }

    /// Makes a call on the instance; gives what it asked for unreleased.
    pub(super) async fn enter<R, T>(
        self: &Arc<Self>,
        slot: &mut Slot,
        kind: Kind,
        make: impl AsyncFnOnce(Call<'_>) -> wasmtime::Result<R>,
        settle: impl FnOnce(R) -> T,
    ) -> Result<(T, Effects), CallError> {
        let Some(running) = slot.running.as_mut() else {
            return Err(CallError::Down {
                retry_after: FIRST_PAUSE,
            });
        };
        let limit = kind.limit();
        running.entered = true;
        let _in_progress = self.share.begin();
        self.begin_turn(&mut running.store);
        running.store.set_hostcall_fuel(self.limits.hostcall_bytes);
        let begun = Instant::now();
        slot.used = begun;
        let call = Call {
            plugin: &running.plugin,
            store: &mut running.store,
        };
        // One that computes is looked at when it lets others take their turns, one that waits at any time.
        let returned = tokio::time::timeout(self.time(limit), make(call)).await;
        let lasted = begun.elapsed();
        self.engine.turns().ended(&self.share, lasted);
        self.limits.note_time(limit, lasted);
        if let Some(calls) = self.counts.calls(kind) {
            calls.count(lasted);
        }
        match returned {
            Ok(Ok(value)) => {
                running.entered = false;
                let effects = running.store.data_mut().end_call();
                if let Err(error) = running.store.data().syncs.check() {
                    slot.keep_apart();
                    self.lose(slot, Cause::Disk, &format!("syncing: {error}"));
                    return Err(CallError::Trapped);
                }
                // An instance that starts and fails at once is no better than one that does not start.
                if limit == Limit::call {
                    slot.forget_failures();
                }
                Ok((settle(value), effects))
            }
            Ok(Err(trap)) => {
                let cause = match running.store.data().bounds.has_met(Limit::memory_bytes) {
                    true => Cause::Memory,
                    false => Cause::Trap,
                };
                self.lose(slot, cause, &format!("{trap:#}"));
                Err(CallError::Trapped)
            }
            Err(_) => {
                let why = self.too_long(limit);
                self.lose(slot, Cause::Time, &why);
                Err(CallError::Trapped)
            }
        }
    }

    /// Drops the instance with all that it asked for. Its held connections stay.
    fn lose(self: &Arc<Self>, slot: &mut Slot, cause: Cause, why: &str) {
        // What was committed before is no part of what failed.
        if let Err(error) = self.release_synced(slot) {
            tracing::error!(%error, "what was to be made lasting is given up");
        }
        if let Some(running) = &mut slot.running {
            running.store.data_mut().tell_met();
        }
        slot.clear();
        // Those who wait for it learn that it is given up.
        slot.group = Group::default();
        self.queue.clear();
        let pause = FIRST_PAUSE
            .saturating_mul(2_u32.saturating_pow(slot.strikes))
            .min(LONGEST_PAUSE);
        slot.strikes = slot.strikes.saturating_add(1);
        // The first loss is mended at once.
        let pause = if slot.strikes > 1 { pause } else { Duration::ZERO };
        slot.not_before = (slot.strikes > 1).then(|| Instant::now() + pause);
        self.counts.lose(cause, why);
        tracing::error!(strikes = slot.strikes, why, "the plugin's instance is lost");
        if slot.started {
            self.health.send_modify(|health| health.lost(slot.strikes, pause, why));
        }
        self.lost.notify_one();
    }
}
