//! Gives a running plugin another program, while its connections stay open and nothing that was said is lost.
//!
//! The new program is compiled and tried beside the running one, on files of its own. Then the agent is let finish what it
//! is saying, the old instance stops, its files are copied, and the new one starts on them, all before the next call is made.
//! If it does not start or does not answer, files and program are put back as they were: nobody has used the new ones; so
//! are the files if the harness ends in the middle. Calls that come meanwhile wait. An answer that takes the agent longer than the drain's bound is begun anew.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinError;

use super::actor::PluginActor;
use super::before::Before;
use super::counts::Kind;
use super::slot::Slot;
use super::{CallError, Grants, LoadError, Metadata, Program};
use crate::agent::{Agent, AgentQueue, Answering, Piece, Turn};
use crate::engine::Engine;
use crate::files;
use crate::limits::Limits;
use crate::push::PushHub;

/// Bytes of a secret that a program is tried with, in place of the plugin's own.
const STAND_IN: [u8; 32] = [0; 32];

/// What an upgrade did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgraded {
    /// The plugin's version before.
    pub from: String,
    /// The plugin's version now.
    pub to: String,
    /// Time for which calls waited.
    pub pause: Duration,
}

/// Why a plugin goes on as it was.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// The new component does not fit.
    #[error("the new component is not used: {0}")]
    Load(#[from] LoadError),
    /// The new component wants what the running one was not given.
    #[error(
        "the new component is not used, since it wants more: `{}`. Look at it with `host-harness inspect FILE`; to let it have that, \
         run `host-harness accept --plugin FILE` and restart with it", .0.join("`, `")
    )]
    WantsMore(Vec<String>),
    /// The new component fails on empty files, or cannot be tried.
    #[error("the new component is not used, since it fails when it is tried on empty files: {0}")]
    Trial(String),
    /// The new component is of another plugin, whose files and users are others.
    #[error(
        "the new component is not used: it is `{theirs}`, and `{ours}` runs here; give another plugin a data directory of its own"
    )]
    OtherPlugin {
        /// The id of the running plugin.
        ours: String,
        /// The id of the new one.
        theirs: String,
    },
    /// The files cannot be copied.
    #[error(
        "the new component is not used, since the plugin's files cannot be copied: {0}: make room in the data directory"
    )]
    Copy(io::Error),
    /// The new component fails on the plugin's files. They have been put back.
    #[error("the new component fails with your data: {0}; the old one runs again, with its files as they were")]
    Failed(CallError),
    /// The new component fails, and what was before cannot be put back.
    #[error("the new component fails with your data: {failed}; putting the old one back: {source}; its files are in {}", copy.display())]
    NotRestored {
        /// Why the new one is not used.
        failed: CallError,
        /// Why the old one does not run.
        source: CallError,
        /// The plugin's files as they were.
        copy: PathBuf,
    },
    /// The running plugin cannot be asked or stopped.
    #[error("the running plugin: {0}")]
    Running(#[from] CallError),
}

impl PluginActor {
    /// A plugin with nobody to talk to, for a look at what a program makes of its files.
    pub(crate) fn alone(engine: Arc<Engine>, program: Program, grants: Grants, limits: Limits) -> Arc<Self> {
        let (hub, queue) = (PushHub::new(&limits), AgentQueue::new(Arc::new(Nobody), &limits));
        Self::new(engine, program, grants, limits, hub, queue)
    }

    /// Where the running program was read from; none for the one that is built in.
    pub async fn file(&self) -> Option<PathBuf> {
        self.slot.lock().await.program.file().map(Path::to_owned)
    }

    /// Replaces the program by a component that was read from `file`. One upgrade at a time; others wait.
    ///
    /// # Errors
    /// When the new component is not used: the old one runs as before, unless the error says otherwise.
    pub async fn upgrade(self: &Arc<Self>, component: Vec<u8>, file: PathBuf) -> Result<Upgraded, UpgradeError> {
        let _alone = self.upgrading.lock().await;
        let engine = Arc::clone(&self.engine);
        let granted = self.grants.capabilities.clone();
        let load = move || Program::load(&engine, &component, Some(file), &granted);
        let program = tokio::task::spawn_blocking(load).await.map_err(given_up)??;
        let given = self.slot.lock().await.program.imports();
        let more: Vec<String> = program
            .imports()
            .into_iter()
            .filter(|wish| !given.contains(wish))
            .collect();
        if !more.is_empty() {
            return Err(UpgradeError::WantsMore(more));
        }
        let ours = self.describe().await?;
        let theirs = self.trial(program.clone()).await?;
        if theirs.id != ours.id || theirs.channel_prefix != ours.channel_prefix {
            return Err(UpgradeError::OtherPlugin {
                ours: ours.id,
                theirs: theirs.id,
            });
        }
        let _paused = Paused::new(self);
        if tokio::time::timeout(self.limits.drain, self.queue.settled())
            .await
            .is_err()
        {
            tracing::info!("the agent is still busy: what it is saying is begun anew");
        }
        let pause = self.exchange(program).await?;
        Ok(Upgraded {
            from: ours.version,
            to: theirs.version,
            pause,
        })
    }

    /// Starts the program on files of its own, with nobody to talk to.
    async fn trial(&self, program: Program) -> Result<Metadata, UpgradeError> {
        let directory = Before::of(&self.grants.directory).trial();
        let grants = Grants {
            capabilities: self.grants.capabilities.clone(),
            directory: directory.clone(),
            notes: None,
            web_push: None,
            journal: None,
            config: self.grants.config.clone(),
            secrets: self
                .grants
                .secrets
                .keys()
                .map(|name| (name.clone(), STAND_IN.to_vec()))
                .collect(),
        };
        let (engine, limits) = (Arc::clone(&self.engine), self.limits.clone());
        // On a thread of its own: a program that spins until its time is over keeps nobody waiting.
        let tried = tokio::task::spawn_blocking(move || {
            files::remove_dir(&grants.directory)?;
            std::fs::create_dir(&grants.directory)?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime
                .block_on(try_out(engine, program, grants, limits))
                .map_err(io::Error::other)
        })
        .await;
        if let Err(error) = files::remove_dir(&directory) {
            tracing::warn!(%error, "removing {}", directory.display());
        }
        tried
            .map_err(given_up)?
            .map_err(|error| UpgradeError::Trial(error.to_string()))
    }

    /// Stops the old program and starts the new one on its files, or puts all back. Gives the time that it took.
    async fn exchange(self: &Arc<Self>, program: Program) -> Result<Duration, UpgradeError> {
        let begun = Instant::now();
        let mut slot = self.slot.lock().await;
        self.halt(&mut slot).await?;
        let before = Before::of(&self.grants.directory);
        if let Err(error) = on_files(&before, Before::keep).await {
            self.ensure_running(&mut slot).await?;
            return Err(UpgradeError::Copy(error));
        }
        let old = std::mem::replace(&mut slot.program, program);
        let forgotten = match self.begin(&mut slot).await {
            Ok(()) => on_files(&before, Before::forget).await.map_err(host_error),
            Err(failed) => Err(failed),
        };
        let Err(failed) = forgotten else {
            let pause = begun.elapsed();
            drop(slot);
            tidy(before).await;
            return Ok(pause);
        };
        slot.program = old;
        slot.forget_failures();
        slot.clear();
        self.queue.clear();
        let restored = match on_files(&before, Before::put_back).await {
            Ok(_) => self.ensure_running(&mut slot).await,
            Err(error) => Err(host_error(error)),
        };
        match restored {
            Ok(()) => {
                drop(slot);
                tidy(before).await;
                Err(UpgradeError::Failed(failed))
            }
            Err(source) => Err(UpgradeError::NotRestored {
                failed,
                source,
                copy: before.files(),
            }),
        }
    }

    /// Stops the instance as it is. Nobody is told: its connections and messages are the next one's.
    pub(super) async fn halt(self: &Arc<Self>, slot: &mut Slot) -> Result<(), CallError> {
        self.ensure_running(slot).await?;
        self.make_lasting(slot).await?;
        let (stopped, _untold) = self
            .enter(
                slot,
                Kind::Stop,
                async |call| call.plugin.tinyclaw_plugin_channel().call_stop(call.store).await,
                |result| result,
            )
            .await?;
        slot.clear();
        self.queue.clear();
        self.shipped().await?;
        stopped.map_err(CallError::Channel)
    }

    /// Starts the program that is in the slot and sees whether it answers.
    async fn begin(self: &Arc<Self>, slot: &mut Slot) -> Result<(), CallError> {
        self.ensure_running(slot).await?;
        let page = super::calls::front_page();
        self.enter(
            slot,
            Kind::Http,
            async |call| call.plugin.tinyclaw_plugin_http().call_handle(call.store, &page).await,
            drop,
        )
        .await?;
        Ok(())
    }
}

/// No turn is started while this lives.
struct Paused<'a>(&'a Arc<PluginActor>);

impl<'a> Paused<'a> {
    fn new(plugin: &'a Arc<PluginActor>) -> Self {
        plugin.queue.pause();
        Self(plugin)
    }
}

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        self.0.queue.resume(self.0);
    }
}

/// The agent of a program that is tried: nobody writes to it.
#[derive(Debug)]
struct Nobody;

impl Agent for Nobody {
    fn answer(&self, _: Turn, _: mpsc::Sender<Piece>) -> Answering<'_> {
        Box::pin(async { Ok(()) })
    }
}

async fn try_out(engine: Arc<Engine>, program: Program, grants: Grants, limits: Limits) -> Result<Metadata, CallError> {
    let plugin = PluginActor::alone(engine, program, grants, limits);
    plugin.start().await?;
    let metadata = plugin.describe().await?;
    plugin.list_tools().await?;
    plugin.begin(&mut *plugin.slot.lock().await).await?;
    plugin.stop().await?;
    Ok(metadata)
}

/// Does something with the files beside the thread.
async fn on_files<T: Send + 'static>(
    before: &Before,
    what: impl FnOnce(&Before) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let before = before.clone();
    tokio::task::spawn_blocking(move || what(&before))
        .await
        .map_err(io::Error::other)?
}

async fn tidy(before: Before) {
    // What lies there for longer is removed by the next start.
    let _ = tokio::task::spawn_blocking(move || before.tidy()).await;
}

fn host_error(error: io::Error) -> CallError {
    CallError::Host(error.into())
}

fn given_up(error: JoinError) -> UpgradeError {
    UpgradeError::Trial(error.to_string())
}
