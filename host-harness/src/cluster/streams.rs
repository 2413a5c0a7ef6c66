//! The connections of a far plugin that are held here.
//!
//! A node's answer names what a connection listens to and the number of what was published last. The edge subscribes to those
//! topics, asks for what was published meanwhile, and goes on from there; a number that is missing shows a loss, and is asked
//! for. What cannot be had any more, as after a move to another node, the plugin replays: the request is asked again with the
//! last id that the connection has seen, in the middle of the stream.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tracing::Instrument as _;

use super::edge::{Again, Edge};
use super::far::refusal;
use super::last_id::{last_id, with_last_id};
use super::subject;
use super::topic::{Step, Topic};
use super::wire::{self, Ask, Holding, Published, Reply};
use crate::limits::Limits;
use crate::plugin::{self, CallError};
use crate::push::{End, Full, Held, Hold, Moment, PushHub, Reason, What};
use crate::request_id::RequestId;
use crate::tenants::Name;

/// Time in which a stream is taken up again on another node before its client has to come again itself.
const TAKE_UP: Duration = Duration::from_secs(60);

/// Pause before it is tried again.
const PAUSE: Duration = Duration::from_millis(250);

/// Streams that are taken up at once.
const AT_ONCE: usize = 16;

/// How a WebSocket is asked to come again (RFC 6455, section 7.4; registered with IANA: service restart).
const RESTART: u16 = 1012;

/// What is said of a process that ends (RFC 6455, section 7.4).
const GOING_AWAY: u16 = 1001;

/// The end of a stream whose client is to look for itself.
const NORMAL: u16 = 1000;

/// The connections of one plugin.
#[derive(Debug)]
pub(super) struct Streams {
    this: Weak<Self>,
    edge: Weak<Edge>,
    tenant: Name,
    hub: PushHub,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    topics: HashMap<Arc<str>, Topic>,
    /// By the number in the hub.
    connections: HashMap<u64, Connection>,
}

/// A connection that is held here.
#[derive(Debug)]
pub(super) struct Connection {
    /// Its number in the cluster.
    number: u64,
    topics: Vec<Arc<str>>,
    /// Of the node that it listens to.
    epoch: u64,
    /// The number up to which it was told all when it began to listen there.
    upto: u64,
    kind: Kind,
    is_taken_up: bool,
}

#[derive(Debug)]
enum Kind {
    /// It cannot be asked for twice.
    Once,
    /// It can, with the last id that it has seen.
    Again(Box<plugin::Request>, Option<String>),
    Socket,
}

impl Connection {
    pub(super) fn new(number: u64) -> Self {
        Self {
            number,
            topics: Vec::new(),
            epoch: 0,
            upto: 0,
            kind: Kind::Once,
            is_taken_up: false,
        }
    }

    /// Notes what it is asked for with, and the last id that it begins with.
    pub(super) fn can_be_asked_again(&mut self, request: plugin::Request, last_id: Option<String>) {
        self.kind = Kind::Again(Box::new(request), last_id);
    }

    pub(super) fn is_socket(&mut self) {
        self.kind = Kind::Socket;
    }
}

/// Is dropped with a connection.
struct Gone {
    streams: Arc<Streams>,
    id: u64,
}

impl Drop for Gone {
    fn drop(&mut self) {
        self.streams.gone(self.id);
    }
}

impl Streams {
    pub(super) fn new(edge: &Arc<Edge>, tenant: Name, limits: &Limits) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            edge: Arc::downgrade(edge),
            tenant,
            hub: PushHub::new(limits),
            state: Mutex::default(),
        })
    }

    /// Connections that are held now.
    pub(super) fn held(&self) -> usize {
        self.hub.held()
    }

    /// Holds a connection from where the node's answer leaves it.
    pub(super) async fn hold(
        &self,
        mut connection: Connection,
        holding: &Holding,
        cut: &Arc<Notify>,
    ) -> Result<Result<Held, Full>, CallError> {
        let (edge, streams) = (self.edge()?, self.this.upgrade().ok_or(CallError::Trapped)?);
        let hold = Hold::from(holding);
        let (upto, published) = match self.begin(&edge, &hold.topics, holding).await {
            Ok(recent) => recent,
            Err(error) => {
                edge.tell(&self.tenant, Ask::Gone(vec![connection.number])).await;
                return Err(error);
            }
        };
        let held = {
            let mut state = self.state();
            let frames = state.missed(&hold.topics, upto, published, &self.hub);
            connection.topics.clone_from(&hold.topics);
            (connection.epoch, connection.upto) = (holding.epoch, upto);
            let held = match self.hub.hold_since(hold, Arc::clone(cut), Moment::at(upto + 1)) {
                Ok(held) => held,
                Err(full) => return Ok(Err(full)),
            };
            let id = held.id();
            state.connections.insert(id, connection);
            for what in frames {
                self.hand(id, what, upto);
            }
            held.with(Gone { streams, id })
        };
        self.follow(&edge);
        Ok(Ok(held))
    }

    fn hand(&self, id: u64, what: What, upto: u64) {
        match what {
            What::Frame(frame) => self.hub.go_on(id, frame, Moment::at(upto + 1)),
            What::End(end) => self.hub.end_one(id, end),
        }
    }

    /// Listens to topics, and asks for what was published on them until that was so; gives the number up to which that goes.
    async fn begin(
        &self,
        edge: &Edge,
        topics: &[Arc<str>],
        holding: &Holding,
    ) -> Result<(u64, Vec<Published>), CallError> {
        for topic in topics {
            self.listen(edge, topic, holding).await?;
        }
        let recent = self.recent(edge, topics, holding.after, holding.since).await;
        if recent.is_err() {
            self.state().leave(topics, &self.hub);
        }
        recent
    }

    async fn recent(
        &self,
        edge: &Edge,
        topics: &[Arc<str>],
        after: u64,
        since: u64,
    ) -> Result<(u64, Vec<Published>), CallError> {
        let ask = Ask::Recent {
            topics: topics.iter().map(ToString::to_string).collect(),
            after,
            since,
        };
        match edge.ask(&self.tenant, ask, Again::Harmless).await? {
            Reply::Recent(upto, published) => Ok((upto, published)),
            other => Err(refusal(&other)),
        }
    }

    /// Sees to it that what is published on a topic comes here.
    async fn listen(&self, edge: &Edge, name: &Arc<str>, holding: &Holding) -> Result<(), CallError> {
        if let Some(topic) = self.state().topics.get_mut(name) {
            topic.begin(holding.epoch, holding.after);
            return Ok(());
        }
        let subject = subject::frames(self.tenant.as_str(), name);
        let mut messages = edge.link().client().subscribe(subject).await.map_err(|error| {
            tracing::warn!(%error, "listening to a node");
            CallError::Down { retry_after: PAUSE }
        })?;
        let (streams, of) = (self.this.clone(), Arc::clone(name));
        let reading = async move {
            while let Some(message) = messages.next().await {
                let Some(streams) = streams.upgrade() else { return };
                match wire::read(&message.payload) {
                    Ok(published) => streams.came(&of, published),
                    Err(error) => tracing::error!(%error, "a node's frame"),
                }
            }
        };
        let reading = tokio::spawn(reading.in_current_span()).abort_handle();
        let new = Topic::new(holding.epoch, holding.after, reading);
        let mut state = self.state();
        // Somebody else may have been quicker; then this one is dropped.
        let topic = state.topics.entry(Arc::clone(name)).or_insert(new);
        topic.begin(holding.epoch, holding.after);
        Ok(())
    }

    /// Takes what was published on a topic.
    fn came(&self, name: &Arc<str>, published: Published) {
        let mut state = self.state();
        let Some(topic) = state.topics.get_mut(name) else {
            return;
        };
        let step = topic.take(published);
        self.make(name, step);
    }

    fn make(&self, name: &Arc<str>, step: Step) {
        match step {
            Step::Nothing => {}
            Step::HandOn(number, What::Frame(frame)) => self.hub.publish(name, &frame, Moment::at(number)),
            Step::HandOn(number, What::End(end)) => self.hub.end(name, &end, Moment::at(number)),
            Step::Mend(after) => self.mend(name, after),
        }
    }

    /// Has what was lost on a topic sent again.
    fn mend(&self, name: &Arc<str>, after: u64) {
        let (Some(streams), name) = (self.this.upgrade(), Arc::clone(name)) else {
            return;
        };
        let mending = async move {
            tracing::info!("frames were lost on the way, and are asked for");
            let recent = match streams.edge() {
                Ok(edge) => streams.recent(&edge, std::slice::from_ref(&name), after, 0).await,
                Err(error) => Err(error),
            };
            let mut state = streams.state();
            let Some(topic) = state.topics.get_mut(&name) else {
                return;
            };
            match recent {
                Ok((upto, published)) => {
                    for step in topic.mended(upto, published) {
                        streams.make(&name, step);
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "the plugin is asked to replay what was lost");
                    topic.mended(after, Vec::new());
                    drop(state);
                    streams.take_up(|connection| connection.topics.contains(&name));
                }
            }
        };
        tokio::spawn(mending.in_current_span());
    }

    /// Looks whether something was lost while NATS was away.
    pub(super) fn look_again(&self) {
        let mut state = self.state();
        for (name, topic) in &mut state.topics {
            let step = topic.look_again();
            self.make(name, step);
        }
    }

    /// A connection is held no more.
    fn gone(&self, id: u64) {
        let mut state = self.state();
        let Some(connection) = state.connections.remove(&id) else {
            return;
        };
        let hub = &self.hub;
        state
            .topics
            .retain(|name, topic| topic.is_busy() || hub.listeners(name) > 0);
        drop(state);
        let (Some(edge), Ok(runtime)) = (self.edge.upgrade(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        let tenant = self.tenant.clone();
        runtime.spawn(async move { edge.tell(&tenant, Ask::Gone(vec![connection.number])).await });
    }

    /// Ends every connection: the process does.
    pub(super) fn end_all(&self) {
        self.hub.end_all(&End::Closed(Reason {
            code: GOING_AWAY,
            text: "going away".to_owned(),
        }));
    }

    fn edge(&self) -> Result<Arc<Edge>, CallError> {
        self.edge.upgrade().ok_or(CallError::Trapped)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Streams {
    /// Takes up the connections that listen to a node which has the tenant no more.
    pub(super) fn follow(&self, edge: &Edge) {
        let epoch = edge.epoch(&self.tenant);
        self.take_up(|connection| Some(connection.epoch) != epoch);
    }

    /// Takes up some connections where the tenant is now.
    fn take_up(&self, which: impl Fn(&Connection) -> bool) {
        let Some(streams) = self.this.upgrade() else { return };
        let mut ids = Vec::new();
        {
            let State { topics, connections } = &mut *self.state();
            for (id, connection) in connections {
                if connection.is_taken_up || !which(connection) {
                    continue;
                }
                connection.is_taken_up = true;
                connection.note_last_id(topics);
                self.hub.pause(*id);
                ids.push(*id);
            }
        }
        if ids.is_empty() {
            return;
        }
        tracing::info!(connections = ids.len(), "streams are taken up where the tenant is now");
        let taking_up = async move {
            futures_util::stream::iter(ids)
                .for_each_concurrent(AT_ONCE, |id| streams.take_up_one(id))
                .await;
        };
        tokio::spawn(taking_up.in_current_span());
    }

    async fn take_up_one(&self, id: u64) {
        let until = Instant::now() + TAKE_UP;
        loop {
            let (number, request) = match self.state().connections.get(&id) {
                None => return,
                Some(connection) => match &connection.kind {
                    Kind::Again(request, last_id) => {
                        (connection.number, with_last_id((**request).clone(), last_id.as_deref()))
                    }
                    Kind::Once => return self.end(id, NORMAL, ""),
                    Kind::Socket => return self.end(id, RESTART, "reload"),
                },
            };
            match RequestId::new().scope(self.ask_again(id, number, &request)).await {
                Ok(()) => return,
                Err(_) if Instant::now() >= until => return self.end(id, RESTART, ""),
                Err(error) => tracing::debug!(%error, "a stream is not taken up yet"),
            }
            sleep(PAUSE).await;
        }
    }

    fn end(&self, id: u64, code: u16, text: &str) {
        let text = text.to_owned();
        self.hub.end_one(id, End::Closed(Reason { code, text }));
    }

    async fn ask_again(&self, id: u64, number: u64, request: &plugin::Request) -> Result<(), CallError> {
        let edge = self.edge()?;
        let ask = Ask::Http(number, request.into());
        let (response, holding) = match edge.ask(&self.tenant, ask, Again::Harmless).await? {
            Reply::Stream(response, holding) => (plugin::Response::from(response), holding),
            // The session has ended, say: the client hears it when it comes again.
            Reply::Complete(_) => {
                self.end(id, NORMAL, "");
                return Ok(());
            }
            other => return Err(refusal(&other)),
        };
        let topics = Hold::from(&holding).topics;
        let (upto, published) = self.begin(&edge, &topics, &holding).await?;
        {
            let mut state = self.state();
            let frames = state.missed(&topics, upto, published, &self.hub);
            let Some(connection) = state.connections.get_mut(&id) else {
                return Ok(());
            };
            (connection.epoch, connection.upto, connection.is_taken_up) = (holding.epoch, upto, false);
            if let Kind::Again(_, known) = &mut connection.kind {
                *known = last_id(&response.body).or(known.take());
            }
            self.hand(id, What::Frame(response.body), upto);
            for what in frames {
                self.hand(id, what, upto);
            }
        }
        self.follow(&edge);
        Ok(())
    }
}

impl Connection {
    /// Notes the last id that it has seen.
    fn note_last_id(&mut self, topics: &HashMap<Arc<str>, Topic>) {
        let Kind::Again(_, known) = &mut self.kind else { return };
        let seen = self
            .topics
            .iter()
            .filter_map(|name| topics.get(name)?.last_id_after(self.epoch, self.upto))
            .max_by_key(|(number, _)| *number);
        if let Some((_, id)) = seen {
            *known = Some(id.to_owned());
        }
    }
}

impl State {
    /// What a connection that begins has missed: what was asked for, and what came meanwhile.
    fn missed(&mut self, topics: &[Arc<str>], upto: u64, mut published: Vec<Published>, hub: &PushHub) -> Vec<What> {
        for name in topics {
            if let Some(topic) = self.topics.get_mut(name) {
                published.extend(topic.begun(upto, hub.listeners(name) == 0));
            }
        }
        published.sort_by_key(|published| published.number);
        published
            .into_iter()
            .map(|published| What::from(published.what))
            .collect()
    }

    /// A connection does not begin after all.
    fn leave(&mut self, topics: &[Arc<str>], hub: &PushHub) {
        for name in topics {
            if let Some(topic) = self.topics.get_mut(name) {
                topic.begun(0, false);
                if !topic.is_busy() && hub.listeners(name) == 0 {
                    self.topics.remove(name);
                }
            }
        }
    }
}
