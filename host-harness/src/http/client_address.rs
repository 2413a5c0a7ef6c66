//! Who a client is, behind a reverse proxy: what a proxy says is believed only of a proxy that the owner trusts.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use http::header::{FORWARDED, HeaderName};
use ipnet::IpNet;
use serde::Deserialize;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Which header the owner's proxy writes. The other one may come from the client through a proxy that does not know
/// it, so it is not looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// The usual one.
    #[default]
    XForwardedFor,
    /// The standard one (RFC 7239).
    Forwarded,
}

/// The proxies in front of the harness.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Proxies {
    /// Addresses and networks of proxies that are believed; none by default.
    #[serde(deserialize_with = "networks")]
    pub trusted: Vec<IpNet>,
    /// What they write.
    pub header: ForwardedHeader,
}

impl Proxies {
    /// The client of a request: the socket's other end, or, if that is a trusted proxy, the last address before the
    /// trusted ones. What stands further left was written by somebody unknown.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if !self.trusts(client) {
            return client;
        }
        let name = match self.header {
            ForwardedHeader::XForwardedFor => X_FORWARDED_FOR,
            ForwardedHeader::Forwarded => FORWARDED,
        };
        let values: Vec<&str> = headers
            .get_all(name)
            .into_iter()
            .map(|value| value.to_str().unwrap_or_default())
            .collect();
        for hop in values.iter().rev().flat_map(|value| value.rsplit(',')) {
            let address = match self.header {
                ForwardedHeader::XForwardedFor => address(hop),
                ForwardedHeader::Forwarded => hop.split(';').find_map(forwarded_for),
            };
            // An unknown or obfuscated hop: the proxy that wrote it is the last that is known.
            let Some(address) = address else { break };
            client = address;
            if !self.trusts(client) {
                break;
            }
        }
        client
    }

    /// Whether an address is a proxy's that is believed.
    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|network| network.contains(&address))
    }
}

/// The address of a pair like `for="[2001:db8::1]:4711"`.
fn forwarded_for(pair: &str) -> Option<IpAddr> {
    let (name, value) = pair.trim().split_once('=')?;
    name.eq_ignore_ascii_case("for")
        .then(|| address(value.trim_matches('"')))
        .flatten()
}

/// An address, with or without a port and brackets.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = || text.trim_start_matches('[').trim_end_matches(']').parse().ok();
    let with_port = || text.parse().ok().map(|socket: SocketAddr| socket.ip());
    bare().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

/// Networks, or addresses as networks of one.
fn networks<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts
        .iter()
        .map(|text| network(text).map_err(serde::de::Error::custom))
        .collect()
}

/// A network such as `10.0.0.0/8`, or an address.
///
/// # Errors
/// When it is neither; the sentence names it.
pub fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse().ok().map(|address: IpAddr| IpNet::from(address));
    text.parse()
        .ok()
        .or_else(address)
        .ok_or_else(|| format!("`{text}` is neither an address nor a network like 10.0.0.0/8"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn client(header: ForwardedHeader, peer: &str, headers: &[(&str, &str)]) -> String {
        let trusted = ["127.0.0.1", "10.0.0.0/8", "::1"]
            .map(|text| network(text).unwrap())
            .to_vec();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        Proxies { trusted, header }
            .client(peer.parse().unwrap(), &map)
            .to_string()
    }

    #[test]
    fn what_a_stranger_says_of_itself_is_not_believed() {
        for header in [ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded] {
            let forged = [("x-forwarded-for", "1.1.1.1"), ("forwarded", "for=1.1.1.1")];
            assert_eq!(client(header, "203.0.113.9", &forged), "203.0.113.9");
        }
    }

    #[test]
    fn the_last_address_before_the_trusted_proxies_is_the_client() {
        let x = |value| {
            client(
                ForwardedHeader::XForwardedFor,
                "127.0.0.1",
                &[("x-forwarded-for", value)],
            )
        };
        assert_eq!(x("203.0.113.9"), "203.0.113.9");
        assert_eq!(x("1.1.1.1, 203.0.113.9, 10.1.2.3"), "203.0.113.9");
        assert_eq!(x("203.0.113.9:4711"), "203.0.113.9");
        assert_eq!(x("2001:db8::1"), "2001:db8::1");
        assert_eq!(x("1.1.1.1, rubbish"), "127.0.0.1");
        let two = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "203.0.113.9")];
        assert_eq!(
            client(ForwardedHeader::XForwardedFor, "::ffff:127.0.0.1", &two),
            "203.0.113.9"
        );
    }

    #[test]
    fn only_the_configured_header_counts() {
        let both = [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=1.1.1.1")];
        assert_eq!(
            client(ForwardedHeader::XForwardedFor, "127.0.0.1", &both),
            "203.0.113.9"
        );
        assert_eq!(client(ForwardedHeader::Forwarded, "127.0.0.1", &both), "1.1.1.1");
        assert_eq!(
            client(
                ForwardedHeader::XForwardedFor,
                "127.0.0.1",
                &[("forwarded", "for=1.1.1.1")]
            ),
            "127.0.0.1"
        );
    }

    #[test]
    fn the_standard_header_is_read_as_its_rfc_says() {
        let f = |value| client(ForwardedHeader::Forwarded, "127.0.0.1", &[("forwarded", value)]);
        assert_eq!(f("for=192.0.2.60;proto=http;by=203.0.113.43"), "192.0.2.60");
        assert_eq!(f(r#"For="[2001:db8:cafe::17]:4711""#), "2001:db8:cafe::17");
        assert_eq!(f("for=1.1.1.1, for=192.0.2.43"), "192.0.2.43");
        assert_eq!(f("for=_hidden"), "127.0.0.1");
    }
}

#[cfg(test)]
mod properties {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    /// Proxies on 10.0.0.0/8, and what one of them writes on the way from `hops`, the client first.
    fn client(header: ForwardedHeader, peer: IpAddr, value: &[u8]) -> IpAddr {
        let trusted = vec![network("10.0.0.0/8").unwrap()];
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.insert(X_FORWARDED_FOR, value.clone());
            headers.insert(FORWARDED, value);
        }
        Proxies { trusted, header }.client(peer, &headers)
    }

    fn written(header: ForwardedHeader, hops: &[IpAddr]) -> String {
        let hops = hops.iter().map(|hop| match (header, hop) {
            (ForwardedHeader::XForwardedFor, hop) => hop.to_string(),
            (ForwardedHeader::Forwarded, IpAddr::V4(hop)) => format!("for={hop};proto=https"),
            (ForwardedHeader::Forwarded, IpAddr::V6(hop)) => format!("for=\"[{hop}]:80\""),
        });
        hops.collect::<Vec<_>>().join(", ")
    }

    fn header() -> impl Strategy<Value = ForwardedHeader> {
        prop::sample::select(vec![ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded])
    }

    fn stranger() -> impl Strategy<Value = IpAddr> {
        any::<IpAddr>().prop_filter("a proxy", |address| {
            !address.to_canonical().to_string().starts_with("10.")
        })
    }

    proptest! {
        #[test]
        fn a_stranger_is_who_it_is_whatever_it_sends(
            header in header(), peer in stranger(), value in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            prop_assert_eq!(client(header, peer, &value), peer.to_canonical());
        }

        #[test]
        fn behind_proxies_the_last_stranger_is_the_client_whatever_it_wrote(
            header in header(),
            forged in "[ -~]{0,30}",
            visitor in stranger(),
            proxies in prop::collection::vec(any::<[u8; 3]>(), 1..4),
        ) {
            let proxies: Vec<IpAddr> = proxies.into_iter().map(|[a, b, c]| IpAddr::from([10, a, b, c])).collect();
            let (peer, others) = proxies.split_first().unwrap();
            let hops = [&[visitor], others].concat();
            let value = format!("{forged},{}", written(header, &hops));
            prop_assert_eq!(client(header, *peer, value.as_bytes()), visitor.to_canonical());
        }
    }
}
