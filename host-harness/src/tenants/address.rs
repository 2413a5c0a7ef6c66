//! Where a tenant's chat is: a host name, or a path of one.

use http::uri::Authority;
use http::{Request, Uri};

/// Segments of a path that may tell tenants apart. It bounds the look-ups of a request.
const SEGMENTS: usize = 3;

/// What a tenant's requests have in common. Ports say nothing: a proxy in front may have another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Address(String);

/// Why a URL is no address of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoAddress {
    #[error("it has no host")]
    NoHost,
    #[error("its path has more than {SEGMENTS} parts")]
    TooDeep,
}

impl Address {
    /// That of a base URL, which was checked.
    pub(crate) fn of(base_url: &str) -> Result<Self, NoAddress> {
        let url: Uri = base_url.parse().map_err(|_| NoAddress::NoHost)?;
        let host = url.host().filter(|host| !host.is_empty()).ok_or(NoAddress::NoHost)?;
        let path = url.path().trim_end_matches('/');
        if path.matches('/').count() > SEGMENTS {
            return Err(NoAddress::TooDeep);
        }
        Ok(Self(format!("{}{path}", host.to_ascii_lowercase())))
    }

    /// Where a request may belong, the longest path first, with the bytes of its path that are the address's.
    pub(crate) fn candidates<B>(request: &Request<B>) -> impl Iterator<Item = (Self, usize)> {
        let host = host(request).map(|host| host.to_ascii_lowercase()).unwrap_or_default();
        let path = request.uri().path();
        let slashes = path
            .bytes()
            .enumerate()
            .filter(|(_, byte)| *byte == b'/')
            .map(|(at, _)| at);
        let mut ends: Vec<usize> = slashes.chain([path.len()]).take(SEGMENTS + 1).collect();
        ends.dedup();
        ends.into_iter()
            .rev()
            .filter_map(move |end| Some((Self(format!("{host}{}", path.get(..end)?)), end)))
            .collect::<Vec<_>>()
            .into_iter()
    }
}

/// The host that a request names, without a port.
fn host<B>(request: &Request<B>) -> Option<String> {
    let value = request.headers().get(http::header::HOST)?.to_str().ok()?;
    let authority: Authority = value.parse().ok()?;
    Some(authority.host().to_owned())
}

/// The address that a request for a path without anything behind it means: with a slash, so that what is named there is found
/// below. None where there is one.
pub(crate) fn completed<B>(request: &Request<B>, prefix: usize) -> Option<String> {
    let uri = request.uri();
    let is_bare = prefix > 0 && uri.path().len() == prefix;
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    is_bare.then(|| format!("{}/{query}", uri.path()))
}

/// A request as the tenant's plugin sees it: without the bytes of its path that lead to the tenant.
pub(crate) fn below<B>(mut request: Request<B>, prefix: usize) -> Request<B> {
    if prefix == 0 {
        return request;
    }
    let mut parts = request.uri().clone().into_parts();
    let target = parts.path_and_query.as_ref().map_or("/", |target| target.as_str());
    parts.path_and_query = target.get(prefix..).and_then(|rest| rest.parse().ok());
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    request
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn request(host: &str, target: &str) -> Request<()> {
        Request::get(target).header("host", host).body(()).unwrap()
    }

    fn finds(base_url: &str, request: &Request<()>) -> Option<usize> {
        let address = Address::of(base_url).unwrap();
        Address::candidates(request).find_map(|(candidate, prefix)| (candidate == address).then_some(prefix))
    }

    #[test]
    fn a_host_is_found_by_its_name_alone() {
        for host in ["anna.example.org", "ANNA.example.org", "anna.example.org:3001"] {
            let request = request(host, "/api/chat?x=/a");
            assert_eq!(finds("https://anna.example.org", &request), Some(0), "{host}");
            assert_eq!(finds("http://anna.example.org:8080", &request), Some(0), "{host}");
            assert_eq!(finds("https://ben.example.org", &request), None, "{host}");
        }
        assert_eq!(finds("http://[::1]:3001", &request("[::1]:9", "/")), Some(0));
    }

    #[test]
    fn a_path_is_found_by_whole_parts_and_taken_away() {
        let url = "https://example.org/chats/anna";
        for (target, whole) in [("/chats/anna", "/chats/anna/"), ("/chats/anna?a=b", "/chats/anna/?a=b")] {
            let request = request("example.org", target);
            let prefix = finds(url, &request).unwrap();
            assert_eq!(completed(&request, prefix).unwrap(), whole);
        }
        for (target, seen) in [
            ("/chats/anna/", "/"),
            ("/chats/anna/?a=b", "/?a=b"),
            ("/chats/anna/api/chat?a=/b", "/api/chat?a=/b"),
        ] {
            let request = request("example.org", target);
            let prefix = finds(url, &request).unwrap();
            assert_eq!(completed(&request, prefix), None);
            assert_eq!(below(request, prefix).uri().path_and_query().unwrap().as_str(), seen);
        }
        for target in ["/chats/annabel", "/chats", "/", "/a/chats/anna", "/chats/anna%2F"] {
            assert_eq!(finds(url, &request("example.org", target)), None, "{target}");
        }
        assert_eq!(Address::of("https://example.org/a/b/c/d"), Err(NoAddress::TooDeep));
    }
}
