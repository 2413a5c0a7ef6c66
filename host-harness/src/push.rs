//! Holds connections open and hands them what the plugin publishes.
//!
//! A frame is shared by all its readers. A connection has a bounded queue: one that does not read is cut, gives its
//! memory back at once, and nobody else notices.

mod relay;

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;

use crate::limits::{Limit, Limits};
use crate::metrics::Counter;
use crate::plugin::Response;
pub(crate) use relay::{Recent, Relay, Relayed, What};

/// What a connection is held on.
#[derive(Debug, Clone)]
pub struct Hold {
    /// What it listens to.
    pub topics: Vec<Arc<str>>,
    /// What is written while nothing happens.
    pub keep_alive: Option<KeepAlive>,
    /// Time after which it ends.
    pub life: Duration,
}

/// A frame at regular times.
#[derive(Debug, Clone)]
pub struct KeepAlive {
    /// Written as it is.
    pub frame: Bytes,
    /// Time between two.
    pub every: Duration,
}

/// Why a connection was ended, as a WebSocket says it (RFC 6455, section 7.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Status code.
    pub code: u16,
    /// In a few words.
    pub text: String,
}

/// How a held connection ends.
#[derive(Debug, Clone)]
pub enum End {
    /// Closed by the plugin or the harness, after what was published before.
    Closed(Reason),
    /// Answered with a response of its own.
    Answered(Box<Response>),
    /// Cut, because it did not read.
    Cut,
}

/// What a held connection gets next.
#[derive(Debug)]
pub enum Next {
    /// A frame.
    Frame(Bytes),
    /// Nothing more.
    End(End),
}

/// A point in the order of the plugin's calls. What a call publishes may be released after later calls have returned;
/// it reaches who listened when the call returned, and nobody who came later and was told all that before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// No connection that waits for this one listens.
    const NEVER: u64 = u64::MAX;

    /// The moment of a number.
    pub(crate) const fn at(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub(crate) const fn number(self) -> u64 {
        self.0
    }
}

/// The connections of one plugin. Clones share them.
#[derive(Debug, Clone)]
pub struct PushHub {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    limits: Limits,
    counts: Counts,
    /// Where what is published goes if other machines hold the connections.
    relay: Option<Relay>,
}

/// What is counted of the connections.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Connections that were held so far.
    pub(crate) held: Counter,
    /// Connections that were refused, since as many as may be are held.
    pub(crate) refused: Counter,
    /// Frames that were handed to a connection, one for each that listens.
    pub(crate) frames: Counter,
    /// Their bytes.
    pub(crate) bytes: Counter,
    /// Connections that were cut, since they did not read.
    pub(crate) cut: Counter,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    now: Moment,
    connections: HashMap<u64, Arc<Queue>>,
    topics: HashMap<Arc<str>, Vec<u64>>,
    /// The last frame that keeps a connection alive: it is the same for most.
    keep_alive: Bytes,
}

/// The hub holds as many connections as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many held connections")]
pub struct Full;

impl PushHub {
    /// A hub without connections.
    pub fn new(limits: &Limits) -> Self {
        Self::of(limits, None)
    }

    /// A hub of connections that other machines hold: what is published goes through the relay, and those that listen here are
    /// only counted.
    pub(crate) fn relayed(limits: &Limits, relay: Relay) -> Self {
        Self::of(limits, Some(relay))
    }

    fn of(limits: &Limits, relay: Option<Relay>) -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::default(),
                limits: limits.clone(),
                counts: Counts::default(),
                relay,
            }),
        }
    }

    /// Where what is published goes, if it goes elsewhere.
    pub(crate) fn relay(&self) -> Option<&Relay> {
        self.shared.relay.as_ref()
    }

    /// Holds a connection, which listens from now on and until the answer is dropped. When it is cut for not reading,
    /// which its reader, not reading, cannot notice, `cut` is notified.
    ///
    /// # Errors
    /// When the hub is full.
    pub fn hold(&self, hold: Hold, cut: Arc<Notify>) -> Result<Held, Full> {
        let now = self.state().now;
        self.hold_since(hold, cut, now)
    }

    /// As [`PushHub::hold`], for a connection that listens since a moment of its own.
    pub(crate) fn hold_since(&self, mut hold: Hold, cut: Arc<Notify>, since: Moment) -> Result<Held, Full> {
        let mut state = self.state();
        let limits = &self.shared.limits;
        if state.connections.len() >= limits.held_connections {
            limits.tell(Limit::held_connections);
            self.shared.counts.refused.one();
            return Err(Full);
        }
        limits.note(Limit::held_connections, state.connections.len() + 1);
        self.shared.counts.held.one();
        let id = state.next;
        state.next += 1;
        let queue = Arc::new(Queue {
            since: AtomicU64::new(since.0),
            waiting: Mutex::new(Waiting {
                cut: Some(cut),
                ..Waiting::default()
            }),
        });
        state.connections.insert(id, Arc::clone(&queue));
        for topic in &mut hold.topics {
            // There are thousands of connections: each name is there once.
            if let Some((known, _)) = state.topics.get_key_value(topic) {
                *topic = Arc::clone(known);
            }
            let ids = state
                .topics
                .entry(Arc::clone(topic))
                .or_insert_with(|| Vec::with_capacity(1));
            ids.push(id);
        }
        if let Some(keep_alive) = &mut hold.keep_alive {
            if state.keep_alive != keep_alive.frame {
                state.keep_alive = keep_alive.frame.clone();
            }
            keep_alive.frame = state.keep_alive.clone();
        }
        Ok(Held {
            hub: self.clone(),
            id,
            queue,
            hold,
            companion: None,
        })
    }

    /// Lets a connection wait: nothing that is published reaches it.
    pub(crate) fn pause(&self, id: u64) {
        if let Some(queue) = self.state().connections.get(&id) {
            queue.since.store(Moment::NEVER, Ordering::Relaxed);
        }
    }

    /// Hands a connection a frame of its own, and lets it listen since a moment.
    pub(crate) fn go_on(&self, id: u64, frame: Bytes, since: Moment) {
        let state = self.state();
        if let Some(queue) = state.connections.get(&id) {
            if !frame.is_empty() {
                queue.push(frame, &self.shared.limits);
            }
            queue.since.store(since.0, Ordering::Relaxed);
        }
    }

    /// Ends one connection.
    pub(crate) fn end_one(&self, id: u64, end: End) {
        if let Some(queue) = self.state().connections.get(&id) {
            queue.end(end);
        }
    }

    /// The connections that are held now.
    pub fn held(&self) -> usize {
        self.state().connections.len()
    }

    /// What was counted so far.
    pub(crate) fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    /// Begins the next moment: connections that are held from now on listen since then.
    pub fn next_moment(&self) -> Moment {
        let mut state = self.state();
        state.now.0 += 1;
        state.now
    }

    /// Number of connections that listen to a topic.
    pub fn listeners(&self, topic: &str) -> usize {
        self.state().topics.get(topic).map_or(0, Vec::len)
    }

    /// Hands a frame to all that listened to a topic at that moment.
    pub fn publish(&self, topic: &str, frame: &Bytes, moment: Moment) {
        let state = self.state();
        if let Some(relay) = &self.shared.relay {
            if let Some((topic, _)) = state.topics.get_key_value(topic) {
                relay.publish(topic, What::Frame(frame.clone()), moment);
            }
            return;
        }
        let (mut handed, mut cut) = (0, 0);
        for queue in state.listening(topic, moment) {
            match queue.push(frame.clone(), &self.shared.limits) {
                Pushed::Waits => handed += 1,
                Pushed::Cut => cut += 1,
                Pushed::TooLate => {}
            }
        }
        let counts = &self.shared.counts;
        counts.frames.add(handed);
        counts
            .bytes
            .add(handed * u64::try_from(frame.len()).unwrap_or(u64::MAX));
        counts.cut.add(cut);
    }

    /// Ends all that listened to a topic at that moment.
    pub fn end(&self, topic: &str, end: &End, moment: Moment) {
        let state = self.state();
        if let Some(relay) = &self.shared.relay {
            if let Some((topic, _)) = state.topics.get_key_value(topic) {
                relay.publish(topic, What::End(end.clone()), moment);
            }
            return;
        }
        for queue in state.listening(topic, moment) {
            queue.end(end.clone());
        }
    }

    /// Ends every connection.
    pub fn end_all(&self, end: &End) {
        let state = self.state();
        if let Some(relay) = &self.shared.relay {
            for topic in state.topics.keys() {
                relay.publish(topic, What::End(end.clone()), state.now);
            }
        }
        for queue in state.connections.values() {
            queue.end(end.clone());
        }
    }

    fn release(&self, id: u64, topics: &[Arc<str>]) {
        let mut state = self.state();
        state.connections.remove(&id);
        for topic in topics {
            if let Some(ids) = state.topics.get_mut(topic) {
                ids.retain(|other| *other != id);
                if ids.is_empty() {
                    state.topics.remove(topic);
                    if let Some(relay) = &self.shared.relay {
                        relay.forget(topic);
                    }
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn listening(&self, topic: &str, moment: Moment) -> impl Iterator<Item = &Arc<Queue>> {
        self.topics
            .get(topic)
            .into_iter()
            .flatten()
            .filter_map(|id| self.connections.get(id))
            .filter(move |queue| queue.since.load(Ordering::Relaxed) <= moment.0)
    }
}

/// A connection that listens. Dropping it ends that.
#[derive(Debug)]
pub struct Held {
    hub: PushHub,
    id: u64,
    queue: Arc<Queue>,
    hold: Hold,
    /// Is dropped with it.
    companion: Option<Box<dyn Any + Send + Sync>>,
}

impl Held {
    /// Since when it listens.
    pub(crate) fn since(&self) -> Moment {
        Moment(self.queue.since.load(Ordering::Relaxed))
    }

    /// Its number among the connections of its hub.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// The same, which drops something when it is dropped.
    pub(crate) fn with(mut self, companion: impl Any + Send + Sync) -> Self {
        self.companion = Some(Box::new(companion));
        self
    }

    /// What it is held on.
    pub fn hold(&self) -> &Hold {
        &self.hold
    }

    /// Gives what comes next when there is something, and otherwise wakes `waker` when there is.
    pub fn poll_next(&self, waker: &Waker) -> Poll<Next> {
        self.queue.poll(waker)
    }

    /// Nobody needs to be told when this is cut: its reader looks with [`Held::poll_cut`].
    pub fn look_for_cuts(&self) {
        self.queue.waiting().cut = None;
    }

    /// Is ready when it has been cut, and otherwise wakes `waker` when something happens: for a connection that cannot take what
    /// comes next yet.
    pub fn poll_cut(&self, waker: &Waker) -> Poll<()> {
        let mut waiting = self.queue.waiting();
        if matches!(waiting.end.as_deref(), Some(End::Cut)) {
            return Poll::Ready(());
        }
        waiting.waker = Some(waker.clone());
        Poll::Pending
    }

    /// Waits for the end and discards frames: for a connection that is answered once.
    pub async fn end(&self) -> End {
        loop {
            let next = std::future::poll_fn(|cx| self.poll_next(cx.waker())).await;
            if let Next::End(end) = next {
                return end;
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.hub.release(self.id, &self.hold.topics);
        // Whoever is told finds it gone.
        drop(self.companion.take());
    }
}

#[derive(Debug)]
struct Queue {
    since: AtomicU64,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<Bytes>,
    bytes: usize,
    /// Boxed: most connections wait for it for a long time.
    end: Option<Box<End>>,
    waker: Option<Waker>,
    /// Told when it is cut; none of one whose reader looks.
    cut: Option<Arc<Notify>>,
}

/// What became of a frame.
enum Pushed {
    /// It waits to be read.
    Waits,
    /// It was one too many.
    Cut,
    /// The connection has ended.
    TooLate,
}

impl Queue {
    fn push(&self, frame: Bytes, limits: &Limits) -> Pushed {
        let mut waiting = self.waiting();
        if waiting.end.is_some() {
            return Pushed::TooLate;
        }
        let pushed = if waiting.frames.len() >= limits.held_frames || waiting.bytes + frame.len() > limits.held_bytes {
            *waiting = Waiting {
                end: Some(Box::new(End::Cut)),
                waker: waiting.waker.take(),
                cut: waiting.cut.take(),
                ..Waiting::default()
            };
            if let Some(cut) = &waiting.cut {
                cut.notify_one();
            }
            Pushed::Cut
        } else {
            waiting.bytes += frame.len();
            waiting.frames.push_back(frame);
            limits.note(Limit::held_frames, waiting.frames.len());
            limits.note(Limit::held_bytes, waiting.bytes);
            Pushed::Waits
        };
        wake(waiting);
        pushed
    }

    fn end(&self, end: End) {
        let mut waiting = self.waiting();
        if waiting.end.is_none() {
            waiting.end = Some(Box::new(end));
            wake(waiting);
        }
    }

    fn poll(&self, waker: &Waker) -> Poll<Next> {
        let mut waiting = self.waiting();
        if let Some(frame) = waiting.frames.pop_front() {
            waiting.bytes -= frame.len();
            if waiting.frames.is_empty() {
                // Most connections wait for a long time then.
                waiting.frames = VecDeque::new();
            }
            return Poll::Ready(Next::Frame(frame));
        }
        if let Some(end) = waiting.end.as_deref() {
            return Poll::Ready(Next::End(end.clone()));
        }
        waiting.waker = Some(waker.clone());
        Poll::Pending
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes the reader after the lock is given back.
fn wake(mut waiting: MutexGuard<'_, Waiting>) {
    let waker = waiting.waker.take();
    drop(waiting);
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

    use super::*;

    const NOW: Moment = Moment(0);

    fn hold(hub: &PushHub, topics: &[&str]) -> Held {
        let topics = topics.iter().map(|topic| (*topic).into()).collect();
        hub.hold(
            Hold {
                topics,
                keep_alive: None,
                life: Duration::from_secs(60),
            },
            Arc::default(),
        )
        .unwrap()
    }

    fn next(held: &Held) -> Option<Next> {
        match held.poll_next(Waker::noop()) {
            Poll::Ready(next) => Some(next),
            Poll::Pending => None,
        }
    }

    fn reason() -> Reason {
        Reason {
            code: 1000,
            text: String::new(),
        }
    }

    #[test]
    fn a_frame_reaches_those_who_listen_and_nobody_else() {
        let hub = PushHub::new(&Limits::default());
        let (john, second, mary) = (
            hold(&hub, &["all", "john"]),
            hold(&hub, &["all", "john"]),
            hold(&hub, &["all", "mary"]),
        );
        hub.publish("john", &Bytes::from_static(b"hi"), NOW);
        for tab in [&john, &second] {
            assert!(matches!(next(tab), Some(Next::Frame(frame)) if frame == "hi"));
        }
        assert!(next(&mary).is_none());
        assert_eq!(hub.listeners("all"), 3);
        drop(john);
        assert_eq!(hub.listeners("john"), 1);
        assert_eq!(hub.held(), 2);
    }

    #[test]
    fn what_was_published_before_the_end_is_still_read() {
        let hub = PushHub::new(&Limits::default());
        let held = hold(&hub, &["john"]);
        hub.publish("john", &Bytes::from_static(b"last words"), NOW);
        hub.end("john", &End::Closed(reason()), NOW);
        hub.publish("john", &Bytes::from_static(b"too late"), NOW);
        assert!(matches!(next(&held), Some(Next::Frame(frame)) if frame == "last words"));
        assert!(matches!(next(&held), Some(Next::End(End::Closed(_)))));
    }

    #[test]
    fn a_reader_that_does_not_read_is_cut_and_its_memory_given_back() {
        let hub = PushHub::new(&Limits {
            held_frames: 2,
            ..Limits::default()
        });
        let (slow, quick) = (hold(&hub, &["john"]), hold(&hub, &["john"]));
        let frame = Bytes::from(vec![0; 1000]);
        for _ in 0..3 {
            hub.publish("john", &frame, NOW);
            assert!(matches!(next(&quick), Some(Next::Frame(_))));
        }
        assert!(matches!(next(&slow), Some(Next::End(End::Cut))));
        assert!(frame.is_unique());
    }

    #[test]
    fn bytes_wait_up_to_their_bound_and_beyond_it_the_reader_is_cut() {
        let hub = PushHub::new(&Limits {
            held_bytes: 2_000,
            ..Limits::default()
        });
        let slow = hold(&hub, &["john"]);
        let frame = Bytes::from(vec![0; 1_000]);
        hub.publish("john", &frame, NOW);
        hub.publish("john", &frame, NOW);
        assert!(matches!(next(&slow), Some(Next::Frame(_))));
        hub.publish("john", &frame, NOW);
        hub.publish("john", &Bytes::from_static(b"x"), NOW);
        assert!(matches!(next(&slow), Some(Next::End(End::Cut))));
    }

    #[test]
    fn what_is_released_late_is_not_for_who_came_after_it() {
        let hub = PushHub::new(&Limits::default());
        let early = hold(&hub, &["john"]);
        let call = hub.next_moment();
        let same = hold(&hub, &["john"]);
        hub.next_moment();
        let late = hold(&hub, &["john"]);
        hub.publish("john", &Bytes::from_static(b"hi"), call);
        hub.end("john", &End::Closed(reason()), call);
        for listening in [&early, &same] {
            assert!(matches!(next(listening), Some(Next::Frame(frame)) if frame == "hi"));
            assert!(matches!(next(listening), Some(Next::End(_))));
        }
        assert!(next(&late).is_none());
    }

    #[test]
    fn a_full_hub_refuses() {
        let hub = PushHub::new(&Limits {
            held_connections: 1,
            ..Limits::default()
        });
        let held = hold(&hub, &["a"]);
        let hold_two = Hold {
            topics: vec![],
            keep_alive: None,
            life: Duration::ZERO,
        };
        assert_eq!(hub.hold(hold_two.clone(), Arc::default()).err(), Some(Full));
        drop(held);
        assert!(hub.hold(hold_two, Arc::default()).is_ok());
    }
}
