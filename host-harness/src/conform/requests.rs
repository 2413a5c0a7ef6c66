//! Whatever a client sends gets an answer, and the answer is one.

use super::report::{Checked, Finding, Report, Rule};
use super::subject::{Fresh, Subject};
use crate::limits::Limits;
use crate::plugin::{Opening, wit};

/// Who asks.
const CLIENT: &str = "192.0.2.7";

/// Bytes of a long target and of a long header: as much as the heads that get through proxies.
const LONG: usize = 16 << 10;

/// Headers of a request that has many.
const MANY: usize = 200;

/// Headers that are the connection's (RFC 9110, section 7.6.1, and RFC 9112).
const OF_THE_CONNECTION: [&str; 9] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

const ORDINARY: Rule = Rule {
    check: "ordinary requests are answered",
    file: "http.wit",
    says: "Answers one request. Every request gets an answer: errors are statuses.",
};

const NOT_RUNNING: Rule = Rule {
    check: "requests to a plugin that does not run are answered",
    file: "http.wit",
    says: "Answers one request. Every request gets an answer: errors are statuses.",
};

const METHODS: Rule = Rule {
    check: "odd methods are answered",
    file: "http.wit",
    says: "Answers one request. Every request gets an answer: errors are statuses.",
};

const TARGETS: Rule = Rule {
    check: "odd and long targets are answered",
    file: "http.wit",
    says: "Answers one request. Every request gets an answer: errors are statuses.",
};

const HEADERS: Rule = Rule {
    check: "many, odd and long headers are answered",
    file: "http.wit",
    says: "Answers one request. Every request gets an answer: errors are statuses.",
};

const BODIES: Rule = Rule {
    check: "bodies up to the host's bound are answered",
    file: "http-types.wit",
    says: "At most as many bytes as the host allows; it answers 413 beyond that by itself.",
};

const SOCKETS: Rule = Rule {
    check: "WebSockets are accepted or refused, and those that are gone are no trouble",
    file: "socket.wit",
    says: "The handshake is answered with this instead, and the connection stays plain HTTP.",
};

const GONE: Rule = Rule {
    check: "a push endpoint that nobody has may have ended",
    file: "web-push.wit",
    says: "Says that a subscription has ended: nothing sent there will ever arrive.",
};

pub(super) async fn check(report: &mut Report, subject: &Subject) {
    report.add(ORDINARY, all_answered(subject, &ordinary()).await);
    report.add(NOT_RUNNING, answered_before(subject).await);
    report.add(METHODS, all_answered(subject, &odd_methods()).await);
    report.add(TARGETS, all_answered(subject, &odd_targets()).await);
    report.add(HEADERS, all_answered(subject, &odd_headers()).await);
    report.add(BODIES, all_answered(subject, &bodies(&subject.limits)).await);
    report.add(SOCKETS, sockets(subject).await);
    report.add(GONE, is_told_of_gone(subject).await);
}

/// A request without a body.
pub(super) fn request(method: &str, target: &str) -> wit::Request {
    wit::Request {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: vec![("host".to_owned(), b"localhost:3001".to_vec())],
        body: Vec::new(),
        client: CLIENT.to_owned(),
    }
}

/// The same with a header more.
pub(super) fn with(mut request: wit::Request, name: &str, value: &[u8]) -> wit::Request {
    request.headers.push((name.to_owned(), value.to_vec()));
    request
}

/// What browsers and those who look for holes send.
pub(super) fn ordinary() -> Vec<wit::Request> {
    let posted = |body: &[u8]| wit::Request {
        body: body.to_vec(),
        ..with(request("POST", "/"), "content-type", b"application/json")
    };
    vec![
        request("GET", "/"),
        with(request("GET", "/"), "accept-encoding", b"gzip, br"),
        request("HEAD", "/"),
        request("GET", "/no/such/path"),
        request("GET", "/health"),
        request("GET", "/api/health"),
        request("GET", "/?a=b&a=c"),
        request("GET", "/../../etc/passwd"),
        request("DELETE", "/"),
        request("OPTIONS", "/"),
        posted(b"{}"),
        posted(b"{"),
    ]
}

fn odd_methods() -> Vec<wit::Request> {
    [
        "PUT",
        "PATCH",
        "TRACE",
        "CONNECT",
        "BREW",
        "M-SEARCH",
        "get",
        &"X".repeat(100),
    ]
    .map(|method| request(method, "/"))
    .into()
}

fn odd_targets() -> Vec<wit::Request> {
    let long = format!("/{}", "a".repeat(LONG));
    let long_query = format!("/?{}", "a=b&".repeat(LONG / 4));
    [
        "*",
        "//",
        "/%",
        "/%00",
        "/%ff%fe",
        "/a%2f..%2fb",
        "/?",
        "/;a=b",
        &long,
        &long_query,
    ]
    .map(|target| request("GET", target))
    .into()
}

fn odd_headers() -> Vec<wit::Request> {
    let mut many = request("GET", "/");
    for number in 0..MANY {
        many = with(many, &format!("x-{number}"), b"value");
    }
    let get = || request("GET", "/");
    vec![
        many,
        wit::Request {
            headers: Vec::new(),
            ..get()
        },
        with(get(), "cookie", b"a=b; =; ;;; \xff=\xfe; a"),
        with(with(get(), "cookie", b"a=b"), "cookie", b"a=c"),
        with(get(), "accept-language", b"\xff\xfe, *;q=2, ;;;"),
        with(get(), "authorization", b""),
        with(get(), "content-type", b"\t"),
        with(get(), "if-none-match", b"\"\", W/, *"),
        with(get(), "range", b"bytes=9-1,-0"),
        with(get(), "x-long", &vec![b'a'; LONG]),
        with(get(), "host", b"elsewhere.example"),
    ]
}

fn bodies(limits: &Limits) -> Vec<wit::Request> {
    let most = limits.body_bytes;
    let mut requests = Vec::new();
    for content_type in ["application/json", "application/x-www-form-urlencoded", "text/plain"] {
        for body in [vec![0xff; most], vec![b'['; most], Vec::new()] {
            requests.push(wit::Request {
                body,
                ..with(request("POST", "/"), "content-type", content_type.as_bytes())
            });
        }
    }
    requests
}

async fn all_answered(subject: &Subject, requests: &[wit::Request]) -> Checked {
    let mut plugin = subject.started().await?;
    for request in requests {
        is_answered(subject, &mut plugin, request).await?;
    }
    Ok(())
}

async fn answered_before(subject: &Subject) -> Checked {
    let mut plugin = subject.fresh().await?;
    for request in &ordinary() {
        is_answered(subject, &mut plugin, request).await?;
    }
    Ok(())
}

async fn is_answered(subject: &Subject, plugin: &mut Fresh, request: &wit::Request) -> Checked {
    let response = plugin.probe.http(request).await;
    let name = name(request);
    let response = response.map_err(|lost| format!("to {name}, {lost}"))?;
    is_sound(&response, &subject.limits).map_err(|came| format!("to {name}, {came}").into())
}

/// A request in a few words.
pub(super) fn name(request: &wit::Request) -> String {
    let mut target: String = request.target.chars().take(40).collect();
    if target.len() < request.target.len() {
        target.push('…');
    }
    format!("{} {target}", request.method.get(..20).unwrap_or(&request.method))
}

/// Demands that a response is what the contract says that one is; if not, says what it is.
fn is_sound(response: &wit::Response, limits: &Limits) -> Result<(), String> {
    let wit::Response { status, headers, .. } = response;
    if !(200..=599).contains(status) {
        return Err(format!("the status {status}, which is not from 200 to 599"));
    }
    for (name, value) in headers {
        let is_name = http::HeaderName::from_lowercase(name.as_bytes()).is_ok();
        if !is_name || http::HeaderValue::from_bytes(value).is_err() {
            return Err(format!(
                "the header {name:?}, which is not a name in lower case with a value"
            ));
        }
        if OF_THE_CONNECTION.contains(&name.as_str()) {
            return Err(format!("the header {name:?}, which belongs to the connection"));
        }
    }
    if let Some(keep_alive) = response.hold.as_ref().and_then(|hold| hold.keep_alive.as_ref())
        && keep_alive.every_ms < 1_000
    {
        return Err(format!(
            "a keep-alive every {} ms, which is under 1,000",
            keep_alive.every_ms
        ));
    }
    match limits.broken_by(response) {
        None => Ok(()),
        Some(limit) => Err(format!("a response beyond the host's limit `{}`", limit.name())),
    }
}

async fn sockets(subject: &Subject) -> Checked {
    let mut plugin = subject.started().await?;
    for target in ["/", "/no/such/path", "/api/socket"] {
        let handshake = with(request("GET", target), "upgrade", b"websocket");
        let response = match plugin.probe.socket_open(1, &handshake).await? {
            Opening::Refused(response) => response,
            Opening::Accepted(accepted) if matches!(accepted.hold.mode, wit::HoldMode::Stream) => continue,
            Opening::Accepted(_) => {
                return Err(Finding::Came(format!("{target} is accepted in the mode `response`")));
            }
        };
        is_sound(&response, &subject.limits).map_err(|came| format!("to a handshake at {target}, {came}"))?;
    }
    for connection in [1, u64::MAX] {
        plugin.probe.socket_closed(connection).await?;
    }
    Ok(())
}

async fn is_told_of_gone(subject: &Subject) -> Checked {
    for (_, mut plugin) in subject.before_and_after().await? {
        plugin.probe.web_push_gone("https://push.example/nobody").await?;
    }
    Ok(())
}
