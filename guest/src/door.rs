//! The contract, said in the plugin's own terms: calls come in here, and nothing is decided.

use channel_plugin::{
    AgentEvent, ChannelPlugin, Condition, Delivery, Entry as WitEntry, Error, Host, Metadata, Opening, OutboundMessage,
    Request, Response, Role as WitRole, Ticket, Tool, ToolError,
};

use crate::entry::{Entry, Role};
use crate::event::{EndReason, Event};
use crate::plugin::{CallError, Plugin, StartError};
use crate::tools::DESCRIPTIONS;
use crate::username::CHANNEL_PREFIX;

channel_plugin::export!(Plugin);

impl ChannelPlugin for Plugin {
    fn describe() -> Metadata {
        Metadata {
            id: "@tinyclaw/plugin-channel-friends".to_owned(),
            description: "Invite-based web chat for friends — powered by FRIENDS.md".to_owned(),
            ..channel_plugin::metadata!("Friends Chat", CHANNEL_PREFIX)
        }
    }

    fn start(&mut self, host: &mut dyn Host) -> Result<(), Error> {
        Ok(self.start(host)?)
    }

    fn stop(&mut self, host: &mut dyn Host) -> Result<(), Error> {
        Ok(self.stop(host)?)
    }

    fn handle(&mut self, host: &mut dyn Host, request: &Request) -> Result<Response, Error> {
        Ok(self.handle(host, request))
    }

    fn send_to_user(
        &mut self,
        host: &mut dyn Host,
        user_id: &str,
        message: &OutboundMessage,
    ) -> Result<Delivery, Error> {
        let priority = message.priority.name();
        let delivered = self.send_to_user(host, user_id, &message.content, &message.source, priority)?;
        Ok(Delivery {
            connections: delivered.connections,
            id: unsigned(delivered.id),
        })
    }

    fn on_agent_event(&mut self, host: &mut dyn Host, ticket: Ticket, event: AgentEvent) -> Result<(), Error> {
        Ok(self.on_agent_event(host, ticket, event)?)
    }

    fn history(&mut self, user_id: &str, limit: u32) -> Result<Vec<WitEntry>, Error> {
        let entries = Self::history(self, user_id, limit)?;
        Ok(entries.into_iter().map(entry).collect())
    }

    fn verify(&mut self) -> Result<Condition, Error> {
        Ok(Self::verify(self)?)
    }

    fn commit(&mut self) -> Result<(), Error> {
        Ok(self.commit()?)
    }

    fn tools() -> Vec<Tool> {
        DESCRIPTIONS
            .iter()
            .map(|tool| Tool::for_owner(tool.name, tool.description, tool.parameters))
            .collect()
    }

    fn call_tool(&mut self, host: &mut dyn Host, name: &str, arguments: &str) -> Result<String, ToolError> {
        self.call_tool(host, name, arguments)
    }

    fn open_socket(&mut self, host: &mut dyn Host, connection: u64, request: &Request) -> Opening {
        self.open_socket(host, connection, request)
    }

    fn socket_message(&mut self, host: &mut dyn Host, connection: u64, text: &str) -> Vec<String> {
        self.socket_message(host, connection, text)
    }

    fn socket_busy() -> Vec<String> {
        let reload = Event::End {
            reason: EndReason::Reload,
        };
        vec![reload.json()]
    }

    fn socket_closed(&mut self, connection: u64) {
        self.socket_closed(connection);
    }

    fn push_gone(&mut self, endpoint: &str) {
        self.push_gone(endpoint);
    }
}

fn entry(entry: Entry) -> WitEntry {
    WitEntry {
        id: unsigned(entry.id),
        role: match entry.role {
            Role::Friend => WitRole::User,
            Role::Agent => WitRole::Agent,
            Role::Nudge => WitRole::Nudge,
        },
        text: entry.text,
        at_ms: unsigned(entry.at_ms),
    }
}

impl From<StartError> for Error {
    fn from(error: StartError) -> Self {
        match error {
            StartError::AlreadyStarted => Self::AlreadyStarted,
            StartError::Open(error) => error.into(),
        }
    }
}

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        match error {
            CallError::NotStarted => Self::NotStarted,
            CallError::MalformedUserId(rule) => Self::MalformedUserId(rule.to_string()),
            CallError::UnknownUser(user_id) => Self::UnknownUser(user_id),
            CallError::Invalid(rule) => Self::Invalid(rule.to_owned()),
            CallError::UnknownTicket => Self::UnknownTicket,
            CallError::Store(error) => error.into(),
        }
    }
}

/// Ids and times are never below zero in the file.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
