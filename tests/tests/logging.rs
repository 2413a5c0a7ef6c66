//! The log tells what belongs to one request, and nothing that could open a door. Observed at the log in both formats, with a
//! proxy that names requests, and with an agent that says too much.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::{Answer, Data, Friend, Harness, Script};
use serde_json::{Value, json};

const JSON_BEHIND_PROXY: [&str; 4] = ["--log-format", "json", "--trusted-proxy", "127.0.0.1"];

fn lines(harness: &Harness) -> Vec<Value> {
    let text = harness.log().text();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// The targets of the lines with an id.
fn targets(lines: &[Value], id: &str) -> Vec<String> {
    lines
        .iter()
        .filter(|line| line["request"] == id)
        .map(|line| line["target"].as_str().unwrap().to_owned())
        .collect()
}

fn get(friend: &Friend, target: &str, id: &str) -> Answer {
    Answer::read(friend.request("GET", target, &[("x-request-id", id)], b""))
}

#[test]
fn an_id_is_on_all_lines_of_its_request_and_on_no_other() {
    let harness = Data::new().serve(&JSON_BEHIND_PROXY);
    let (john, mary) = (Friend::stranger(&harness), Friend::stranger(&harness));
    let (of_john, of_mary) = (harness.invite("john"), harness.invite("mary"));
    assert_eq!(get(&john, &of_john.target(), "signs-in.john").status, 302);
    assert_eq!(get(&mary, &of_mary.target(), "signs-in.mary").status, 302);
    harness.log().expect(&["\"request\":\"signs-in.mary\"", "answered"]);
    let lines = lines(&harness);
    for (id, name, other) in [("signs-in.john", "john", "mary"), ("signs-in.mary", "mary", "john")] {
        let targets = targets(&lines, id);
        assert!(targets.iter().any(|target| target == "plugin"), "{targets:?}");
        assert!(
            targets.iter().any(|target| target.starts_with("host_harness::http")),
            "{targets:?}"
        );
        let of_request: Vec<&Value> = lines.iter().filter(|line| line["request"] == id).collect();
        let text = json!(of_request).to_string();
        assert!(text.contains(&format!("username=\\\"{name}\\\"")), "{text}");
        assert!(!text.contains(&format!("username=\\\"{other}\\\"")), "{text}");
    }
    // The owner's commands have ids of their own, plugin's lines included.
    let invited: Vec<&Value> = lines
        .iter()
        .filter(|line| line.to_string().contains("a friend was invited"))
        .collect();
    assert_eq!(invited.len(), 2);
    assert!(
        invited
            .iter()
            .all(|line| line["request"].is_string() && line["target"] == "plugin"),
        "{invited:?}"
    );
    assert_ne!(invited[0]["request"], invited[1]["request"]);
}

#[test]
fn the_turn_of_a_message_goes_on_under_its_id() {
    let agent = Script::new("echo '{\"error\":\"out of order\"}'");
    let harness = Data::new().serve(&[&JSON_BEHIND_PROXY[..], &["--agent", &agent.agent()]].concat());
    let john = harness.friend("john");
    let body = json!({ "message": "hello" }).to_string();
    let headers = [("content-type", "application/json"), ("x-request-id", "a-message")];
    Answer::read(john.request("POST", "/api/chat", &headers, body.as_bytes()));
    harness.log().expect(&["the agent failed", "out of order"]);
    harness.log().expect(&["the agent could not answer", "out of order"]);
    let lines = lines(&harness);
    let failed: Vec<&Value> = lines
        .iter()
        .filter(|line| line.to_string().contains("out of order"))
        .collect();
    assert_eq!(failed.len(), 2, "{failed:?}");
    assert!(failed.iter().all(|line| line["request"] == "a-message"), "{failed:?}");
}

#[test]
fn only_a_proxy_that_is_trusted_names_requests_and_only_by_words() {
    let harness = Data::new().serve(&["--log-format", "json"]);
    get(&Friend::stranger(&harness), "/api/health", "of-a-stranger");
    let behind = Data::new().serve(&JSON_BEHIND_PROXY);
    for id in ["two words", "quote\"", &"long".repeat(17)] {
        get(&Friend::stranger(&behind), "/api/health", id);
    }
    for harness in [harness, behind] {
        harness.log().expect(&["\"path\":\"/api/health\"", "\"request\":\""]);
        for line in lines(&harness) {
            let Some(id) = line["request"].as_str() else { continue };
            assert!(
                id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "{line}"
            );
        }
    }
}

#[test]
fn a_log_for_people_has_the_ids_too() {
    let data = Data::new().with_config("[log]\nformat = \"text\"\n[proxy]\ntrusted = [\"127.0.0.1\"]\n");
    let harness = data.serve(&[]);
    get(&Friend::stranger(&harness), "/api/health", "looking");
    let line = harness.log().expect(&["answered", "status=200"]);
    assert!(line.ends_with(" request=looking"), "{line}");
}

#[test]
fn what_an_agent_repeats_opens_nothing() {
    let agent = Script::new(
        "echo '{\"error\":\"cannot read https://chat.example.org/chat?invite=AB12-CD34-EF56 with code ab12-cd34-ef56 at all\"}'",
    );
    let harness = Data::new().serve(&["--agent", &agent.agent()]);
    harness.friend("john").post("/api/chat", &json!({ "message": "hello" }));
    harness.log().expect(&["the agent could not answer"]);
    let line = harness.log().expect(&[
        "the agent failed",
        "cannot read https://chat.example.org/… with code … at all",
    ]);
    let log = harness.log().text().to_lowercase();
    assert!(!log.contains("ab12") && !log.contains("invite="), "{line}");
}
