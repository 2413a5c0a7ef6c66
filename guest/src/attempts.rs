//! How often codes may be tried: wrong ones are answered ever more slowly, for each address and for all together. A code
//! has 60 bits; what is left to a guesser here is a few thousand tries a day.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

/// Wrong codes that cost nothing: a person mistypes.
const FREE: u32 = 5;
/// The pause after the first wrong code beyond that; it doubles with each further one.
const FIRST_PAUSE_MS: i64 = 1_000;
/// The longest pause: a person who has come to it asks for a new invite meanwhile.
const LONGEST_PAUSE_MS: i64 = 15 * 60_000;
/// An address without a wrong code for this long begins anew.
const FORGET_MS: i64 = 60 * 60_000;
/// Addresses remembered. Whoever has more of them meets the bound for all together.
const MAX_ADDRESSES: usize = 4_096;
/// Wrong codes of all addresses together in a minute. Friends who join at the same time mistype less.
const MAX_A_MINUTE: u32 = 120;
const MINUTE_MS: i64 = 60_000;

/// Wrong codes of late.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    by_address: BTreeMap<Address, Failures>,
    minute_began_ms: i64,
    in_this_minute: u32,
    tidied_ms: i64,
}

/// Who tries: an IPv4 address, or an IPv6 network of one subscriber. `None` where the host does not say.
type Address = Option<IpAddr>;

#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    count: u32,
    last_ms: i64,
}

/// Not now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many wrong codes")]
pub(crate) struct TooMany {
    /// Milliseconds after which the next try is looked at.
    pub(crate) retry_after_ms: u32,
}

impl Attempts {
    /// Whether a code of this client is looked at now. One that is not costs nothing and tells nothing.
    pub(crate) fn check(&mut self, client: &str, now_ms: i64) -> Result<(), TooMany> {
        let address = address(client);
        // Of a clock that was set back nobody knows how long it has been: a pause begins anew.
        self.minute_began_ms = self.minute_began_ms.min(now_ms);
        if let Some(failures) = self.by_address.get_mut(&address) {
            failures.last_ms = failures.last_ms.min(now_ms);
            wait(failures.last_ms.saturating_add(failures.pause_ms()), now_ms)?;
        }
        if self.in_this_minute >= MAX_A_MINUTE {
            wait(self.minute_began_ms.saturating_add(MINUTE_MS), now_ms)?;
        }
        Ok(())
    }

    /// Notes a wrong code.
    pub(crate) fn failed(&mut self, client: &str, now_ms: i64) {
        if now_ms.saturating_sub(self.minute_began_ms) >= MINUTE_MS {
            (self.minute_began_ms, self.in_this_minute) = (now_ms, 0);
        }
        self.in_this_minute = self.in_this_minute.saturating_add(1);
        let address = address(client);
        if self.by_address.len() >= MAX_ADDRESSES && !self.by_address.contains_key(&address) {
            // Looked through once a minute: whoever fills it should not have each of their tries cost that.
            if now_ms.saturating_sub(self.tidied_ms).saturating_abs() >= MINUTE_MS {
                self.tidied_ms = now_ms;
                self.by_address.retain(|_, failures| !failures.is_forgotten(now_ms));
            }
            if self.by_address.len() >= MAX_ADDRESSES {
                return;
            }
        }
        let failures = self.by_address.entry(address).or_default();
        if failures.is_forgotten(now_ms) {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last_ms = now_ms;
    }

    /// Forgets the wrong codes of a client who had a right one.
    pub(crate) fn succeeded(&mut self, client: &str) {
        self.by_address.remove(&address(client));
    }
}

impl Failures {
    fn pause_ms(self) -> i64 {
        let Some(beyond) = self.count.checked_sub(FREE) else {
            return 0;
        };
        FIRST_PAUSE_MS
            .saturating_mul(2_i64.saturating_pow(beyond))
            .min(LONGEST_PAUSE_MS)
    }

    fn is_forgotten(self, now_ms: i64) -> bool {
        now_ms.saturating_sub(self.last_ms).saturating_abs() >= FORGET_MS
    }
}

fn wait(until_ms: i64, now_ms: i64) -> Result<(), TooMany> {
    match u32::try_from(until_ms.saturating_sub(now_ms)) {
        Ok(retry_after_ms) if retry_after_ms > 0 => Err(TooMany { retry_after_ms }),
        _ => Ok(()),
    }
}

fn address(client: &str) -> Address {
    match client.parse().ok().map(|address: IpAddr| address.to_canonical())? {
        IpAddr::V4(address) => Some(IpAddr::V4(address)),
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            Some(IpAddr::V6(Ipv6Addr::from(network)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(attempts: &mut Attempts, client: &str, now_ms: i64, times: u32) {
        for _ in 0..times {
            attempts.failed(client, now_ms);
        }
    }

    #[test]
    fn a_few_mistakes_are_free_and_then_pauses_grow() {
        let mut attempts = Attempts::default();
        fail(&mut attempts, "192.0.2.1", 0, FREE - 1);
        assert_eq!(attempts.check("192.0.2.1", 0), Ok(()));
        for pause in [1_000, 2_000, 4_000] {
            attempts.failed("192.0.2.1", 0);
            assert_eq!(attempts.check("192.0.2.1", 0), Err(TooMany { retry_after_ms: pause }));
            assert_eq!(attempts.check("192.0.2.1", i64::from(pause)), Ok(()));
        }
        fail(&mut attempts, "192.0.2.1", 0, 100);
        assert_eq!(attempts.check("192.0.2.1", LONGEST_PAUSE_MS), Ok(()));
        assert_eq!(attempts.check("192.0.2.2", 0), Ok(()));
    }

    #[test]
    fn success_and_time_forgive() {
        let mut attempts = Attempts::default();
        fail(&mut attempts, "192.0.2.1", 0, FREE);
        attempts.succeeded("192.0.2.1");
        assert_eq!(attempts.check("192.0.2.1", 0), Ok(()));
        fail(&mut attempts, "192.0.2.1", 0, 50);
        attempts.failed("192.0.2.1", FORGET_MS);
        assert_eq!(attempts.check("192.0.2.1", FORGET_MS), Ok(()));
    }

    #[test]
    fn a_clock_set_back_keeps_nobody_out_for_long() {
        let mut attempts = Attempts::default();
        let late = 1_000_000_000;
        fail(&mut attempts, "192.0.2.1", late, FREE);
        fail(&mut attempts, "192.0.2.2", late, MAX_A_MINUTE);
        assert!(attempts.check("192.0.2.2", 0).is_err());
        assert_eq!(attempts.check("192.0.2.1", 0), Err(TooMany { retry_after_ms: 1_000 }));
        assert_eq!(
            attempts.check("192.0.2.1", 1_000),
            Err(TooMany { retry_after_ms: 59_000 })
        );
        assert_eq!(attempts.check("192.0.2.1", MINUTE_MS), Ok(()));
        attempts.failed("192.0.2.1", MINUTE_MS);
        assert_eq!(attempts.check("192.0.2.3", MINUTE_MS), Ok(()));
        assert_eq!(attempts.check("192.0.2.2", LONGEST_PAUSE_MS), Ok(()));
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let mut attempts = Attempts::default();
        fail(&mut attempts, "2001:db8:1:2::1", 0, FREE);
        assert!(attempts.check("2001:db8:1:2:ffff::9", 0).is_err());
        assert_eq!(attempts.check("2001:db8:1:3::1", 0), Ok(()));
    }

    #[test]
    fn many_addresses_meet_the_bound_for_all_and_cost_bounded_memory() {
        let mut attempts = Attempts::default();
        for number in 0..100_000_u32 {
            attempts.failed(&std::net::Ipv4Addr::from(number).to_string(), 0);
        }
        assert_eq!(attempts.by_address.len(), MAX_ADDRESSES);
        assert_eq!(
            attempts.check("203.0.113.9", 1),
            Err(TooMany { retry_after_ms: 59_999 })
        );
        assert_eq!(attempts.check("203.0.113.9", MINUTE_MS), Ok(()));
    }
}
