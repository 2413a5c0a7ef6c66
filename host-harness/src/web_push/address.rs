//! Where a push service may be. Its address is a friend's to choose, so it must not lead this machine to itself or into
//! its own network: neither as it is written, nor as it is resolved when it is used.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Ends of names that no public push service has (RFC 6761, RFC 6762, RFC 8375 and a cloud's own).
const PRIVATE_NAMES: [&str; 5] = [".localhost", ".local", ".internal", ".home.arpa", ".lan"];

/// Why an endpoint is refused, in a sentence for who gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("endpoint must be an https address")]
    NotHttps,
    #[error("endpoint must be a public address: this one leads into a private network")]
    NotPublic,
}

/// The address of an endpoint. `allowed` are addresses that may be private and without TLS.
pub(super) fn parse(endpoint: &str, allowed: &[SocketAddr]) -> Result<Url, Refusal> {
    let url: Url = endpoint.parse().map_err(|_| Refusal::NotHttps)?;
    let is_plain = url.username().is_empty() && url.password().is_none();
    let host = url.host_str().filter(|_| is_plain).ok_or(Refusal::NotHttps)?;
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    let is_allowed = address.is_some_and(|address| {
        let port = url.port_or_known_default().unwrap_or_default();
        allowed.contains(&SocketAddr::new(address, port))
    });
    match url.scheme() {
        "http" | "https" if is_allowed => return Ok(url),
        "https" => {}
        _ => return Err(Refusal::NotHttps),
    }
    let is_public = match address {
        Some(address) => is_public(address),
        None => {
            let name = host.trim_end_matches('.');
            name.contains('.') && !PRIVATE_NAMES.iter().any(|end| name.ends_with(end))
        }
    };
    if is_public { Ok(url) } else { Err(Refusal::NotPublic) }
}

/// Whether an address is of the public internet (IANA's special-purpose registries say which are not).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => is_public_v4(address),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation();
    // This network, shared address space, protocol assignments, benchmarks, and what is reserved.
    let is_reserved = matches!(
        address.octets(),
        [0, ..] | [100, 64..=127, ..] | [192, 0, 0, _] | [198, 18..=19, ..] | [240..=255, ..]
    );
    !is_special && !is_reserved
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    // Global unicast, without protocol assignments, documentation, and what carries an IPv4 address inside.
    match address.segments() {
        [0x2001, 0..=0x01ff, ..] | [0x2001, 0x0db8, ..] | [0x2002, ..] | [0x3fff, 0..=0x0fff, ..] => false,
        [first, ..] => matches!(first, 0x2000..=0x3fff),
    }
}

/// Resolves names to public addresses only. A connection is made to what it gives and to nothing else, so that a name
/// cannot lead elsewhere between the look and the use.
#[derive(Debug)]
pub(super) struct PublicResolver;

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(Refusal::NotPublic.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn public_https_addresses_are_taken() {
        for endpoint in [
            "https://fcm.googleapis.com/fcm/send/abc:def",
            "https://updates.push.services.mozilla.com/wpush/v2/abc",
            "https://web.push.apple.com/abc",
            "https://93.184.215.14/x",
            "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]:8443/x",
        ] {
            assert!(parse(endpoint, &[]).is_ok(), "{endpoint}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for endpoint in [
            "",
            "push",
            "http://push.example.com/x",
            "ftp://push.example.com/",
            "https://me:pw@push.example.com/",
        ] {
            assert_eq!(parse(endpoint, &[]), Err(Refusal::NotHttps), "{endpoint}");
        }
        for host in [
            "localhost",
            "localhost.",
            "chat.localhost",
            "router",
            "nas.local",
            "metadata.google.internal",
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:a00:1]",
            "[fe80::1]",
            "[fd00:ec2::254]",
            "[ff02::1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "[2001:db8::1]",
        ] {
            let endpoint = format!("https://{host}/x");
            assert_eq!(parse(&endpoint, &[]), Err(Refusal::NotPublic), "{endpoint}");
        }
    }

    #[test]
    fn what_is_allowed_is_one_address_with_its_port() {
        let allowed = ["127.0.0.1:9000".parse().unwrap()];
        assert!(parse("http://127.0.0.1:9000/x", &allowed).is_ok());
        for endpoint in [
            "http://127.0.0.1:9001/x",
            "https://127.0.0.1/x",
            "http://localhost:9000/x",
            "http://[::1]:9000/x",
        ] {
            assert!(parse(endpoint, &allowed).is_err(), "{endpoint}");
        }
    }
}
