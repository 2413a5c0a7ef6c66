//! Where the owner's requests are answered while the harness runs.

use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::{Command, Conversation, OwnerChat};
use crate::data_dir::DataDir;
use crate::plugin::PluginActor;
use crate::settings::Settings;

/// What the owner asks of a running harness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Request {
    /// A message to the agent. Answered with lines, one [`super::Happening`] each.
    Chat(String),
    /// How the harness is doing. Answered with a [`super::Status`].
    Status,
    /// Anything else. Answered with an [`super::Answer`].
    #[serde(untagged)]
    Command(Command),
}

/// What the owner's requests are about.
#[derive(Debug)]
pub struct Desk {
    pub(super) plugin: Arc<PluginActor>,
    pub(super) agent: String,
    pub(super) chat: OwnerChat,
    pub(super) since: SystemTime,
    pub(super) data: DataDir,
}

impl Desk {
    /// A desk for a plugin that runs from now on.
    pub fn open(plugin: &Arc<PluginActor>, settings: &Settings) -> Self {
        Self {
            plugin: Arc::clone(plugin),
            agent: settings.agent.to_string(),
            chat: OwnerChat::new(plugin, Conversation::at(settings.data.owner_chat())),
            since: SystemTime::now(),
            data: settings.data.clone(),
        }
    }
}
