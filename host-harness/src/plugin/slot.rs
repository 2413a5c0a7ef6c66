//! The one place for an instance: what runs there, what waits to be made lasting, and what has gone wrong of late.

use std::time::{Duration, Instant};

use wasmtime::Store;

use super::bindings::Plugin;
use super::group::Group;
use super::imports::State;
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
    pub(super) last_instance: Instance,
    /// Calls that have returned and whose changes are not lasting yet.
    pub(super) group: Group,
    /// Until when, and for how long, each call is made lasting by itself.
    apart: Duration,
    apart_until: Option<Instant>,
    /// What a new instance is told first.
    pub(super) started: bool,
    /// Instances lost in a row without a call that succeeded.
    pub(super) strikes: u32,
    /// When another may be started, where that has failed of late.
    pub(super) not_before: Option<Instant>,
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
    pub(super) fn new(program: Program) -> Self {
        Self {
            program,
            running: None,
            last_instance: 0,
            group: Group::default(),
            apart: Duration::ZERO,
            apart_until: None,
            started: false,
            strikes: 0,
            not_before: None,
        }
    }

    /// Lets what the next call changes be made lasting with what others change, unless that has just gone wrong.
    pub(super) fn let_changes_wait(&mut self) {
        let may_wait = self.apart_until.is_none_or(|until| until <= Instant::now());
        if let Some(running) = &mut self.running {
            running.store.data_mut().may_wait = may_wait;
        }
    }

    /// Whether a call has left something open.
    pub(super) fn is_open(&self) -> bool {
        self.running
            .as_ref()
            .is_some_and(|running| running.store.data().is_open)
    }

    /// Takes the calls whose changes have been made lasting.
    pub(super) fn close_group(&mut self) -> Group {
        self.apart = Duration::ZERO;
        if let Some(running) = &mut self.running {
            running.store.data_mut().is_open = false;
        }
        std::mem::take(&mut self.group)
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

/// A living instance.
pub(super) struct Running {
    pub(super) store: Store<State>,
    pub(super) plugin: Plugin,
    /// A call has begun and has not returned. Found at the begin of the next one, it was given up in the middle.
    pub(super) entered: bool,
}
