//! The public address of the chat: what invite links begin with, what a browser must say that it comes from, and the path below
//! which the chat is where several share one host name. Whoever passes requests on takes that path off them, so that it is
//! needed only for what leads a browser back here.

use std::net::IpAddr;

/// A public address: scheme, authority and perhaps a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BaseUrl {
    text: String,
    authority_at: usize,
    path_at: usize,
}

impl BaseUrl {
    /// The address of a chat that nobody has made public.
    pub(crate) fn local(port: u16) -> Self {
        let scheme = "http://";
        let text = format!("{scheme}localhost:{port}");
        Self {
            authority_at: scheme.len(),
            path_at: text.len(),
            text,
        }
    }

    /// Accepts an http or https address whose path, if it has one, is of plain segments: nothing in them is written in two
    /// ways, so that cookies, links and whoever passes requests on mean the same.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim_end_matches('/');
        let (scheme, rest) = text.split_once("://")?;
        let authority_at = scheme.len() + "://".len();
        let path_at = rest.find('/').map_or(text.len(), |at| authority_at + at);
        let (origin, path) = text.split_at_checked(path_at)?;
        let origin = origin.to_ascii_lowercase();
        let authority = origin.get(authority_at..)?;
        let fits = (origin.starts_with("http://") || origin.starts_with("https://"))
            && authority
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']'))
            && !authority.is_empty()
            && !authority.starts_with(':')
            && path.split('/').skip(1).all(is_plain);
        fits.then(|| Self {
            text: format!("{origin}{path}"),
            authority_at,
            path_at,
        })
    }

    /// The address, without a slash at the end.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The address without its path, as a browser puts it into `Origin`.
    pub(crate) fn origin(&self) -> &str {
        self.text.get(..self.path_at).unwrap_or_default()
    }

    /// Host and port as a browser puts them into `Host`.
    pub(crate) fn authority(&self) -> &str {
        self.text.get(self.authority_at..self.path_at).unwrap_or_default()
    }

    /// The path as `/anna`; empty at the root.
    pub(crate) fn path(&self) -> &str {
        self.text.get(self.path_at..).unwrap_or_default()
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

/// Whether a segment of a path has only characters that are never percent-encoded (RFC 3986, section 2.3), and is itself.
fn is_plain(segment: &str) -> bool {
    !matches!(segment, "" | "." | "..")
        && segment
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~'))
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
            ("http://localhost:3001/anna", true),
            ("https://example.com/localhost", false),
        ] {
            assert_eq!(BaseUrl::parse(url).unwrap().is_local(), local, "{url}");
        }
    }

    #[test]
    fn an_address_is_taken_apart() {
        for (url, origin, path) in [
            ("http://localhost:3001", "http://localhost:3001", ""),
            ("HTTPS://Chat.Example.org/", "https://chat.example.org", ""),
            ("https://Chat.Example.org/Anna/", "https://chat.example.org", "/Anna"),
            ("http://[::1]:80/a.b/~c-d_e//", "http://[::1]:80", "/a.b/~c-d_e"),
            ("https://a/..b", "https://a", "/..b"),
        ] {
            let base_url = BaseUrl::parse(url).unwrap();
            assert_eq!((base_url.origin(), base_url.path()), (origin, path), "{url}");
            assert_eq!(base_url.as_str(), format!("{origin}{path}"));
            assert_eq!(origin.split_once("://").unwrap().1, base_url.authority());
            assert_eq!(base_url.invite_link("A-B"), format!("{origin}{path}/chat?invite=A-B"));
        }
        assert_eq!(BaseUrl::local(3001).path(), "");
        assert_eq!(Some(BaseUrl::local(3001)), BaseUrl::parse("http://localhost:3001"));
    }

    #[test]
    fn what_could_be_written_otherwise_is_no_path() {
        for path in [
            "a//b", "/a", ".", "..", "a/..", "a/./b", "a%2Fb", "a%2e", "%61", "a b", "a?b", "a#b", "a;b", "a\\b", "ä",
        ] {
            assert_eq!(BaseUrl::parse(&format!("https://example.com/{path}")), None, "{path}");
        }
        assert_eq!(BaseUrl::parse("https://example.com?a"), None);
        assert_eq!(BaseUrl::parse("https://example.com#a"), None);
    }
}
