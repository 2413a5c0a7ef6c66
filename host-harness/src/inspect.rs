//! Says what a plugin is, what it wants and which of that it would be given, without giving it anything: it runs in an empty
//! directory, without configuration, secrets and an agent, and is not started.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::capability::{Capabilities, Capability};
use crate::contract::{Misfit, Need, need, not_granted};
use crate::engine::Engine;
use crate::pin::Pin;
use crate::plugin::{Grants, Metadata, PluginActor, one_line};
use crate::programs::Programs;
use crate::serve::ServeError;
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
    /// What it imports, and whether it would be given that.
    pub wants: Vec<Want>,
    /// The directory that it would be given, if it wants one and may have it.
    pub directory: Option<String>,
    /// Its digest, and what it would be given besides.
    #[serde(flatten)]
    pub pin: Pin,
    #[serde(skip)]
    granted: Capabilities,
}

/// An interface that a plugin imports.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Want {
    /// Its name.
    pub interface: String,
    /// What has to be granted for it; none for what every plugin is given.
    pub grant: Option<Capability>,
    /// Whether it would be given.
    pub granted: bool,
}

/// Inspects the plugin that the settings name.
///
/// # Errors
/// When it cannot be loaded, or does not answer.
pub async fn inspect(settings: &Settings) -> Result<Inspection, ServeError> {
    let empty = tempfile::tempdir().map_err(ServeError::Runtime)?;
    let engine = Arc::new(Engine::new(&settings.whole.cache()).map_err(ServeError::Engine)?);
    // Whatever it wants is there, so that it can say what it is, and leads nowhere.
    let loaded = Programs::new(Arc::clone(&engine)).load(settings, &Capabilities::default())?;
    let pin = Pin::of(&loaded, settings);
    let program = loaded.program;
    let exports = program.exports();
    let grants = Grants {
        directory: empty.path().to_owned(),
        ..Grants::default()
    };
    let plugin = PluginActor::alone(engine, program, grants, settings.limits.clone());
    let says = plugin.describe().await.map_err(ServeError::Start)?;
    let tools = plugin.list_tools().await.map_err(ServeError::Start)?;
    let wants: Vec<Want> = pin.imports.iter().map(|name| Want::of(name, settings)).collect();
    let mut inspection = Inspection {
        says: fields(says),
        tools: tools.into_iter().map(|tool| (tool.name, tool.description)).collect(),
        exports,
        directory: None,
        wants,
        pin,
        granted: settings.capabilities.clone(),
    };
    if inspection.has(Capability::Files) {
        inspection.directory = Some(settings.data.plugin().display().to_string());
    }
    Ok(inspection)
}

impl Want {
    fn of(interface: &str, settings: &Settings) -> Self {
        let grant = match need(interface) {
            Ok(Need::Grant(capability)) => Some(capability),
            _ => None,
        };
        Self {
            interface: interface.to_owned(),
            grant,
            granted: grant.is_none_or(|capability| settings.capabilities.has(capability)),
        }
    }
}

impl Inspection {
    /// What keeps it from being loaded, if something that it wants is not granted.
    pub fn withheld(&self) -> Option<Misfit> {
        let imports: Vec<String> = self.pin.imports.iter().cloned().collect();
        not_granted(&imports, &self.granted)
    }

    /// Whether it wants this and would be given it.
    fn has(&self, capability: Capability) -> bool {
        self.wants
            .iter()
            .any(|want| want.granted && want.grant == Some(capability))
    }
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
        writeln!(f, "\nImports:")?;
        let width = self
            .wants
            .iter()
            .map(|want| want.interface.len())
            .max()
            .unwrap_or_default();
        for Want {
            interface,
            grant,
            granted,
        } in &self.wants
        {
            write!(f, "  {interface:width$}  ")?;
            match (grant, granted) {
                (None, _) => writeln!(f, "every plugin has it")?,
                (Some(grant), true) => writeln!(f, "granted, as {}: {}", grant.name(), grant.meaning())?,
                (Some(grant), false) => writeln!(f, "NOT GRANTED, would be {}: {}", grant.name(), grant.meaning())?,
            }
        }
        writeln!(f, "\nWould be given besides:")?;
        if let Some(directory) = &self.directory {
            writeln!(f, "  the directory {directory}")?;
        }
        if self.has(Capability::Config) {
            writeln!(f, "  the configuration [{}] and agent.name", self.pin.section)?;
        }
        if self.has(Capability::Secrets) {
            for name in &self.pin.secrets {
                writeln!(f, "  the secret {name}")?;
            }
        }
        match self.withheld() {
            Some(withheld) => writeln!(f, "\nIt would not be loaded: {withheld}"),
            None => Ok(()),
        }
    }
}
