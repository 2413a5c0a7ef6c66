//! What is checked, and instances of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use super::error::expect_ok;
use super::report::{Checked, Finding};
use crate::engine::Engine;
use crate::limits::Limits;
use crate::plugin::{CallingBack, Grants, Lost, Probe, Program};
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
    /// What came in place of a start, once one has failed: others would take their time to fail too.
    failed_start: RefCell<Option<String>>,
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
            failed_start: RefCell::default(),
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
        self.instance(self.program.clone(), directory).await
    }

    async fn instance(&self, program: Program, directory: &Path) -> Result<Probe, Lost> {
        let grants = self.grants(directory, self.settings.port);
        Probe::new(Arc::clone(&self.engine), program, grants, self.limits.clone()).await
    }

    /// An instance on an empty directory whose imports call it back.
    pub(super) async fn called_back(&self, back: &Arc<CallingBack>) -> Result<Fresh, Lost> {
        let program = self.program.calling_back(&self.engine, back);
        let program = program.map_err(|error| Lost(format!("imports that call back cannot be linked: {error:#}")))?;
        let directory = empty_directory()?;
        let probe = self.instance(program, directory.path()).await?;
        probe.let_call_back(back);
        Ok(Fresh { probe, directory })
    }

    /// An instance on an empty directory.
    pub(super) async fn fresh(&self) -> Result<Fresh, Lost> {
        let directory = empty_directory()?;
        let probe = self.on(directory.path()).await?;
        Ok(Fresh { probe, directory })
    }

    /// An instance that was started.
    pub(super) async fn started(&self) -> Result<Fresh, Finding> {
        let mut fresh = self.fresh().await?;
        self.start(&mut fresh.probe).await?;
        Ok(fresh)
    }

    /// An instance that does not run, and one that runs.
    pub(super) async fn before_and_after(&self) -> Result<[(&'static str, Fresh); 2], Finding> {
        Ok([
            ("before the start", self.fresh().await?),
            ("after the start", self.started().await?),
        ])
    }

    /// Starts an instance on an empty directory, unless that has failed before.
    pub(super) async fn start(&self, probe: &mut Probe) -> Checked {
        if self.failed_start().is_some() {
            return Err(Finding::Unseen("it does not start".to_owned()));
        }
        let started = match probe.start().await {
            Ok(answer) => expect_ok("start", answer),
            Err(lost) => Err(lost.into()),
        };
        started.inspect_err(|finding| {
            if let Finding::Came(came) = finding {
                self.failed_start.replace(Some(came.clone()));
            }
        })
    }

    /// What came in place of a start, if one has failed.
    pub(super) fn failed_start(&self) -> Option<String> {
        self.failed_start.borrow().clone()
    }

    /// The user id of somebody with this name.
    pub(super) async fn user(&self, name: &str) -> Result<String, Finding> {
        let prefix = self.fresh().await?.probe.describe().await?.channel_prefix;
        Ok(format!("{prefix}:{name}"))
    }
}

fn empty_directory() -> Result<TempDir, Lost> {
    tempfile::tempdir().map_err(|error| Lost(format!("there is no directory for it: {error}")))
}
