//! How many connections there may be, in all and of one address. One too many is closed at once.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// The places for connections.
#[derive(Debug, Clone)]
pub(super) struct Places {
    most: usize,
    most_per_address: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One connection's place, free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    address: Option<IpAddr>,
    taken: Arc<Mutex<Taken>>,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoPlace {
    #[error("as many connections as there may be are open")]
    Full,
    #[error("one address has as many connections as it may have")]
    FullForAddress,
}

impl Places {
    /// Places for so many connections, and for so many of one address.
    pub(super) fn new(most: usize, most_per_address: usize) -> Self {
        Self {
            most,
            most_per_address,
            taken: Arc::default(),
        }
    }

    /// A place for a connection from `peer`; a proxy's are bounded together with all others only.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn take(&self, peer: IpAddr, is_proxy: bool) -> Result<Place, NoPlace> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.most {
            return Err(NoPlace::Full);
        }
        let address = (!is_proxy).then(|| customer(peer));
        if let Some(address) = address {
            let of_address = taken.by_address.entry(address).or_default();
            if *of_address >= self.most_per_address {
                return Err(NoPlace::FullForAddress);
            }
            *of_address += 1;
        }
        taken.all += 1;
        Ok(Place {
            address,
            taken: Arc::clone(&self.taken),
        })
    }

    /// Places that are taken.
    pub(super) fn taken(&self) -> usize {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).all
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        let Some(address) = self.address else { return };
        if let Some(of_address) = taken.by_address.get_mut(&address) {
            *of_address = of_address.saturating_sub(1);
            if *of_address == 0 {
                taken.by_address.remove(&address);
            }
        }
    }
}

/// What one customer of a provider has: an address of IPv4, a /64 of IPv6.
fn customer(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn take(places: &Places, peer: &str) -> Result<Place, NoPlace> {
        places.take(peer.parse().unwrap(), false)
    }

    #[test]
    fn one_address_cannot_take_all_places_and_gives_them_back() {
        let places = Places::new(3, 2);
        let first = take(&places, "192.0.2.1").unwrap();
        let _mapped = take(&places, "::ffff:192.0.2.1").unwrap();
        assert_eq!(take(&places, "192.0.2.1").unwrap_err(), NoPlace::FullForAddress);
        let _other = take(&places, "192.0.2.2").unwrap();
        assert_eq!(take(&places, "192.0.2.3").unwrap_err(), NoPlace::Full);
        drop(first);
        let _again = take(&places, "192.0.2.1").unwrap();
    }

    #[test]
    fn a_network_of_ipv6_is_one_customer() {
        let places = Places::new(9, 1);
        let _first = take(&places, "2001:db8:0:1::1").unwrap();
        assert_eq!(
            take(&places, "2001:db8:0:1:ff::2").unwrap_err(),
            NoPlace::FullForAddress
        );
        let _other = take(&places, "2001:db8:0:2::1").unwrap();
    }

    #[test]
    fn a_proxy_has_the_connections_of_many() {
        let places = Places::new(2, 1);
        let proxy = "10.0.0.1".parse().unwrap();
        let _places = [places.take(proxy, true).unwrap(), places.take(proxy, true).unwrap()];
        assert_eq!(places.take(proxy, true).unwrap_err(), NoPlace::Full);
    }
}
