//! What is counted of a plugin's calls and instances.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::health::{Loss, unix_ms};
use crate::limits::Limit;
use crate::metrics::{Counter, Durations};

/// What a call is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A request.
    Http,
    /// A WebSocket's handshake, message or end.
    Socket,
    /// A tool, or the list of them.
    Tool,
    /// Something that the agent said.
    Event,
    /// A message on the agent's own account.
    Message,
    /// The history of a user.
    History,
    /// What others have changed is made lasting.
    Commit,
    /// The plugin starts.
    Start,
    /// The plugin stops.
    Stop,
    /// The plugin reads its files through.
    Verify,
    /// Anything else.
    Other,
}

impl Kind {
    pub(crate) const ALL: [Self; 11] = [
        Self::Http,
        Self::Socket,
        Self::Tool,
        Self::Event,
        Self::Message,
        Self::History,
        Self::Commit,
        Self::Start,
        Self::Stop,
        Self::Verify,
        Self::Other,
    ];

    /// In a word.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Socket => "socket",
            Self::Tool => "tool",
            Self::Event => "event",
            Self::Message => "message",
            Self::History => "history",
            Self::Commit => "commit",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Verify => "verify",
            Self::Other => "other",
        }
    }

    /// What bounds its time.
    pub(super) fn limit(self) -> Limit {
        match self {
            Self::Start | Self::Verify => Limit::start,
            Self::Stop => Limit::stop,
            _ => Limit::call,
        }
    }
}

/// Why an instance was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// It trapped.
    Trap,
    /// A call took too long.
    Time,
    /// It trapped after it was refused more memory.
    Memory,
    /// A call was given up in the middle.
    Abandoned,
    /// It said that it cannot start, or cannot make lasting what was changed.
    Refused,
    /// The disk did not take what it believes to be there.
    Disk,
}

impl Cause {
    pub(crate) const ALL: [Self; 6] = [
        Self::Trap,
        Self::Time,
        Self::Memory,
        Self::Abandoned,
        Self::Refused,
        Self::Disk,
    ];

    /// In a word.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::Time => "time",
            Self::Memory => "memory",
            Self::Abandoned => "abandoned",
            Self::Refused => "refused",
            Self::Disk => "disk",
        }
    }
}

/// What is counted of one plugin, whatever becomes of its instances.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    calls: [Durations; Kind::ALL.len()],
    lost: [Counter; Cause::ALL.len()],
    last_loss: Mutex<Option<Loss>>,
    /// Instances that have started.
    pub(crate) starts: Counter,
    pub(crate) commits: Counter,
    /// Calls whose changes they made lasting.
    pub(crate) committed_calls: Counter,
    /// Lines of the plugin that are beyond a bound.
    pub(crate) dropped_log_lines: Counter,
    /// Linear memory of the instance.
    memory_bytes: AtomicU64,
}

impl Counts {
    pub(crate) fn calls(&self, kind: Kind) -> Option<&Durations> {
        self.calls.get(kind as usize)
    }

    /// Calls of every kind.
    pub(crate) fn all_calls(&self) -> u64 {
        self.calls.iter().map(|calls| calls.read().count).sum()
    }

    pub(crate) fn lost(&self, cause: Cause) -> u64 {
        self.lost.get(cause as usize).map_or(0, Counter::get)
    }

    pub(super) fn lose(&self, cause: Cause, why: &str) {
        if let Some(lost) = self.lost.get(cause as usize) {
            lost.one();
        }
        *self.last_loss.lock().unwrap_or_else(PoisonError::into_inner) = Some(Loss {
            at_ms: unix_ms(SystemTime::now()),
            cause: cause.name().to_owned(),
            reason: why.to_owned(),
        });
    }

    pub(super) fn last_loss(&self) -> Option<Loss> {
        self.last_loss.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_memory(&self, bytes: usize) {
        self.memory_bytes
            .store(bytes.try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_bytes.load(Ordering::Relaxed)
    }
}
