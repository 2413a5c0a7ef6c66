//! The plugin's life: not started, switched off, or running. The doors call in here and nothing else does.

use channel_plugin::{
    AgentEvent, Condition, Error, Host, Opening, Request, Response, Ticket, ToolError, is_disruptive,
};

use crate::config::Settings;
use crate::conversation::{AgentEventError, Delivered};
use crate::entry::Entry;
use crate::event::EndReason;
use crate::service::{OpenError, Service};
use crate::store::{FILE, NewNudge, StoreError, condition_of};
use crate::tools;
use crate::topic::Topic;
use crate::username::{MalformedUserId, Username};
use crate::{broadcast, routes};

/// Most bytes of a nudge: as long as a message may be.
const MAX_NUDGE_BYTES: usize = 64 * 1024;
/// Most characters of a nudge's source, which is a name.
const MAX_SOURCE_CHARS: usize = 64;
/// Most entries of a history that the host asks for.
const MAX_HISTORY: u32 = 1_000;

/// The plugin.
pub(crate) struct Plugin {
    file: &'static str,
    service: Option<Service>,
}

/// `start` failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error("the plugin runs already")]
    AlreadyStarted,
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Something that only a running plugin does for a friend was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("the plugin is not running")]
    NotStarted,
    #[error(transparent)]
    MalformedUserId(#[from] MalformedUserId),
    #[error("nobody is called {0}")]
    UnknownUser(String),
    #[error("{0}")]
    Invalid(&'static str),
    #[error("nobody waits for this answer")]
    UnknownTicket,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Default for Plugin {
    fn default() -> Self {
        Self::on_file(FILE)
    }
}

impl Plugin {
    /// A plugin that has not been started, on a file of that name.
    pub(crate) const fn on_file(file: &'static str) -> Self {
        Self { file, service: None }
    }

    /// Opens the store and makes ready to serve; does nothing where the configuration says so.
    pub(crate) fn start(&mut self, host: &mut dyn Host) -> Result<(), StartError> {
        if self.service.is_some() {
            return Err(StartError::AlreadyStarted);
        }
        let settings = Settings::read(host).map_err(OpenError::from)?;
        if !settings.enabled {
            tracing::info!("friends chat is switched off by channels.friends.enabled");
            return Ok(());
        }
        let may_wait = host.may_wait();
        let mut service = Service::open(host, settings, self.file, may_wait)?;
        service.introduce_earlier(host).map_err(OpenError::from)?;
        service.resume(host).map_err(OpenError::from)?;
        tracing::info!(page = service.settings.base_url.as_str(), "friends chat is ready");
        self.service = Some(service);
        Ok(())
    }

    /// Ends every connection and closes the store. May be repeated.
    pub(crate) fn stop(&mut self, host: &mut dyn Host) -> Result<(), StoreError> {
        let Some(service) = self.service.take() else {
            return Ok(());
        };
        broadcast::end(host, Topic::All, EndReason::Stopping);
        let closed = service.store.close();
        tracing::info!("friends chat has stopped");
        closed
    }

    /// What the store's statements have cost so far, in steps of SQLite's virtual machine.
    #[cfg(test)]
    pub(crate) fn steps(&self) -> u64 {
        self.service.as_ref().map_or(0, |service| service.store.steps())
    }

    /// Answers a request.
    pub(crate) fn handle(&mut self, host: &mut dyn Host, request: &Request) -> Response {
        match &mut self.service {
            Some(service) => {
                service.catch_up(host);
                routes::answer(service, host, request)
            }
            None => Error::NotStarted.into(),
        }
    }

    /// Decides about a WebSocket's handshake.
    pub(crate) fn open_socket(&mut self, host: &mut dyn Host, connection: u64, request: &Request) -> Opening {
        match &mut self.service {
            Some(service) => service.open_socket(host, connection, request),
            None => Opening::Refused(Error::NotStarted.into()),
        }
    }

    /// Takes a WebSocket's message and gives what is said back.
    pub(crate) fn socket_message(&mut self, host: &mut dyn Host, connection: u64, text: &str) -> Vec<String> {
        self.service
            .as_mut()
            .map_or_else(Vec::new, |service| service.socket_message(host, connection, text))
    }

    /// Forgets a WebSocket.
    pub(crate) fn socket_closed(&mut self, connection: u64) {
        if let Some(service) = &mut self.service {
            service.sockets.remove(&connection);
        }
    }

    /// Forgets an endpoint that leads nowhere any more.
    pub(crate) fn push_gone(&mut self, endpoint: &str) {
        let Some(service) = &mut self.service else {
            return;
        };
        match service.store.forget_endpoint(endpoint) {
            Ok(()) => tracing::info!("a browser that cannot be notified any more is forgotten"),
            Err(error) => tracing::warn!(%error, "a browser that cannot be notified any more stays known"),
        }
    }

    /// Carries out one of the owner's tools. A plugin that does not run opens its store for the length of the call.
    pub(crate) fn call_tool(&mut self, host: &mut dyn Host, name: &str, arguments: &str) -> Result<String, ToolError> {
        let call = tools::Call::parse(name, arguments)?;
        if let Some(service) = &mut self.service {
            return call.run(service, host);
        }
        let settings = Settings::read(host).map_err(OpenError::from)?;
        let mut service = Service::open(host, settings, self.file, || false)?;
        let answer = call.run(&mut service, host);
        let closed = service.store.close();
        let answer = answer?;
        closed?;
        Ok(answer)
    }

    /// Keeps a nudge and sends it.
    pub(crate) fn send_to_user(
        &mut self,
        host: &mut dyn Host,
        user_id: &str,
        content: &str,
        source: &str,
        priority: &str,
    ) -> Result<Delivered, CallError> {
        let service = self.service.as_mut().ok_or(CallError::NotStarted)?;
        let friend_id = find(service, user_id)?;
        if content.trim().is_empty() || content.len() > MAX_NUDGE_BYTES {
            return Err(CallError::Invalid(
                "content must have 1 to 65536 bytes and not be blank",
            ));
        }
        let source_chars = source.chars().count();
        if !(1..=MAX_SOURCE_CHARS).contains(&source_chars) || source.chars().any(is_disruptive) {
            return Err(CallError::Invalid("source must be one line of 1 to 64 characters"));
        }
        Ok(service.nudge(
            host,
            NewNudge {
                friend_id,
                text: content,
                source,
                priority,
            },
        )?)
    }

    /// Passes on what the agent does about a message.
    pub(crate) fn on_agent_event(
        &mut self,
        host: &mut dyn Host,
        ticket: Ticket,
        event: AgentEvent,
    ) -> Result<(), CallError> {
        let service = self.service.as_mut().ok_or(CallError::NotStarted)?;
        let ends = matches!(event, AgentEvent::Done | AgentEvent::Failed(_));
        let result = service
            .on_agent_event(host, ticket, event)
            .map_err(|error| match error {
                AgentEventError::UnknownTicket => CallError::UnknownTicket,
                AgentEventError::Store(error) => CallError::Store(error),
            });
        if ends {
            service.catch_up(host);
        }
        result
    }

    /// Makes last what calls have left open. After a failure this instance is of no use any more.
    pub(crate) fn commit(&mut self) -> Result<(), StoreError> {
        self.service.as_mut().map_or(Ok(()), |service| service.store.commit())
    }

    /// Whether the store is whole. A plugin that does not run opens it for the length of the call.
    pub(crate) fn verify(&self) -> Result<Condition, StoreError> {
        match &self.service {
            Some(service) => service.store.condition(),
            None => condition_of(self.file),
        }
    }

    /// A friend's latest entries, oldest first.
    pub(crate) fn history(&self, user_id: &str, limit: u32) -> Result<Vec<Entry>, CallError> {
        let service = self.service.as_ref().ok_or(CallError::NotStarted)?;
        let friend_id = find(service, user_id)?;
        let mut page = service.store.entries_before(friend_id, None, limit.min(MAX_HISTORY))?;
        page.entries.reverse();
        Ok(page.entries)
    }
}

fn find(service: &Service, user_id: &str) -> Result<i64, CallError> {
    let username = Username::from_user_id(user_id)?;
    match service.store.find_friend(&username)? {
        Some(friend) => Ok(friend.id),
        None => Err(CallError::UnknownUser(user_id.to_owned())),
    }
}
