//! Says what a plugin is and what it would be given, without giving it anything: it runs in an empty directory, without
//! configuration and secrets, and is not started.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::pin::Pin;
use crate::plugin::{Metadata, one_line};
use crate::serve::{Host, ServeError};
use crate::settings::Settings;

/// What there is to know of a plugin.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Inspection {
    /// What it says of itself, which proves nothing: name and value.
    pub says: BTreeMap<&'static str, String>,
    /// Its tools: name and description.
    pub tools: BTreeMap<String, String>,
    /// The interfaces that it exports.
    pub exports: Vec<String>,
    /// The directory that it would be given.
    pub directory: String,
    /// Its digest, and what it would be given besides.
    #[serde(flatten)]
    pub pin: Pin,
}

/// Inspects the plugin that the settings name.
///
/// # Errors
/// When it cannot be loaded, or does not answer.
pub async fn inspect(settings: &Settings) -> Result<Inspection, ServeError> {
    let empty = tempfile::tempdir().map_err(ServeError::Runtime)?;
    let (host, program, component) = Host::load_bare(settings, empty.path())?;
    let plugin = host.plugin();
    let says = plugin.describe().await.map_err(ServeError::Start)?;
    let tools = plugin.list_tools().await.map_err(ServeError::Start)?;
    let tools = tools.into_iter().map(|tool| (tool.name, tool.description)).collect();
    Ok(Inspection {
        says: fields(says),
        tools,
        exports: program.exports(),
        directory: settings.data.plugin().display().to_string(),
        pin: Pin::of(&program, &component, settings),
    })
}

fn fields(says: Metadata) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("id", says.id),
        ("name", says.name),
        ("description", says.description),
        ("kind", says.kind),
        ("version", says.version),
        ("channel-prefix", says.channel_prefix),
    ])
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "sha256 {}", self.pin.sha256)?;
        writeln!(f, "\nIt says of itself:")?;
        for (name, value) in &self.says {
            writeln!(f, "  {name}: {}", one_line(value))?;
        }
        writeln!(f, "\nTools:")?;
        for (name, description) in &self.tools {
            writeln!(f, "  {}: {}", one_line(name), one_line(description))?;
        }
        writeln!(f, "\nExports:")?;
        for name in &self.exports {
            writeln!(f, "  {name}")?;
        }
        writeln!(f, "\nImports, and would be given:")?;
        for name in &self.pin.imports {
            writeln!(f, "  {name}")?;
        }
        writeln!(f, "\nWould be given besides:")?;
        writeln!(f, "  the directory {}", self.directory)?;
        writeln!(f, "  the configuration [{}] and agent.name", self.pin.section)?;
        for name in &self.pin.secrets {
            writeln!(f, "  the secret {name}")?;
        }
        Ok(())
    }
}
