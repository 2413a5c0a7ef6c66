//! The disk is full: friends read on, what they write is refused in plain words, the owner reads of it in the log once, and
//! all goes on when there is room. The disk is full because the system lets the harness's files grow no further.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

use friends_chat_tests::{Answer, Data, Friend, Process, free_port};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::json;

/// Messages that are refused.
const REFUSED: usize = 8;

/// Starts the harness where a file that may not grow is an error and no signal.
fn serve(data: &Data) -> (Process, SocketAddr) {
    let port = free_port();
    let harness = data.command(&["serve", "--port", &port.to_string()]);
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(harness.get_program())
        .args(harness.get_args())
        .env("RUST_LOG", "info");
    let process = Process::start(command);
    process.stdout.find(|line| line.starts_with("The chat is at")).unwrap();
    (process, SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

/// Bytes that a file of the harness may have; none for any.
fn limit(process: &Process, bytes: Option<u64>) {
    let maximum = getrlimit(Resource::Fsize).maximum;
    let current = bytes.or(maximum);
    let pid = Pid::from_raw(process.id().try_into().unwrap());
    prlimit(pid, Resource::Fsize, Rlimit { current, maximum }).unwrap();
}

fn say(friend: &Friend, text: &str) -> Answer {
    friend.post("/api/chat", &json!({ "message": text }))
}

#[test]
fn friends_read_on_and_the_owner_is_told_once() {
    let data = Data::new();
    let harness = data.serve(&[]);
    let john = harness.friend("john");
    john.ask("before");
    harness.stop();
    let (process, address) = serve(&data);
    let john = john.at_address(address);

    limit(&process, Some(0));
    for _ in 0..REFUSED {
        let refused = say(&john, "lost");
        assert_eq!(refused.status, 503, "{}", refused.text());
        assert!(refused.text().contains("lease try again"), "{}", refused.text());
        assert_eq!(john.history().len(), 2);
    }
    let refused = say(&john, "lost");
    let sentence = "That could not be saved at the moment. Please try again later.";
    assert_eq!(refused.json(), json!({ "error": sentence }));
    assert_eq!(john.get("/").status, 200);

    limit(&process, None);
    assert_eq!(say(&john, "after").status, 200);
    process
        .stderr
        .find(|line| line.contains("there is room on the disk again"))
        .unwrap();
    let log = process.stderr.text();
    assert_eq!(log.matches("the disk is full: friends read on").count(), 1, "{log}");
    assert!(!log.contains("a request failed"), "{log}");
}
