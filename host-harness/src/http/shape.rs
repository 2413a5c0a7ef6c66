//! Refuses requests whose two readings lead to two places, and gives those of HTTP/2 the form of HTTP/1.1. The framing
//! is hyper's to check: what it refuses does not come here.

use http::header::{COOKIE, HOST};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Version};

/// What is wrong with a request, in a sentence for its sender.
pub(super) type Misshapen = &'static str;

/// Checks a request and sees to its having one `host` and at most one `cookie`.
pub(super) fn checked<B>(mut request: Request<B>) -> Result<Request<B>, Misshapen> {
    let version = request.version();
    let authority = request.uri().authority().cloned();
    if request.method() == Method::CONNECT {
        return Err("This is no proxy.");
    }
    if request.uri().scheme().is_none() && !is_path(&request) {
        return Err("The request's target is none.");
    }
    let headers = request.headers_mut();
    let mut hosts = headers.get_all(HOST).into_iter();
    let (host, second) = (hosts.next(), hosts.next());
    if second.is_some() {
        return Err("The request names more than one host.");
    }
    match (host.map(parsed), authority) {
        (Some(None), _) => return Err("The request's host is none."),
        (Some(Some(host)), Some(authority)) if host != authority => {
            return Err("The request names more than one host.");
        }
        (None, None) if version >= Version::HTTP_11 => return Err("The request names no host."),
        (None, Some(authority)) => {
            let host = HeaderValue::from_str(authority.as_str()).map_err(|_| "The request's host is none.")?;
            headers.insert(HOST, host);
        }
        _ => {}
    }
    if version >= Version::HTTP_2 {
        join_cookies(headers);
    }
    Ok(request)
}

/// Whether the target is a path, or `*` for all of the server.
fn is_path<B>(request: &Request<B>) -> bool {
    let path = request.uri().path();
    path.starts_with('/') || (path == "*" && request.method() == Method::OPTIONS)
}

/// A host with or without a port, and nothing else.
fn parsed(host: &HeaderValue) -> Option<Authority> {
    let authority: Authority = host.to_str().ok()?.parse().ok()?;
    (!authority.as_str().contains('@')).then_some(authority)
}

/// Whether a header that lists words has this one.
pub(super) fn names(headers: &HeaderMap, header: HeaderName, word: &str) -> bool {
    let values = headers
        .get_all(header)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case(word))
}

/// HTTP/2 may send each cookie in a field of its own (RFC 9113, section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let crumbs: Vec<&[u8]> = headers.get_all(COOKIE).into_iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() > 1
        && let Ok(cookie) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]))
    {
        headers.insert(COOKIE, cookie);
    }
}
