//! Those who talk to a plugin: as many, as much and for as long as they may, and beyond.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::Instant;

use friends_chat_tests::{Answer, Connection, DEADLINE, Visitor, loopback};

use crate::host::{Hostile, wait_for};

#[test]
fn as_many_calls_wait_as_may_and_others_are_told_to_come_again() {
    let host = Hostile::serve("sleeps", "call = \"50s\"\nwaiting_calls = 3");
    let files = host.harness.data().path().join("plugin");
    let (sender, answers) = mpsc::channel();
    let ask = || {
        let (asked, sender) = (host.ask("/until-enough"), sender.clone());
        std::thread::spawn(move || sender.send(Answer::read(asked.response())).unwrap());
    };
    ask();
    wait_for(&files.join("waits"));
    (0..5).for_each(|_| ask());
    for _ in 0..3 {
        let refused = answers.recv_timeout(DEADLINE).unwrap();
        refused.assert_error(503);
        assert!(refused.header("retry-after").is_some());
    }
    host.assert_told("waiting_calls");
    fs::write(files.join("enough"), "").unwrap();
    for _ in 0..3 {
        assert_eq!(answers.recv_timeout(DEADLINE).unwrap().text(), "waited");
    }
}

#[test]
fn as_many_connections_are_held_as_may_and_a_place_is_given_back() {
    let host = Hostile::serve("sleeps", "held_connections = 2");
    let (_first, second) = (host.hold(), host.hold());
    let refused = host.get("/hold");
    refused.assert_error(503);
    assert!(refused.header("retry-after").is_some());
    host.assert_told("held_connections");
    host.assert_answers();
    drop(second);
    // Its place is free when the harness has noticed, which it does not say.
    let begin = Instant::now();
    while host.begin("/hold").status != 200 {
        assert!(begin.elapsed() < DEADLINE, "the place is not free again");
    }
}

#[test]
fn as_many_connections_are_open_as_may_and_a_place_is_given_back() {
    let host = Hostile::serve("sleeps", "connections = 2");
    let request = b"GET /ping HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let visit = |number| Visitor::open(loopback(number), host.harness.address());
    let mut open: Vec<Visitor> = (1..=2)
        .map(|number| {
            let mut visitor = visit(number);
            visitor.write(request);
            assert_eq!(visitor.outcome().0, 200);
            visitor
        })
        .collect();
    assert!(visit(3).is_closed_after(request), "one connection too many is closed");
    drop(open.pop());
    let begin = Instant::now();
    while visit(3).is_closed_after(request) {
        assert!(begin.elapsed() < DEADLINE, "the place is not free again");
    }
}

/// One frame of HTTP/2 (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

#[test]
fn as_many_streams_are_open_on_a_connection_as_may_and_another_is_refused() {
    const HEADERS: u8 = 1;
    const RESET: u8 = 3;
    const SETTINGS: u8 = 4;
    const REFUSED: [u8; 4] = [0, 0, 0, 7];
    let host = Hostile::serve("sleeps", "streams_per_connection = 2");
    let mut stream = TcpStream::connect(host.harness.address()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    // GET http, with the path and the authority as literals (RFC 7541, appendix A and section 6.2.2).
    let hold = [&[0x82, 0x86, 0x04, 5][..], b"/hold", &[0x01, 9], b"localhost"].concat();
    let begin = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(SETTINGS, 0, 0, &[])].concat();
    let requests = [1, 3, 5].map(|number| frame(HEADERS, 0x5, number, &hold));
    stream.write_all(&[begin, requests.concat()].concat()).unwrap();
    let (mut held, mut refused) = (Vec::new(), Vec::new());
    while held.len() + refused.len() < 3 {
        let mut head = [0; 9];
        stream.read_exact(&mut head).unwrap();
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        stream.read_exact(&mut payload).unwrap();
        match head[3] {
            HEADERS => held.push(head[8]),
            RESET => {
                assert_eq!(payload, REFUSED);
                refused.push(head[8]);
            }
            _ => {}
        }
    }
    assert_eq!((held, refused), (vec![1, 3], vec![5]));
    host.assert_answers();
}

#[test]
fn a_head_is_as_long_as_it_may_be_and_no_longer() {
    for limit in ["head_bytes = \"8 KiB\"", "head_bytes = \"1 B\""] {
        let host = Hostile::serve("sleeps", limit);
        let ask = |bytes| {
            let mut connection = Connection::open(host.harness.address()).unwrap();
            connection.request("GET", "/ping", &[("x-long", &"x".repeat(bytes))], b"");
            Answer::read(connection.response())
        };
        assert_eq!(ask(7_000).text(), "pong", "{limit}");
        assert_eq!(ask(9_000).status, 431, "{limit}");
        host.assert_answers();
    }
}

#[test]
fn a_body_is_as_long_as_it_may_be_and_no_longer() {
    let host = Hostile::serve("sleeps", "body_bytes = \"1 KiB\"");
    let post = |headers: &[(&str, &str)], body: &[u8]| {
        let mut connection = Connection::open(host.harness.address()).unwrap();
        connection.request("PUT", "/ping", headers, body);
        Answer::read(connection.response()).status
    };
    assert_eq!(post(&[], &[b'x'; 1024]), 200);
    assert_eq!(post(&[], &[b'x'; 1025]), 413);
    host.assert_answers();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_requests_is_closed_and_one_that_holds_a_stream_is_not() {
    let host = Hostile::serve("sleeps", "head = \"200ms\"\nidle = \"200ms\"");
    let address = host.harness.address();
    let open = async || {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let (sender, connection) = h2::client::handshake(stream).await.unwrap();
        (sender, tokio::spawn(connection))
    };
    let ask = async |sender: h2::client::SendRequest<bytes::Bytes>, path: &str| {
        let request = http::Request::get(format!("http://localhost{path}")).body(()).unwrap();
        let (response, _) = sender.ready().await.unwrap().send_request(request, true).unwrap();
        response.await.unwrap()
    };
    let (holding, _connection) = open().await;
    let held = ask(holding.clone(), "/hold").await;
    assert_eq!(held.status(), 200);
    for _ in 0..3 {
        let (idle, end) = open().await;
        assert_eq!(ask(idle.clone(), "/ping").await.status(), 200);
        // The client keeps its end open.
        drop(end.await.unwrap());
        drop(idle);
    }
    assert_eq!(ask(holding, "/ping").await.status(), 200);
    drop(held);
}
