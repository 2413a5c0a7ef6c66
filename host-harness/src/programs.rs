//! The programs of this process: one for all plugins that are the same component, however many files it lies in.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::capability::Capabilities;
use crate::engine::Engine;
use crate::pin::sha256;
use crate::plugin::Program;
use crate::serve::ServeError;
use crate::settings::Settings;
use crate::source::{Source, SourceError};

/// What was loaded so far.
#[derive(Debug)]
pub(crate) struct Programs {
    engine: Arc<Engine>,
    known: Mutex<Known>,
}

/// A program, and which component it is of.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    /// The program.
    pub(crate) program: Program,
    /// Of the component, in hexadecimal.
    pub(crate) sha256: String,
}

#[derive(Debug, Default)]
struct Known {
    /// By the file; none for the one that is built in.
    digests: HashMap<Option<PathBuf>, (Option<Stamp>, String)>,
    /// Of each digest, with what is granted.
    programs: HashMap<String, Vec<(Capabilities, Program)>>,
}

/// What changes when a file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(file: &Metadata) -> Self {
        Self {
            inode: file.ino(),
            bytes: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }
}

impl Programs {
    /// None yet.
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self {
            engine,
            known: Mutex::default(),
        }
    }

    /// What they run on.
    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The program that the settings name, with no more than this granted.
    ///
    /// # Errors
    /// When it cannot be read, compiled or linked.
    pub(crate) fn load(&self, settings: &Settings, granted: &Capabilities) -> Result<Loaded, ServeError> {
        let file = settings.plugin_file()?;
        let unreadable = |source| SourceError::Unreadable {
            path: file.clone().unwrap_or_default(),
            source,
        };
        let stamp = match &file {
            Some(path) => Some(Stamp::of(&fs::metadata(path).map_err(unreadable)?)),
            None => None,
        };
        if let Some(loaded) = self.known().find(&file, stamp, granted) {
            return Ok(loaded);
        }
        let component: Cow<'static, [u8]> = match &file {
            Some(path) => fs::read(path).map_err(unreadable)?.into(),
            None => crate::DEFAULT_PLUGIN.into(),
        };
        let sha256 = sha256(&component);
        self.known().remember(&file, stamp, &sha256);
        if let Some(loaded) = self.known().find(&file, stamp, granted) {
            return Ok(loaded);
        }
        let program = Program::load(&self.engine, &component, file, granted).map_err(|source| ServeError::Load {
            plugin: named(settings),
            source,
        })?;
        tracing::info!(cache = %program.cache_use().as_str(), "loaded the plugin");
        let kept = (granted.clone(), program.clone());
        self.known().programs.entry(sha256.clone()).or_default().push(kept);
        Ok(Loaded { program, sha256 })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn find(&self, file: &Option<PathBuf>, stamp: Option<Stamp>, granted: &Capabilities) -> Option<Loaded> {
        let (_, sha256) = self.digests.get(file).filter(|(then, _)| *then == stamp)?;
        let programs = self.programs.get(sha256)?;
        let (_, program) = programs.iter().find(|(with, _)| with == granted)?;
        Some(Loaded {
            program: program.clone().read_from(file.clone()),
            sha256: sha256.clone(),
        })
    }

    /// Notes what lies in a file, and forgets what lies in none any more.
    fn remember(&mut self, file: &Option<PathBuf>, stamp: Option<Stamp>, sha256: &str) {
        self.digests.insert(file.clone(), (stamp, sha256.to_owned()));
        let digests = &self.digests;
        self.programs
            .retain(|of, _| digests.values().any(|(_, known)| known == of));
    }
}

/// As the owner names it.
fn named(settings: &Settings) -> String {
    settings
        .plugin
        .as_ref()
        .map_or("the built-in plugin".to_owned(), Source::to_string)
}
