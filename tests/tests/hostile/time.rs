//! A plugin that takes its time.

use std::fs;
use std::io::Write;
use std::net::TcpStream;

use friends_chat_tests::{Answer, Connection, Signal};

use crate::host::{Hostile, data, fixture, wait_for};

#[test]
pub(crate) fn spins() {
    let host = Hostile::serve("spins", "call = \"200ms\"");
    let mut held = host.hold();
    host.assert_fails("/spin");
    host.assert_lost("lasted longer than 200ms: the limit `call`");
    host.assert_told("call");
    host.text("/tell");
    assert_eq!(held.line(), "told", "who is held stays");
}

#[test]
fn a_call_is_ended_though_no_other_keeps_the_clock_going() {
    let host = Hostile::serve("spins", "");
    host.assert_fails("/spin");
    host.assert_lost("lasted longer than 2s: the limit `call`");
}

#[test]
fn others_are_served_while_a_call_lasts() {
    let host = Hostile::serve("spins", "call = \"50s\"\nbody_bytes = \"1 KiB\"");
    let spinning = host.ask("/spin");
    host.harness.log().expect(&["a call lets others take their turns"]);
    // The host answers this one by itself.
    let mut other = Connection::open(host.harness.address()).unwrap();
    other.request("POST", "/ping", &[], &[b'x'; 2048]);
    assert_eq!(Answer::read(other.response()).status, 413);
    drop(spinning);
}

/// Lets a client go in the middle of a call that it has asked for.
fn goes_in_the_middle<C>(ask: impl FnOnce(&Hostile) -> C, go: impl FnOnce(C)) {
    let host = Hostile::serve("sleeps", "call = \"50s\"");
    let mut held = host.hold();
    let files = host.harness.data().path().join("plugin");
    let client = ask(&host);
    wait_for(&files.join("waits"));
    go(client);
    host.harness
        .log()
        .expect(&["a client has gone in the middle of a call"]);
    fs::write(files.join("enough"), "").unwrap();
    host.text("/tell");
    assert_eq!(held.line(), "told", "who is held stays");
    assert!(files.join("waited").exists(), "the call went on to its end");
    assert!(!host.harness.log().text().contains("instance is lost"));
}

#[test]
fn a_client_who_goes_takes_no_call_along() {
    goes_in_the_middle(|host| host.ask("/until-enough"), drop);
}

#[test]
fn a_client_who_opens_a_socket_and_goes_takes_no_call_along() {
    let handshake = |host: &Hostile| {
        let mut stream = TcpStream::connect(host.harness.address()).unwrap();
        let headers = "host: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
            sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";
        write!(stream, "GET /until-enough HTTP/1.1\r\n{headers}\r\n\r\n").unwrap();
        stream
    };
    goes_in_the_middle(handshake, drop);
}

#[test]
fn a_client_who_takes_a_request_back_takes_no_call_along() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let ask = |host: &Hostile| {
        runtime.block_on(async {
            let stream = tokio::net::TcpStream::connect(host.harness.address()).await.unwrap();
            let (sender, connection) = h2::client::handshake(stream).await.unwrap();
            tokio::spawn(connection);
            let mut sender = sender.ready().await.unwrap();
            let request = http::Request::get("http://localhost/until-enough").body(()).unwrap();
            let (_response, stream) = sender.send_request(request, true).unwrap();
            (stream, sender)
        })
    };
    // The connection stays.
    let mut kept = None;
    goes_in_the_middle(ask, |(mut stream, sender)| {
        stream.send_reset(h2::Reason::CANCEL);
        kept = Some(sender);
    });
    drop(kept);
}

#[test]
pub(crate) fn sleeps() {
    let host = Hostile::serve("sleeps", "call = \"5s\"");
    assert_eq!(host.text("/1"), "slept");
    host.assert_answers();
    let host = Hostile::serve("sleeps", "call = \"200ms\"");
    host.assert_fails("/3600000");
    host.assert_lost("the limit `call`");
}

#[test]
pub(crate) fn never_starts() {
    let data = data("[limits]\nstart = \"200ms\"");
    let file = fixture("never_starts");
    let outcome = data.run(&["serve", "--port", "0", "--plugin", file.to_str().unwrap()]);
    assert!(outcome.stderr.contains("the limit `start`"), "{outcome:?}");
    outcome.failure();
}

#[test]
pub(crate) fn never_stops() {
    let host = Hostile::serve("never_stops", "stop = \"200ms\"");
    host.assert_answers();
    host.harness.signal(Signal::TERM);
    let outcome = host.harness.wait();
    assert!(outcome.stderr.contains("the limit `stop`"), "{outcome:?}");
    outcome.failure();
}
