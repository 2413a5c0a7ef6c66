//! Bounds on what an instance takes of this machine's memory, and the bounds that it has met.

use std::sync::Arc;

use wasmtime::{ResourceLimiter, Result};

use super::counts::Counts;
use crate::limits::{Limit, Limits};

/// What an instance has, and which bounds it met in the call that runs.
#[derive(Debug)]
pub(super) struct Bounds {
    limits: Limits,
    counts: Arc<Counts>,
    memory_bytes: usize,
    met: Vec<Limit>,
}

impl Bounds {
    pub(super) fn new(limits: &Limits, counts: &Arc<Counts>) -> Self {
        Self {
            limits: limits.clone(),
            counts: Arc::clone(counts),
            memory_bytes: 0,
            met: Vec::new(),
        }
    }

    /// Notes that a bound was met.
    pub(super) fn meet(&mut self, limit: Limit) {
        if !self.has_met(limit) {
            self.met.push(limit);
        }
    }

    /// Whether a bound was met in the call that runs.
    pub(super) fn has_met(&self, limit: Limit) -> bool {
        self.met.contains(&limit)
    }

    /// The bounds that were met since this was asked before.
    pub(super) fn take_met(&mut self) -> Vec<Limit> {
        std::mem::take(&mut self.met)
    }
}

/// Its memory goes with it.
impl Drop for Bounds {
    fn drop(&mut self) {
        self.counts.set_memory(0);
    }
}

impl ResourceLimiter for Bounds {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        let total = self.memory_bytes.saturating_add(desired.saturating_sub(current));
        let fits = total <= self.limits.memory_bytes;
        if fits {
            self.memory_bytes = total;
            self.limits.note(Limit::memory_bytes, total);
            self.counts.set_memory(total);
        } else {
            self.meet(Limit::memory_bytes);
        }
        Ok(fits)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        let fits = desired <= self.limits.table_elements;
        if fits {
            self.limits.note(Limit::table_elements, desired);
        } else {
            self.meet(Limit::table_elements);
        }
        Ok(fits)
    }

    fn instances(&self) -> usize {
        self.limits.instances
    }

    fn tables(&self) -> usize {
        self.limits.instances
    }

    fn memories(&self) -> usize {
        self.limits.instances
    }
}
