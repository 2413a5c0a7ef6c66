//! A browser without a network: its cookie, its address, and the requests that it makes of them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bytes::Bytes;
use host_harness::plugin::{HttpAnswer, PluginActor, Request, Response};
use http::{HeaderName, HeaderValue, Method, Uri};

use crate::COOKIE;

/// Most bytes of a request's line and headers that the host reads.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// A browser.
#[derive(Debug, Clone)]
pub(super) struct Browser {
    address: IpAddr,
    /// The value of its cookie.
    pub(super) cookie: Option<String>,
}

impl Browser {
    /// A browser without a cookie, at an address of its own.
    pub(super) fn new(number: u8) -> Self {
        Self {
            address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, number)),
            cookie: None,
        }
    }

    /// A browser with a cookie.
    pub(super) fn with_cookie(cookie: &str) -> Self {
        let cookie = Some(cookie.to_owned());
        Self { cookie, ..Self::new(0) }
    }

    /// A request with these headers and the cookie; none where no HTTP server would take it.
    pub(super) fn request(
        &self,
        method: &str,
        target: &str,
        headers: &[(String, String)],
        body: &str,
    ) -> Option<Request> {
        let mut request = http::Request::new(Bytes::from(body.to_owned()));
        *request.method_mut() = Method::from_bytes(method.as_bytes()).ok()?;
        *request.uri_mut() = target.parse::<Uri>().ok()?;
        let mut fields = vec![("host".to_owned(), "localhost:3001".to_owned())];
        fields.extend_from_slice(headers);
        let is_said = |name: &str| headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
        if !body.is_empty() && !is_said("content-type") {
            fields.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        if let Some(cookie) = &self.cookie {
            fields.push(("cookie".to_owned(), format!("theme=dark; {COOKIE}={cookie}")));
        }
        let mut head_bytes = target.len();
        for (name, value) in fields {
            head_bytes += name.len() + value.len();
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            let value = HeaderValue::from_bytes(value.as_bytes()).ok()?;
            request.headers_mut().append(name, value);
        }
        (head_bytes <= MAX_HEAD_BYTES).then_some(Request {
            inner: request,
            client: self.address,
        })
    }

    /// A request that is answered at once.
    pub(super) async fn get(&self, plugin: &Arc<PluginActor>, target: &str) -> Response {
        let request = self.request("GET", target, &[], "").unwrap();
        match plugin.http(&request, &Arc::default()).await {
            Ok(HttpAnswer::Complete(response)) => response,
            other => panic!("GET {target}: {other:?}"),
        }
    }

    /// Opens an invite link.
    pub(super) async fn join(&mut self, plugin: &Arc<PluginActor>, code: &str) {
        let response = self.get(plugin, &format!("/chat?invite={code}")).await;
        assert_eq!(response.status, 302);
        self.keep(&response);
    }

    /// Keeps the session's cookie that a response sets, or forgets the one it clears; whether there was one.
    pub(super) fn keep(&mut self, response: &Response) -> bool {
        let Some(value) = header(response, "set-cookie") else {
            return false;
        };
        let Some(rest) = value.strip_prefix(COOKIE).and_then(|rest| rest.strip_prefix('=')) else {
            return false;
        };
        let (value, _) = rest.split_once(';').unwrap();
        self.cookie = (!value.is_empty()).then(|| value.to_owned());
        true
    }
}

/// The only header of this name, if there is one.
pub(super) fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    let mut values = response.headers.iter().filter(|(other, _)| other == name);
    let value = values.next().map(|(_, value)| std::str::from_utf8(value).unwrap());
    assert!(values.next().is_none(), "{name} stands twice");
    value
}
