//! The id of a request: it is in every line that is logged on its way, the plugin's own included, and in what its client is
//! told when it fails. WebSocket messages, the owner's commands and the agent's turns have one as requests have.
//!
//! It goes with the task and is looked at when a line is written: a request that logs nothing pays for two words.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

/// Characters of an id that a proxy gives. A UUID has 36.
const GIVEN_CHARACTERS: usize = 64;

tokio::task_local! {
    static CURRENT: RequestId;
}

/// The id of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Source);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Own(u64),
    Given(Arc<str>),
}

impl RequestId {
    /// An id that this process has not used before. It does not tell how many there were.
    pub fn new() -> Self {
        static SEED: LazyLock<u64> = LazyLock::new(|| getrandom::u64().unwrap_or_default());
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(Source::Own(mixed(
            LAST.fetch_add(1, Ordering::Relaxed).wrapping_add(*SEED),
        )))
    }

    /// The id that a trusted proxy gives in the header `X-Request-Id`, unless it could be taken for anything else in a line of
    /// the log.
    pub fn given(value: &[u8]) -> Option<Self> {
        let is_sane = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        let fits = (1..=GIVEN_CHARACTERS).contains(&value.len()) && value.iter().all(is_sane);
        let text = std::str::from_utf8(value).ok().filter(|_| fits)?;
        Some(Self(Source::Given(text.into())))
    }

    /// That of the request on whose way this is asked.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Self::clone).ok()
    }

    /// The current one, else a new one.
    pub fn current_or_new() -> Self {
        Self::current().unwrap_or_default()
    }

    /// Makes it the current one of all that this future does, except in tasks that it spawns.
    pub fn scope<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, future)
    }
}

impl Default for RequestId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Own(number) => write!(f, "{number:016x}"),
            Source::Given(text) => f.write_str(text),
        }
    }
}

/// Another number for each number, and no order to be seen in them: the last step of SplitMix64.
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_are_alike() {
        let ids: HashSet<String> = (0..10_000).map(|_| RequestId::new().to_string()).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| id.len() == 16));
    }

    #[test]
    fn what_a_proxy_gives_is_taken_if_it_is_a_word() {
        for text in ["a", "7f3c_2.b-1", &"a".repeat(64)] {
            assert_eq!(RequestId::given(text.as_bytes()).unwrap().to_string(), text);
        }
        for text in ["", "a b", "a\"}", "a\nb", "ä", &"a".repeat(65)] {
            assert_eq!(RequestId::given(text.as_bytes()), None, "{text}");
        }
    }

    #[tokio::test]
    async fn it_goes_with_the_task() {
        assert_eq!(RequestId::current(), None);
        let (one, two) = (RequestId::new(), RequestId::new());
        let seen = |id: &RequestId| {
            id.clone().scope(async {
                tokio::task::yield_now().await;
                RequestId::current()
            })
        };
        let (first, second) = tokio::join!(seen(&one), seen(&two));
        assert_eq!((first, second), (Some(one), Some(two)));
        assert_eq!(RequestId::current(), None);
    }
}
