//! A plugin as visitors meet it.

use std::sync::Arc;

use tokio::sync::Notify;

use super::cache::Cache;
use crate::cluster::{Edge, FarPlugin};
use crate::limits::Limits;
use crate::plugin::{self, Accepted, CallError, Connection, HttpAnswer, PluginActor, SocketAnswer};
use crate::tenants::Tenants;

/// A plugin, and those of its answers that may be given again.
#[derive(Debug)]
pub struct Site {
    pub(super) plugin: Arc<PluginActor>,
    pub(super) cache: Cache,
}

impl Site {
    /// The site of a plugin of which nothing has been asked yet.
    pub fn new(plugin: Arc<PluginActor>) -> Self {
        let cache = Cache::new(plugin.limits());
        Self { plugin, cache }
    }

    /// The plugin.
    pub fn plugin(&self) -> &Arc<PluginActor> {
        &self.plugin
    }
}

/// Whose the requests are.
#[derive(Debug)]
pub(super) enum Sites {
    /// All are one plugin's.
    One(Arc<Site>),
    /// They are told apart by where they go.
    Many(Arc<Tenants>),
    /// So are these, and the plugins are on other machines.
    Far(Arc<Edge>),
}

/// Whoever answers a request.
#[derive(Debug, Clone)]
pub(super) enum Answerer {
    Here(Arc<PluginActor>),
    There(Arc<FarPlugin>),
}

impl Answerer {
    pub(super) fn limits(&self) -> &Limits {
        match self {
            Self::Here(plugin) => plugin.limits(),
            Self::There(plugin) => plugin.limits(),
        }
    }

    pub(super) async fn http(&self, request: &plugin::Request, cut: &Arc<Notify>) -> Result<HttpAnswer, CallError> {
        match self {
            Self::Here(plugin) => plugin.http(request, cut).await,
            Self::There(plugin) => plugin.http(request, cut).await,
        }
    }

    pub(super) async fn socket_open(
        &self,
        connection: Connection,
        request: plugin::Request,
        cut: &Arc<Notify>,
    ) -> Result<SocketAnswer, CallError> {
        match self {
            Self::Here(plugin) => plugin.socket_open(connection, request, cut).await,
            Self::There(plugin) => plugin.socket_open(request, cut).await,
        }
    }

    pub(super) async fn socket_message(
        &self,
        accepted: &mut Accepted,
        text: &str,
    ) -> Result<Option<Vec<String>>, CallError> {
        match self {
            Self::Here(plugin) => plugin.socket_message(accepted, text).await,
            Self::There(plugin) => plugin.socket_message(accepted, text).await,
        }
    }

    pub(super) async fn socket_closed(&self, accepted: Accepted) -> Result<(), CallError> {
        match self {
            Self::Here(plugin) => plugin.socket_closed(accepted).await,
            Self::There(plugin) => plugin.socket_closed(accepted).await,
        }
    }
}
