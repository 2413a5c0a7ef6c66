//! Life cycle, messages to users, and the agent's words.

use super::{Component, enter};
use crate::bindings::exports::tinyclaw::plugin::channel::{
    AgentEvent as WitEvent, Delivery, Entry as WitEntry, Error, Guest, Metadata, OutboundMessage, Priority,
    Role as WitRole, Ticket,
};
use crate::conversation::AgentEvent;
use crate::entry::{Entry, Role};
use crate::plugin::{CallError, StartError};
use crate::service::OpenError;
use crate::store::StoreError;
use crate::username::CHANNEL_PREFIX;

impl Guest for Component {
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

    fn start() -> Result<(), Error> {
        enter(|plugin, host| plugin.start(host))
            .ok_or(Error::Busy)?
            .map_err(|error| match error {
                StartError::AlreadyStarted => Error::AlreadyStarted,
                StartError::Open(OpenError::Store(error)) => error.into(),
                StartError::Open(error) => Error::Other(error.to_string()),
            })
    }

    fn stop() -> Result<(), Error> {
        Ok(enter(|plugin, host| plugin.stop(host)).ok_or(Error::Busy)??)
    }

    fn commit() -> Result<(), Error> {
        Ok(enter(|plugin, _| plugin.commit()).ok_or(Error::Busy)??)
    }

    fn send_to_user(user_id: String, message: OutboundMessage) -> Result<Delivery, Error> {
        let priority = match message.priority {
            Priority::Low => "low",
            Priority::Normal => "normal",
            Priority::High => "high",
            Priority::Urgent => "urgent",
        };
        let delivered =
            enter(|plugin, host| plugin.send_to_user(host, &user_id, &message.content, &message.source, priority))
                .ok_or(Error::Busy)??;
        Ok(Delivery {
            connections: delivered.connections,
            id: id(delivered.id),
        })
    }

    fn on_agent_event(ticket: Ticket, event: WitEvent) -> Result<(), Error> {
        let event = match event {
            WitEvent::Started => AgentEvent::Started,
            WitEvent::Status(text) => AgentEvent::Status(text),
            WitEvent::Delta(text) => AgentEvent::Delta(text),
            WitEvent::Restarted => AgentEvent::Restarted,
            WitEvent::Done => AgentEvent::Done,
            WitEvent::Failed(reason) => AgentEvent::Failed(reason),
        };
        Ok(enter(|plugin, host| plugin.on_agent_event(host, ticket, event)).ok_or(Error::Busy)??)
    }

    fn history(user_id: String, limit: u32) -> Result<Vec<WitEntry>, Error> {
        let entries = enter(|plugin, _| plugin.history(&user_id, limit)).ok_or(Error::Busy)??;
        Ok(entries.into_iter().map(WitEntry::from).collect())
    }
}

impl From<Entry> for WitEntry {
    fn from(entry: Entry) -> Self {
        let role = match entry.role {
            Role::Friend => WitRole::User,
            Role::Agent => WitRole::Agent,
            Role::Nudge => WitRole::Nudge,
        };
        Self {
            id: id(entry.id),
            role,
            text: entry.text,
            at_ms: id(entry.at_ms),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Newer { .. } => Self::NewerData(error.to_string()),
            _ => Self::Storage(error.to_string()),
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
fn id(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
