//! Copies of the plugin's files: taken while it runs, and looked at by the plugin itself.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::actor::PluginActor;
use super::counts::Kind;
use super::{CallError, Condition, Grants, Program};
use crate::engine::Engine;
use crate::files;
use crate::limits::Limits;

/// Why the plugin's files were not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// What it had accepted could not be made lasting.
    #[error(transparent)]
    Plugin(#[from] CallError),
    /// The files cannot be copied.
    #[error("copying the plugin's files to {}: {source}", into.display())]
    Files {
        /// Where to.
        into: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl PluginActor {
    /// Copies the plugin's directory to `into`, which must not exist, as a power cut between two calls would leave it, with all
    /// that was accepted. Gives the time for which calls waited.
    ///
    /// # Errors
    /// When they cannot be copied. A part of `into` may be there.
    pub async fn copy_to(self: &Arc<Self>, into: PathBuf) -> Result<Duration, CopyError> {
        let mut slot = self.slot.lock().await;
        let begun = Instant::now();
        self.make_lasting(&mut slot).await?;
        let (from, to) = (self.grants.directory.clone(), into.clone());
        tokio::task::spawn_blocking(move || files::copy_dir(&from, &to))
            .await
            .map_err(io::Error::other)
            .flatten()
            .map_err(|source| CopyError::Files { into, source })?;
        Ok(begun.elapsed())
    }

    /// Has the plugin read its files through. Calls wait meanwhile.
    ///
    /// # Errors
    /// When it cannot be called, or not read its files for another reason than what is in them.
    pub async fn verify(self: &Arc<Self>) -> Result<Condition, CallError> {
        let mut slot = self.slot.lock().await;
        // This is asked once, often right after a start that failed.
        slot.forget_failures();
        self.ensure_running(&mut slot).await?;
        let (condition, _nothing) = self
            .enter(
                &mut slot,
                Kind::Verify,
                async |call| call.plugin.tinyclaw_plugin_maintenance().call_verify(call.store).await,
                |result| result,
            )
            .await?;
        condition.map_err(CallError::Channel)
    }
}

/// Has a program that is not started read through the files in `directory`, where no other instance has them open.
///
/// # Errors
/// As for [`PluginActor::verify`].
pub(crate) async fn verify_files(
    engine: Arc<Engine>,
    program: Program,
    directory: &Path,
) -> Result<Condition, CallError> {
    let grants = Grants {
        directory: directory.to_owned(),
        ..Grants::default()
    };
    PluginActor::alone(engine, program, grants, Limits::default())
        .verify()
        .await
}
