//! How long the log remembers, as the owner has set it.

/// Which entries are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retention {
    /// Milliseconds; `None` for ever.
    pub(crate) max_age_ms: Option<i64>,
    /// Entries of each friend.
    pub(crate) max_entries: u32,
}
