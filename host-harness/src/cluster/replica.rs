//! A tenant's files, brought to the node that has it and sent on from there.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cluster::{Found, Log, LogError, Logs};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tracing::Instrument as _;

use crate::files;
use crate::plugin::{Journal, Parcel, apply};
use crate::tenants::{Directory, Name};

/// What every machine has from elsewhere, in a tenant's directory.
const FROM_ELSEWHERE: [&str; 2] = ["config.toml", "suspended"];

/// Brings files and sends them on. On a thread of its own: the others may wait for it.
#[derive(Debug)]
pub(crate) struct Replicas {
    logs: Logs,
    directory: Directory,
    runtime: Handle,
}

/// A tenant's files cannot be brought here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplicaError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("bringing the files of `{name}` here: {source}: what was here before is as it was")]
    Io { name: Name, source: io::Error },
    #[error("bringing the files of `{0}` here was given up")]
    GivenUp(Name),
}

impl Replicas {
    /// Those whose logs these are, below a directory; what is sent goes through a runtime.
    pub(super) fn new(logs: Logs, directory: Directory, runtime: Handle) -> Self {
        Self {
            logs,
            directory,
            runtime,
        }
    }

    /// Brings a tenant's files here, and sends what becomes of them from now on under an epoch.
    ///
    /// # Errors
    /// When they cannot be had whole. What is here is as it was then.
    pub(super) async fn bring(&self, name: &Name, epoch: u64) -> Result<Arc<Journal>, ReplicaError> {
        let (logs, at, tenant) = (self.logs.clone(), self.directory.of(name), name.clone());
        let runtime = self.runtime.clone();
        let bringing = async move {
            let (log, found) = logs.begin(tenant.as_str(), epoch).await?;
            let wants_everything = Arc::new(AtomicBool::new(log.wants_base()));
            let wants = Arc::clone(&wants_everything);
            let begun = tokio::task::spawn_blocking(move || {
                restore(&found, &at)?;
                Journal::begin(&at, wants, runtime)
            });
            match begun.await {
                Ok(Ok((journal, parcels))) => {
                    tokio::spawn(send(log, parcels, wants_everything).in_current_span());
                    Ok(journal)
                }
                Ok(Err(source)) => Err(ReplicaError::Io { name: tenant, source }),
                Err(_) => Err(ReplicaError::GivenUp(tenant)),
            }
        };
        match self.runtime.spawn(bringing.in_current_span()).await {
            Ok(brought) => brought,
            Err(_) => Err(ReplicaError::GivenUp(name.clone())),
        }
    }
}

/// Sends parcels until one cannot be sent.
async fn send(mut log: Log, mut parcels: mpsc::UnboundedReceiver<Parcel>, wants_everything: Arc<AtomicBool>) {
    while let Some(Parcel {
        bytes,
        is_everything,
        sent,
    }) = parcels.recv().await
    {
        let stored = match is_everything {
            true => log.rebase(&bytes).await,
            false => log.append(&bytes).await,
        };
        wants_everything.store(log.wants_base(), Ordering::Relaxed);
        let is_stored = stored.is_ok();
        if let Err(error) = &stored {
            tracing::error!(%error, "what was changed here is given up: the tenant goes on where the last acknowledged state is");
        }
        // Who waits for it may have gone.
        let _ = sent.send(stored.map_err(io::Error::other));
        if !is_stored {
            return;
        }
    }
}

/// Makes of a tenant's directory what was found; it is there whole, or as it was. What was never sent anywhere stays.
fn restore(found: &Found, at: &Path) -> io::Result<()> {
    if found.base.is_none() && found.batches.is_empty() {
        return Ok(());
    }
    let name = at.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let (making, replaced) = (
        at.with_file_name(format!(".making-{name}")),
        at.with_file_name(format!(".replaced-{name}")),
    );
    files::remove_dir(&making)?;
    files::remove_dir(&replaced)?;
    files::make_private_dir(&making)?;
    for batch in found.base.iter().chain(&found.batches) {
        apply(batch, &making)?;
    }
    for name in FROM_ELSEWHERE {
        match fs::copy(at.join(name), making.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    match fs::rename(at, &replaced) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::rename(&making, at)?;
    files::remove_dir(&replaced)
}
