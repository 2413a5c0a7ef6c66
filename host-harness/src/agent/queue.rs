//! The agent's queue: one user's messages in order, different users in parallel, bounded and fair.
//!
//! A place is reserved while the plugin's call runs and taken when the call has returned, so what a call
//! that failed enqueued never existed.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;
use tracing::Instrument as _;

use super::{Agent, Piece, Said, Turn, discreet};
use crate::limits::{Limit, Limits};
use crate::metrics::Counter;
use crate::request_id::RequestId;

/// Number of a message in the queue.
pub type Ticket = u64;

/// What the agent does about a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The message has left the queue.
    Started,
    /// What the agent is doing.
    Status(String),
    /// More of the answer.
    Delta(String),
    /// The answer begins anew: what was said of it so far does not count.
    Restarted,
    /// The answer is complete.
    Done,
    /// There is no answer.
    Failed(String),
}

/// Takes the events of a ticket, in order; `false` when nobody waits for them any more.
pub trait Events: Send + Sync + Sized + 'static {
    /// Hands over one event.
    fn event(self: &Arc<Self>, ticket: Ticket, event: Event) -> impl Future<Output = bool> + Send;

    /// What a user and the agent have said before this message, oldest first; at most `limit`, or nothing where that is
    /// not known.
    fn said_before(
        self: &Arc<Self>,
        user_id: &str,
        message: &str,
        limit: u32,
    ) -> impl Future<Output = Vec<Said>> + Send;
}

/// The queue has no place for this user's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the agent's queue is full")]
pub struct QueueFull {
    /// Time after which another try may succeed.
    pub retry_after: Duration,
}

/// Pieces that wait for the plugin before the agent has to wait.
const PIECES: usize = 64;

/// Earlier messages that an agent is given which keeps none; it takes as many of them as it has room for.
const HISTORY: u32 = 60;

/// Time a turn takes, more or less: after that a place may be free.
const RETRY_AFTER: Duration = Duration::from_secs(3);

/// The queue of one plugin. Clones share it.
#[derive(Debug, Clone)]
pub struct AgentQueue {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    agent: Arc<dyn Agent>,
    limits: Limits,
    state: Mutex<State>,
    idle: Notify,
    counts: Counts,
}

/// How a turn ended.
#[derive(Debug, Clone, Copy)]
enum Ending {
    Done,
    /// The agent had no answer.
    Failed,
    /// Nobody wanted the answer any more.
    GivenUp,
}

/// What is counted of the turns. A turn that has started is running, or one of the others.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) started: Counter,
    pub(crate) done: Counter,
    /// The agent had no answer.
    pub(crate) failed: Counter,
    /// Nobody wanted the answer any more, or the instance was lost that wanted it.
    pub(crate) given_up: Counter,
    /// Messages that were refused, since as many as may be wait.
    pub(crate) refused: Counter,
}

#[derive(Debug, Default)]
struct State {
    last_ticket: Ticket,
    lanes: HashMap<String, Lane>,
    /// Users with a message to answer and none being answered, longest waiting first.
    ready: VecDeque<String>,
    running: usize,
    waiting: usize,
    /// Nothing is started any more.
    closed: bool,
    /// Nothing is started for now.
    paused: bool,
}

/// A message that is not being answered yet.
#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    message: String,
    since: Instant,
    asked_by: RequestId,
}

/// The messages of one user.
#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<Waiting>,
    reserved: usize,
    running: Option<(Ticket, Option<AbortHandle>)>,
}

impl Lane {
    fn runs(&self, ticket: Ticket) -> bool {
        self.running.as_ref().is_some_and(|(running, _)| *running == ticket)
    }

    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.reserved == 0 && self.running.is_none()
    }
}

/// A place in the queue that nobody else can take. Dropping it gives the place back.
#[derive(Debug)]
pub struct Reservation {
    shared: Weak<Shared>,
    /// The message's number.
    pub ticket: Ticket,
    user_id: String,
    message: String,
    /// The request on whose way it was reserved: the turn goes on under its id.
    asked_by: RequestId,
}

impl AgentQueue {
    /// An empty queue in front of an agent.
    pub fn new(agent: Arc<dyn Agent>, limits: &Limits) -> Self {
        Self {
            shared: Arc::new(Shared {
                agent,
                limits: limits.clone(),
                state: Mutex::default(),
                idle: Notify::new(),
                counts: Counts::default(),
            }),
        }
    }

    /// Reserves a place for a user's message.
    ///
    /// # Errors
    /// When this user or all users together have as many messages in the queue as they may.
    pub fn reserve(&self, user_id: String, message: String) -> Result<Reservation, QueueFull> {
        let mut state = self.state();
        let full = QueueFull {
            retry_after: RETRY_AFTER,
        };
        let limits = &self.shared.limits;
        if state.closed || state.waiting >= limits.waiting_turns {
            self.shared.counts.refused.one();
            return Err(full);
        }
        let lane = state.lanes.entry(user_id.clone()).or_default();
        // One more is being answered, or is about to be.
        let in_lane = lane.waiting.len() + lane.reserved + usize::from(lane.running.is_some());
        if in_lane > limits.waiting_turns_per_user {
            self.shared.counts.refused.one();
            return Err(full);
        }
        limits.note(Limit::waiting_turns_per_user, in_lane);
        lane.reserved += 1;
        state.waiting += 1;
        limits.note(Limit::waiting_turns, state.waiting);
        state.last_ticket += 1;
        Ok(Reservation {
            shared: Arc::downgrade(&self.shared),
            ticket: state.last_ticket,
            user_id,
            message,
            asked_by: RequestId::current_or_new(),
        })
    }

    /// Puts a message in its reserved place.
    pub fn enqueue<E: Events>(&self, mut reservation: Reservation, events: &Arc<E>) {
        let user_id = reservation.user_id.clone();
        let message = std::mem::take(&mut reservation.message);
        {
            let mut state = self.state();
            let Some(lane) = state.lanes.get_mut(&user_id) else {
                return;
            };
            lane.waiting.push_back(Waiting {
                ticket: reservation.ticket,
                message,
                since: Instant::now(),
                asked_by: reservation.asked_by.clone(),
            });
            if lane.waiting.len() == 1 && lane.running.is_none() {
                state.ready.push_back(user_id);
            }
            // The message now counts by itself, and so that dropping the reservation takes nothing away.
            state.waiting += 1;
        }
        drop(reservation);
        self.start_ready(events);
    }

    /// Takes a message out of the queue, or stops the agent in the middle of its answer.
    pub fn cancel<E: Events>(&self, ticket: Ticket, events: &Arc<E>) {
        let mut state = self.state();
        let holds = |lane: &Lane| lane.runs(ticket) || lane.waiting.iter().any(|waiting| waiting.ticket == ticket);
        let Some(user_id) = state
            .lanes
            .iter()
            .find(|(_, lane)| holds(lane))
            .map(|(user_id, _)| user_id.clone())
        else {
            return;
        };
        let Some(lane) = state.lanes.get_mut(&user_id) else {
            return;
        };
        if lane.runs(ticket) {
            if let Some((_, Some(abort))) = &lane.running {
                abort.abort();
            }
            drop(state);
            self.finished(&user_id, ticket, Ending::GivenUp, events);
            return;
        }
        lane.waiting.retain(|waiting| waiting.ticket != ticket);
        if lane.is_idle() {
            state.lanes.remove(&user_id);
        }
        state.waiting -= 1;
        drop(state);
        self.shared.idle.notify_waiters();
    }

    /// Drops all that waits and stops all that runs: its instance is gone.
    pub fn clear(&self) {
        let mut state = self.state();
        for (_, lane) in state.lanes.drain() {
            if let Some((_, Some(abort))) = lane.running {
                abort.abort();
                self.shared.counts.given_up.one();
            }
        }
        state.ready.clear();
        (state.waiting, state.running) = (0, 0);
        drop(state);
        self.shared.idle.notify_waiters();
    }

    /// Takes no message any more, and waits until all that are in the queue are answered.
    pub async fn drain(&self) {
        self.state().closed = true;
        self.until(|state| state.waiting == 0 && state.running == 0).await;
    }

    /// Waits until every message has been answered; more may come meanwhile.
    pub async fn idle(&self) {
        self.until(|state| state.waiting == 0 && state.running == 0).await;
    }

    async fn until(&self, is_reached: impl Fn(&State) -> bool) {
        loop {
            let idle = self.shared.idle.notified();
            tokio::pin!(idle);
            idle.as_mut().enable();
            if is_reached(&self.state()) {
                return;
            }
            idle.await;
        }
    }

    /// Starts no turn until [`AgentQueue::resume`]; those that run go on, and messages are taken as before.
    pub fn pause(&self) {
        self.state().paused = true;
    }

    /// Starts turns again after [`AgentQueue::pause`].
    pub fn resume<E: Events>(&self, events: &Arc<E>) {
        self.state().paused = false;
        self.start_ready(events);
    }

    /// Waits until no turn runs. Meant for a queue that is paused.
    pub async fn settled(&self) {
        self.until(|state| state.running == 0).await;
    }

    /// Messages that wait, and messages that are being answered.
    pub fn depth(&self) -> (usize, usize) {
        let state = self.state();
        (state.waiting, state.running)
    }

    /// The time that the message has waited which waits longest; none when none waits.
    pub fn longest_wait(&self) -> Option<Duration> {
        let state = self.state();
        let first = |lane: &Lane| lane.waiting.front().map(|waiting| waiting.since);
        state
            .lanes
            .values()
            .filter_map(first)
            .min()
            .map(|since| since.elapsed())
    }

    /// What was counted so far.
    pub(crate) fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    /// Who answers.
    pub fn agent(&self) -> &Arc<dyn Agent> {
        &self.shared.agent
    }

    fn start_ready<E: Events>(&self, events: &Arc<E>) {
        loop {
            let mut state = self.state();
            if state.paused || state.running >= self.shared.limits.running_turns {
                return;
            }
            let Some(user_id) = state.ready.pop_front() else { return };
            let Some(lane) = state.lanes.get_mut(&user_id) else {
                continue;
            };
            // A user whose message was cancelled and who then wrote again stands in line twice.
            if lane.running.is_some() {
                continue;
            }
            let Some(Waiting {
                ticket,
                message,
                asked_by,
                ..
            }) = lane.waiting.pop_front()
            else {
                continue;
            };
            lane.running = Some((ticket, None));
            state.waiting -= 1;
            state.running += 1;
            self.shared.counts.started.one();
            let turn = Turn {
                user_id: user_id.clone(),
                message,
                history: Vec::new(),
                hands: None,
            };
            let answering = asked_by.scope(answer(self.clone(), ticket, turn, Arc::clone(events)));
            let task = tokio::spawn(answering.in_current_span());
            if let Some(lane) = state.lanes.get_mut(&user_id) {
                lane.running = Some((ticket, Some(task.abort_handle())));
            }
        }
    }

    fn finished<E: Events>(&self, user_id: &str, ticket: Ticket, ending: Ending, events: &Arc<E>) {
        {
            let mut state = self.state();
            let Some(lane) = state.lanes.get_mut(user_id) else {
                return;
            };
            if !lane.runs(ticket) {
                return;
            }
            let counts = &self.shared.counts;
            match ending {
                Ending::Done => counts.done.one(),
                Ending::Failed => counts.failed.one(),
                Ending::GivenUp => counts.given_up.one(),
            }
            lane.running = None;
            let (more, idle) = (!lane.waiting.is_empty(), lane.is_idle());
            state.running -= 1;
            if more {
                state.ready.push_back(user_id.to_owned());
            } else if idle {
                state.lanes.remove(user_id);
            }
        }
        self.start_ready(events);
        self.shared.idle.notify_waiters();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let Some(shared) = self.shared.upgrade() else { return };
        let mut state = shared.state();
        // A queue that was cleared meanwhile has forgotten the reservation.
        if let Some(lane) = state.lanes.get_mut(&self.user_id).filter(|lane| lane.reserved > 0) {
            lane.reserved -= 1;
            let idle = lane.is_idle();
            state.waiting = state.waiting.saturating_sub(1);
            if idle {
                state.lanes.remove(&self.user_id);
            }
        }
    }
}

/// Carries one message through the agent and its pieces to the plugin.
async fn answer<E: Events>(queue: AgentQueue, ticket: Ticket, mut turn: Turn, events: Arc<E>) {
    let user_id = turn.user_id.clone();
    let mut ending = Ending::GivenUp;
    if events.event(ticket, Event::Started).await {
        let agent = Arc::clone(&queue.shared.agent);
        if agent.wants_history() {
            turn.history = events.said_before(&turn.user_id, &turn.message, HISTORY).await;
        }
        let (sender, mut receiver) = mpsc::channel(PIECES);
        let relay = async {
            let mut pieces = Vec::with_capacity(PIECES);
            while receiver.recv_many(&mut pieces, PIECES).await > 0 {
                for event in joined(pieces.drain(..)) {
                    if !events.event(ticket, event).await {
                        receiver.close();
                        return false;
                    }
                }
            }
            true
        };
        let (result, wanted) = tokio::join!(agent.answer(turn, sender), relay);
        if wanted {
            let last = match result {
                Ok(()) => {
                    ending = Ending::Done;
                    Event::Done
                }
                Err(error) => {
                    ending = Ending::Failed;
                    Event::Failed(discreet(&error.to_string()))
                }
            };
            events.event(ticket, last).await;
        }
    }
    queue.finished(&user_id, ticket, ending, &events);
}

/// Pieces that have piled up become one: whoever is slow is handed more at a time.
fn joined(pieces: impl Iterator<Item = Piece>) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for piece in pieces {
        match (piece, events.last_mut()) {
            (Piece::Delta(more), Some(Event::Delta(text))) => text.push_str(&more),
            (Piece::Delta(text), _) => events.push(Event::Delta(text)),
            (Piece::Status(text), _) => events.push(Event::Status(text)),
            (Piece::Restarted, _) => events.push(Event::Restarted),
        }
    }
    events
}

#[cfg(test)]
mod tests;
