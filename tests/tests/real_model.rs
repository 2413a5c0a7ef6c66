//! The whole story with a model of flesh and blood, when the environment names one:
//! `FRIENDS_CHAT_TEST_AGENT=http://localhost:11434/v1#llama3.2`, with its key in `HARNESS_AGENT_KEY` if it wants one. Observed
//! by a friend who gets an answer, and at the invite that the owner asks for.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it skips"
)]

use std::io::Write;

use friends_chat_tests::{Data, Friend, Invite};

const AGENT: &str = "FRIENDS_CHAT_TEST_AGENT";

/// Data with the key, and the arguments that name agent and key; none when the environment names no agent.
fn real_agent(test: &str) -> Option<(Data, Vec<String>)> {
    let Ok(agent) = std::env::var(AGENT) else {
        // The macros' output of a test that passes is not shown; this is.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: {test}: set {AGENT} to the address of a model"
        );
        return None;
    };
    let data = Data::new();
    let mut arguments = vec!["--agent".to_owned(), agent];
    if let Ok(key) = std::env::var("HARNESS_AGENT_KEY") {
        let file = data.path().join("key");
        std::fs::write(&file, key).unwrap();
        arguments.extend(["--agent-key-file".to_owned(), file.to_str().unwrap().to_owned()]);
    }
    Some((data, arguments))
}

#[test]
fn a_friend_is_answered() {
    let Some((data, arguments)) = real_agent("a_friend_is_answered") else {
        return;
    };
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let harness = data.serve(&arguments);
    let answer = harness
        .friend("mary")
        .ask("Hello! Say something nice, in one sentence.");
    assert!(!answer.trim().is_empty());
}

#[test]
fn a_friend_is_invited_by_talking() {
    let Some((data, arguments)) = real_agent("a_friend_is_invited_by_talking") else {
        return;
    };
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let harness = data.serve(&arguments);
    let shown = data.chat(&[], "Invite my friend John, username john.\n").success();
    assert!(shown.contains("· friends_chat_invite"), "{shown}");
    assert!(harness.owner(&["list"]).success().contains("- john, "), "{shown}");
    let john = Friend::stranger(&harness);
    john.join(&Invite::parse(&harness.owner(&["reinvite", "john"]).success()));
    assert!(!john.ask("Hi, I am John. Who are you?").trim().is_empty());
}
