//! A plugin as visitors meet it.

use std::sync::Arc;

use super::cache::Cache;
use crate::plugin::PluginActor;
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
}
