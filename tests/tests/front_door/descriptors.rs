//! A process without descriptors goes on with the connections that it has, and takes new ones when it can.

use std::fs;
use std::io::Write;
use std::net::TcpStream;

use friends_chat_tests::{Harness, Socket};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

/// Descriptors left to the process.
const LEFT: u64 = 4;

#[test]
fn without_descriptors_streams_go_on_and_afterwards_all_do() {
    let harness = Harness::start();
    let john = harness.friend("john");
    let mut feed = john.feed();
    let mut socket = Socket::open(&john, "/api/socket", &[]).unwrap();

    let pid = Pid::from_raw(harness.id().try_into().unwrap());
    let used = fs::read_dir(format!("/proc/{}/fd", harness.id())).unwrap().count();
    let before = prlimit(
        pid,
        Resource::Nofile,
        Rlimit {
            current: Some(u64::try_from(used).unwrap() + LEFT),
            maximum: getrlimit(Resource::Nofile).maximum,
        },
    )
    .unwrap();
    let mut open: Vec<TcpStream> = (0..20)
        .map(|_| TcpStream::connect(harness.address()).unwrap())
        .collect();
    for stream in &mut open {
        stream.write_all(b"GET /api/health HTTP/1.1\r\n").unwrap();
    }
    harness.log().expect(&["accepting a connection"]);
    socket.say(&serde_json::json!({ "type": "message", "message": "still here", "id": "1" }));
    feed.until("reply");
    let lines = harness.log().text().matches("accepting a connection").count();
    assert_eq!(lines, 1, "said once");

    // They go, and their descriptors with them.
    drop(open);
    assert_eq!(john.status()["username"], "john");
    prlimit(pid, Resource::Nofile, before).unwrap();
    assert_eq!(john.ask("hello"), "You said: hello");
}
