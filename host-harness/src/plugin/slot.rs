//! The one place for an instance: what runs there, what waits to be made lasting, and what has gone wrong of late.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use wasmtime::Store;

use super::bindings::Plugin;
use super::group::Group;
use super::imports::State;
use super::syncs::Making;
use super::{Instance, Program};

/// Time for which each call is made lasting by itself after a group of them was lost: what fails then, such as a write
/// to a full disk, fails alone. It doubles with each loss in a row.
const APART: Duration = Duration::from_secs(60);

/// Longest such time: an owner who has made room should have the speed of groups back some day.
const LONGEST_APART: Duration = Duration::from_secs(3_600);

/// The instance, or why there is none.
pub(super) struct Slot {
    /// What instances are made of.
    pub(super) program: Program,
    pub(super) running: Option<Running>,
    serving: Arc<AtomicU64>,
    pub(super) last_instance: Instance,
    /// Calls that have returned and whose changes are not lasting yet.
    pub(super) group: Group,
    /// Calls whose changes are being synced.
    pub(super) syncing: Option<Syncing>,
    /// Until when, and for how long, each call is made lasting by itself.
    apart: Duration,
    apart_until: Option<Instant>,
    /// What a new instance is told first.
    pub(super) started: bool,
    /// Instances lost in a row without a call that succeeded.
    pub(super) strikes: u32,
    /// When another may be started, where that has failed of late.
    pub(super) not_before: Option<Instant>,
    /// No instance is started any more: another has the files.
    pub(super) retired: bool,
    /// When the last call began.
    pub(super) used: Instant,
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot")
            .field("started", &self.started)
            .field("strikes", &self.strikes)
            .finish_non_exhaustive()
    }
}

impl Slot {
    /// A place for instances of a program; `serving` is told the number of each that serves, and 0 for none.
    pub(super) fn new(program: Program, serving: Arc<AtomicU64>) -> Self {
        Self {
            program,
            running: None,
            serving,
            last_instance: 0,
            group: Group::default(),
            syncing: None,
            apart: Duration::ZERO,
            apart_until: None,
            started: false,
            strikes: 0,
            not_before: None,
            retired: false,
            used: Instant::now(),
        }
    }

    /// Notes that the instance serves.
    pub(super) fn serve(&self) {
        self.serving.store(self.last_instance, Ordering::Relaxed);
    }

    /// Drops the instance.
    pub(super) fn clear(&mut self) {
        self.serving.store(0, Ordering::Relaxed);
        self.running = None;
    }

    /// Drops the instance and all that waits to be made lasting.
    pub(super) fn give_up(&mut self) {
        self.clear();
        self.group = Group::default();
        self.syncing = None;
    }

    /// Lets what the next call changes be made lasting with what others change, unless that has just gone wrong.
    pub(super) fn let_changes_wait(&mut self) {
        let may_wait = self.apart_until.is_none_or(|until| until <= Instant::now());
        if let Some(running) = &mut self.running {
            running.store.data_mut().may_wait = may_wait;
        }
    }

    /// Whether nothing was asked for this time, and nothing waits to be made lasting.
    pub(super) fn is_idle(&self, time: Duration) -> bool {
        self.group.len() == 0 && self.syncing.is_none() && self.used.elapsed() >= time
    }

    /// Whether a call has left something open.
    pub(super) fn is_open(&self) -> bool {
        self.running
            .as_ref()
            .is_some_and(|running| running.store.data().is_open)
    }

    /// Lets the next call leave its last sync to the host.
    pub(super) fn let_sync_be_left(&mut self) {
        if let Some(running) = &mut self.running {
            running.store.data_mut().syncs.may_be_left = true;
        }
    }

    /// Notes that the calls that wait are committed; their changes last when the disk is synced.
    pub(super) fn close_group(&mut self) {
        self.apart = Duration::ZERO;
        if let Some(running) = &mut self.running {
            running.store.data_mut().is_open = false;
        }
        self.syncing = Some(Syncing {
            group: std::mem::take(&mut self.group),
            making: None,
        });
    }

    /// What has gone wrong does not count any more.
    pub(super) fn forget_failures(&mut self) {
        self.strikes = 0;
        self.not_before = None;
    }

    /// Notes that a group could not be made lasting.
    pub(super) fn keep_apart(&mut self) {
        self.apart = self.apart.saturating_mul(2).clamp(APART, LONGEST_APART);
        self.apart_until = Some(Instant::now() + self.apart);
    }
}

/// Calls that wait for the disk only.
pub(super) struct Syncing {
    pub(super) group: Group,
    /// None while the sync is not begun.
    pub(super) making: Option<Arc<Making>>,
}

/// A living instance.
pub(super) struct Running {
    pub(super) store: Store<State>,
    pub(super) plugin: Plugin,
    /// A call has begun and has not returned. Found at the begin of the next one, it was given up in the middle.
    pub(super) entered: bool,
}
