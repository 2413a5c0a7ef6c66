//! What is published for connections that other machines hold: numbered, so that they notice what they miss, and kept for a
//! while, so that they can have it again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{End, Moment};

/// Frames of a topic that are kept: more than pass while an edge asks for what it missed.
const KEPT_FRAMES: usize = 256;

/// Their bytes.
const KEPT_BYTES: usize = 1 << 20;

/// Frames that wait to be sent. Beyond that they are lost on the way, which is noticed as any loss is.
const WAITING: usize = 4096;

/// Sends what is published, and keeps the last of it.
#[derive(Debug)]
pub(crate) struct Relay {
    sender: mpsc::Sender<Relayed>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    topics: HashMap<Arc<str>, Kept>,
}

/// The last frames of a topic.
#[derive(Debug, Default)]
struct Kept {
    relayed: VecDeque<Relayed>,
    bytes: usize,
    /// Number of the last one that is not kept any more.
    dropped: u64,
}

/// Something that was published.
#[derive(Debug, Clone)]
pub(crate) struct Relayed {
    pub(crate) topic: Arc<str>,
    /// Greater with each that this plugin publishes.
    pub(crate) number: u64,
    /// The number of the one before it on the same topic; 0 where none is known.
    pub(crate) before: u64,
    /// Connections that listen since a later one have nothing to do with it.
    pub(crate) moment: Moment,
    pub(crate) what: What,
}

/// What was published.
#[derive(Debug, Clone)]
pub(crate) enum What {
    Frame(Bytes),
    End(End),
}

/// What came after a number.
#[derive(Debug)]
pub(crate) struct Recent {
    /// The number of the last one so far, on any topic.
    pub(crate) upto: u64,
    pub(crate) relayed: Vec<Relayed>,
}

impl Relay {
    /// A relay, and where what is published comes out.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Relayed>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        let relay = Self {
            sender,
            state: Mutex::default(),
        };
        (relay, receiver)
    }

    /// The number of the last one so far.
    pub(crate) fn last(&self) -> u64 {
        self.state().last
    }

    pub(super) fn publish(&self, topic: &Arc<str>, what: What, moment: Moment) {
        let mut state = self.state();
        state.last += 1;
        let number = state.last;
        let kept = state.topics.entry(Arc::clone(topic)).or_default();
        let relayed = Relayed {
            topic: Arc::clone(topic),
            number,
            before: kept.relayed.back().map_or(kept.dropped, |last| last.number),
            moment,
            what,
        };
        kept.keep(relayed.clone());
        if self.sender.try_send(relayed).is_err() {
            tracing::warn!("the edges are behind: they are given what they miss when they notice");
        }
    }

    /// What was published on some topics after a number, for a connection that listens since a moment; none if it is not known
    /// any more.
    pub(crate) fn recent(&self, topics: &[Arc<str>], after: u64, since: Moment) -> Option<Recent> {
        let state = self.state();
        let mut relayed = Vec::new();
        for kept in topics.iter().filter_map(|topic| state.topics.get(topic)) {
            if kept.dropped > after {
                return None;
            }
            let is_new = |relayed: &&Relayed| relayed.number > after && relayed.moment >= since;
            relayed.extend(kept.relayed.iter().filter(is_new).cloned());
        }
        relayed.sort_by_key(|relayed| relayed.number);
        Some(Recent {
            upto: state.last,
            relayed,
        })
    }

    /// Nobody listens to a topic any more.
    pub(super) fn forget(&self, topic: &str) {
        self.state().topics.remove(topic);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn keep(&mut self, relayed: Relayed) {
        self.bytes += relayed.bytes();
        self.relayed.push_back(relayed);
        while self.relayed.len() > KEPT_FRAMES || self.bytes > KEPT_BYTES {
            let Some(oldest) = self.relayed.pop_front() else { break };
            self.bytes -= oldest.bytes();
            self.dropped = oldest.number;
        }
    }
}

impl Relayed {
    fn bytes(&self) -> usize {
        match &self.what {
            What::Frame(frame) => frame.len(),
            What::End(End::Answered(response)) => response.body.len(),
            What::End(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn publish(relay: &Relay, topic: &str, moment: u64) {
        let frame = What::Frame(Bytes::from_static(b"hi"));
        relay.publish(&topic.into(), frame, Moment(moment));
    }

    fn numbers(recent: Option<Recent>) -> Option<(u64, Vec<u64>)> {
        recent.map(|recent| {
            let numbers = recent.relayed.iter().map(|relayed| relayed.number).collect();
            (recent.upto, numbers)
        })
    }

    #[test]
    fn a_lost_frame_shows_in_the_next_one_of_its_topic() {
        let (relay, mut sent) = Relay::new();
        for topic in ["john", "mary", "john"] {
            publish(&relay, topic, 0);
        }
        let steps: Vec<_> = std::iter::from_fn(|| sent.try_recv().ok())
            .map(|relayed| (relayed.number, relayed.before))
            .collect();
        assert_eq!(steps, [(1, 0), (2, 0), (3, 1)]);
    }

    #[test]
    fn what_is_recent_is_given_again_and_what_is_not_is_known_to_be_lost() {
        let (relay, _sent) = Relay::new();
        let (john, mary) = ([Arc::from("john")], [Arc::from("mary")]);
        publish(&relay, "john", 1);
        publish(&relay, "mary", 1);
        publish(&relay, "john", 2);
        assert_eq!(numbers(relay.recent(&john, 0, Moment(0))), Some((3, vec![1, 3])));
        assert_eq!(numbers(relay.recent(&john, 1, Moment(0))), Some((3, vec![3])));
        assert_eq!(numbers(relay.recent(&john, 0, Moment(2))), Some((3, vec![3])));
        for _ in 0..KEPT_FRAMES {
            publish(&relay, "john", 2);
        }
        assert!(relay.recent(&john, 1, Moment(0)).is_none());
        assert!(relay.recent(&mary, 1, Moment(0)).is_some());
    }
}
