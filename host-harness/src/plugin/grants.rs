//! What a plugin is given besides time and memory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::journal::Journal;
use crate::agent::Notes;
use crate::capability::Capabilities;
use crate::web_push::WebPush;

/// What one plugin may do, and its files, configuration and secrets.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    /// What is linked; a program that imports more is not loaded.
    pub capabilities: Capabilities,
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
    /// What sends its files' changes to other machines, where there are any.
    pub journal: Option<Arc<Journal>>,
}
