//! Where the owner's requests are answered while the harness runs.

use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::{Answer, Command, Conversation, OwnerChat};
use crate::data_dir::DataDir;
use crate::plugin::PluginActor;
use crate::settings::Settings;
use crate::tenants::{Awake, NoName, Tenants};

/// What the owner asks of a running harness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Request {
    /// A message to the agent. Answered with lines, one [`super::Happening`] each.
    Chat(String),
    /// How the harness is doing. Answered with a [`super::Status`].
    Status,
    /// A request to one of many owners' harness, by the tenant's name.
    Of(String, Box<Request>),
    /// A tenant's directory has changed. Answered with an [`super::Answer`].
    Look(String),
    /// Anything else. Answered with an [`super::Answer`].
    #[serde(untagged)]
    Command(Command),
}

impl Request {
    /// Whether it is answered as a chat is.
    pub(super) fn is_chat(&self) -> bool {
        match self {
            Self::Chat(_) => true,
            Self::Of(_, request) => request.is_chat(),
            Self::Status | Self::Look(_) | Self::Command(_) => false,
        }
    }

    /// The request as the harness takes it that has these settings.
    pub(super) fn with(self, settings: &Settings) -> Self {
        match &settings.tenant {
            Some(tenant) => Self::Of(tenant.to_string(), Box::new(self)),
            None => self,
        }
    }
}

/// Whose requests are answered.
#[derive(Debug, Clone)]
pub enum Desks {
    /// The one owner's.
    One(Arc<Desk>),
    /// Those of many.
    Many(Arc<Tenants>),
}

/// A desk that somebody is at.
pub(super) enum Seat {
    Owner(Arc<Desk>),
    Tenant(Arc<Awake>),
}

impl Seat {
    pub(super) fn desk(&self) -> &Desk {
        match self {
            Self::Owner(desk) => desk,
            Self::Tenant(awake) => awake.desk(),
        }
    }

    /// Does something whose lines in the log name the tenant, where there is one.
    pub(super) async fn tell<T>(&self, what: impl Future<Output = T>) -> T {
        match self {
            Self::Owner(_) => what.await,
            Self::Tenant(awake) => awake.tell(what).await,
        }
    }
}

impl Desks {
    /// The desk that a request is for, and what it asks there.
    ///
    /// # Errors
    /// When there is none. Says why.
    pub(super) async fn seat(&self, request: Request) -> Result<(Seat, Request), String> {
        match (self, request) {
            (Self::One(_), Request::Of(..)) => Err("one owner is served here, and no tenants".to_owned()),
            (Self::One(desk), request) => Ok((Seat::Owner(Arc::clone(desk)), request)),
            (Self::Many(tenants), Request::Of(name, request)) => match tenants.named(&name).await {
                Ok(awake) => Ok((Seat::Tenant(awake), *request)),
                Err(error) => Err(error.to_string()),
            },
            (Self::Many(_), _) => Err("many owners are served here: say whose this is with --tenant NAME".to_owned()),
        }
    }

    /// The answer to what is asked of all; none where it is for one desk.
    pub(super) async fn answer(&self, request: &Request) -> Option<Answer> {
        match (self, request) {
            (Self::Many(tenants), Request::Look(name)) => Some(match name.parse() {
                Ok(name) => tenants
                    .look(&name)
                    .await
                    .map(|()| String::new())
                    .map_err(|error| error.to_string()),
                Err(error) => Err(NoName::to_string(&error)),
            }),
            (Self::One(_), Request::Look(_)) => Some(Err("one owner is served here, and no tenants".to_owned())),
            (Self::Many(tenants), Request::Command(Command::Reload { file: None, .. })) => Some(tenants.reload().await),
            _ => None,
        }
    }
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
