//! The plugin: an instance of its component, the calls it takes, and what it may ask for.

use std::time::Duration;

use bytes::Bytes;

mod actor;
mod before;
mod bindings;
mod bounds;
mod calling_back;
mod calls;
mod copies;
mod counts;
mod directory;
mod effects;
mod fitting;
mod grants;
mod group;
mod health;
mod imports;
mod journal;
mod linker;
mod memory;
mod no_requests;
mod probe;
mod program;
mod rest;
mod slot;
mod standard_door;
mod syncs;
mod upgrade;

pub use actor::PluginActor;
pub(crate) use before::Before;
pub use bindings::exports::tinyclaw::plugin::channel::{
    Delivery, Entry, Error as ChannelError, Metadata, OutboundMessage, Priority, Role,
};
pub use bindings::exports::tinyclaw::plugin::maintenance::Condition;
pub use bindings::exports::tinyclaw::plugin::tools::{Error as ToolError, Tool};
pub(crate) use calling_back::CallingBack;
use calls::Instance;
pub use calls::{Accepted, Connection, HttpAnswer, SocketAnswer};
pub use copies::CopyError;
pub(crate) use copies::verify_files;
pub(crate) use counts::{Cause, Kind};
pub use grants::Grants;
pub use health::{Health, Loss, Status};
pub(crate) use imports::one_line;
pub use journal::Journal;
pub(crate) use journal::{Parcel, apply};
pub(crate) use probe::{Lost, Probe};
pub use program::Program;
pub(crate) use standard_door::StandardAnswer;
pub use upgrade::{UpgradeError, Upgraded};

use crate::agent::NotesError;
use crate::contract::Misfit;
use crate::limits::Limit;
pub(crate) use bindings::exports::tinyclaw::plugin::socket::Opening;
pub(crate) use bindings::tinyclaw::plugin::http_types as wit;

/// Which of a plugin's instances serves: none and each a different one. What one has answered says nothing of the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Generation(u64);

impl Generation {
    /// The generation of an instance.
    pub(crate) const fn new(instance: Instance) -> Self {
        Self(instance)
    }

    /// Whether there is an instance.
    pub(crate) const fn serves(self) -> bool {
        self.0 != 0
    }
}

/// A request to the plugin, complete with its body.
#[derive(Debug, Clone)]
pub struct Request {
    /// Method and target, headers, body.
    pub inner: http::Request<Bytes>,
    /// The client's address, without a port.
    pub client: std::net::IpAddr,
}

/// A response of the plugin, without the connections' own headers.
#[derive(Debug, Clone)]
pub struct Response {
    /// From 200 to 599, or the plugin broke the contract.
    pub status: u16,
    /// Names and values as the plugin gave them.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The whole body, or its beginning.
    pub body: Bytes,
}

impl From<wit::Response> for Response {
    fn from(response: wit::Response) -> Self {
        Self {
            status: response.status,
            headers: response.headers,
            body: response.body.into(),
        }
    }
}

/// Why a component was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The component does not fit.
    #[error(transparent)]
    Misfit(#[from] Misfit),
    /// This host is at fault.
    #[error("the host cannot link its own imports: {0}")]
    Host(wasmtime::Error),
}

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Too many calls wait already.
    #[error("too many calls wait for the plugin")]
    Saturated,
    /// There is no instance for the moment.
    #[error("the plugin is down and is tried again in {retry_after:?}")]
    Down {
        /// Time until it is tried again.
        retry_after: Duration,
    },
    /// The instance trapped or broke a limit, and is lost.
    #[error("the plugin failed in the middle of this call")]
    Trapped,
    /// The answer is beyond a bound.
    #[error("the plugin's answer is beyond the limit `{}`", .0.name())]
    Unfit(Limit),
    /// The plugin answered with an error of the interface `channel`.
    #[error("{}", Explained(.0))]
    Channel(ChannelError),
    /// The plugin answered with an error of the interface `tools`.
    #[error("{}", ExplainedTool(.0))]
    Tool(ToolError),
    /// What the agent keeps about a user could not be changed as the call asked for.
    #[error("what the agent keeps about a user cannot be changed: {0}")]
    Memory(NotesError),
    /// This machine does not give what an instance needs, such as the plugin's directory.
    #[error("{0:#}")]
    Host(wasmtime::Error),
}

impl CallError {
    /// Whether the plugin says that it cannot read or write its files.
    pub(crate) fn is_about_storage(&self) -> bool {
        matches!(
            self,
            Self::Channel(ChannelError::Storage(_)) | Self::Tool(ToolError::Storage(_))
        )
    }
}

struct Explained<'a>(&'a ChannelError);

impl std::fmt::Display for Explained<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            ChannelError::AlreadyStarted => f.write_str("the plugin runs already"),
            ChannelError::NotStarted => f.write_str("the plugin is not running"),
            ChannelError::Busy => f.write_str("the plugin is busy with another call"),
            ChannelError::UnknownUser(user) => write!(f, "there is no user {user:?}"),
            ChannelError::UnknownTicket => f.write_str("nobody waits for this answer"),
            ChannelError::MalformedUserId(text)
            | ChannelError::Invalid(text)
            | ChannelError::NewerData(text)
            | ChannelError::Storage(text)
            | ChannelError::Other(text) => f.write_str(text),
        }
    }
}

struct ExplainedTool<'a>(&'a ToolError);

impl std::fmt::Display for ExplainedTool<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            ToolError::UnknownTool(name) => write!(f, "the plugin has no tool {name:?}"),
            ToolError::Busy => f.write_str("the plugin is busy with another call"),
            ToolError::InvalidArguments(text)
            | ToolError::Refused(text)
            | ToolError::NewerData(text)
            | ToolError::Storage(text)
            | ToolError::Other(text) => f.write_str(text),
        }
    }
}
