//! What is checked, and instances of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use super::error::expect_ok;
use super::report::Finding;
use crate::engine::Engine;
use crate::limits::Limits;
use crate::plugin::{Grants, Lost, Probe, Program};
use crate::settings::Settings;

/// Bytes of a secret, in place of the plugin's own.
const STAND_IN: [u8; 32] = [0; 32];

/// The component that is checked, with what its instances are given.
pub(super) struct Subject {
    pub(super) engine: Arc<Engine>,
    pub(super) program: Program,
    pub(super) limits: Limits,
    secrets: BTreeMap<String, Vec<u8>>,
    settings: Settings,
}

/// An instance on a directory that was empty, which goes with it.
pub(super) struct Fresh {
    // First, so that it is gone before its files are.
    pub(super) probe: Probe,
    pub(super) directory: TempDir,
}

impl Subject {
    pub(super) fn new(engine: Arc<Engine>, program: Program, settings: &Settings) -> Self {
        let secrets = settings.secrets.iter();
        Self {
            engine,
            program,
            limits: settings.limits.clone(),
            secrets: secrets.map(|name| (name.clone(), STAND_IN.to_vec())).collect(),
            settings: settings.clone(),
        }
    }

    /// What an instance with these files is given, for a chat on this port.
    pub(super) fn grants(&self, directory: &Path, port: u16) -> Grants {
        Grants {
            directory: directory.to_owned(),
            config: self.settings.plugin_config(port),
            secrets: self.secrets.clone(),
            ..Grants::default()
        }
    }

    /// An instance with these files.
    pub(super) async fn on(&self, directory: &Path) -> Result<Probe, Lost> {
        let grants = self.grants(directory, self.settings.port);
        Probe::new(
            Arc::clone(&self.engine),
            self.program.clone(),
            grants,
            self.limits.clone(),
        )
        .await
    }

    /// An instance on an empty directory.
    pub(super) async fn fresh(&self) -> Result<Fresh, Lost> {
        let directory = tempfile::tempdir().map_err(|error| Lost(format!("there is no directory for it: {error}")))?;
        let probe = self.on(directory.path()).await?;
        Ok(Fresh { probe, directory })
    }

    /// An instance that was started.
    pub(super) async fn started(&self) -> Result<Fresh, Finding> {
        let mut fresh = self.fresh().await?;
        expect_ok("start", fresh.probe.start().await?)?;
        Ok(fresh)
    }

    /// The user id of somebody with this name.
    pub(super) async fn user(&self, name: &str) -> Result<String, Finding> {
        let prefix = self.fresh().await?.probe.describe().await?.channel_prefix;
        Ok(format!("{prefix}:{name}"))
    }
}
