//! The tenants as they lie on the disk: a data directory each, in a directory of all.
//!
//! What is there is what counts: a running harness looks at it anew when it is told to, and one that starts finds the same.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::name::Name;
use crate::data_dir::DataDir;

/// In a tenant's directory while its chat is not served.
const SUSPENDED: &str = "suspended";

/// In a tenant's directory while its plugin may have something to do. Found by a start, it says that the last run was cut off.
const AT_WORK: &str = "at-work";

/// The configuration of a tenant.
const CONFIG: &str = "config.toml";

/// Where those that were removed lie, in the directory of all; no tenant has this name.
const REMOVED: &str = ".removed";

/// The directory of all tenants.
#[derive(Debug, Clone)]
pub struct Directory(PathBuf);

/// A tenant's directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// There is one of this name.
    #[error("there is a tenant `{0}` already: choose another name, or remove that one first")]
    Exists(Name),
    /// There is none of this name.
    #[error("there is no tenant `{0}`: see `host-harness tenant list`")]
    Unknown(Name),
    /// A file or directory cannot be made, read or written.
    #[error("{doing} {}: {source}: check that you may write there", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Directory {
    /// The tenants in a directory, which need not exist.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Whether there are any, or have been.
    pub fn exists(&self) -> bool {
        self.0.is_dir()
    }

    /// A tenant's own directory.
    pub(crate) fn of(&self, name: &Name) -> PathBuf {
        self.0.join(name.as_str())
    }

    /// A tenant's configuration.
    pub(crate) fn config(&self, name: &Name) -> PathBuf {
        self.of(name).join(CONFIG)
    }

    /// Every tenant, by name. What has no name of a tenant is none.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn names(&self) -> Result<Vec<Name>, DirectoryError> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(failure("reading", &self.0)(source)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failure("reading", &self.0))?;
            if let Some(name) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Whether there is a tenant of this name.
    pub fn has(&self, name: &Name) -> bool {
        self.of(name).is_dir()
    }

    /// Makes a tenant with this configuration. It is there whole, or not at all.
    ///
    /// # Errors
    /// When there is one of this name, or it cannot be written.
    pub fn add(&self, name: &Name, config: &str) -> Result<(), DirectoryError> {
        if self.has(name) {
            return Err(DirectoryError::Exists(name.clone()));
        }
        let making = self.0.join(format!(".making-{name}"));
        let file = making.join(CONFIG);
        let make = || {
            crate::files::remove_dir(&making)?;
            crate::files::make_private_dir(&making)?;
            fs::write(&file, config)?;
            fs::File::open(&file)?.sync_all()?;
            fs::rename(&making, self.of(name))?;
            fs::File::open(&self.0)?.sync_all()
        };
        make().map_err(failure("making", &self.of(name)))
    }

    /// Sets a tenant's directory aside and says where. Nothing in it is lost.
    ///
    /// # Errors
    /// When there is none of this name, or it cannot be moved.
    pub fn remove(&self, name: &Name) -> Result<PathBuf, DirectoryError> {
        self.known(name)?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let aside = self.0.join(REMOVED).join(format!("{name}-{}", since.as_millis()));
        let set_aside = || {
            crate::files::make_private_dir(&self.0.join(REMOVED))?;
            fs::rename(self.of(name), &aside)
        };
        set_aside().map_err(failure("setting aside", &self.of(name)))?;
        Ok(aside)
    }

    /// Removes a tenant that has just been made and was never served.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn discard(&self, name: &Name) -> Result<(), DirectoryError> {
        let path = self.of(name);
        crate::files::remove_dir(&path).map_err(failure("removing", &path))
    }

    /// What opens a tenant's tools, if it was made already.
    pub(crate) fn token(&self, name: &Name) -> Option<String> {
        DataDir::token_in(&self.of(name))
    }

    /// Whether a tenant is suspended.
    pub fn is_suspended(&self, name: &Name) -> bool {
        self.of(name).join(SUSPENDED).exists()
    }

    /// Suspends a tenant, or lets it go on.
    ///
    /// # Errors
    /// When there is none of this name, or that cannot be written.
    pub fn suspend(&self, name: &Name, suspended: bool) -> Result<(), DirectoryError> {
        self.known(name)?;
        mark(&self.of(name).join(SUSPENDED), suspended)
    }

    /// Whether a tenant was at work when its harness ended.
    pub(crate) fn is_at_work(&self, name: &Name) -> bool {
        self.of(name).join(AT_WORK).exists()
    }

    /// Notes that a tenant's plugin may have something to do, or that it has done all.
    pub(crate) fn set_at_work(&self, name: &Name, at_work: bool) -> Result<(), DirectoryError> {
        mark(&self.of(name).join(AT_WORK), at_work)
    }

    /// Sees to it that there is a tenant of this name.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn known(&self, name: &Name) -> Result<(), DirectoryError> {
        match self.has(name) {
            true => Ok(()),
            false => Err(DirectoryError::Unknown(name.clone())),
        }
    }
}

/// Makes an empty file, or removes it.
fn mark(path: &Path, there: bool) -> Result<(), DirectoryError> {
    let marked = match there {
        true => fs::File::create(path).map(drop),
        false => match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
    };
    marked.map_err(failure("writing", path))
}

fn failure(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DirectoryError {
    let path = path.to_owned();
    move |source| DirectoryError::Io { doing, path, source }
}
