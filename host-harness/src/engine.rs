//! Compiles components, once: what was compiled is kept in a directory and found again by the component's
//! bytes, Wasmtime's version and its settings.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;
use std::time::Duration;

use wasmtime::component::Component;
use wasmtime::{Cache, CacheConfig, Config};

use crate::turns::Turns;

/// Time after the last call until the clock rests: a machine where nobody chats is not woken.
const BEFORE_REST: Duration = Duration::from_secs(1);

/// Compiles and runs components.
pub struct Engine {
    engine: wasmtime::Engine,
    cache: Cache,
    clock: Clock,
    turns: Turns,
}

/// Where the machine code of a component came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheUse {
    /// It had been compiled before.
    Hit,
    /// It was compiled now.
    Miss,
}

impl CacheUse {
    /// As it is logged.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
        }
    }
}

impl Engine {
    /// An engine that keeps what it compiles in `cache_dir`, which need not exist.
    ///
    /// # Errors
    /// When the directory cannot be made or the clock's thread cannot be started.
    pub fn new(cache_dir: &Path) -> wasmtime::Result<Self> {
        Self::with(cache_dir, Turns::of_one())
    }

    /// As [`Engine::new`], for plugins of many owners on so many threads.
    ///
    /// # Errors
    /// The same.
    pub(crate) fn of_many(cache_dir: &Path, threads: usize) -> wasmtime::Result<Self> {
        Self::with(cache_dir, Turns::of_many(threads))
    }

    fn with(cache_dir: &Path, turns: Turns) -> wasmtime::Result<Self> {
        let mut cache_config = CacheConfig::new();
        cache_config.with_directory(cache_dir);
        let cache = Cache::new(cache_config)?;
        let mut config = Config::new();
        config.epoch_interruption(true).cache(Some(cache.clone()));
        let engine = wasmtime::Engine::new(&config)?;
        let clock = Clock::start(&engine, turns.tick())?;
        Ok(Self {
            engine,
            cache,
            clock,
            turns,
        })
    }

    /// Compiles a component, or takes it from the cache.
    ///
    /// # Errors
    /// When `bytes` are not a valid component.
    pub fn compile(&self, bytes: &[u8]) -> wasmtime::Result<(Component, CacheUse)> {
        let hits = self.cache.cache_hits();
        let component = Component::from_binary(&self.engine, bytes)?;
        let cache_use = if self.cache.cache_hits() > hits {
            CacheUse::Hit
        } else {
            CacheUse::Miss
        };
        Ok((component, cache_use))
    }

    /// Wasmtime's own engine.
    pub(crate) fn inner(&self) -> &wasmtime::Engine {
        &self.engine
    }

    /// How its threads are shared.
    pub(crate) fn turns(&self) -> &Turns {
        &self.turns
    }

    /// Ticks after which a call that begins now has lasted for `time`; keeps the clock going meanwhile.
    pub(crate) fn deadline_ticks(&self, time: Duration) -> u64 {
        self.clock.wake();
        // The tick in progress does not count.
        u64::try_from(time.as_millis() / self.turns.tick().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

/// Advances the engine's epoch while calls are made. Its thread ends with the engine.
struct Clock {
    thread: Thread,
    state: Arc<ClockState>,
}

struct ClockState {
    /// A call was begun since the last look.
    used: AtomicBool,
    resting: AtomicBool,
}

impl Clock {
    fn start(engine: &wasmtime::Engine, tick: Duration) -> std::io::Result<Self> {
        let weak = engine.weak();
        let state = Arc::new(ClockState {
            used: AtomicBool::new(false),
            resting: AtomicBool::new(false),
        });
        let seen = Arc::clone(&state);
        let handle = std::thread::Builder::new()
            .name("epoch-clock".to_owned())
            .spawn(move || {
                let mut idle_ticks = 0;
                while let Some(engine) = weak.upgrade() {
                    engine.increment_epoch();
                    drop(engine);
                    idle_ticks = if seen.used.swap(false, Ordering::SeqCst) {
                        0
                    } else {
                        idle_ticks + 1
                    };
                    if tick * idle_ticks < BEFORE_REST {
                        std::thread::sleep(tick);
                        continue;
                    }
                    seen.resting.store(true, Ordering::SeqCst);
                    // A call that began before `resting` could be seen has set `used` and is not slept through.
                    if !seen.used.load(Ordering::SeqCst) {
                        std::thread::park();
                    }
                    seen.resting.store(false, Ordering::SeqCst);
                    idle_ticks = 0;
                }
            })?;
        Ok(Self {
            thread: handle.thread().clone(),
            state,
        })
    }

    fn wake(&self) {
        self.state.used.store(true, Ordering::SeqCst);
        if self.state.resting.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // A resting clock would never see that its engine is gone.
        self.clock.thread.unpark();
    }
}
