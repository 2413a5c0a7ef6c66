//! What is sent back by HTTP/1.1: whole answers, each to its own request.

use super::client::WIRE_BYTES;
use super::reader::{self, Read, Request, Rest};

/// Statuses after which the front may close without a word: what it refused was not read to its end.
const REFUSALS: [u16; 5] = [400, 408, 413, 414, 431];

/// Most headers of an answer, as `limits.rs` has it, and the front's own.
const MAX_HEADERS: usize = 110;

/// What is taken of a head that does not end: as much as a head may have in `limits.rs`, and what is on the way.
const MAX_TAKEN_BYTES: usize = (64 << 10) + WIRE_BYTES;

/// An answer.
#[derive(Debug)]
struct Answer {
    status: u16,
    /// Whether it says that it is the last, or nothing can follow it.
    is_last: bool,
}

/// Where an answer's body ends.
enum Body {
    Length(usize),
    Chunks,
    /// With the connection.
    Open,
}

/// Asserts that what was received answers what was sent; with `is_exact`, that nothing is left unanswered, and unless it
/// `may_be_cut`, that the last answer is whole.
pub(super) fn check(sent: &[u8], received: &[u8], is_exact: bool, may_be_cut: bool) {
    let read = reader::read(sent);
    let answers = parse(received, &read, may_be_cut);
    let shown = || format!("{read:#?}\n{answers:#?}\n{}", String::from_utf8_lossy(received));
    let most = read.requests.len() + usize::from(!matches!(read.rest, Rest::Nothing));
    assert!(answers.len() <= most, "more answers than requests: {}", shown());
    if let Some(of_rest) = answers.get(read.requests.len()) {
        let refuses = (400..600).contains(&of_rest.status);
        assert!(refuses, "what is no whole request was answered: {}", shown());
    }
    if let Rest::Part { head_bytes, .. } = read.rest {
        assert!(
            head_bytes <= MAX_TAKEN_BYTES,
            "{head_bytes} bytes of a head without an end were taken"
        );
    }
    for (request, answer) in read.requests.iter().zip(&answers) {
        assert!(is_own(request, answer.status), "another request's answer: {}", shown());
    }
    let ends = answers
        .last()
        .is_some_and(|last| last.is_last || REFUSALS.contains(&last.status));
    if is_exact && !ends {
        assert!(
            answers.len() >= read.requests.len(),
            "a request is not answered: {}",
            shown()
        );
    }
}

/// Whether a status can be the answer to a request: what the health address says to some methods.
fn is_own(request: &Request, status: u16) -> bool {
    match (&*request.method, &*request.target) {
        (b"GET" | b"HEAD", b"/api/health") => status != 405,
        (b"DELETE", b"/api/health") => status != 200,
        _ => true,
    }
}

/// Reads every answer, each of which has to be whole.
fn parse(received: &[u8], read: &Read, may_be_cut: bool) -> Vec<Answer> {
    let mut answers: Vec<Answer> = Vec::new();
    let mut rest = received;
    while !rest.is_empty() {
        let is_over = answers.last().is_some_and(|last| last.is_last);
        assert!(!is_over, "after the last answer: {}", String::from_utf8_lossy(rest));
        let request = read.requests.get(answers.len());
        let (is_head, expects) = match (request, &read.rest) {
            (Some(request), _) => (request.method == b"HEAD", request.expects),
            (None, Rest::Part { is_head, expects, .. }) => (*is_head, *expects),
            (None, Rest::Wrong { is_head }) => (*is_head, false),
            (None, Rest::Nothing) => (false, false),
        };
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let head = match response.parse(rest) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if may_be_cut => break,
            other => panic!("{other:?}: {}", String::from_utf8_lossy(rest)),
        };
        let status = response.code.unwrap();
        rest = &rest[head..];
        if status == 100 {
            assert!(expects, "nobody waits for leave");
            continue;
        }
        let (body, says_last) = framing(status, is_head, response.headers);
        if status == 101 {
            assert!(request.is_some_and(|request| request.upgrades), "nobody asked for it");
        }
        rest = match body {
            Body::Length(length) if may_be_cut => rest.get(length..).unwrap_or_default(),
            Body::Length(length) => rest.get(length..).expect("a body is cut off"),
            Body::Chunks => after_chunks(rest),
            Body::Open => &[],
        };
        let is_last = says_last || matches!(body, Body::Open);
        answers.push(Answer { status, is_last });
    }
    answers
}

/// Where the body ends, and whether the answer is said to be the last.
fn framing(status: u16, is_head: bool, headers: &[httparse::Header<'_>]) -> (Body, bool) {
    let all = |name: &str| -> Vec<&[u8]> {
        let named = headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        named.map(|header| header.value).collect()
    };
    let (lengths, codings) = (all("content-length"), all("transfer-encoding"));
    assert!(lengths.len() + codings.len() <= 1, "{lengths:?} {codings:?}");
    let says_last = all("connection")
        .iter()
        .any(|value| value.eq_ignore_ascii_case(b"close"));
    let body = if status == 101 {
        assert!(lengths.is_empty() && codings.is_empty());
        Body::Open
    } else if is_head || status == 204 || status == 304 {
        Body::Length(0)
    } else if let Some(length) = lengths.first() {
        Body::Length(std::str::from_utf8(length).unwrap().parse().unwrap())
    } else if let Some(coding) = codings.first() {
        assert_eq!(*coding, b"chunked");
        Body::Chunks
    } else {
        Body::Open
    };
    (body, says_last)
}

/// What follows the last chunk. A stream that is cut ends its connection in the middle, and nothing follows.
fn after_chunks(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    loop {
        let (data, size) = match httparse::parse_chunk_size(rest).expect("a chunk that is none") {
            httparse::Status::Complete(read) => read,
            httparse::Status::Partial => return &[],
        };
        let size = usize::try_from(size).unwrap();
        let Some(after) = rest.get(data + size..) else {
            return &[];
        };
        let Some(end) = after.get(..2) else { return &[] };
        assert_eq!(end, b"\r\n", "a chunk has no end");
        rest = &after[2..];
        if size == 0 {
            return rest;
        }
    }
}
