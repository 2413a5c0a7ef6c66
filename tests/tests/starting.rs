//! What stands in the way of serving is said in one sentence, with status 1, and nothing is touched. Observed by
//! starting the real program on data, ports and files that do not fit.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::net::{Ipv4Addr, TcpListener};

use friends_chat_tests::{Data, Friend, Harness, Process};

#[test]
fn a_second_process_is_refused_and_told_of_the_first() {
    let harness = Harness::start();
    let refusal = harness.owner(&["serve", "--port", "0"]).failure();
    assert!(refusal.contains(&format!("process {}", harness.id())), "{refusal}");
    assert!(refusal.contains("--data"), "{refusal}");
    assert_eq!(Friend::stranger(&harness).get("/api/health").status, 200);
    // The refused one has not taken the first one's socket away either.
    harness.invite("john");
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let refusal = Data::new().run(&["serve", "--port", &port]).failure();
    assert!(
        refusal.contains(&format!("port {port}")) && refusal.contains("--port"),
        "{refusal}"
    );
}

#[test]
fn an_address_of_another_machine_is_named() {
    let refusal = Data::new()
        .run(&["serve", "--port", "0", "--host", "192.0.2.1"])
        .failure();
    assert!(refusal.contains("192.0.2.1") && refusal.contains("--host"), "{refusal}");
}

#[test]
fn port_zero_takes_a_free_one_each() {
    let (one, two) = (Harness::start(), Harness::start());
    assert_ne!(one.address(), two.address());
    for harness in [&one, &two] {
        assert_eq!(Friend::stranger(harness).get("/api/health").status, 200);
    }
}

#[test]
fn data_that_cannot_be_written_is_named() {
    let data = Data::new();
    let file = data.path().join("file");
    fs::write(&file, "mine").unwrap();
    for root in [file.clone(), file.join("below")] {
        for command in [vec!["serve", "--port", "0"], vec!["list"]] {
            let mut program = Data::bare_command(&command);
            program.arg("--data").arg(&root);
            let refusal = Process::start(program).wait().failure();
            assert!(
                refusal.contains(root.to_str().unwrap()) && refusal.contains("--data"),
                "{refusal}"
            );
        }
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn a_relative_data_directory_is_as_good_as_an_absolute_one() {
    let data = Data::new();
    let mut program = Data::bare_command(&["list", "--data", "."]);
    program.current_dir(data.path());
    Process::start(program).wait().success();
    assert!(data.database().exists());
}

#[test]
fn a_database_from_the_future_is_refused_and_not_touched() {
    let data = Data::new();
    data.run(&["invite", "john"]).success();
    // The user version stands at byte 60 of the file, big-endian (SQLite file format, section 1.3).
    let mut bytes = fs::read(data.database()).unwrap();
    bytes[60..64].copy_from_slice(&999_u32.to_be_bytes());
    fs::write(data.database(), &bytes).unwrap();

    for arguments in [vec!["serve", "--port", "0"], vec!["list"], vec!["nudge", "john", "hi"]] {
        let refusal = data.run(&arguments).failure();
        assert!(
            refusal.contains("friends.db") && refusal.contains("999") && refusal.contains("later"),
            "{refusal}"
        );
        assert_eq!(fs::read(data.database()).unwrap(), bytes, "{arguments:?}");
    }
    assert!(!data.path().join("owner.sock").exists());
}

#[test]
fn a_file_that_is_no_database_is_refused_and_not_touched() {
    let data = Data::new();
    data.run(&["list"]).success();
    let bytes = b"Dear diary, ".repeat(1_000);
    fs::write(data.database(), &bytes).unwrap();
    for arguments in [vec!["serve", "--port", "0"], vec!["list"]] {
        let refusal = data.run(&arguments).failure();
        assert!(refusal.contains("database"), "{refusal}");
        assert_eq!(fs::read(data.database()).unwrap(), bytes);
    }
}

#[test]
fn the_plugin_is_compiled_once() {
    let data = Data::cold();
    let first = data.serve(&[]);
    first.log().expect(&["cache=miss"]);
    first.stop();
    let second = data.serve(&[]);
    second.log().expect(&["cache=hit"]);
    assert!(!second.log().text().contains("cache=miss"));
}

#[test]
fn a_socket_left_by_a_power_cut_is_no_obstacle() {
    let harness = Harness::start();
    let john = harness.friend("john");
    let data = harness.kill();
    assert!(data.path().join("owner.sock").exists());
    // Nobody listens there, so the command does without.
    data.run(&["nudge", "john", "still here"]).success();
    let harness = data.serve(&[]);
    assert_eq!(john.at(&harness).feed().until("nudge")["content"], "still here");
}
