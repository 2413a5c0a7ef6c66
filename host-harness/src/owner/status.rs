//! How the running harness is doing, as it tells its owner.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::Desk;
use crate::limits::LimitReport;
use crate::plugin::{self, Loss};

/// The state of a running harness. Fields may be added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Since when it runs, in Unix milliseconds.
    pub since_ms: u64,
    /// Who answers, as it is written in the settings.
    pub agent: String,
    /// The messages for the agent.
    pub turns: Turns,
    /// Connections that are held open: event streams, WebSockets and answers to come.
    pub held_connections: usize,
    /// Bytes that the disk of the data directory has left; none where the system does not tell.
    pub free_bytes: Option<u64>,
    /// How the plugin is, and how near its limits it came.
    pub plugin: plugin::Status,
}

/// The messages for the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Turns {
    /// Being answered, the owner's included.
    pub running: usize,
    /// Not yet.
    pub waiting: usize,
    /// Milliseconds that the one has waited which waits longest; 0 when none waits.
    pub longest_wait_ms: u64,
}

impl Status {
    pub(super) fn of(desk: &Desk) -> Self {
        let queue = desk.plugin.queue();
        let (waiting, running) = queue.depth();
        let since = desk.since.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            since_ms: millis(since),
            agent: desk.agent.clone(),
            turns: Turns {
                running: running + usize::from(desk.chat.is_busy()),
                waiting,
                longest_wait_ms: millis(queue.longest_wait().unwrap_or_default()),
            },
            held_connections: desk.plugin.hub().held(),
            free_bytes: desk.data.free_bytes().ok(),
            plugin: desk.plugin.status(),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Bytes for people, as in `1.5 GiB`.
fn rounded(bytes: u64) -> String {
    let unit = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)]
        .into_iter()
        .find(|(_, power)| bytes >> power > 0);
    match unit {
        // In tenths, so that nothing is lost before the point.
        Some((unit, power)) => {
            let tenths = (u128::from(bytes) * 10) >> power;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} B"),
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = UNIX_EPOCH + Duration::from_millis(self.since_ms);
        let Turns {
            running,
            waiting,
            longest_wait_ms,
        } = self.turns;
        writeln!(f, "The harness runs since {}.", httpdate::fmt_http_date(since))?;
        writeln!(f, "Agent: {}", self.agent)?;
        write!(f, "Turns: {running} running, {waiting} waiting")?;
        if waiting > 0 {
            let longest = Duration::from_millis(longest_wait_ms);
            write!(f, ", the longest for {:.1} s", longest.as_secs_f64())?;
        }
        writeln!(f, "\nHeld connections: {}", self.held_connections)?;
        let plugin::Status {
            health,
            lost,
            last_loss,
            directory_bytes,
            limits,
        } = &self.plugin;
        write!(f, "Disk: {} of the plugin's", rounded(*directory_bytes))?;
        if let Some(free) = self.free_bytes {
            write!(f, ", {} free", rounded(free))?;
        }
        write!(f, "\nPlugin: {health}; {lost} instances lost")?;
        if let Some(Loss { at_ms, cause, reason }) = last_loss {
            let at = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(*at_ms));
            // What stands before is where in the plugin it happened.
            write!(
                f,
                "\nLast loss: {at}: {cause}: {}",
                reason.lines().last().unwrap_or_default().trim()
            )?;
        }
        write!(f, "\nPeaks, of limits:")?;
        for LimitReport { name, limit, peak } in limits {
            if let Some(peak) = peak {
                write!(f, "\n  {name}: {peak} of {limit}")?;
            }
        }
        Ok(())
    }
}
