//! Where a plugin's component comes from: a file, or a registry.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::registry::{FetchError, Logins, Reference, ReferenceError, fetch};

/// Where a component comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file of this machine.
    File(PathBuf),
    /// A registry.
    Registry(Reference),
}

/// Why there is no component.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Its file cannot be read.
    #[error("reading the plugin {}: {source}: check the path given with --plugin", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It cannot be fetched.
    #[error("the plugin {reference}: {source}")]
    Fetch {
        /// What was named.
        reference: Box<Reference>,
        /// Why not.
        source: FetchError,
    },
}

impl Source {
    /// What the owner means by a name: a reference if it begins with `oci://`, or else a file.
    ///
    /// # Errors
    /// When it is a malformed reference.
    pub fn named(name: PathBuf) -> Result<Self, ReferenceError> {
        match name.to_str().filter(|name| Reference::is_meant(name)) {
            Some(reference) => Ok(Self::Registry(reference.parse()?)),
            None => Ok(Self::File(name)),
        }
    }

    /// The component's file, by its whole path. What comes from a registry is fetched now, unless it lies in `shelf` already.
    ///
    /// # Errors
    /// When it cannot be fetched.
    pub fn file(&self, shelf: &Path, logins: &Logins) -> Result<PathBuf, SourceError> {
        match self {
            Self::File(path) => std::path::absolute(path).map_err(|source| SourceError::Unreadable {
                path: path.clone(),
                source,
            }),
            Self::Registry(reference) => fetch(reference, shelf, logins).map_err(|source| SourceError::Fetch {
                reference: Box::new(reference.clone()),
                source,
            }),
        }
    }
}

/// As the owner names it.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Registry(reference) => reference.fmt(f),
        }
    }
}
