//! The component in a host of its own, which every run finds as the one before it did: two friends signed in, a third one
//! invited.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use host_harness::agent::{Agent, AgentQueue, Notes};
use host_harness::capability::Capabilities;
use host_harness::engine::Engine;
use host_harness::limits::Limits;
use host_harness::plugin::{Grants, PluginActor, Program};
use host_harness::push::{End, PushHub, Reason};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tracing::Dispatch;

use super::agent::Puppet;
use super::browser::Browser;
use super::log::Log;
use super::run::code_in;
use crate::data::shared_cache;

/// Where files cost no waiting for a disk, on machines that have it.
const MEMORY: &str = "/dev/shm";

/// What the agent keeps, and what it has noted when a run begins.
const NOTES: &str = "FRIENDS.md";
const NOTED: &str = "## john\n\n### Noted by the agent\n\n- Likes tea.\n";

/// Turns of everybody who waits after which nobody waits any more.
const TURNS: usize = 32;

/// What time it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clock {
    Real,
    /// It stands still while anything is done, and goes on to the next appointment when all wait.
    Simulated,
}

/// The plugin and what it is connected to.
pub(super) struct World {
    runtime: Runtime,
    directory: TempDir,
    memory: TempDir,
    pub(super) plugin: Arc<PluginActor>,
    pub(super) agent: Arc<Puppet>,
    pub(super) log: Log,
    dispatch: Dispatch,
    /// What every run begins with: the files, the browsers, and a code that nobody has used.
    files: BTreeMap<String, Vec<u8>>,
    pub(super) browsers: Vec<Browser>,
    pub(super) code: String,
}

impl World {
    /// Loads the component and prepares what every run begins with.
    pub(super) fn new(clock: Clock) -> Self {
        let directory = tempfile::tempdir_in(MEMORY).or_else(|_| tempfile::tempdir()).unwrap();
        let memory = tempfile::tempdir_in(MEMORY).or_else(|_| tempfile::tempdir()).unwrap();
        let grants = Grants {
            directory: directory.path().to_owned(),
            secrets: BTreeMap::from([("invite-key".to_owned(), vec![7; 32])]),
            notes: Some(Notes::at(memory.path().join(NOTES))),
            ..Grants::default()
        };
        // Nothing is refused because the host is full, and no slow machine fails a run.
        let limits = Limits {
            call: Duration::from_secs(60),
            waiting_turns_per_user: 10_000,
            waiting_turns: 10_000,
            held_frames: 100_000,
            held_bytes: 1 << 30,
            ..Limits::default()
        };
        let agent = Arc::new(Puppet::default());
        let hub = PushHub::new(&limits);
        let queue = AgentQueue::new(Arc::clone(&agent) as Arc<dyn Agent>, &limits);
        let engine = Arc::new(Engine::new(&shared_cache()).unwrap());
        let program = Program::load(&engine, host_harness::DEFAULT_PLUGIN, None, &Capabilities::default()).unwrap();
        let log = Log::default();
        let mut world = Self {
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(clock == Clock::Simulated)
                .build()
                .unwrap(),
            directory,
            plugin: PluginActor::new(engine, program, grants, limits, hub, queue),
            memory,
            agent,
            dispatch: log.dispatch(),
            log,
            files: BTreeMap::new(),
            browsers: Vec::new(),
            code: String::new(),
        };
        world.prepare();
        world
    }

    /// Carries something out, with everything that is logged meanwhile in the log.
    pub(super) fn within<T>(&self, work: impl Future<Output = T>) -> T {
        tracing::dispatcher::with_default(&self.dispatch, || self.runtime.block_on(work))
    }

    /// Begins anew.
    pub(super) async fn reset(&self) {
        self.stop().await;
        self.plugin.hub().end_all(&End::Closed(Reason {
            code: 1001,
            text: String::new(),
        }));
        for (name, _) in files(self.directory.path()) {
            fs::remove_file(self.directory.path().join(name)).unwrap();
        }
        for (name, content) in &self.files {
            fs::write(self.directory.path().join(name), content).unwrap();
        }
        fs::write(self.memory.path().join(NOTES), NOTED).unwrap();
        self.plugin.start().await.unwrap();
        self.log.take();
    }

    /// Ends the plugin and starts it again on the same files.
    pub(super) async fn restart(&self) {
        self.stop().await;
        self.plugin.start().await.unwrap();
    }

    /// Lets the agent's tasks run until all of them wait.
    pub(super) async fn settle(&self) {
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
    }

    async fn stop(&self) {
        self.plugin.queue().clear();
        self.agent.forget();
        self.settle().await;
        self.plugin.stop().await.unwrap();
    }

    fn prepare(&mut self) {
        let (browsers, code) = self.within(async {
            self.plugin.start().await.unwrap();
            let mut browsers = Vec::new();
            for (number, name) in super::script::BROWSERS.into_iter().enumerate() {
                let mut browser = Browser::new(u8::try_from(number).unwrap());
                if name != "phone" {
                    let answer = self.invite(name).await;
                    browser.join(&self.plugin, &code_in(&answer).unwrap()).await;
                }
                browsers.push(browser);
            }
            let code = code_in(&self.invite("mary").await).unwrap();
            self.stop().await;
            (browsers, code)
        });
        (self.browsers, self.code) = (browsers, code);
        self.files = files(self.directory.path());
    }

    async fn invite(&self, username: &str) -> String {
        let arguments = serde_json::json!({ "username": username }).to_string();
        self.plugin.call_tool("friends_chat_invite", &arguments).await.unwrap()
    }
}

fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                fs::read(entry.path()).unwrap(),
            )
        })
        .collect()
}
