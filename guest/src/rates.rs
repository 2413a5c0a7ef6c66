//! How often a friend may do what costs the others something. Each friend and act has one number, the time at which
//! what was done would have been due at an even pace (GCRA, ITU-T I.371, annex A).

use std::collections::BTreeMap;

const MINUTE_US: i64 = 60_000_000;
/// Changes of oneself in a minute: nicknames, device codes. Each is a write.
const CHANGES_PER_MINUTE: u32 = 20;
/// Feeds opened in a minute: a page on a bad line comes back every few seconds, in several tabs.
const FEEDS_PER_MINUTE: u32 = 120;
/// Numbers kept before those that say nothing any more are looked for.
const TIDY_AT: usize = 1_024;

/// What a friend does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Act {
    /// Says something.
    Message,
    /// Changes something of themselves.
    Change,
    /// Opens a feed.
    Feed,
}

/// Not now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too often")]
pub(crate) struct TooOften {
    /// Milliseconds after which it is done.
    pub(crate) retry_after_ms: u32,
}

/// Who did what of late.
#[derive(Debug)]
pub(crate) struct Rates {
    messages_per_minute: u32,
    /// Unix time in microseconds.
    due_us: BTreeMap<(i64, Act), i64>,
    tidy_at: usize,
}

impl Rates {
    /// Rates with nothing done yet.
    pub(crate) const fn new(messages_per_minute: u32) -> Self {
        Self {
            messages_per_minute,
            due_us: BTreeMap::new(),
            tidy_at: TIDY_AT,
        }
    }

    /// Notes an act, or refuses it. A whole minute's worth may come at once.
    pub(crate) fn take(&mut self, friend_id: i64, act: Act, now_ms: i64) -> Result<(), TooOften> {
        let now_us = now_ms.saturating_mul(1_000);
        let interval_us = MINUTE_US / i64::from(self.per_minute(act).max(1));
        let due_us = self.due_us.entry((friend_id, act)).or_insert(now_us);
        // A clock that was set back makes nobody wait for more than is allowed in a minute.
        *due_us = (*due_us).clamp(now_us, now_us.saturating_add(MINUTE_US));
        let early_us = due_us
            .saturating_add(interval_us)
            .saturating_sub(now_us)
            .saturating_sub(MINUTE_US);
        if early_us > 0 {
            let retry_after_ms = u32::try_from(early_us / 1_000).unwrap_or(u32::MAX).saturating_add(1);
            return Err(TooOften { retry_after_ms });
        }
        *due_us = due_us.saturating_add(interval_us);
        if self.due_us.len() >= self.tidy_at {
            self.due_us.retain(|_, due_us| *due_us > now_us);
            self.tidy_at = self.due_us.len().saturating_mul(2).max(TIDY_AT);
        }
        Ok(())
    }

    const fn per_minute(&self, act: Act) -> u32 {
        match act {
            Act::Message => self.messages_per_minute,
            Act::Change => CHANGES_PER_MINUTE,
            Act::Feed => FEEDS_PER_MINUTE,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn times_taken(rates: &mut Rates, friend_id: i64, act: Act, now_ms: i64) -> usize {
        (0..10_000)
            .take_while(|_| rates.take(friend_id, act, now_ms).is_ok())
            .count()
    }

    #[test]
    fn a_minutes_worth_comes_at_once_and_then_an_even_pace() {
        let mut rates = Rates::new(60);
        assert_eq!(times_taken(&mut rates, 1, Act::Message, 0), 60);
        let TooOften { retry_after_ms } = rates.take(1, Act::Message, 0).unwrap_err();
        assert!((1_000..=1_001).contains(&retry_after_ms), "{retry_after_ms}");
        assert_eq!(times_taken(&mut rates, 1, Act::Message, i64::from(retry_after_ms)), 1);
        assert_eq!(times_taken(&mut rates, 1, Act::Message, 61_001), 60);
    }

    #[test]
    fn friends_and_acts_do_not_count_for_each_other() {
        let mut rates = Rates::new(1);
        assert_eq!(times_taken(&mut rates, 1, Act::Message, 0), 1);
        assert_eq!(times_taken(&mut rates, 2, Act::Message, 0), 1);
        assert_eq!(times_taken(&mut rates, 1, Act::Change, 0), CHANGES_PER_MINUTE as usize);
        assert_eq!(times_taken(&mut rates, 1, Act::Feed, 0), FEEDS_PER_MINUTE as usize);
    }

    #[test]
    fn a_clock_set_back_keeps_nobody_out_for_long() {
        let mut rates = Rates::new(60);
        times_taken(&mut rates, 1, Act::Message, 1_000_000_000);
        let TooOften { retry_after_ms } = rates.take(1, Act::Message, 0).unwrap_err();
        assert!(retry_after_ms <= 1_001, "{retry_after_ms}");
        assert_eq!(times_taken(&mut rates, 1, Act::Message, i64::from(retry_after_ms)), 1);
    }

    #[test]
    fn what_says_nothing_any_more_is_forgotten() {
        let mut rates = Rates::new(60);
        for friend_id in 0..100_000 {
            rates.take(friend_id, Act::Message, friend_id * 100).unwrap();
        }
        assert!(rates.due_us.len() <= TIDY_AT, "{}", rates.due_us.len());
    }
}
