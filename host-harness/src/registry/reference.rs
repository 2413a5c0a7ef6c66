//! How a component in a registry is named: `oci://REGISTRY/NAME[:TAG]@sha256:DIGEST`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use crate::pin::sha256;

/// What a reference begins with.
const SCHEME: &str = "oci://";

/// Bytes of a name, as most registries have it.
const NAME_BYTES: usize = 255;

/// Bytes of a tag, as the specification has it.
const TAG_BYTES: usize = 128;

/// The SHA-256 of something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest(String);

/// A component in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    registry: String,
    name: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no reference to a component: {what}. Give it as oci://REGISTRY/NAME@sha256:DIGEST")]
pub struct ReferenceError {
    text: String,
    what: &'static str,
}

impl Digest {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha256(bytes))
    }

    /// Whether it is of these bytes.
    pub fn is_of(&self, bytes: &[u8]) -> bool {
        sha256(bytes) == self.0
    }

    /// In hexadecimal, 64 digits.
    pub fn hex(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

impl FromStr for Digest {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let hex = text.strip_prefix("sha256:").ok_or("its digest is not one of sha256")?;
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        match hex.len() == 64 && hex.bytes().all(is_hex) {
            true => Ok(Self(hex.to_owned())),
            false => Err("its digest is not 64 digits of 0-9 and a-f"),
        }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Reference {
    /// Whether a text is meant as a reference, and not as a file's path.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// The registry, a host with its port if it has one.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The name within the registry.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The same with the digest of what it is.
    pub fn with(&self, digest: Digest) -> Self {
        Self {
            digest: Some(digest),
            ..self.clone()
        }
    }

    /// What it is called where nothing says what it is.
    pub fn tag(&self) -> &str {
        self.tag.as_deref().unwrap_or("latest")
    }

    /// Whether the registry is on this machine, and so is asked without TLS.
    pub fn is_local(&self) -> bool {
        is_local(host(&self.registry))
    }

    /// The address of what a path names in the repository.
    pub(super) fn url(&self, path: &str) -> String {
        let scheme = if self.is_local() { "http" } else { "https" };
        // What everybody calls so answers elsewhere.
        let registry = match self.registry.as_str() {
            "docker.io" => "registry-1.docker.io",
            registry => registry,
        };
        format!("{scheme}://{registry}/v2/{}/{path}", self.name)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.registry, self.name)?;
        self.tag.iter().try_for_each(|tag| write!(f, ":{tag}"))?;
        self.digest.iter().try_for_each(|digest| write!(f, "@{digest}"))
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        parse(text).map_err(|what| ReferenceError {
            text: text.to_owned(),
            what,
        })
    }
}

fn parse(text: &str) -> Result<Reference, &'static str> {
    let rest = text.strip_prefix(SCHEME).ok_or("it does not begin with oci://")?;
    let (registry, rest) = rest.split_once('/').ok_or("it has no name behind the registry")?;
    let (rest, digest) = match rest.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest.parse()?)),
        None => (rest, None),
    };
    let (name, tag) = match rest.split_once(':') {
        Some((name, tag)) => (name, Some(tag)),
        None => (rest, None),
    };
    let authority: Option<http::uri::Authority> = registry.parse().ok();
    if !authority.is_some_and(|authority| !authority.host().is_empty() && !registry.contains('@')) {
        return Err("its registry is no host");
    }
    if name.len() > NAME_BYTES || !name.split('/').all(is_name_part) {
        return Err("its name is not made of parts of a-z, 0-9 and single separators . _ -");
    }
    if tag.is_some_and(|tag| !is_tag(tag)) {
        return Err("its tag is not made of A-Z, a-z, 0-9 and . _ -");
    }
    Ok(Reference {
        registry: registry.to_owned(),
        name: name.to_owned(),
        tag: tag.map(str::to_owned),
        digest,
    })
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_name_part(part: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends_plain = part.bytes().next().is_some_and(is_plain) && part.bytes().next_back().is_some_and(is_plain);
    let mut separators = part.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let is_separator = |text: &str| matches!(text, "" | "." | "_" | "__") || text.bytes().all(|byte| byte == b'-');
    ends_plain && separators.all(is_separator)
}

/// `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`
fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= TAG_BYTES
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'))
}

/// A host without its port.
fn host(registry: &str) -> &str {
    match registry.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => registry,
    }
}

/// Whether a host is this machine.
pub(super) fn is_local(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn a_reference_is_shown_as_it_was_given() {
        let digest = format!("sha256:{HEX}");
        for text in [
            format!("oci://ghcr.io/owner/plugin@{digest}"),
            format!("oci://ghcr.io/owner/plugin:1.0.0@{digest}"),
            format!("oci://localhost:5000/a@{digest}"),
            format!("oci://[::1]:5000/a__b/c--d.e@{digest}"),
            "oci://registry.example/plugin:latest".to_owned(),
        ] {
            let reference: Reference = text.parse().unwrap();
            assert_eq!(reference.to_string(), text);
            assert_eq!(reference.digest().is_some(), text.contains('@'));
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, what) in [
            ("oci://ghcr.io", "no name"),
            ("oci:///name", "no host"),
            ("oci://me:secret@ghcr.io/name", "no host"),
            ("oci://gh cr.io/name", "no host"),
            ("oci://ghcr.io/", "its name"),
            ("oci://ghcr.io/Name", "its name"),
            ("oci://ghcr.io/a//b", "its name"),
            ("oci://ghcr.io/../etc", "its name"),
            ("oci://ghcr.io/a..b", "its name"),
            ("oci://ghcr.io/a?b", "its name"),
            ("oci://ghcr.io/a:", "its tag"),
            ("oci://ghcr.io/a:b/c", "its tag"),
            ("oci://ghcr.io/a@", "sha256"),
            ("oci://ghcr.io/a@md5:0", "sha256"),
            ("oci://ghcr.io/a@sha256:00", "64 digits"),
            (&format!("oci://ghcr.io/a@sha256:{}", HEX.to_uppercase()), "64 digits"),
        ] {
            let error = text.parse::<Reference>().unwrap_err().to_string();
            assert!(error.contains(what) && error.contains("oci://REGISTRY/NAME"), "{error}");
        }
    }

    #[test]
    fn only_this_machine_is_asked_without_tls() {
        for (registry, base) in [
            ("localhost:5000", "http://localhost:5000"),
            ("127.0.0.9", "http://127.0.0.9"),
            ("[::1]:5000", "http://[::1]:5000"),
            ("ghcr.io", "https://ghcr.io"),
            ("localhost.example.org:5000", "https://localhost.example.org:5000"),
            ("192.168.1.2:5000", "https://192.168.1.2:5000"),
            ("docker.io", "https://registry-1.docker.io"),
        ] {
            let reference: Reference = format!("oci://{registry}/a/b").parse().unwrap();
            assert_eq!(reference.url("blobs/x"), format!("{base}/v2/a/b/blobs/x"));
        }
    }
}
