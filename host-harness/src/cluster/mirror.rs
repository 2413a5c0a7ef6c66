//! The tenants of a cluster: a bucket of NATS with the settings of each, which every machine has a copy of in its own directory.

use std::fs;
use std::io;

use async_nats::jetstream::kv::{self, Store};
use cluster::{Link, LinkError, bucket, watch_all};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::settings::Settings;
use crate::tenants::{Directory, DirectoryError, Name};

/// A tenant as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    /// Its configuration file.
    config: String,
    suspended: bool,
}

/// The tenants.
#[derive(Debug, Clone)]
pub struct Mirror {
    store: Store,
}

/// The tenants cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// NATS has not what it takes.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// NATS does not answer, or refuses.
    #[error("the tenants in NATS: {doing}: {source}: see that NATS is there, and try again")]
    Nats {
        /// What was being done.
        doing: &'static str,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is one of this name, or none.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The configuration cannot be read.
    #[error("reading the configuration that the tenant gets: {0}")]
    Config(#[from] io::Error),
}

fn nats<E: Into<Box<dyn std::error::Error + Send + Sync>>>(doing: &'static str) -> impl FnOnce(E) -> MirrorError {
    move |source| MirrorError::Nats {
        doing,
        source: source.into(),
    }
}

impl Mirror {
    /// The tenants in NATS.
    ///
    /// # Errors
    /// When NATS has not what it takes.
    pub async fn open(link: &Link) -> Result<Self, MirrorError> {
        let store = bucket(link, "tenants").await?;
        Ok(Self { store })
    }

    /// The tenants in the NATS of these settings.
    ///
    /// # Errors
    /// When they name none, or it has not what it takes.
    pub async fn of(settings: &Settings) -> Result<Self, super::ClusterError> {
        let link = super::roles::link(settings, "tenants").await?;
        Ok(Self::open(&link).await?)
    }

    /// Keeps a directory as the tenants are, for ever, and tells of each that has changed. The first time they are all there
    /// already when `ready` is set.
    pub(super) async fn keep(&self, directory: &Directory, ready: &watch::Sender<bool>, changed: impl Fn(Name)) {
        let saw = |entry: kv::Entry| {
            let Ok(name) = entry.key.parse::<Name>() else { return };
            match copy(directory, &name, &entry) {
                Ok(true) => changed(name),
                Ok(false) => {}
                Err(error) => tracing::error!(tenant = %name, %error, "this tenant is not as it should be"),
            }
        };
        watch_all(&self.store, ready, saw).await;
    }

    /// Adds a tenant with this configuration.
    ///
    /// # Errors
    /// When there is one of this name, or NATS does not answer.
    pub async fn add(&self, name: &Name, config: String) -> Result<(), MirrorError> {
        let entry = Entry {
            config,
            suspended: false,
        };
        match self.store.create(name.as_str(), json(&entry)).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == kv::CreateErrorKind::AlreadyExists => {
                Err(DirectoryError::Exists(name.clone()).into())
            }
            Err(error) => Err(nats("adding one")(error)),
        }
    }

    /// Suspends a tenant, or lets it go on.
    ///
    /// # Errors
    /// When there is none of this name, or NATS does not answer.
    pub async fn suspend(&self, name: &Name, suspended: bool) -> Result<(), MirrorError> {
        let found = self.store.entry(name.as_str()).await.map_err(nats("looking for one"))?;
        let known = found.filter(|entry| entry.operation == kv::Operation::Put);
        let known = known.and_then(|found| Some((serde_json::from_slice::<Entry>(&found.value).ok()?, found.revision)));
        let (mut entry, revision) = known.ok_or_else(|| DirectoryError::Unknown(name.clone()))?;
        entry.suspended = suspended;
        let changed = self.store.update(name.as_str(), json(&entry), revision).await;
        changed.map_err(nats("changing one"))?;
        Ok(())
    }

    /// Takes a tenant away. What it has in NATS and on nodes stays.
    ///
    /// # Errors
    /// When there is none of this name, or NATS does not answer.
    pub async fn remove(&self, name: &Name) -> Result<(), MirrorError> {
        self.suspend(name, true).await?;
        self.store.delete(name.as_str()).await.map_err(nats("removing one"))
    }

    /// Every tenant by name, and whether it is suspended.
    ///
    /// # Errors
    /// When NATS does not answer.
    pub async fn list(&self) -> Result<Vec<(Name, bool)>, MirrorError> {
        let mut tenants = std::sync::Mutex::new(std::collections::BTreeMap::new());
        let (ready, mut is_ready) = watch::channel(false);
        let saw = |entry: kv::Entry| {
            let mut tenants = tenants.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if let (Ok(name), Ok(found)) = (entry.key.parse::<Name>(), serde_json::from_slice::<Entry>(&entry.value)) {
                tenants.insert(name, found.suspended);
            }
        };
        tokio::select! {
            () = watch_all(&self.store, &ready, saw) => {}
            _ = is_ready.wait_for(|ready| *ready) => {}
        }
        let tenants = std::mem::take(tenants.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner));
        Ok(tenants.into_iter().collect())
    }
}

/// Has a directory say of a tenant what its entry says; tells whether it did not.
fn copy(directory: &Directory, name: &Name, entry: &kv::Entry) -> Result<bool, MirrorError> {
    let wanted = match entry.operation {
        kv::Operation::Put => serde_json::from_slice::<Entry>(&entry.value).map_err(nats("reading one"))?,
        kv::Operation::Delete | kv::Operation::Purge => {
            if directory.has(name) {
                directory.remove(name)?;
                return Ok(true);
            }
            return Ok(false);
        }
    };
    let mut is_new = false;
    if !directory.has(name) {
        directory.add(name, &wanted.config)?;
        is_new = true;
    } else if fs::read_to_string(directory.config(name)).ok().as_deref() != Some(&*wanted.config) {
        crate::files::write_whole(&directory.config(name), wanted.config.as_bytes())?;
        is_new = true;
    }
    if directory.is_suspended(name) != wanted.suspended {
        directory.suspend(name, wanted.suspended)?;
        is_new = true;
    }
    Ok(is_new)
}

fn json(entry: &Entry) -> bytes::Bytes {
    // Text and a truth value, which does not fail.
    serde_json::to_vec(entry).unwrap_or_default().into()
}
