//! What is counted of connections and responses.

use http::StatusCode;

use super::places::NoPlace;
use crate::metrics::Counter;

/// What is counted of one server.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// By the first digit of their status.
    responses: [Counter; 5],
    /// Connections that got a place.
    pub(crate) opened: Counter,
    /// Connections that were closed at once: all places were taken.
    pub(crate) refused_full: Counter,
    /// Connections that were closed at once: their address had as many as it may.
    pub(crate) refused_for_address: Counter,
}

impl Counts {
    pub(super) fn answered(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(responses) = self.responses.get(class) {
            responses.one();
        }
    }

    pub(super) fn refused(&self, why: NoPlace) {
        match why {
            NoPlace::Full => self.refused_full.one(),
            NoPlace::FullForAddress => self.refused_for_address.one(),
        }
    }

    /// Responses so far, by class of status.
    pub(crate) fn responses(&self) -> impl Iterator<Item = (&'static str, u64)> {
        ["1xx", "2xx", "3xx", "4xx", "5xx"]
            .into_iter()
            .zip(self.responses.iter().map(Counter::get))
    }
}
