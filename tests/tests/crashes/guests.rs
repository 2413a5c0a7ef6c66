//! Clients who come, do something at random, mostly nothing that makes sense, and go, at any moment.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use fastrand::Rng;
use friends_chat_tests::{COOKIE, Friend};

use crate::stage::Stage;

/// Connections that a guest leaves open, to do nothing more.
const LEFT_OPEN: usize = 10;
/// Time for which a guest waits for an answer. Not to get one is no failure: the harness may be killed at any moment.
const PATIENCE: Duration = Duration::from_millis(100);
/// Most time between two visits.
const PAUSE: Duration = Duration::from_millis(20);

/// Visits until nothing new is to begin, with the cookie of somebody who may hold streams.
pub(crate) fn visit(stage: &Stage, cookie: &str, rng: &mut Rng) -> u64 {
    let _part = stage.part();
    let mut open = VecDeque::new();
    let mut visits = 0;
    while !stage.is_last() {
        if stage.is_resting() {
            open.clear();
            stage.rest();
        }
        if let Ok(stream) = TcpStream::connect(stage.first().address) {
            visits += 1;
            open.extend(act(stream, cookie, rng));
        }
        if open.len() > LEFT_OPEN {
            open.remove(rng.usize(..open.len()));
        }
        std::thread::sleep(PAUSE.mul_f64(rng.f64()));
    }
    visits
}

/// Does one thing; gives the connection if it is to stay open.
fn act(mut stream: TcpStream, cookie: &str, rng: &mut Rng) -> Option<TcpStream> {
    let head = |line: &str, more: &str| {
        format!("{line} HTTP/1.1\r\nhost: localhost\r\ncookie: {COOKIE}={cookie}\r\n{more}\r\n")
    };
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let mut noise = vec![0; rng.usize(1..2_000)];
    rng.fill(&mut noise);
    let bytes = match rng.u8(..10) {
        0 => Vec::new(),
        1 => noise.clone(),
        2 => [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &noise[..]].concat(),
        3 => head("GET /api/stream", "").into_bytes(),
        4 => head("GET /", "").into_bytes(),
        5 => head("GET /api/history?limit=2", "").into_bytes(),
        6 => head("POST /api/nickname", "content-length: 1000000\r\n").into_bytes(),
        7 => [
            head(
                "POST /api/chat",
                "content-type: application/json\r\ncontent-length: 5\r\n",
            )
            .as_bytes(),
            b"{\"a\"",
        ]
        .concat(),
        8 => head("GET /api/socket", upgrade).into_bytes(),
        _ => [head("GET /api/socket", upgrade).as_bytes(), &noise].concat(),
    };
    let sent = if rng.bool() {
        bytes.len()
    } else {
        rng.usize(..=bytes.len())
    };
    stream.write_all(&bytes[..sent]).ok()?;
    match rng.u8(..3) {
        0 => None,
        1 => Some(stream),
        _ => {
            stream.set_read_timeout(Some(PATIENCE)).ok()?;
            let _ = stream.read(&mut noise);
            rng.bool().then_some(stream)
        }
    }
}

/// What the plugin is killed by: a request that gives more at once than this harness lets it. True when it was.
pub(crate) fn ask_too_much(greedy: &Friend) -> bool {
    let answer = greedy.try_request("GET", "/api/history?limit=200", &[], b"");
    answer.is_ok_and(|answer| answer.status == 503)
}
