//! What a plugin may do in a minute, whatever becomes of its instances meanwhile.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Limit, Limits};

const MINUTE: Duration = Duration::from_secs(60);

/// Counts up to a bound in each minute.
#[derive(Debug)]
pub(crate) struct Rate {
    limit: Limit,
    most: usize,
    window: Mutex<Window>,
}

#[derive(Debug)]
struct Window {
    begun: Instant,
    count: usize,
}

/// The rates of one plugin. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Rates {
    pub(crate) pushes: Arc<Rate>,
    pub(crate) turns: Arc<Rate>,
    pub(crate) log_lines: Arc<Rate>,
    pub(crate) log_bytes: Arc<Rate>,
}

impl Rates {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            pushes: Rate::new(Limit::pushes_per_minute, limits.pushes_per_minute),
            turns: Rate::new(Limit::turns_per_minute, limits.turns_per_minute),
            log_lines: Rate::new(Limit::log_lines_per_minute, limits.log_lines_per_minute),
            log_bytes: Rate::new(Limit::log_bytes_per_minute, limits.log_bytes_per_minute),
        }
    }
}

impl Rate {
    fn new(limit: Limit, most: usize) -> Arc<Self> {
        let window = Window {
            begun: Instant::now(),
            count: 0,
        };
        Arc::new(Self {
            limit,
            most,
            window: Mutex::new(window),
        })
    }

    /// Counts `amount` more, unless that is beyond the bound. `limits` is told how far it came.
    pub(crate) fn take(&self, amount: usize, limits: &Limits) -> Result<(), Limit> {
        self.take_at(amount, limits, Instant::now())
    }

    fn take_at(&self, amount: usize, limits: &Limits, now: Instant) -> Result<(), Limit> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(window.begun) >= MINUTE {
            *window = Window { begun: now, count: 0 };
        }
        let count = window.count.saturating_add(amount);
        if count > self.most {
            return Err(self.limit);
        }
        window.count = count;
        limits.note(self.limit, count);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_obeyed_violated_and_followed_by_another() {
        let limits = Limits {
            pushes_per_minute: 3,
            ..Limits::default()
        };
        let rates = Rates::new(&limits);
        let now = Instant::now();
        assert_eq!(rates.pushes.take_at(3, &limits, now), Ok(()));
        assert_eq!(
            rates.pushes.take_at(1, &limits, now + MINUTE / 2),
            Err(Limit::pushes_per_minute)
        );
        assert_eq!(rates.pushes.take_at(1, &limits, now + MINUTE * 2), Ok(()));
    }
}
