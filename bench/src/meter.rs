//! What a process takes, as the kernel counts it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;

/// The books of one process and of those that it has started.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    processes: Vec<PathBuf>,
    /// Nanoseconds of each thread so far: one that has ended is not listed any more.
    seen: BTreeMap<(usize, OsString), u64>,
}

/// Memory of a process in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// Its own, and its share of what others use too.
    pub(crate) pss: u64,
    /// All that it has in memory.
    pub(crate) rss: u64,
}

impl Meter {
    /// Of processes by their numbers.
    pub(crate) fn new(processes: &[u32]) -> Self {
        Self {
            processes: processes.iter().map(|id| format!("/proc/{id}").into()).collect(),
            seen: BTreeMap::new(),
        }
    }

    /// User and system time so far. Exact to the nanosecond for threads that rest, to a tick for those that run;
    /// `/proc/PID/stat` counts hundredths of a second.
    pub(crate) fn cpu(&mut self) -> anyhow::Result<Duration> {
        for (index, process) in self.processes.iter().enumerate() {
            let threads = fs::read_dir(process.join("task")).context("a measured process has ended")?;
            for thread in threads {
                let thread = thread?;
                let text = match fs::read_to_string(thread.path().join("schedstat")) {
                    Ok(text) => text,
                    // It ended just now.
                    Err(error) if error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(3) => continue,
                    Err(error) => return Err(error.into()),
                };
                let ns = text.split(' ').next().unwrap_or_default().parse()?;
                self.seen.insert((index, thread.file_name()), ns);
            }
        }
        Ok(Duration::from_nanos(self.seen.values().sum()))
    }

    /// Memory at the moment.
    pub(crate) fn memory(&self) -> anyhow::Result<Memory> {
        let mut memory = Memory { pss: 0, rss: 0 };
        for process in &self.processes {
            let rollup = fs::read_to_string(process.join("smaps_rollup"))?;
            let bytes = |name: &str| {
                let line = rollup.lines().find_map(|line| line.strip_prefix(name));
                let kib = line.map(|line| line.trim().trim_end_matches(" kB").parse::<u64>());
                kib.transpose().map(|kib| kib.unwrap_or_default() << 10)
            };
            memory.pss += bytes("Pss:")?;
            memory.rss += bytes("Rss:")?;
        }
        Ok(memory)
    }
}
