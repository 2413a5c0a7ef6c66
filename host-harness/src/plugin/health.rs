//! How a plugin is, for its owner and for what watches the harness.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::PluginActor;
use crate::limits::LimitReport;

/// Instances lost in a row from which the plugin counts as degraded: one may be bad luck, and two a bad request.
const DEGRADED: u32 = 3;

/// How a plugin is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Health {
    /// It was not started, or was stopped.
    #[default]
    Stopped,
    /// A new instance is being started.
    Starting,
    /// It answers.
    Running,
    /// It has had nothing to do for a while; the next call starts an instance.
    Asleep,
    /// Its instance was lost, and another is started soon.
    Paused {
        /// When, in Unix milliseconds.
        until_ms: u64,
        /// Why the instance was lost.
        reason: String,
    },
    /// Several instances in a row were lost. It is tried again and again, with growing pauses.
    Degraded {
        /// Since when, in Unix milliseconds.
        since_ms: u64,
        /// When it is tried again, in Unix milliseconds.
        until_ms: u64,
        /// Why the last instance was lost.
        reason: String,
    },
}

impl Health {
    /// Every state in a word.
    pub(crate) const WORDS: [&str; 6] = ["stopped", "starting", "running", "asleep", "paused", "degraded"];

    /// The state in a word.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Asleep => "asleep",
            Self::Paused { .. } => "paused",
            Self::Degraded { .. } => "degraded",
        }
    }

    /// After the loss of as many instances in a row, for `reason`, when the next is started after `pause`.
    pub(super) fn lost(&mut self, strikes: u32, pause: Duration, reason: &str) {
        let reason = reason.to_owned();
        let until_ms = unix_ms(SystemTime::now() + pause);
        *self = if strikes >= DEGRADED {
            let since_ms = match self {
                Self::Degraded { since_ms, .. } => *since_ms,
                _ => {
                    tracing::error!(
                        strikes,
                        reason,
                        "the plugin is degraded: it fails again and again, and is tried again after growing pauses"
                    );
                    unix_ms(SystemTime::now())
                }
            };
            Self::Degraded {
                since_ms,
                until_ms,
                reason,
            }
        } else {
            Self::Paused { until_ms, reason }
        };
    }

    /// A new instance is being started. Who is degraded stays so until that has succeeded.
    pub(super) fn starting(&mut self) {
        if !matches!(self, Self::Degraded { .. }) {
            *self = Self::Starting;
        }
    }

    /// A new instance has started.
    pub(super) fn running(&mut self) {
        if let Self::Degraded { since_ms, .. } = self {
            tracing::warn!(since_ms, "the plugin is not degraded any more");
        }
        *self = Self::Running;
    }
}

impl std::fmt::Display for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stopped => f.write_str("stopped"),
            Self::Starting => f.write_str("starting"),
            Self::Running => f.write_str("running"),
            Self::Asleep => f.write_str("asleep until it is called"),
            Self::Paused { reason, .. } => write!(f, "started again soon, after it was lost: {reason}"),
            Self::Degraded { reason, .. } => write!(f, "degraded, it fails again and again: {reason}"),
        }
    }
}

pub(super) fn unix_ms(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis().try_into().unwrap_or(u64::MAX)
}

/// How an instance was lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Loss {
    /// When, in Unix milliseconds.
    pub at_ms: u64,
    /// What of, in the word that the metrics have for it.
    pub cause: String,
    /// Why, in the words of what failed.
    pub reason: String,
}

/// What the owner sees of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// How it is.
    pub health: Health,
    /// Instances that were lost since the harness started.
    pub lost: u64,
    /// The last of these losses, whether or not all is well since.
    pub last_loss: Option<Loss>,
    /// Bytes of the files in its directory.
    pub directory_bytes: u64,
    /// Every bound, and how near it was come to.
    pub limits: Vec<LimitReport>,
}

impl PluginActor {
    /// Bytes of the files in the plugin's directory; 0 where they cannot be counted.
    pub(crate) fn directory_bytes(&self) -> u64 {
        self.directory
            .measure()
            .inspect_err(|error| tracing::warn!(%error, "measuring the plugin's directory"))
            .unwrap_or_default()
    }

    /// How the plugin is and how near its bounds it came. Does not call it.
    pub fn status(&self) -> Status {
        Status {
            health: self.health(),
            lost: self.lost_instances(),
            last_loss: self.counts.last_loss(),
            directory_bytes: self.directory_bytes(),
            limits: self.limits().report(),
        }
    }
}
