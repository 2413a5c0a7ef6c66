//! The calls that a plugin takes, one function each.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::actor::PluginActor;
use super::bindings::exports::tinyclaw::plugin::channel::AgentEvent;
use super::bindings::exports::tinyclaw::plugin::socket::Opening;
use super::bindings::tinyclaw::plugin::http_types as wit;
use super::counts::Kind;
use super::{CallError, ChannelError, Delivery, Entry, Metadata, OutboundMessage, Request, Response, Role, Tool};
use crate::agent::{Event, Events, Said, Speaker, Ticket};
use crate::limits::Limit;
use crate::push::{Full, Held, Hold, KeepAlive, PushHub};

/// Shortest time between two keep-alive frames, as the contract says.
const SHORTEST_KEEP_ALIVE: Duration = Duration::from_secs(1);

/// Calls that may wait for the disk when a piece of an answer follows them without waiting: more pieces come more slowly
/// than memory fills.
const MOST_AHEAD: usize = 256;

/// Number of a WebSocket, never used twice while the harness runs.
pub type Connection = u64;

/// Number of an instance of the plugin, never used twice while the harness runs.
pub(super) type Instance = u64;

/// A WebSocket that the plugin has accepted.
#[derive(Debug)]
pub struct Accepted {
    connection: Connection,
    /// For an instance that comes after the one that accepted it.
    handshake: wit::Request,
    by: Instance,
}

impl Accepted {
    /// One that an instance has accepted.
    pub(crate) fn new(connection: Connection, handshake: Request, by: u64) -> Self {
        Self {
            connection,
            handshake: wit::Request::from(&handshake),
            by,
        }
    }

    /// Its number.
    pub(crate) fn connection(&self) -> Connection {
        self.connection
    }

    /// The handshake that it was accepted with.
    pub(crate) fn handshake(&self) -> &wit::Request {
        &self.handshake
    }

    /// Which instance knows it.
    pub(crate) fn by(&self) -> u64 {
        self.by
    }

    /// Notes that another instance knows it now.
    pub(crate) fn known_by(&mut self, instance: u64) {
        self.by = instance;
    }
}

/// What becomes of a WebSocket's handshake.
#[derive(Debug)]
pub enum SocketAnswer {
    /// It is opened, and these messages are sent first.
    Accepted(Vec<String>, Held, Box<Accepted>),
    /// It is answered with this instead.
    Refused(Response),
    /// It was to be held and there is no place.
    Full,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum HttpAnswer {
    /// The response is complete.
    Complete(Response),
    /// The response is begun, and what is published follows.
    Stream(Response, Held),
    /// The response comes later; this one is given if the connection is closed before.
    Later(Response, Held),
    /// It was to be held and there is no place.
    Full,
}

impl PluginActor {
    /// What the plugin says of itself.
    ///
    /// # Errors
    /// When it cannot be called.
    pub async fn describe(self: &Arc<Self>) -> Result<Metadata, CallError> {
        self.call(
            Kind::Other,
            async |call| call.plugin.tinyclaw_plugin_channel().call_describe(call.store).await,
            |metadata| metadata,
        )
        .await
    }

    /// Its tools, in its order.
    ///
    /// # Errors
    /// When it cannot be called.
    pub async fn list_tools(self: &Arc<Self>) -> Result<Vec<Tool>, CallError> {
        self.call(
            Kind::Tool,
            async |call| call.plugin.tinyclaw_plugin_tools().call_list_tools(call.store).await,
            |tools| tools,
        )
        .await
    }

    /// Carries out a tool. `arguments` is a JSON object in text.
    ///
    /// # Errors
    /// When it cannot be called, or the tool's own refusal.
    pub async fn call_tool(self: &Arc<Self>, name: &str, arguments: &str) -> Result<String, CallError> {
        self.call(
            Kind::Tool,
            async |call| {
                call.plugin
                    .tinyclaw_plugin_tools()
                    .call_call_tool(call.store, name, arguments)
                    .await
            },
            |result| result,
        )
        .await?
        .map_err(CallError::Tool)
    }

    /// Sends a user a message on the agent's own account.
    ///
    /// # Errors
    /// When it cannot be called, or the plugin's own refusal.
    pub async fn send_to_user(
        self: &Arc<Self>,
        user_id: &str,
        message: &OutboundMessage,
    ) -> Result<Delivery, CallError> {
        self.call(
            Kind::Message,
            async |call| {
                call.plugin
                    .tinyclaw_plugin_channel()
                    .call_send_to_user(call.store, user_id, message)
                    .await
            },
            |result| result,
        )
        .await?
        .map_err(CallError::Channel)
    }

    /// Hands over what the agent does. Returns when it is lasting, or, as long as more is to come, when it is taken: the
    /// pieces of an answer do not wait for the disk one by one.
    async fn on_agent_event(self: &Arc<Self>, ticket: Ticket, event: Event) -> Result<(), CallError> {
        let is_last = matches!(event, Event::Done | Event::Failed(_));
        let event = AgentEvent::from(event);
        let (taken, waits) = self
            .call_ahead(
                Kind::Event,
                async |call| {
                    call.plugin
                        .tinyclaw_plugin_channel()
                        .call_on_agent_event(call.store, ticket, &event)
                        .await
                },
                |result| result,
            )
            .await?;
        if is_last || waits.before() >= MOST_AHEAD {
            waits.end().await?;
        }
        taken.map_err(CallError::Channel)
    }

    /// The latest messages of a user, oldest first.
    ///
    /// # Errors
    /// When it cannot be called, or the plugin's own refusal.
    pub async fn history(self: &Arc<Self>, user_id: &str, limit: u32) -> Result<Vec<Entry>, CallError> {
        self.call(
            Kind::History,
            async |call| {
                call.plugin
                    .tinyclaw_plugin_channel()
                    .call_history(call.store, user_id, limit)
                    .await
            },
            |result| result,
        )
        .await?
        .map_err(CallError::Channel)
    }

    /// Answers a request. A connection to be held listens before the next call is made; if it is cut for not reading,
    /// `cut` is notified.
    ///
    /// # Errors
    /// When it cannot be called.
    pub async fn http(self: &Arc<Self>, request: &Request, cut: &Arc<Notify>) -> Result<HttpAnswer, CallError> {
        let request = wit::Request::from(request);
        self.call_for_client(
            Kind::Http,
            async |call| {
                call.plugin
                    .tinyclaw_plugin_http()
                    .call_handle(call.store, &request)
                    .await
            },
            |response| match self.limits().broken_by(&response) {
                None => Ok(answer(self.hub(), response, cut)),
                Some(limit) => Err(self.unfit(limit)),
            },
        )
        .await?
    }

    /// Decides about a WebSocket's handshake; as [`PluginActor::http`] otherwise.
    ///
    /// # Errors
    /// When it cannot be called.
    pub async fn socket_open(
        self: &Arc<Self>,
        connection: Connection,
        request: Request,
        cut: &Arc<Notify>,
    ) -> Result<SocketAnswer, CallError> {
        let request = wit::Request::from(&request);
        self.call_for_client(
            Kind::Socket,
            async |call| {
                let instance = call.store.data().instance;
                let opening = call
                    .plugin
                    .tinyclaw_plugin_socket()
                    .call_open(call.store, connection, &request)
                    .await?;
                let accepted = Accepted {
                    connection,
                    handshake: request,
                    by: instance,
                };
                Ok((opening, accepted))
            },
            |(opening, accepted)| match self.limits().broken_by_opening(&opening) {
                None => Ok(opened(self.hub(), opening, cut, accepted)),
                Some(limit) => Err(self.unfit(limit)),
            },
        )
        .await?
    }

    /// Hands over a client's message and gives those to send back. An instance that does not know the connection, which
    /// another one accepted, is given the handshake first; none if it refuses it.
    ///
    /// # Errors
    /// When it cannot be called.
    pub async fn socket_message(
        self: &Arc<Self>,
        accepted: &mut Accepted,
        text: &str,
    ) -> Result<Option<Vec<String>>, CallError> {
        let (answers, instance) = self
            .call_for_client(
                Kind::Socket,
                async |call| {
                    let instance = call.store.data().instance;
                    let socket = call.plugin.tinyclaw_plugin_socket();
                    if instance != accepted.by {
                        let (connection, handshake) = (accepted.connection, &accepted.handshake);
                        let opening = socket.call_open(&mut *call.store, connection, handshake).await?;
                        if matches!(opening, Opening::Refused(_)) {
                            return Ok((None, instance));
                        }
                    }
                    let answers = socket.call_message(&mut *call.store, accepted.connection, text).await?;
                    Ok((Some(answers), instance))
                },
                |(answers, instance)| match answers
                    .as_deref()
                    .and_then(|answers| self.limits().broken_by_messages(answers))
                {
                    None => Ok((answers, instance)),
                    Some(limit) => Err(self.unfit(limit)),
                },
            )
            .await??;
        accepted.by = instance;
        Ok(answers)
    }

    /// Says that a connection is gone.
    ///
    /// # Errors
    /// When it cannot be called.
    pub async fn socket_closed(self: &Arc<Self>, accepted: Accepted) -> Result<(), CallError> {
        self.socket_gone(accepted.connection).await
    }

    /// As [`PluginActor::socket_closed`], by the connection's number.
    pub(crate) async fn socket_gone(self: &Arc<Self>, connection: Connection) -> Result<(), CallError> {
        self.call(
            Kind::Socket,
            async |call| {
                call.plugin
                    .tinyclaw_plugin_socket()
                    .call_closed(call.store, connection)
                    .await
            },
            |()| (),
        )
        .await
    }

    /// Says that an endpoint leads nowhere any more.
    ///
    /// # Errors
    /// When it cannot be called.
    pub async fn web_push_gone(self: &Arc<Self>, endpoint: &str) -> Result<(), CallError> {
        self.call(
            Kind::Other,
            async |call| {
                call.plugin
                    .tinyclaw_plugin_web_push_events()
                    .call_gone(call.store, endpoint)
                    .await
            },
            |()| (),
        )
        .await
    }
}

impl PluginActor {
    fn unfit(&self, limit: Limit) -> CallError {
        self.limits().tell(limit);
        CallError::Unfit(limit)
    }
}

/// The request of a visitor who comes for the first time, as the plugin gets it.
pub(super) fn front_page() -> wit::Request {
    wit::Request {
        method: "GET".to_owned(),
        target: "/".to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        client: std::net::Ipv4Addr::LOCALHOST.to_string(),
    }
}

fn opened(hub: &PushHub, opening: Opening, cut: &Arc<Notify>, socket: Accepted) -> SocketAnswer {
    match opening {
        Opening::Refused(response) => SocketAnswer::Refused(response.into()),
        Opening::Accepted(accepted) => match hub.hold(accepted.hold.into(), Arc::clone(cut)) {
            Ok(held) => SocketAnswer::Accepted(accepted.messages, held, Box::new(socket)),
            Err(Full) => SocketAnswer::Full,
        },
    }
}

fn answer(hub: &PushHub, mut response: wit::Response, cut: &Arc<Notify>) -> HttpAnswer {
    let Some(hold) = response.hold.take() else {
        return HttpAnswer::Complete(response.into());
    };
    let mode = hold.mode;
    match (hub.hold(hold.into(), Arc::clone(cut)), mode) {
        (Ok(held), wit::HoldMode::Stream) => HttpAnswer::Stream(response.into(), held),
        (Ok(held), wit::HoldMode::Response) => HttpAnswer::Later(response.into(), held),
        (Err(Full), _) => HttpAnswer::Full,
    }
}

impl From<wit::Hold> for Hold {
    fn from(hold: wit::Hold) -> Self {
        Self {
            topics: hold.topics.into_iter().map(Arc::from).collect(),
            keep_alive: hold.keep_alive.map(|keep_alive| KeepAlive {
                frame: keep_alive.frame.into(),
                every: Duration::from_millis(keep_alive.every_ms.into()).max(SHORTEST_KEEP_ALIVE),
            }),
            life: Duration::from_millis(hold.life_ms.into()),
        }
    }
}

impl From<&Request> for wit::Request {
    fn from(request: &Request) -> Self {
        let inner = &request.inner;
        let header =
            |(name, value): (&http::HeaderName, &http::HeaderValue)| (name.to_string(), value.as_bytes().to_vec());
        Self {
            method: inner.method().as_str().to_owned(),
            target: inner
                .uri()
                .path_and_query()
                .map_or("/", |target| target.as_str())
                .to_owned(),
            headers: inner.headers().iter().map(header).collect(),
            body: inner.body().to_vec(),
            client: request.client.to_string(),
        }
    }
}

impl Events for PluginActor {
    async fn event(self: &Arc<Self>, ticket: Ticket, event: Event) -> bool {
        match self.on_agent_event(ticket, event).await {
            Ok(()) => true,
            Err(CallError::Channel(ChannelError::UnknownTicket)) => false,
            // The message stays in the plugin's log as not answered, and is enqueued again by its next start.
            Err(error) => {
                tracing::error!(ticket, %error, "the plugin did not take what the agent said");
                false
            }
        }
    }

    async fn said_before(self: &Arc<Self>, user_id: &str, message: &str, limit: u32) -> Vec<Said> {
        match self.history(user_id, limit).await {
            Ok(entries) => said_before(entries, message),
            Err(error) => {
                tracing::warn!(%error, "the agent is told nothing of what was said before");
                Vec::new()
            }
        }
    }
}

/// What was said before a message: everything up to it. What comes after the last answer are messages that wait, of which the
/// first with these words is the one.
fn said_before(mut entries: Vec<Entry>, message: &str) -> Vec<Said> {
    let answered = entries
        .iter()
        .rposition(|entry| entry.role == Role::Agent)
        .map_or(0, |last| last + 1);
    let waiting = entries.get(answered..).unwrap_or_default();
    if let Some(at) = waiting
        .iter()
        .position(|entry| entry.role == Role::User && entry.text == message)
    {
        entries.truncate(answered + at);
    }
    let said = |entry: Entry| Said {
        speaker: match entry.role {
            Role::User => Speaker::User,
            Role::Agent | Role::Nudge => Speaker::Agent,
        },
        text: entry.text,
    };
    entries.into_iter().map(said).collect()
}

impl From<Event> for AgentEvent {
    fn from(event: Event) -> Self {
        match event {
            Event::Started => Self::Started,
            Event::Status(text) => Self::Status(text),
            Event::Restarted => Self::Restarted,
            Event::Delta(text) => Self::Delta(text),
            Event::Done => Self::Done,
            Event::Failed(reason) => {
                tracing::warn!(reason, "the agent failed");
                Self::Failed(reason)
            }
        }
    }
}
