//! Remembers which plugin the owner accepted, and with which wishes: another one that wants more is held back until the
//! owner accepts that too. The built-in plugin is part of the program and as trusted as it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::contract::{Need, need};
use crate::programs::Loaded;
use crate::settings::Settings;

/// A plugin, and what it would be given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Pin {
    /// Of the component's file, in hexadecimal.
    pub sha256: String,
    /// The interfaces that it imports.
    pub imports: BTreeSet<String>,
    /// The secrets that the configuration grants.
    pub secrets: BTreeSet<String>,
    /// The section of the configuration that it reads.
    pub section: String,
}

/// Why a plugin is held back.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// It is another one and wants more.
    #[error(
        "this plugin (sha256 {sha256}) is not the one that was accepted, and wants more: {}. Look at it with `host-harness inspect`; to let it have that, run `host-harness accept` with the same settings",
        wishes.join(", ")
    )]
    WantsMore {
        /// Of its file.
        sha256: String,
        /// What the accepted one was not given.
        wishes: Vec<String>,
    },
    /// The file that remembers cannot be read or written.
    #[error("{doing} {}: {source}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file that remembers is not what was written.
    #[error("{}: {source}: run `host-harness accept` to write it anew", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
}

impl Pin {
    /// A loaded plugin as it would be pinned.
    pub(crate) fn of(loaded: &Loaded, settings: &Settings) -> Self {
        Self {
            sha256: loaded.sha256.clone(),
            imports: loaded.program.imports().into_iter().collect(),
            secrets: settings.granted_secrets().iter().cloned().collect(),
            section: settings.section().to_owned(),
        }
    }

    /// Holds the plugin back if it wants more than the accepted one; remembers it otherwise.
    ///
    /// # Errors
    /// When it wants more, or what was accepted cannot be read or written.
    pub fn check(&self, path: &Path) -> Result<(), PinError> {
        let accepted = match read(path)? {
            Some(accepted) if accepted == *self => return Ok(()),
            Some(accepted) if accepted.sha256 == self.sha256 => accepted,
            Some(accepted) => {
                let wishes = self.wishes_beyond(&accepted);
                if !wishes.is_empty() {
                    return Err(PinError::WantsMore {
                        sha256: self.sha256.clone(),
                        wishes,
                    });
                }
                accepted
            }
            None => {
                tracing::info!(
                    sha256 = self.sha256,
                    "the plugin is loaded for the first time and remembered"
                );
                return self.write(path);
            }
        };
        if accepted.sha256 != self.sha256 {
            tracing::info!(
                before = accepted.sha256,
                sha256 = self.sha256,
                "another plugin is loaded, which wants no more"
            );
        }
        self.write(path)
    }

    /// Accepts the plugin, and says what it gets that the one before did not.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn accept(&self, path: &Path) -> Result<Vec<String>, PinError> {
        let accepted = match read(path) {
            Err(PinError::Damaged { .. }) => None,
            accepted => accepted?,
        };
        self.write(path)?;
        Ok(accepted.map_or_else(Vec::new, |accepted| self.wishes_beyond(&accepted)))
    }

    fn wishes_beyond(&self, accepted: &Self) -> Vec<String> {
        let imports = self.imports.difference(&accepted.imports);
        let secrets = self.secrets.difference(&accepted.secrets);
        let section = (self.section != accepted.section).then(|| format!("the configuration [{}]", self.section));
        imports
            .map(|name| match need(name) {
                Ok(Need::Grant(wish)) => format!("the interface `{name}` ({}: {})", wish.name(), wish.meaning()),
                _ => format!("the interface `{name}`"),
            })
            .chain(secrets.map(|name| format!("the secret `{name}`")))
            .chain(section)
            .collect()
    }

    fn write(&self, path: &Path) -> Result<(), PinError> {
        let failed = |source| PinError::File {
            doing: "writing",
            path: path.to_owned(),
            source,
        };
        let text = serde_json::to_vec_pretty(self).map_err(|error| failed(error.into()))?;
        // Whole or not at all.
        let new = path.with_extension("new");
        fs::write(&new, text).map_err(failed)?;
        fs::rename(&new, path).map_err(failed)
    }
}

fn read(path: &Path) -> Result<Option<Pin>, PinError> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|source| PinError::Damaged {
                path: path.to_owned(),
                source,
            }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(PinError::File {
            doing: "reading",
            path: path.to_owned(),
            source,
        }),
    }
}

/// The SHA-256 of a file, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
