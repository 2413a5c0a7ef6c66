//! Where everybody meets: which harness serves now, what was seen of it, and when everybody rests.

use std::io;
use std::net::SocketAddr;
use std::sync::{Condvar, LockResult, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use friends_chat_tests::DEADLINE;

/// Time after which who was told to come again does: sooner than a page, which makes it harder.
const COME_AGAIN: Duration = Duration::from_millis(50);

/// One run of the harness, from its start to its kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life {
    pub(crate) number: u32,
    pub(crate) address: SocketAddr,
}

#[derive(Debug, Default)]
pub(crate) struct Stage {
    state: Mutex<State>,
    changed: Condvar,
    /// The plugin's instance is lost now and then, and the agent killed: who is told to come again does.
    heals: bool,
}

#[derive(Debug, Default)]
struct State {
    life: Option<Life>,
    /// Things that friends and the owner saw happen, in all.
    seen: u64,
    /// No harness is killed any more, and nobody begins anything new.
    is_last: bool,
    /// Somebody has found what must not be.
    failed: bool,
    /// Everybody who comes to an end with what they do is to rest.
    is_resting: bool,
    /// Those who rest.
    at_rest: usize,
}

/// Tells the others when its thread panics, so that they do not wait for it.
#[derive(Debug)]
pub(crate) struct Part<'a>(&'a Stage);

impl Stage {
    /// A stage on which more goes wrong than kills.
    pub(crate) fn that_heals() -> Self {
        Self {
            heals: true,
            ..Self::default()
        }
    }

    pub(crate) fn heals(&self) -> bool {
        self.heals
    }

    /// Waits a moment after being told to come again.
    pub(crate) fn come_again(&self, refusal: &str) {
        assert!(self.heals, "refused without a reason: {refusal}");
        std::thread::sleep(COME_AGAIN);
    }

    /// Lets everybody rest, so many parts, for as long as `meanwhile` takes.
    pub(crate) fn rest_all<T>(&self, parts: usize, meanwhile: impl FnOnce() -> T) -> T {
        self.change(|state| state.is_resting = true);
        self.wait("not everybody rests", |state| (state.at_rest == parts).then_some(()));
        let done = meanwhile();
        self.change(|state| state.is_resting = false);
        done
    }

    /// Whether everybody is to rest.
    pub(crate) fn is_resting(&self) -> bool {
        self.state().is_resting
    }

    /// Rests with the others.
    pub(crate) fn rest(&self) {
        self.change(|state| state.at_rest += 1);
        self.wait("nobody goes on", |state| (!state.is_resting).then_some(()));
        self.change(|state| state.at_rest -= 1);
    }

    pub(crate) fn part(&self) -> Part<'_> {
        Part(self)
    }

    /// Announces a harness.
    pub(crate) fn begin(&self, life: Life) {
        self.change(|state| state.life = Some(life));
    }

    /// Announces that the harness that serves now is the last one.
    pub(crate) fn begin_last(&self) {
        self.change(|state| state.is_last = true);
    }

    pub(crate) fn is_last(&self) -> bool {
        self.state().is_last
    }

    /// Notes that something was seen to happen.
    pub(crate) fn see(&self) {
        self.change(|state| state.seen += 1);
    }

    /// Waits until so many more things have happened, or nothing new begins for the moment.
    pub(crate) fn wait_for_more(&self, more: u64) {
        let enough = self.state().seen + more;
        self.wait("nothing happens", |state| {
            (state.seen >= enough || state.is_last || state.is_resting).then_some(())
        });
    }

    /// The first harness.
    pub(crate) fn first(&self) -> Life {
        self.wait("no harness serves", |state| state.life)
    }

    /// The harness that serves after one that failed somebody: it was killed, or else the failure is real.
    pub(crate) fn after(&self, life: Life, failure: &io::Error) -> Life {
        self.wait(&format!("not killed, and still: {failure}"), |state| {
            state.life.filter(|later| later.number > life.number)
        })
    }

    fn wait<T>(&self, problem: &str, look: impl Fn(&State) -> Option<T>) -> T {
        let begin = Instant::now();
        let mut state = self.state();
        loop {
            if state.failed {
                // The one that failed has said it all.
                std::panic::resume_unwind(Box::new("another thread has failed"));
            }
            if let Some(found) = look(&state) {
                return found;
            }
            let left = DEADLINE.checked_sub(begin.elapsed());
            let left = left.unwrap_or_else(|| panic!("{problem}: {state:?}"));
            state = unpoisoned(self.changed.wait_timeout(state, left)).0;
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        unpoisoned(self.state.lock())
    }
}

fn unpoisoned<T>(locked: LockResult<T>) -> T {
    locked.unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.change(|state| state.failed = true);
        }
    }
}
