//! Who may compute, and for how long. A call has its thread to itself for a moment, in which nearly all are done; one that takes
//! longer lets others take their turns from then on.
//!
//! Where many plugins share a few threads, two more things keep one of them from being felt by the others, and both only while
//! others are called: a call beyond its moment pauses, for longer each time, and never takes the last thread; and a plugin whose
//! clients have used more than its share of a thread has them wait. Whoever is alone has all there is.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Length of a tick of the clock that looks at calls which last long, where there is one plugin and where there are many.
const TICK: Duration = Duration::from_millis(10);
const TICK_AMONG_MANY: Duration = Duration::from_millis(2);

/// Time for which a call has its thread to itself where there is one plugin.
const ALONE: Duration = Duration::from_millis(100);

/// The same where there are many: until the next tick.
const ALONE_AMONG_MANY: Duration = Duration::ZERO;

/// Turns that others have before a call pauses for them: a plugin that starts is not done within a tick or two.
const TURNS_BEFORE_PAUSES: u32 = 4;

/// Bounds of the pauses of a call beyond its moment. With the longest it has a twentieth of a thread.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(40);

/// How much more threads there would have to be for all who are called to have what is theirs all the time: what nobody claims keeps
/// waits short.
const ROOM: u32 = 2;

/// Time that a plugin's clients may use ahead of their share: a page that is opened asks for many things at once.
const AHEAD: Duration = Duration::from_millis(50);

/// What a client's call costs beside the plugin, from its bytes to those of its answer, more or less. It counts as the plugin's:
/// one that is down is asked all the same.
const HANDLING: Duration = Duration::from_micros(50);

/// A wait that is not worth its timer.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// Time for which who was called counts as being called.
const WINDOW: Duration = Duration::from_millis(100);

/// How threads are shared. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Turns {
    among: Option<Arc<Among>>,
}

/// What many plugins have in common.
#[derive(Debug)]
struct Among {
    overtime: Arc<Semaphore>,
    cores: u32,
    since: Instant,
    called: Mutex<Called>,
}

/// How many plugins were called in a window of time, and in the one before.
#[derive(Debug, Default)]
struct Called {
    window: u128,
    now: u32,
    before: u32,
    /// Those in both.
    again: u32,
}

/// What one plugin uses of the threads.
#[derive(Debug, Default)]
pub(crate) struct Share(Mutex<Used>);

/// A call in progress. Dropped, it gives back what it has taken to go on.
pub(crate) struct Call<'a>(&'a Share);

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let mut used = self.0.used();
        (used.leave, used.turns) = (None, 0);
    }
}

#[derive(Debug, Default)]
struct Used {
    /// The call in progress computes beyond its moment.
    leave: Option<OwnedSemaphorePermit>,
    /// Turns that others have had within that call.
    turns: u32,
    /// Up to when its clients have used its share.
    until: Option<Instant>,
    /// When it was called last.
    window: Option<u128>,
}

impl Turns {
    /// For one plugin.
    pub(crate) fn of_one() -> Self {
        Self { among: None }
    }

    /// For many, on so many threads, which is one more than there are cores.
    pub(crate) fn of_many(threads: usize) -> Self {
        let cores = threads.saturating_sub(1).max(1);
        let among = Among {
            overtime: Arc::new(Semaphore::new(cores)),
            cores: u32::try_from(cores).unwrap_or(u32::MAX),
            since: Instant::now(),
            called: Mutex::default(),
        };
        Self {
            among: Some(Arc::new(among)),
        }
    }

    /// Length of a tick of the clock.
    pub(crate) fn tick(&self) -> Duration {
        match self.among {
            Some(_) => TICK_AMONG_MANY,
            None => TICK,
        }
    }

    /// Time for which a call has its thread to itself.
    pub(crate) fn alone(&self) -> Duration {
        match self.among {
            Some(_) => ALONE_AMONG_MANY,
            None => ALONE,
        }
    }

    /// Lets a client call a plugin, and has it wait while the plugin's clients have used more than its share.
    pub(crate) async fn wait_for(&self, share: &Share) {
        if self.among.is_none() {
            return;
        }
        let until = share.used().until;
        self.ended(share, HANDLING);
        let wait = until.map(|until| until.saturating_duration_since(Instant::now()));
        if let Some(wait) = wait.filter(|wait| *wait >= SHORTEST_WAIT) {
            tokio::time::sleep(wait).await;
        }
    }

    /// Notes that something was done for a plugin, and how long it lasted.
    pub(crate) fn ended(&self, share: &Share, lasted: Duration) {
        let Some(among) = &self.among else { return };
        let (mut used, now) = (share.used(), Instant::now());
        let called = among.call(&mut used);
        used.until = (called > 1).then(|| {
            let ahead = now.checked_sub(AHEAD).unwrap_or(now);
            let counts = lasted.saturating_mul((called * ROOM).max(among.cores)) / among.cores;
            used.until.unwrap_or(ahead).max(ahead) + counts
        });
    }

    /// Lets others take their turns, and waits until the call in progress may go on.
    pub(crate) fn others(&self, share: &Arc<Share>) -> impl Future<Output = ()> + Send + use<> {
        let (among, share) = (self.among.clone(), Arc::clone(share));
        async move {
            tokio::task::yield_now().await;
            let Some(among) = among else { return };
            let pause = share.used().pause(&among);
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
            // It is never closed.
            if let Ok(leave) = Arc::clone(&among.overtime).acquire_owned().await {
                share.used().leave = Some(leave);
            }
        }
    }
}

impl Share {
    /// A call begins; it has ended when this is dropped.
    pub(crate) fn begin(&self) -> Call<'_> {
        Call(self)
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Used {
    /// Gives the leave back, and says how long to pause for others.
    fn pause(&mut self, among: &Among) -> Option<Duration> {
        self.leave = None;
        let before = self.turns;
        self.turns = before.saturating_add(1);
        let doublings = before.checked_sub(TURNS_BEFORE_PAUSES)?;
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(doublings));
        (among.call(self) > 1).then_some(pause.min(LONGEST_PAUSE))
    }
}

impl Among {
    /// Notes that a plugin is called, and says how many are.
    fn call(&self, used: &mut Used) -> u32 {
        let window = self.since.elapsed().as_millis() / WINDOW.as_millis();
        let mut called = self.called.lock().unwrap_or_else(PoisonError::into_inner);
        if called.window != window {
            let follows = called.window + 1 == window;
            *called = Called {
                window,
                now: 0,
                before: if follows { called.now } else { 0 },
                again: 0,
            };
        }
        if used.window != Some(window) {
            called.now += 1;
            called.again += u32::from(used.window.is_some_and(|last| last + 1 == window));
            used.window = Some(window);
        }
        (called.now + called.before).saturating_sub(called.again)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::task::Poll;

    use futures_util::{FutureExt as _, poll};

    use super::*;

    const CALL: Duration = Duration::from_millis(1);

    #[tokio::test]
    async fn a_thread_is_left_for_the_others() {
        let turns = Turns::of_many(2);
        let (first, second): (Arc<Share>, Arc<Share>) = Default::default();
        turns.others(&first).await;
        let mut waiting = turns.others(&second).boxed();
        for _ in 0..3 {
            assert_eq!(poll!(&mut waiting), Poll::Pending);
        }
        // Those beyond their moment take turns with each other.
        let mut again = turns.others(&first).boxed();
        for _ in 0..3 {
            assert_eq!(poll!(&mut again), Poll::Pending);
        }
        waiting.await;
        assert_eq!(poll!(&mut again), Poll::Pending);
        drop(second.begin());
        again.await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_computes_long_pauses_while_others_are_called() {
        let turns = Turns::of_many(2);
        let (long, other): (Arc<Share>, Arc<Share>) = Default::default();
        let pause = async |turns: &Turns| {
            let begun = tokio::time::Instant::now();
            turns.others(&long).await;
            begun.elapsed()
        };
        for _ in 0..TURNS_BEFORE_PAUSES {
            turns.ended(&other, CALL);
            assert_eq!(pause(&turns).await, Duration::ZERO);
        }
        let mut pauses = Vec::new();
        for _ in 0..6 {
            turns.ended(&other, CALL);
            pauses.push(pause(&turns).await);
        }
        assert!(pauses.is_sorted(), "{pauses:?}");
        assert!(
            pauses.first() >= Some(&FIRST_PAUSE) && pauses.last() >= Some(&LONGEST_PAUSE),
            "{pauses:?}"
        );
        drop(long.begin());
        assert_eq!(pause(&turns).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_called_too_much_waits_only_while_others_are_called() {
        let turns = Turns::of_many(2);
        let (flooded, other) = (Share::default(), Share::default());
        let waits = async |share: &Share| {
            let begun = tokio::time::Instant::now();
            turns.wait_for(share).await;
            begun.elapsed()
        };
        turns.ended(&flooded, CALL * 100);
        assert_eq!(waits(&flooded).await, Duration::ZERO);
        turns.ended(&other, CALL);
        turns.ended(&flooded, CALL * 100);
        assert!(waits(&flooded).await > CALL * 100);
        assert_eq!(waits(&other).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn one_plugin_waits_for_nobody() {
        let (turns, share): (_, Arc<Share>) = (Turns::of_one(), Arc::default());
        for _ in 0..100 {
            turns.ended(&share, CALL);
        }
        let begun = tokio::time::Instant::now();
        turns.others(&share).await;
        turns.wait_for(&share).await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
