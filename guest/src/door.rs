//! The contract, said in the plugin's own terms: calls come in here, and nothing is decided.

use channel_plugin::{
    AgentEvent, ChannelPlugin, Condition as WitCondition, Delivery, Entry as WitEntry, Error, Host, Metadata, Opening,
    OutboundMessage, Priority, Request, Response, Role as WitRole, Ticket, Tool, ToolError as WitToolError,
};

use crate::entry::{Entry, Role};
use crate::event::{EndReason, Event};
use crate::plugin::{CallError, Plugin, StartError};
use crate::service::OpenError;
use crate::store::{Condition, StoreError};
use crate::tools::{DESCRIPTIONS, ToolError};
use crate::username::CHANNEL_PREFIX;

channel_plugin::export!(Plugin);

impl ChannelPlugin for Plugin {
    fn describe() -> Metadata {
        Metadata {
            id: "@tinyclaw/plugin-channel-friends".to_owned(),
            name: "Friends Chat".to_owned(),
            description: "Invite-based web chat for friends — powered by FRIENDS.md".to_owned(),
            kind: "channel".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            channel_prefix: CHANNEL_PREFIX.to_owned(),
        }
    }

    fn start(&mut self, host: &mut dyn Host) -> Result<(), Error> {
        self.start(host).map_err(|error| match error {
            StartError::AlreadyStarted => Error::AlreadyStarted,
            StartError::Open(OpenError::Store(error)) => unstored(&error),
            StartError::Open(error) => Error::Other(error.to_string()),
        })
    }

    fn stop(&mut self, host: &mut dyn Host) -> Result<(), Error> {
        self.stop(host).map_err(|error| unstored(&error))
    }

    fn handle(&mut self, host: &mut dyn Host, request: &Request) -> Response {
        self.handle(host, request)
    }

    fn send_to_user(
        &mut self,
        host: &mut dyn Host,
        user_id: &str,
        message: &OutboundMessage,
    ) -> Result<Delivery, Error> {
        let priority = match message.priority {
            Priority::Low => "low",
            Priority::Normal => "normal",
            Priority::High => "high",
            Priority::Urgent => "urgent",
        };
        let delivered = self
            .send_to_user(host, user_id, &message.content, &message.source, priority)
            .map_err(undone)?;
        Ok(Delivery {
            connections: delivered.connections,
            id: unsigned(delivered.id),
        })
    }

    fn on_agent_event(&mut self, host: &mut dyn Host, ticket: Ticket, event: AgentEvent) -> Result<(), Error> {
        self.on_agent_event(host, ticket, event).map_err(undone)
    }

    fn history(&mut self, user_id: &str, limit: u32) -> Result<Vec<WitEntry>, Error> {
        let entries = Self::history(self, user_id, limit).map_err(undone)?;
        Ok(entries.into_iter().map(entry).collect())
    }

    fn verify(&mut self) -> Result<WitCondition, Error> {
        match Self::verify(self).map_err(|error| unstored(&error))? {
            Condition::Empty => Ok(WitCondition::Empty),
            Condition::Sound => Ok(WitCondition::Sound),
            Condition::Damaged(found) => Ok(WitCondition::Damaged(found)),
        }
    }

    fn commit(&mut self) -> Result<(), Error> {
        self.commit().map_err(|error| unstored(&error))
    }

    fn tools() -> Vec<Tool> {
        DESCRIPTIONS
            .iter()
            .map(|tool| Tool {
                name: tool.name.to_owned(),
                description: tool.description.to_owned(),
                parameters: tool.parameters.to_owned(),
                owner_only: true,
            })
            .collect()
    }

    fn call_tool(&mut self, host: &mut dyn Host, name: &str, arguments: &str) -> Result<String, WitToolError> {
        self.call_tool(host, name, arguments).map_err(|error| match error {
            ToolError::Unknown(name) => WitToolError::UnknownTool(name),
            ToolError::Arguments(sentence) => WitToolError::InvalidArguments(sentence),
            ToolError::Refused(sentence) => WitToolError::Refused(sentence),
            ToolError::Store(error) | ToolError::Open(OpenError::Store(error)) => match error {
                StoreError::Newer { .. } => WitToolError::NewerData(error.to_string()),
                _ => WitToolError::Storage(error.to_string()),
            },
            ToolError::Open(error) => WitToolError::Other(error.to_string()),
        })
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

fn unstored(error: &StoreError) -> Error {
    match error {
        StoreError::Newer { .. } => Error::NewerData(error.to_string()),
        _ => Error::Storage(error.to_string()),
    }
}

fn undone(error: CallError) -> Error {
    match error {
        CallError::NotStarted => Error::NotStarted,
        CallError::MalformedUserId(rule) => Error::MalformedUserId(rule.to_string()),
        CallError::UnknownUser(user_id) => Error::UnknownUser(user_id),
        CallError::Invalid(rule) => Error::Invalid(rule.to_owned()),
        CallError::UnknownTicket => Error::UnknownTicket,
        CallError::Store(error) => unstored(&error),
    }
}

/// Ids and times are never below zero in the file.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
