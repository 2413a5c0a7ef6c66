//! Requests that two readers could read in two ways. Each is followed, on its connection, by a request that a reader
//! in front would not have seen: the plugin must not see it either.

use std::io::{Read, Write};
use std::net::TcpStream;

use friends_chat_tests::{DEADLINE, Harness};

/// The request that follows. Nothing else here is answered with 405.
const SECOND: &str = "DELETE /api/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

/// As `limits.rs` has it.
const BODY_BYTES: usize = 256 << 10;

/// Everything that comes back, up to the end of the connection.
fn exchange(harness: &Harness, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(harness.address()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    // What was not read of the request makes the system say that the connection was reset.
    let mut piece = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut piece) {
        answer.extend_from_slice(&piece[..read]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

#[test]
fn what_can_be_read_in_two_ways_is_refused_and_the_connection_closed() {
    let harness = Harness::start();
    let get = |headers: &str| format!("GET /api/health HTTP/1.1\r\n{headers}\r\n");
    let post = |headers: &str| format!("POST /api/health HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
    let rows = [
        (
            "lengths that differ",
            post("content-length: 5\r\ncontent-length: 0\r\n"),
        ),
        ("a list of lengths", post("content-length: 0, 0\r\n")),
        ("a length with a sign", post("content-length: +0\r\n")),
        ("a negative length", post("content-length: -1\r\n")),
        ("a hexadecimal length", post("content-length: 0x0\r\n")),
        (
            "a length beyond all numbers",
            post("content-length: 99999999999999999999\r\n"),
        ),
        ("another coding", post("transfer-encoding: xchunked\r\n")),
        (
            "chunked, and then another",
            post("transfer-encoding: chunked, identity\r\n"),
        ),
        ("a folded header", post("x-a: b\r\n c: d\r\ncontent-length: 0\r\n")),
        ("a folded coding", post("transfer-encoding:\r\n chunked\r\n")),
        ("a space before the colon", post("content-length : 0\r\n")),
        ("a space before the first header", get(" host: localhost\r\n")),
        ("a bare CR in a value", get("host: localhost\r\nx-a: b\rc: d\r\n")),
        ("a bare CR as the end of a line", get("host: localhost\rx-a: b\r\n")),
        ("a NUL in a value", get("host: localhost\r\nx-a: b\0c\r\n")),
        ("a name that is none", get("host: localhost\r\nx a: b\r\n")),
        ("no host", get("")),
        ("two hosts", get("host: localhost\r\nhost: localhost\r\n")),
        ("two hosts that differ", get("host: localhost\r\nhost: example.org\r\n")),
        ("a host that is none", get("host: a b\r\n")),
        ("a host with a user", get("host: a@localhost\r\n")),
        ("a host with a path", get("host: localhost/a\r\n")),
        (
            "another host in the target",
            "GET http://example.org/api/health HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
        ),
        (
            "a target without a slash",
            "GET api HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
        ),
        (
            "a proxy's",
            "CONNECT localhost:80 HTTP/1.1\r\nhost: localhost:80\r\n\r\n".to_owned(),
        ),
        ("HTTP/0.9", "GET /api/health\r\n\r\n".to_owned()),
        (
            "HTTP/1.2",
            "GET /api/health HTTP/1.2\r\nhost: localhost\r\n\r\n".to_owned(),
        ),
        (
            "a coding in HTTP/1.0",
            "POST /api/health HTTP/1.0\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        ),
    ];
    for (what, first) in rows {
        let answer = exchange(&harness, format!("{first}{SECOND}").as_bytes());
        assert_eq!(status(&answer), "400", "{what}: {answer:?}");
        assert_eq!(answer.matches("HTTP/1.").count(), 1, "{what}: {answer:?}");
    }
}

/// Not misshapen in their heads: the plugin, which gets whole requests only, gets none of them.
#[test]
fn a_body_whose_chunks_are_no_chunks_is_refused_and_the_connection_closed() {
    let harness = Harness::start();
    for chunks in [
        "fffffffffffffffff\r\n",
        "-1\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhelloX0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
    ] {
        let first =
            format!("POST /api/auth/redeem HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n{chunks}");
        let answer = exchange(&harness, format!("{first}{SECOND}").as_bytes());
        assert_eq!(status(&answer), "400", "{chunks:?}: {answer:?}");
        assert!(answer.contains("broke off"), "{chunks:?}: {answer:?}");
        assert_eq!(answer.matches("HTTP/1.").count(), 1, "{chunks:?}: {answer:?}");
    }
}

/// What is one byte too many comes with the end of the body, so the rest of the connection could be read.
#[test]
fn a_body_that_is_too_large_is_the_last_of_its_connection() {
    let harness = Harness::start();
    let chunk = "x".repeat(BODY_BYTES + 1);
    let head = "POST /api/auth/redeem HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n";
    let first = format!("{head}{:x}\r\n{chunk}\r\n0\r\n\r\n", chunk.len());
    let answer = exchange(&harness, format!("{first}{SECOND}").as_bytes());
    assert_eq!(status(&answer), "413", "{answer:?}");
    assert!(answer.to_lowercase().contains("connection: close"), "{answer:?}");
    assert_eq!(answer.matches("HTTP/1.").count(), 1, "{answer:?}");
}

/// RFC 9112, section 6.1: the coding counts, and the connection is closed after it, so that nobody who counted by the
/// length gets a second request in.
#[test]
fn with_a_length_and_a_coding_nothing_follows_on_the_connection() {
    let harness = Harness::start();
    for headers in [
        "content-length: 4\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 4\r\n",
    ] {
        let first = format!("POST /api/health HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n0\r\n\r\n");
        let answer = exchange(&harness, format!("{first}{SECOND}").as_bytes());
        assert_eq!(answer.matches("HTTP/1.").count(), 1, "{answer:?}");
        assert!(answer.to_lowercase().contains("connection: close"), "{answer:?}");
    }
}

#[test]
fn old_and_unusual_requests_that_mean_one_thing_are_answered() {
    let harness = Harness::start();
    let end = "connection: close\r\n\r\n";
    let rows = [
        "GET /api/health HTTP/1.0\r\n\r\n".to_owned(),
        format!("GET http://LOCALHOST/api/health HTTP/1.1\r\nhost: localhost\r\n{end}"),
        format!("\r\nGET /api/health HTTP/1.1\r\nhost: localhost\r\n{end}"),
        // Lines may end in LF alone (RFC 9112, section 2.2).
        "GET /api/health HTTP/1.1\nhost: localhost\nconnection: close\n\n".to_owned(),
        // What asks for HTTP/2 in clear gets an answer in HTTP/1.1.
        "GET /api/health HTTP/1.1\r\nhost: localhost\r\nconnection: close, upgrade, http2-settings\r\nupgrade: h2c\r\n\
         http2-settings: AAMAAABkAAQAAP__\r\n\r\n"
            .to_owned(),
    ];
    for request in rows {
        let answer = exchange(&harness, request.as_bytes());
        assert_eq!(status(&answer), "200", "{request:?}: {answer:?}");
    }
    let pair = format!("GET /api/health HTTP/1.1\r\nhost: localhost\r\n\r\n{SECOND}");
    let answer = exchange(&harness, pair.as_bytes());
    assert_eq!(
        answer.matches("HTTP/1.1").count(),
        2,
        "a second request is answered: {answer:?}"
    );
}
