//! The public address of the chat: what invite links begin with, and what a browser must say that it comes from.

use std::net::IpAddr;

/// A public address: scheme and authority, no path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BaseUrl {
    text: String,
    authority_at: usize,
}

impl BaseUrl {
    /// The address of a chat that nobody has made public.
    pub(crate) fn local(port: u16) -> Self {
        let scheme = "http://";
        Self {
            text: format!("{scheme}localhost:{port}"),
            authority_at: scheme.len(),
        }
    }

    /// Accepts an http or https address without a path.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim_end_matches('/').to_ascii_lowercase();
        let authority_at = ["http://", "https://"]
            .iter()
            .find(|scheme| text.starts_with(**scheme))?
            .len();
        let authority = text.get(authority_at..)?;
        let plain = authority
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']'));
        (plain && !authority.is_empty() && !authority.starts_with(':')).then_some(Self { text, authority_at })
    }

    /// The address, without a slash at the end.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Host and port as a browser puts them into `Host`.
    pub(crate) fn authority(&self) -> &str {
        self.text.get(self.authority_at..).unwrap_or_default()
    }

    /// Whether cookies may be marked `Secure`.
    pub(crate) fn is_https(&self) -> bool {
        self.text.starts_with("https://")
    }

    /// Whether the address leads nowhere from another machine.
    pub(crate) fn is_local(&self) -> bool {
        let authority = self.authority();
        let host = match authority.strip_prefix('[') {
            Some(rest) => rest.split_once(']').map_or(rest, |(host, _)| host),
            None => authority.split_once(':').map_or(authority, |(host, _)| host),
        };
        host == "localhost"
            || host.ends_with(".localhost")
            || host
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback() || address.is_unspecified())
    }

    /// The link that redeems a code.
    pub(crate) fn invite_link(&self, code: &str) -> String {
        format!("{}/chat?invite={code}", self.text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn loopback_addresses_are_local() {
        for (url, local) in [
            ("http://127.0.0.1:3001", true),
            ("http://[::1]:3001", true),
            ("http://chat.localhost", true),
            ("http://0.0.0.0:1", true),
            ("http://192.168.1.4:3001", false),
            ("https://localhost.example.com", false),
        ] {
            assert_eq!(BaseUrl::parse(url).unwrap().is_local(), local, "{url}");
        }
    }
}
