//! A running plugin is given another program while friends chat: no stream ends, no request fails, nothing is lost or
//! doubled; and a program that is not fit changes nothing. Observed by friends at the real program.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod crowd;

use std::fs;
use std::path::PathBuf;

use friends_chat_tests::{Data, Gates, Harness, Signal, Socket};
use serde_json::json;

/// A harness that serves the plugin from a file.
fn serve_file(data: &Data, arguments: &[&str]) -> (Harness, PathBuf) {
    let file = data.path().join("plugin.wasm");
    fs::write(&file, host_harness::DEFAULT_PLUGIN).unwrap();
    let harness = data.serve(&[&["--plugin", file.to_str().unwrap()], arguments].concat());
    (harness, file)
}

#[test]
fn what_waits_and_a_socket_live_on() {
    let gates = Gates::new();
    let mut gate = gates.close("john");
    let data = Data::new();
    let (harness, file) = serve_file(&data, &["--agent", &gates.agent()]);
    let john = harness.friend("john");
    let mary = harness.friend("mary");
    let mut socket = Socket::open(&mary, "/api/socket", &[]).unwrap();
    // Busy for longer than an upgrade waits: the answer is begun anew.
    let mut feed = john.feed();
    drop(john.say("first"));
    drop(john.say("second"));
    harness.signal(Signal::HUP);
    harness.log().expect(&["was replaced by"]);
    gate.let_one_through();
    gate.let_one_through();
    gate.let_one_through();
    for text in ["first", "second"] {
        assert_eq!(feed.until("reply")["text"], format!("You said: {text}"));
    }
    assert_eq!(john.history().len(), 4, "answered once");
    socket.say(&json!({ "type": "message", "message": "over the socket", "id": "1" }));
    assert_eq!(socket.until("reply")["text"], "You said: over the socket");
    assert!(!data.path().join("plugin.before").exists() && file.exists());
}

#[test]
fn what_is_not_fit_changes_nothing() {
    let data = Data::new();
    let (harness, file) = serve_file(&data, &[]);
    let john = harness.friend("john");
    let mut feed = john.feed();
    let other = data.path().join("other.wasm");
    for (bytes, named) in [
        (&b"rubbish"[..], "not a WebAssembly component"),
        (&host_harness::DEFAULT_PLUGIN[..1_000], "damaged"),
    ] {
        fs::write(&other, bytes).unwrap();
        let refusal = harness.owner(&["reload", other.to_str().unwrap()]).failure();
        assert!(refusal.contains(named), "{refusal}");
    }
    let missing = harness.owner(&["reload", "/nowhere.wasm"]).failure();
    assert!(missing.contains("/nowhere.wasm"), "{missing}");
    assert_eq!(john.ask("still there?"), "You said: still there?");
    feed.until("reply");

    fs::write(&other, host_harness::DEFAULT_PLUGIN).unwrap();
    let report = harness.owner(&["reload", other.to_str().unwrap()]).success();
    assert!(report.contains("config.toml"), "{report}");
    fs::remove_file(file).unwrap();
    harness.owner(&["reload"]).success();
}

#[test]
fn without_a_file_or_a_harness_it_says_what_to_do() {
    let data = Data::new();
    let refusal = data.run(&["reload"]).failure();
    assert!(refusal.contains("nothing runs"), "{refusal}");
    let harness = data.serve(&[]);
    let refusal = harness.owner(&["reload"]).failure();
    assert!(refusal.contains("restart"), "{refusal}");
}
