//! What a plugin is given besides time and memory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::web_push::WebPush;

use crate::agent::Notes;

/// The files, configuration and secrets of one plugin.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    /// Its own directory on this machine, which it sees as `/`.
    pub directory: PathBuf,
    /// Configuration keys and their values.
    pub config: BTreeMap<String, String>,
    /// Secrets by name.
    pub secrets: BTreeMap<String, Vec<u8>>,
    /// What the agent keeps about users; none where it keeps nothing.
    pub notes: Option<Notes>,
    /// What wakes browsers, if anything does.
    pub web_push: Option<Arc<WebPush>>,
}
