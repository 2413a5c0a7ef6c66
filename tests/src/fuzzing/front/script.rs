//! One line of a script: what a client does.
//!
//! ```text
//! a sends GET /api/health HTTP/1.1\r\nhost: localhost\r\n\r\n      a, b and c are connections; a line is sent in one piece
//! a preface                                                 how HTTP/2 begins
//! a headers 1 5 :method GET;:path /api/health               HTTP/2: the stream, the flags, the fields
//! a frame 0 1 1 hello                                       HTTP/2: the type, the flags, the stream, the payload
//! a pauses                                                  reads nothing, until: a reads
//! a stops                                                   sends no more, but reads
//! a leaves
//! wait 11                                                   seconds
//! ```
//!
//! Bytes are written as in `\r`, `\0` and `\xff`; `{long}` stands for a text that is longer than a head may be, `{john}` for
//! the cookie of that browser. What is none of these does nothing.

use std::time::Duration;

/// Bytes of a text that is longer than any head.
const LONG_BYTES: usize = 70_000;

/// Longest wait: more than any of the front's own.
const MAX_WAIT: u64 = 7_200;

/// How a client of HTTP/2 begins: the preface and its settings, of which there are none.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// The type of a frame of headers.
const HEADERS: u8 = 1;

/// One line.
#[derive(Debug)]
pub(super) enum Line {
    Wait(Duration),
    Client(u8, Deed),
}

/// What a client does.
#[derive(Debug)]
pub(super) enum Deed {
    Sends(Vec<u8>),
    Stops,
    Leaves,
    Pauses,
    Reads,
}

impl Line {
    /// Understands a line; none where it means nothing.
    pub(super) fn parse<'a>(line: &[u8], cookie: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        let (first, rest) = words(line);
        if first == b"wait" {
            let seconds = number::<u64>(rest)?.min(MAX_WAIT);
            return Some(Self::Wait(Duration::from_secs(seconds)));
        }
        let name = match first {
            [name @ b'a'..=b'c'] => *name,
            _ => return None,
        };
        let (verb, rest) = words(rest);
        let bytes = |text: &[u8]| filled(&unescaped(text), &cookie);
        let deed = match verb {
            b"sends" => Deed::Sends(bytes(rest)),
            b"preface" => Deed::Sends(PREFACE.to_vec()),
            b"headers" => {
                let (stream, rest) = words(rest);
                let (flags, fields) = words(rest);
                let block = compressed(&bytes(fields));
                Deed::Sends(frame(HEADERS, number(flags)?, number(stream)?, &block))
            }
            b"frame" => {
                let (kind, rest) = words(rest);
                let (flags, rest) = words(rest);
                let (stream, payload) = words(rest);
                Deed::Sends(frame(number(kind)?, number(flags)?, number(stream)?, &bytes(payload)))
            }
            b"stops" => Deed::Stops,
            b"leaves" => Deed::Leaves,
            b"pauses" => Deed::Pauses,
            b"reads" => Deed::Reads,
            _ => return None,
        };
        Some(Self::Client(name, deed))
    }
}

fn words(text: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = text.splitn(2, |byte| *byte == b' ');
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The bytes that a text stands for.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let (byte, after) = match (first, after) {
            (b'\\', [b'r', after @ ..]) => (b'\r', after),
            (b'\\', [b'n', after @ ..]) => (b'\n', after),
            (b'\\', [b't', after @ ..]) => (b'\t', after),
            (b'\\', [b'0', after @ ..]) => (0, after),
            (b'\\', [b'\\', after @ ..]) => (b'\\', after),
            (b'\\', [b'x', high, low, after @ ..]) => match hexadecimal(*high, *low) {
                Some(byte) => (byte, after),
                None => (b'\\', &rest[1..]),
            },
            _ => (*first, after),
        };
        bytes.push(byte);
        rest = after;
    }
    bytes
}

fn hexadecimal(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// The bytes with what has a name in the place of the name.
fn filled<'a>(bytes: &[u8], cookie: impl Fn(&str) -> Option<&'a str>) -> Vec<u8> {
    let mut bytes = replaced(bytes, b"{long}", &[b'x'; LONG_BYTES]);
    for name in ["john", "jane"] {
        let value = cookie(name).unwrap_or_default();
        bytes = replaced(&bytes, format!("{{{name}}}").as_bytes(), value.as_bytes());
    }
    bytes
}

/// With the first `from` made `to`.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    match bytes.windows(from.len()).position(|window| window == from) {
        Some(at) => [&bytes[..at], to, &bytes[at + from.len()..]].concat(),
        None => bytes.to_vec(),
    }
}

/// A frame of HTTP/2 (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// Fields like `:method GET;:path /` as literals that are not indexed (RFC 7541, section 6.2.2).
fn compressed(fields: &[u8]) -> Vec<u8> {
    let mut block = Vec::new();
    for field in fields.split(|byte| *byte == b';').filter(|field| !field.is_empty()) {
        let (name, value) = words(field);
        block.push(0);
        for text in [name, value] {
            length(text.len(), &mut block);
            block.extend_from_slice(text);
        }
    }
    block
}

/// A length in seven bits, or in more bytes (RFC 7541, section 5.1).
fn length(length: usize, block: &mut Vec<u8>) {
    const MOST: usize = 127;
    if length < MOST {
        block.push(u8::try_from(length).unwrap());
        return;
    }
    block.push(127);
    let mut rest = length - MOST;
    while rest >= 128 {
        block.push(u8::try_from(rest % 128).unwrap() | 128);
        rest /= 128;
    }
    block.push(u8::try_from(rest).unwrap());
}
