//! The data directory: what lies where, who may read it, and that one process has it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::backup::swap;
use crate::files;
use crate::plugin::Before;

/// Bytes of a secret that is made here: as many as the widest key in use needs.
const SECRET_BYTES: usize = 32;

/// Holds what the owner's other agents show.
const MCP_TOKEN: &str = "mcp-token";

/// A data directory.
#[derive(Debug, Clone)]
pub struct DataDir {
    root: PathBuf,
}

/// Why the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// A file or directory cannot be made, read or written.
    #[error("{doing} {}: {source}: check that you may write there, or choose another directory with --data", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process has it.
    #[error("{} is in use by process {process}: stop that one, or choose another directory with --data", root.display())]
    InUse {
        /// The directory.
        root: PathBuf,
        /// Who has it, as far as it said.
        process: String,
    },
}

/// Keeps other processes from the directory while it lives.
#[derive(Debug)]
pub struct DataLock {
    _file: File,
}

impl DataDir {
    /// The data directory at `root`, made if it is missing, for its user only. A restore that was cut off is finished first.
    ///
    /// # Errors
    /// When it cannot be made, or a process that restores has it.
    pub fn open(root: &Path) -> Result<Self, DataDirError> {
        // The compiled components are kept by their absolute path.
        let root = std::path::absolute(root).map_err(io_error("finding", root))?;
        let data = Self { root };
        if swap::is_pending(&data.root) {
            let _lock = data.lock()?;
            swap::finish(&data.root).map_err(io_error("finishing the restore in", &data.root))?;
        }
        for directory in [data.root.clone(), data.plugin(), data.secrets()] {
            files::make_private_dir(&directory).map_err(io_error("making", &directory))?;
        }
        Ok(data)
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The plugin's own directory, all that it sees.
    pub fn plugin(&self) -> PathBuf {
        self.root.join("plugin")
    }

    /// What was compiled.
    pub fn cache(&self) -> PathBuf {
        self.root.join("cache")
    }

    /// Components that came from registries.
    pub fn components(&self) -> PathBuf {
        self.root.join("components")
    }

    /// The configuration file that is read when no other is named.
    pub fn config(&self) -> PathBuf {
        self.root.join("config.toml")
    }

    /// What the agent remembers of each friend.
    pub fn notes(&self) -> PathBuf {
        self.root.join("FRIENDS.md")
    }

    /// What the owner and the agent have said to each other.
    pub fn owner_chat(&self) -> PathBuf {
        self.root.join("owner-chat.jsonl")
    }

    /// Which plugin was accepted.
    pub fn pin(&self) -> PathBuf {
        self.root.join("accepted.json")
    }

    /// The socket for the owner's commands.
    pub fn owner_socket(&self) -> PathBuf {
        self.root.join("owner.sock")
    }

    fn mcp_token_file(&self) -> PathBuf {
        self.root.join(MCP_TOKEN)
    }

    fn metrics_token_file(&self) -> PathBuf {
        self.root.join("metrics-token")
    }

    /// Bytes that its disk has left for this process.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn free_bytes(&self) -> io::Result<u64> {
        let system = rustix::fs::statvfs(&self.root)?;
        Ok(system.f_bavail.saturating_mul(system.f_frsize))
    }

    fn secrets(&self) -> PathBuf {
        self.root.join("secrets")
    }

    /// Whether the plugin has never run here.
    pub fn is_new(&self) -> bool {
        fs::read_dir(self.plugin()).is_ok_and(|mut entries| entries.next().is_none())
    }

    /// Takes the directory for this process. What an upgrade that was cut off has made of the plugin's files is undone.
    ///
    /// # Errors
    /// When another process has it, or the files cannot be put back.
    pub fn lock(&self) -> Result<DataLock, DataDirError> {
        let path = self.root.join("lock");
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path);
        let mut file = opened.map_err(io_error("opening", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut process = String::new();
                // Best effort: the refusal stands without the number.
                let _ = file.read_to_string(&mut process);
                return Err(DataDirError::InUse {
                    root: self.root.clone(),
                    process: process.trim().to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(io_error("locking", &path)(source)),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(io_error("writing", &path))?;
        let before = Before::of(&self.plugin());
        let put_back = before.put_back();
        if put_back.map_err(io_error("undoing an upgrade of", &self.plugin()))? {
            tracing::warn!("an upgrade was cut off: the plugin's files are as they were before it");
        }
        before.tidy();
        Ok(DataLock { _file: file })
    }

    /// A secret by name, made from the system's randomness when it is asked for first.
    ///
    /// # Errors
    /// When its file cannot be read or written.
    pub fn secret(&self, name: &str) -> Result<Vec<u8>, DataDirError> {
        let path = self.secrets().join(name);
        match fs::read(&path) {
            Ok(secret) if secret.len() >= SECRET_BYTES => return Ok(secret),
            // Shorter: the machine stopped while it was written, so nothing depends on it yet.
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(io_error("reading", &path)(source)),
        }
        let secret = random(&path)?;
        keep(&path, &secret)?;
        Ok(secret)
    }

    /// The token with which the owner's other agents show that they are the owner's, made when it is asked for first.
    ///
    /// # Errors
    /// When its file cannot be read or written.
    pub fn mcp_token(&self) -> Result<String, DataDirError> {
        token(&self.mcp_token_file())
    }

    /// The token of [`DataDir::mcp_token`] in a data directory, if it was made already; makes nothing.
    pub(crate) fn token_in(root: &Path) -> Option<String> {
        read_token(&root.join(MCP_TOKEN)).ok()?
    }

    /// The token that lets in whoever reads the metrics from another machine, made when it is asked for first.
    ///
    /// # Errors
    /// When its file cannot be read or written.
    pub fn metrics_token(&self) -> Result<String, DataDirError> {
        token(&self.metrics_token_file())
    }
}

/// The token in a file.
fn token(path: &Path) -> Result<String, DataDirError> {
    if let Some(token) = read_token(path).map_err(io_error("reading", path))? {
        return Ok(token);
    }
    let token: String = random(path)?.iter().map(|byte| format!("{byte:02x}")).collect();
    keep(path, format!("{token}\n").as_bytes())?;
    Ok(token)
}

/// What a file has for a token; none where there is none yet, or a shorter one, as for secrets.
fn read_token(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(token) => Ok(Some(token.trim().to_owned()).filter(|token| token.len() >= SECRET_BYTES)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A new secret, for a file.
fn random(path: &Path) -> Result<Vec<u8>, DataDirError> {
    let mut secret = vec![0; SECRET_BYTES];
    getrandom::fill(&mut secret).map_err(|error| io_error("making", path)(error.into()))?;
    Ok(secret)
}

/// Writes what only its user may read.
fn keep(path: &Path, content: &[u8]) -> Result<(), DataDirError> {
    let opened = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path);
    opened
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .and_then(|()| File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all())
        .map_err(io_error("writing", path))
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DataDirError {
    let path = path.to_owned();
    move |source| DataDirError::Io { doing, path, source }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_second_taker_is_refused_and_told_the_first() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::open(directory.path()).unwrap();
        let lock = data.lock().unwrap();
        let refusal = data.lock().unwrap_err().to_string();
        assert!(
            refusal.contains(&format!("process {}", std::process::id())),
            "{refusal}"
        );
        drop(lock);
        data.lock().unwrap();
    }

    #[test]
    fn a_secret_is_made_once_and_read_by_its_user_only() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::open(directory.path()).unwrap();
        let secret = data.secret("key").unwrap();
        assert_eq!(secret.len(), SECRET_BYTES);
        assert_eq!(data.secret("key").unwrap(), secret);
        assert_ne!(data.secret("other").unwrap(), secret);
        let mode = fs::metadata(directory.path().join("secrets/key"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn the_token_is_made_once_and_read_by_its_user_only() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::open(directory.path()).unwrap();
        let token = data.mcp_token().unwrap();
        assert_eq!(token.len(), 2 * SECRET_BYTES);
        assert_eq!(data.mcp_token().unwrap(), token);
        let path = directory.path().join("mcp-token");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        // The machine stopped while it was written.
        fs::write(&path, "").unwrap();
        assert_ne!(data.mcp_token().unwrap(), token);
    }
}
