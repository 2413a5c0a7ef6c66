//! What somebody was told is on the disk: no answer leaves before it, and what the disk refuses is not said to be kept.
//! Observed between the harness and its system, by `strace`: in which order it writes, syncs and answers; and what it does
//! when a sync fails. Where a process may not be traced these tests say that they are left out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use friends_chat_tests::{Data, Friend, Harness, Process, Signal};
use serde_json::json;

/// Traces a harness, or says why not.
fn trace(harness: &Harness, arguments: &[&str]) -> Option<Process> {
    let mut command = Command::new("strace");
    command
        .args(["--follow-forks", "--decode-fds=path,socket", "--string-limit=16"])
        .args(arguments)
        .arg(format!("--attach={}", harness.id()));
    let tracer = Process::start(command);
    let attached = tracer.stderr.find(|line| line.contains(" attached"));
    if attached.is_none() {
        eprintln!("left out: {}", tracer.stderr.text());
    }
    attached.map(|_| tracer)
}

/// Ends the tracing; the harness goes on. Gives what was seen.
fn detach(tracer: Process) -> Vec<String> {
    tracer.signal(Signal::INT);
    tracer.wait().stderr.lines().map(str::to_owned).collect()
}

fn say(friend: &Friend, id: &str) -> u16 {
    let body = json!({ "message": "hello", "stream": false, "id": id });
    friend.post("/api/chat", &body).status
}

#[test]
fn no_answer_leaves_before_the_disk_has_what_it_tells_of() {
    let harness = Data::new().serve(&[]);
    let john = harness.friend("john");
    let calls = "--trace=pwrite64,pwritev,fdatasync,fsync,write,writev,sendto,sendmsg";
    let Some(tracer) = trace(&harness, &[calls]) else {
        return;
    };
    for number in 0..10 {
        assert_eq!(say(&john, &number.to_string()), 200);
        let renamed = john.post("/api/nickname", &json!({ "nickname": format!("John {number}") }));
        assert_eq!(renamed.status, 200);
    }
    let seen = detach(tracer);

    let (mut is_written, mut answers, mut syncs) = (false, 0, 0);
    for line in &seen {
        if line.contains("pwrite") && line.contains("friends.db") {
            is_written = true;
        } else if line.contains("sync") && line.trim_end().ends_with("= 0") {
            is_written = false;
            syncs += 1;
        } else if line.contains("HTTP/1.1 200") {
            answers += 1;
            assert!(!is_written, "answered before the disk had it:\n{}", seen.join("\n"));
        }
    }
    assert_eq!(answers, 20, "{}", seen.join("\n"));
    assert!(syncs >= 30, "a message, its answer and a nickname each: {syncs}");
}

#[test]
fn the_pieces_of_an_answer_wait_for_the_disk_together() {
    let harness = Data::new().serve(&["--agent", "echo:0ms"]);
    let (john, mary) = (harness.friend("john"), harness.friend("mary"));
    let slow = ["--trace=fdatasync", "--inject=fdatasync:delay_enter=20000"];
    let Some(tracer) = trace(&harness, &slow) else {
        return;
    };
    const MESSAGES: usize = 10;
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !is_over.load(Ordering::Relaxed) {
                number += 1;
                let renamed = mary.post("/api/nickname", &json!({ "nickname": format!("Mary {number}") }));
                assert_eq!(renamed.status, 200);
            }
        });
        for number in 0..MESSAGES {
            assert_eq!(say(&john, &number.to_string()), 200);
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let seen = detach(tracer);
    let syncs = seen.iter().filter(|line| line.contains("fdatasync(")).count();
    // The one being made when a message comes, its own, and its answer's.
    assert!(syncs <= MESSAGES * 3 + 2, "{syncs}");
}

#[test]
fn what_the_disk_refuses_is_not_said_to_be_kept_and_goes_on_when_it_takes_it_again() {
    let harness = Data::new().serve(&[]);
    let john = harness.friend("john");
    assert_eq!(say(&john, "before"), 200);
    let refuse = ["--trace=fdatasync,fsync", "--inject=fdatasync,fsync:error=EIO"];
    let Some(tracer) = trace(&harness, &refuse) else {
        return;
    };
    assert_eq!(say(&john, "meanwhile"), 503);
    let refused = john.post("/api/nickname", &json!({ "nickname": "Johnny" }));
    assert_eq!(refused.status, 503);
    detach(tracer);

    // The page sends it again, with the same name.
    while say(&john, "meanwhile") != 200 {}
    assert_eq!(say(&john, "after"), 200);
    let data = harness.kill();
    let harness = data.serve(&[]);
    let john = john.at(&harness);
    let said = john.history().iter().filter(|entry| entry["role"] == "friend").count();
    assert_eq!(said, 3, "{:?}", john.history());
    assert_ne!(john.status()["nickname"], "Johnny");
}
