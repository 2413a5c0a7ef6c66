//! Who takes all the connections, or all the time there is, takes them from nobody else.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Instant;

use friends_chat_tests::{DEADLINE, Data, Harness, Visitor, loopback};

use super::client::Certificate;

/// As `limits.rs` has it.
const CONNECTIONS_PER_ADDRESS: usize = 500;

/// A connection on which `bytes` are sent and nothing more.
fn stalled(harness: &Harness, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(harness.address()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

/// Reads to the end that the harness makes.
fn ends(mut stream: TcpStream) {
    let mut answer = Vec::new();
    let end = stream.read_to_end(&mut answer);
    let timed_out = end.is_err_and(|error| matches!(error.kind(), std::io::ErrorKind::WouldBlock));
    assert!(!timed_out, "the harness waits on");
}

#[test]
fn a_client_that_stalls_is_let_go_of_wherever_it_stalls() {
    let certificate = Certificate::new();
    let plain = Harness::start();
    let secure = Data::new().serve(&certificate.arguments().each_ref().map(String::as_str));
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let head = b"GET /api/health HTTP/1.1\r\nhost: localhost\r\n";
    let whole = [head, &b"\r\n"[..]].concat();
    let body = b"POST /api/auth/redeem HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n{";
    let settings = [&preface[..], &[0, 0, 0, 4, 0, 0, 0, 0, 0]].concat();
    let stalls: [&[u8]; 8] = [b"", b"P", b"PRI ", preface, &settings, head, &whole, body];
    let mut open: Vec<TcpStream> = stalls.iter().map(|bytes| stalled(&plain, bytes)).collect();
    // The beginning of a greeting of TLS.
    open.extend([&b""[..], &[22, 3, 1]].map(|bytes| stalled(&secure, bytes)));
    thread::scope(|scope| {
        for stream in open {
            scope.spawn(|| ends(stream));
        }
    });
}

#[test]
fn one_address_has_its_share_of_connections_and_no_more() {
    let harness = Harness::start();
    let john = harness.friend("john");
    let from = loopback(1);
    let request = b"GET /api/health HTTP/1.1\r\nhost: localhost\r\n\r\n";
    // Each is known to be in when it is answered.
    let mut open: Vec<Visitor> = (0..CONNECTIONS_PER_ADDRESS)
        .map(|_| {
            let mut visitor = Visitor::open(from, harness.address());
            visitor.write(request);
            assert_eq!(visitor.outcome().0, 200);
            visitor
        })
        .collect();
    let mut one_more = Visitor::open(from, harness.address());
    assert!(one_more.is_closed_after(b""), "one connection too many is closed");
    assert_eq!(john.status()["username"], "john", "others come in");
    harness.log().expect(&["connections are closed at once", "127.1.0.1"]);

    let mut last = open.pop().unwrap();
    last.write(b"GET /api/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    assert_eq!(last.outcome().0, 200);
    assert!(last.is_closed_after(b""));
    // Its place is free when the harness has noticed, which it does not say.
    let began = Instant::now();
    while Visitor::open(from, harness.address()).is_closed_after(request) {
        assert!(began.elapsed() < DEADLINE, "the place is not free again");
    }
}

#[test]
fn a_trusted_proxy_brings_as_many_as_come() {
    let harness = Data::new().serve(&["--trusted-proxy", "127.1.0.1"]);
    let request = b"GET /api/health HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut open: Vec<Visitor> = (0..=CONNECTIONS_PER_ADDRESS)
        .map(|_| Visitor::open(loopback(1), harness.address()))
        .collect();
    for visitor in &mut open {
        visitor.write(request);
        assert_eq!(visitor.outcome().0, 200);
    }
}
