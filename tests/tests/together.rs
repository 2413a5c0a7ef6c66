//! Requests that wait at the same time share one commit, and one on its own waits for nobody. Observed in the harness's
//! log, which says how many calls each commit made last, while it is stopped for as long as requests are sent to it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::{Answer, COOKIE, Connection, Data, Friend, Harness, Process, Signal};
use serde_json::json;

/// Friends who write at once.
const FRIENDS: usize = 32;

/// How many calls each commit of this harness has made last.
fn commits(harness: Harness) -> Vec<usize> {
    harness.signal(Signal::TERM);
    let log = harness.wait().stderr;
    let lines = log.lines().filter_map(|line| line.split_once("committed calls="));
    lines.map(|(_, calls)| calls.trim().parse().unwrap()).collect()
}

#[test]
fn those_who_write_at_once_share_a_commit_and_all_is_kept() {
    let harness = Harness::start();
    let friends: Vec<Friend> = (0..FRIENDS)
        .map(|number| harness.friend(&format!("friend_{number}")))
        .collect();
    let mut connections: Vec<Connection> = friends
        .iter()
        .map(|_| Connection::open(harness.address()).unwrap())
        .collect();
    // Connections that are accepted, so that nothing but the requests is waited for.
    let body = json!({ "message": "all at once", "stream": false }).to_string();
    harness.signal(Signal::STOP);
    for (friend, connection) in friends.iter().zip(&mut connections) {
        let cookie = format!("{COOKIE}={}", friend.cookie().unwrap());
        let headers = [("content-type", "application/json"), ("cookie", cookie.as_str())];
        connection.request("POST", "/api/chat", &headers, body.as_bytes());
    }
    harness.signal(Signal::CONT);
    for connection in connections {
        assert_eq!(connection.response().status, 200);
    }
    for friend in &friends {
        assert_eq!(friend.history().len(), 2);
    }
    let commits = commits(harness);
    let largest = commits.iter().max().copied().unwrap_or_default();
    assert!(largest > FRIENDS / 4, "{commits:?}");
}

#[test]
fn one_on_its_own_is_committed_by_itself() {
    let harness = Harness::start();
    let john = harness.friend("john");
    for number in 0..5 {
        assert_eq!(
            john.post("/api/nickname", &json!({ "nickname": format!("John {number}") }))
                .status,
            200
        );
    }
    let commits = commits(harness);
    assert!(
        commits.len() >= 5 && commits.iter().all(|calls| *calls == 1),
        "{commits:?}"
    );
}

#[test]
fn on_a_full_disk_nobody_is_told_that_something_was_kept_and_reading_works() {
    // A file system of its own that is too small; where it cannot be made, for lack of rights, there is nothing to see.
    let data = Data::new();
    let Some(disk) = SmallDisk::mount(&data.path().join("plugin")) else {
        eprintln!("left out: mounting a file system needs root");
        return;
    };
    let harness = data.serve(&[]);
    let john = harness.friend("john");
    assert_eq!(john.ask("before"), "You said: before");
    disk.fill();

    let say = |message: &str| {
        let body = json!({ "message": message }).to_string();
        let headers = [("content-type", "application/json")];
        john.request("POST", "/api/chat", &headers, body.as_bytes())
    };
    let long = "x".repeat(60_000);
    // Answers that were begun cannot be written down either: nobody waits for their end here.
    let mut taken = 1;
    let refused = loop {
        let incoming = say(&long);
        match incoming.status {
            200 => taken += 1,
            // The queue of one friend is short.
            429 => {}
            _ => break Answer::read(incoming),
        }
        assert!(taken < 50, "the disk is never full");
    };
    refused.assert_error(503);
    let said = |john: &Friend| john.history().iter().filter(|entry| entry["role"] == "friend").count();
    assert_eq!(said(&john), taken, "what was refused is not there, and reading works");
    assert_eq!(john.status()["username"], "john");

    disk.free();
    let mut feed = john.feed();
    // The queue may still be full of those whose answers could not be written down.
    let after = loop {
        let incoming = say("after");
        if incoming.status != 429 {
            break incoming;
        }
    };
    assert_eq!(after.status, 200);
    drop(Answer::read(after));
    feed.until("reply");
    let harness = harness.kill().serve(&[]);
    let john = john.at(&harness);
    assert_eq!(said(&john), taken + 1);
    drop(john.say("and once more").answer());
    let history = john.history();
    let open = history
        .iter()
        .filter(|entry| entry["role"] == "friend" && entry["state"] != "answered");
    assert_eq!(open.count(), 0, "every message has its answer");
    assert_eq!(history.len(), 2 * (taken + 2), "and only one");
}

/// A small file system in memory.
struct SmallDisk {
    at: std::path::PathBuf,
}

impl SmallDisk {
    fn mount(at: &std::path::Path) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mut command = std::process::Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=8m,mode=700", "none"]).arg(at);
        (Process::start(command).wait().code == Some(0)).then(|| Self { at: at.to_owned() })
    }

    /// Leaves room for a few long messages.
    fn fill(&self) {
        let _ = std::fs::write(self.at.join("ballast"), vec![0; 7 << 20]);
    }

    fn free(&self) {
        std::fs::remove_file(self.at.join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg("--lazy")
            .arg(&self.at)
            .status();
    }
}
