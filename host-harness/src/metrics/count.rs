//! What is counted, beside the work: an addition each, without a lock and without text. `/metrics` reads it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Something that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Counts one more.
    pub(crate) fn one(&self) {
        self.add(1);
    }

    /// Counts so many more.
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// How many there were.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Upper bounds of the groups that durations are counted in, in microseconds: a call takes tens, one that writes to a disk
/// hundreds or thousands, and the longest that is allowed by default two million.
pub(crate) const BOUNDS_US: [u64; 12] = [
    20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 20_000, 100_000, 500_000, 2_000_000,
];

/// Durations, in groups.
#[derive(Debug, Default)]
pub(crate) struct Durations {
    /// One group each up to a bound, and one for all that is longer.
    groups: [AtomicU64; BOUNDS_US.len() + 1],
    sum_ns: AtomicU64,
}

/// Durations as they are shown.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Histogram {
    /// Upper bound in seconds, and number above the bound before.
    pub(crate) groups: Vec<(f64, u64)>,
    pub(crate) count: u64,
    pub(crate) sum_s: f64,
}

impl Durations {
    /// Counts one more.
    pub(crate) fn count(&self, duration: Duration) {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let group = BOUNDS_US
            .iter()
            .position(|bound| ns <= bound * 1_000)
            .unwrap_or(BOUNDS_US.len());
        if let Some(group) = self.groups.get(group) {
            group.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_ns.fetch_add(ns, Ordering::Relaxed);
    }

    /// What was counted so far.
    pub(crate) fn read(&self) -> Histogram {
        let bounds = BOUNDS_US
            .iter()
            .map(|bound| Duration::from_micros(*bound).as_secs_f64());
        let groups: Vec<(f64, u64)> = bounds
            .chain([f64::INFINITY])
            .zip(self.groups.iter().map(|group| group.load(Ordering::Relaxed)))
            .collect();
        Histogram {
            count: groups.iter().map(|(_, count)| count).sum(),
            groups,
            sum_s: Duration::from_nanos(self.sum_ns.load(Ordering::Relaxed)).as_secs_f64(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_in_the_group_whose_bound_it_does_not_pass() {
        let durations = Durations::default();
        for us in [0, 20, 21, 2_000_000, 2_000_001] {
            durations.count(Duration::from_micros(us));
        }
        let read = durations.read();
        let filled: Vec<(f64, u64)> = read.groups.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [(0.000_02, 2), (0.000_05, 1), (2.0, 1), (f64::INFINITY, 1)]);
        assert_eq!(read.count, 5);
        assert!((read.sum_s - 4.000_042).abs() < 1e-9, "{}", read.sum_s);
    }
}
