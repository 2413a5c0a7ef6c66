//! The owner's commands: to the running harness through a socket that only its user can open, or, when none runs, to
//! the plugin itself.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::plugin::{CallError, CopyError, OutboundMessage, PluginActor, Priority, UpgradeError, Upgraded};
use crate::request_id::RequestId;
use crate::settings::Settings;
use crate::source::{Source, SourceError};

mod chat;
mod client;
mod conversation;
mod desk;
mod hands;
mod server;
mod slash;
mod status;
mod terminal;
mod tools;
mod turn;

pub use chat::{ChatEnd, ChatError, chat};
pub use client::{ClientError, ask, look, status};
pub use conversation::{Conversation, ConversationError};
pub use desk::{Desk, Desks};
pub use hands::Hands;
pub(crate) use server::answer;
pub use server::{OwnerServer, OwnerServerError};
pub use status::{Status, Turns};
pub use tools::{OwnerTool, OwnerTools};
pub use turn::{Happening, OwnerChat};

/// One command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Carries out one of the plugin's tools.
    Tool {
        /// Its name.
        name: String,
        /// A JSON object in text.
        arguments: String,
    },
    /// Carries out the tool whose name ends like this, such as `_invite`: plugins name theirs after their channel.
    ToolEnding {
        /// The end of its name.
        suffix: String,
        /// A JSON object in text.
        arguments: String,
    },
    /// Lists the owner's tools, as a JSON list of [`OwnerTool`].
    OwnerTools,
    /// Carries out one of them.
    OwnerTool {
        /// Its name.
        name: String,
        /// A JSON object in text.
        arguments: String,
    },
    /// Sends a user a message.
    Nudge {
        /// A name, or a whole user id.
        user: String,
        /// Markdown.
        text: String,
        /// Who says that it sends it.
        source: String,
        /// `low`, `normal`, `high` or `urgent`.
        priority: Urgency,
    },
    /// Gives the running plugin another program.
    Reload {
        /// The component's file; where the running one came from when it is not named.
        file: Option<PathBuf>,
        /// How the owner names it; by its file where nothing is said.
        name: Option<String>,
    },
    /// Copies the plugin's files while no call is in the middle of changing them.
    CopyFiles {
        /// A directory that does not exist.
        into: PathBuf,
    },
}

/// How much a message matters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Urgency {
    /// Whenever.
    Low,
    /// As usual.
    #[default]
    Normal,
    /// Soon.
    High,
    /// Now.
    Urgent,
}

/// What a command gives: a text for the owner, or a sentence that says why not.
pub type Answer = Result<String, String>;

impl Command {
    /// Has the running plugin replaced by what comes from here. What comes from a registry is fetched now.
    ///
    /// # Errors
    /// When it cannot be fetched.
    pub fn reload(source: Option<&Source>, settings: &Settings) -> Result<Self, SourceError> {
        let file = |source: &Source| source.file(&settings.whole.components(), &settings.logins);
        Ok(Self::Reload {
            // The harness may have been started elsewhere, so this is a whole path.
            file: source.map(file).transpose()?,
            name: match source {
                Some(Source::Registry(reference)) => Some(reference.to_string()),
                _ => None,
            },
        })
    }

    /// Whether the plugin has to be started for it.
    pub fn needs_start(&self) -> bool {
        matches!(self, Self::Nudge { .. })
    }

    /// Whether it is about the harness that runs, and has no sense without one.
    pub fn needs_harness(&self) -> bool {
        matches!(self, Self::Reload { .. })
    }

    /// Whether it may take something away that somebody has.
    pub fn needs_consent(&self) -> bool {
        match self {
            Self::Tool { name, .. } | Self::ToolEnding { suffix: name, .. } => tools::needs_consent(name),
            Self::OwnerTool { name, .. } => name != tools::NUDGE && tools::needs_consent(name),
            Self::OwnerTools | Self::Nudge { .. } | Self::Reload { .. } | Self::CopyFiles { .. } => false,
        }
    }

    /// Carries the command out.
    pub async fn run(self, plugin: &Arc<PluginActor>) -> Answer {
        self.attempt(plugin).await.map_err(|error| error.to_string())
    }

    async fn attempt(self, plugin: &Arc<PluginActor>) -> Result<String, CommandError> {
        let running = async {
            tracing::debug!("a command of the owner's");
            self.try_run(plugin).await
        };
        RequestId::current_or_new().scope(running).await
    }

    async fn try_run(self, plugin: &Arc<PluginActor>) -> Result<String, CommandError> {
        match self {
            Self::Tool { name, arguments } => Ok(plugin.call_tool(&name, &arguments).await?),
            Self::ToolEnding { suffix, arguments } => {
                let tools = plugin.list_tools().await?;
                let tool = tools
                    .iter()
                    .find(|tool| tool.name.ends_with(&suffix))
                    .ok_or(CommandError::NoSuchTool(suffix))?;
                Ok(plugin.call_tool(&tool.name, &arguments).await?)
            }
            Self::OwnerTools => Ok(serde_json::to_string(OwnerTools::of(plugin).await?.list())?),
            Self::OwnerTool { name, arguments } => call(plugin, name, arguments).await,
            Self::Nudge {
                user,
                text,
                source,
                priority,
            } => {
                let user_id = match user.contains(':') {
                    true => user,
                    false => format!("{}:{user}", plugin.describe().await?.channel_prefix),
                };
                let message = OutboundMessage {
                    content: text,
                    source,
                    priority: priority.into(),
                };
                let delivery = plugin.send_to_user(&user_id, &message).await?;
                Ok(match delivery.connections {
                    0 => format!("{user_id} is not here now: kept until the next visit."),
                    1 => format!("Delivered to {user_id}, on one open page."),
                    pages => format!("Delivered to {user_id}, on {pages} open pages."),
                })
            }
            Self::CopyFiles { into } => {
                let waited = plugin.copy_to(into).await?;
                tracing::info!(?waited, "copied the plugin's files for a backup");
                Ok(format!("Nobody waited longer than {waited:.0?}."))
            }
            Self::Reload { file, name } => {
                let running = plugin.file().await;
                let file = file.or_else(|| running.clone()).ok_or(CommandError::BuiltIn)?;
                let component = tokio::fs::read(&file)
                    .await
                    .map_err(|source| CommandError::Unreadable {
                        file: file.clone(),
                        source,
                    })?;
                let Upgraded { from, to, pause } = plugin.upgrade(component, file.clone()).await?;
                let mut report = format!("Version {from} was replaced by {to}; nobody waited longer than {pause:.0?}.");
                if running.as_ref() != Some(&file) {
                    report.push_str(&format!(
                        " The next start loads what is configured: write plugin = {:?} into config.toml to stay with this one.",
                        name.unwrap_or_else(|| file.display().to_string())
                    ));
                }
                tracing::info!("{report}");
                Ok(report)
            }
        }
    }
}

/// Carries out one of the owner's tools, which are commands themselves: hence the box.
fn call(
    plugin: &Arc<PluginActor>,
    name: String,
    arguments: String,
) -> Pin<Box<dyn Future<Output = Result<String, CommandError>> + Send>> {
    let plugin = Arc::clone(plugin);
    Box::pin(async move {
        let tools = OwnerTools::of(&plugin).await?;
        tools.call(&name, &arguments).await.map_err(CommandError::Tool)
    })
}

#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the built-in plugin is part of the program: restart it, or name a file")]
    BuiltIn,
    #[error("reading {}: {source}", file.display())]
    Unreadable { file: PathBuf, source: io::Error },
    #[error(transparent)]
    Copy(#[from] CopyError),
    #[error(transparent)]
    Upgrade(#[from] UpgradeError),
    #[error("{0}")]
    Tool(String),
    #[error("listing the tools: {0}")]
    List(#[from] serde_json::Error),
    #[error("this plugin has no tool whose name ends in `{0}`: see its tools, and use the command `tool`")]
    NoSuchTool(String),
}

impl From<Urgency> for Priority {
    fn from(urgency: Urgency) -> Self {
        match urgency {
            Urgency::Low => Self::Low,
            Urgency::Normal => Self::Normal,
            Urgency::High => Self::High,
            Urgency::Urgent => Self::Urgent,
        }
    }
}
