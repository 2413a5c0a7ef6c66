//! Takes the owner's commands: one a connection, a line of JSON there and one back.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::Command;
use crate::plugin::PluginActor;

/// Bytes of a command: a message of 64 KiB with every character escaped.
const COMMAND_BYTES: u64 = 512 << 10;

/// Time for a command to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// The socket for the owner's commands. It is removed when this is dropped.
#[derive(Debug)]
pub struct OwnerServer {
    listener: UnixListener,
    path: PathBuf,
}

/// The socket cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("making the owner's socket {}: {source}: choose a data directory with a shorter path, on a file system that has sockets", path.display())]
pub struct OwnerServerError {
    path: PathBuf,
    source: io::Error,
}

impl OwnerServer {
    /// Makes the socket. The caller holds the lock of the data directory, so one that lies there is left over.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn bind(path: &Path) -> Result<Self, OwnerServerError> {
        let bind = || {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let listener = UnixListener::bind(path)?;
            // The directory is its user's only; this holds where the directory was made by somebody else.
            fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
            Ok(listener)
        };
        let listener = bind().map_err(|source| OwnerServerError {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            listener,
            path: path.to_owned(),
        })
    }

    /// Takes commands for a plugin, for ever.
    pub async fn run(&self, plugin: Arc<PluginActor>) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(serve(Arc::clone(&plugin), stream))),
                Err(error) => {
                    tracing::warn!(%error, "accepting an owner's command");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}

impl Drop for OwnerServer {
    fn drop(&mut self) {
        // What is left lying is replaced by the next start.
        let _ = fs::remove_file(&self.path);
    }
}

async fn serve(plugin: Arc<PluginActor>, mut stream: UnixStream) {
    let (reader, mut writer) = stream.split();
    let mut line = String::new();
    let mut reader = BufReader::new(reader.take(COMMAND_BYTES));
    let answer = match tokio::time::timeout(PATIENCE, reader.read_line(&mut line)).await {
        Ok(Ok(_)) => match serde_json::from_str::<Command>(&line) {
            Ok(command) => command.run(&plugin).await,
            Err(error) => Err(format!("this is no command of this version: {error}")),
        },
        Ok(Err(error)) => Err(format!("the command cannot be read: {error}")),
        Err(_) => Err("the command did not arrive".to_owned()),
    };
    if let Ok(mut bytes) = serde_json::to_vec(&answer) {
        bytes.push(b'\n');
        // An owner who has gone does not want the answer.
        let _ = writer.write_all(&bytes).await;
    }
}
