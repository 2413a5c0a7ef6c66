//! The owner's tools for the owner's other agents. Observed with the official Python SDK as the agent, on both transports and
//! in the current and the previous version of the protocol, and with raw requests that must not get in.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use friends_chat_tests::{Answer, Connection, Data, Friend, Harness, Invite, Lines};
use serde_json::{Value, json};

/// How the SDK begins, and the version that comes of it: with the handshake of the previous one, and by asking what there is.
const MODES: [(&str, &str); 2] = [("legacy", "2025-11-25"), ("auto", "2026-07-28")];

const TOOLS: [&str; 5] = [
    "friends_chat_invite",
    "friends_chat_reinvite",
    "friends_chat_revoke",
    "friends_chat_list",
    "nudge",
];

/// Another agent of the owner's.
struct Agent {
    child: Child,
    calls: Option<ChildStdin>,
    answers: Lines,
    errors: Lines,
    taken: usize,
}

impl Agent {
    fn start(told: &Value) -> Self {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let python = target.join("mcp-client/bin/python");
        assert!(python.exists(), "{} is missing: run `./setup test`", python.display());
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("mcp/client.py");
        let mut child = Command::new(python)
            .arg(script)
            .arg(told.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            calls: child.stdin.take(),
            answers: Lines::collect(child.stdout.take().unwrap()),
            errors: Lines::collect(child.stderr.take().unwrap()),
            child,
            taken: 0,
        }
    }

    /// One that starts the harness's program itself.
    fn on_stdio(data: &Data, mode: &str) -> Self {
        let program = data.command(&[]).get_program().to_owned();
        let arguments = ["mcp", "--data", data.path().to_str().unwrap()];
        Self::start(&json!({ "mode": mode, "command": program.to_str().unwrap(), "arguments": arguments }))
    }

    #[track_caller]
    fn next(&mut self) -> Value {
        self.taken += 1;
        let nth = self.answers.nth(self.taken - 1);
        let line = nth.unwrap_or_else(|| {
            self.errors.end();
            panic!("the agent ended:\n{}", self.errors.text())
        });
        serde_json::from_str(&line).unwrap()
    }

    #[track_caller]
    fn call(&mut self, name: &str, arguments: Value) -> Value {
        let line = json!({ "name": name, "arguments": arguments });
        writeln!(self.calls.as_mut().unwrap(), "{line}").unwrap();
        self.next()
    }

    /// Carries out a tool that succeeds.
    #[track_caller]
    fn done(&mut self, name: &str, arguments: Value) -> String {
        let answer = self.call(name, arguments);
        assert_eq!(answer["failed"], false, "{answer}");
        answer["text"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn end(mut self) {
        self.calls = None;
        self.errors.end();
        assert!(self.child.wait().unwrap().success(), "{}", self.errors.text());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A harness with a port for agents, what they find there, and the token.
fn serve() -> (Harness, String, String) {
    let harness = Data::new().serve(&["--mcp-port", "0"]);
    let line = harness.output().expect(&["Your other agents find it at"]);
    let url = line.rsplit(' ').next().unwrap().to_owned();
    let token = fs::read_to_string(harness.data().path().join("mcp-token")).unwrap();
    let token = token.trim().to_owned();
    friends_chat_tests::remember_secret(&token);
    (harness, url, token)
}

fn over_http(url: &str, token: &str, mode: &str) -> Agent {
    Agent::start(&json!({ "mode": mode, "url": url, "token": token }))
}

/// What every agent can do, from the list to the end of a friend's access.
fn manage(agent: &mut Agent, harness: &Harness, version: &str) {
    let said = agent.next();
    assert_eq!(said["version"], version);
    let instructions = said["instructions"].as_str().unwrap();
    assert!(instructions.contains("never instructions"), "{instructions}");
    let tools = said["tools"].as_array().unwrap();
    let names: Vec<&Value> = tools.iter().map(|tool| &tool["name"]).collect();
    assert_eq!(names, TOOLS);
    for tool in tools {
        assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{tool}");
        let name = tool["name"].as_str().unwrap();
        let hints = &tool["annotations"];
        assert_eq!(hints["readOnlyHint"], name == "friends_chat_list", "{tool}");
        let ends_access = ["friends_chat_reinvite", "friends_chat_revoke"].contains(&name);
        assert_eq!(hints["destructiveHint"], ends_access, "{tool}");
    }

    assert!(agent.done("friends_chat_list", json!({})).contains("no friends"));
    let invite = Invite::parse(&agent.done("friends_chat_invite", json!({ "username": "john" })));
    let john = Friend::stranger(harness);
    john.join(&invite);
    assert!(
        agent
            .done("friends_chat_list", json!({}))
            .contains("- john, nickname \"john\", active")
    );

    let mut feed = john.feed();
    let told = agent.done("nudge", json!({ "user": "john", "message": "Dinner at eight?" }));
    assert!(told.contains("one open page"), "{told}");
    let nudge = feed.next_value().unwrap();
    assert_eq!(
        (&nudge["type"], &nudge["content"]),
        (&json!("nudge"), &json!("Dinner at eight?"))
    );

    agent.done("friends_chat_revoke", json!({ "username": "john" }));
    assert_eq!(john.status()["authenticated"], false);
    let refused = agent.call("friends_chat_revoke", json!({ "username": "nobody" }));
    assert_eq!(refused["failed"], true);
    assert!(
        refused["text"].as_str().unwrap().contains("friends_chat_list"),
        "{refused}"
    );
    assert_eq!(agent.call("friends_chat_destroy", json!({}))["failed"], true);
}

#[test]
fn an_agent_on_standard_input_manages_friends_of_the_running_harness() {
    for (mode, version) in MODES {
        let harness = Harness::start();
        let mut agent = Agent::on_stdio(harness.data(), mode);
        manage(&mut agent, &harness, version);
        agent.end();
    }
}

#[test]
fn an_agent_over_http_manages_friends() {
    for (mode, version) in MODES {
        let (harness, url, token) = serve();
        let mut agent = over_http(&url, &token, mode);
        manage(&mut agent, &harness, version);
        agent.end();
    }
}

#[test]
fn without_a_running_harness_the_data_themselves_are_managed_and_a_start_goes_unnoticed() {
    let data = Data::new();
    let mut agent = Agent::on_stdio(&data, "auto");
    assert_eq!(agent.next()["tools"].as_array().unwrap().len(), TOOLS.len());
    let invite = Invite::parse(&agent.done("friends_chat_invite", json!({ "username": "john" })));
    let kept = agent.done("nudge", json!({ "user": "john", "message": "Welcome" }));
    assert!(kept.contains("kept until"), "{kept}");

    let harness = data.serve(&[]);
    assert!(agent.done("friends_chat_list", json!({})).contains("- john"));
    let link = Invite::parse(&agent.done("friends_chat_reinvite", json!({ "username": "john" })));
    let john = Friend::stranger(&harness);
    assert_ne!(john.get(&invite.target()).status, 302);
    john.join(&link);
    assert_eq!(john.history()[0]["text"], "Welcome");
    agent.end();
}

#[test]
fn nothing_but_the_protocol_is_on_standard_output() {
    let data = Data::new();
    let mut command = data.command(&["mcp"]);
    command
        .env("RUST_LOG", "trace")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } } });
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{request}").unwrap();
    writeln!(
        input,
        "{}",
        json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })
    )
    .unwrap();
    writeln!(
        input,
        "{}",
        json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" })
    )
    .unwrap();
    let output = Lines::collect(child.stdout.take().unwrap());
    let log = Lines::collect(child.stderr.take().unwrap());
    output.expect(&["friends_chat_list"]);
    drop(input);
    output.end();
    log.end();
    assert!(child.wait().unwrap().success());
    assert!(!log.text().is_empty());
    let text = output.text();
    let answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers[0]["result"]["protocolVersion"], "2025-06-18");
    assert_eq!((answers.len(), &answers[1]["id"]), (2, &json!(2)));
}

#[test]
fn who_has_no_token_or_comes_by_a_web_page_does_not_get_in() {
    let (harness, url, token) = serve();
    let address: SocketAddr = url
        .trim_start_matches("http://")
        .trim_end_matches("/mcp")
        .parse()
        .unwrap();
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {} }).to_string();
    let ask = |address: SocketAddr, headers: &[(&str, &str)], body: &str| {
        let common = [
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        ];
        let mut connection = Connection::open(address).unwrap();
        connection.request("POST", "/mcp", &[&common, headers].concat(), body.as_bytes());
        Answer::read(connection.response())
    };
    let bearer = format!("Bearer {token}");
    let own = ("authorization", bearer.as_str());
    assert_eq!(ask(address, &[own], &list).status, 200);

    let wrong = format!("Bearer {}", "0".repeat(token.len()));
    for forged in [
        &wrong,
        &format!("Bearer {}", &token[1..]),
        &format!("Basic {token}"),
        "Bearer ",
        "",
        &token,
    ] {
        let answer = ask(address, &[("authorization", forged)], &list);
        assert_eq!(
            (answer.status, answer.header("www-authenticate")),
            (401, Some("Bearer")),
            "{forged}"
        );
        assert!(!answer.text().contains("friends_chat"));
    }
    assert_eq!(ask(address, &[], &list).status, 401);
    for origin in ["https://evil.example", "null", "http://localhost:3001"] {
        assert_eq!(ask(address, &[own, ("origin", origin)], &list).status, 403, "{origin}");
    }
    assert_eq!(
        ask(address, &[own], &format!("{list}{}", " ".repeat(1 << 20))).status,
        413
    );
    // The chat's port knows nothing of it.
    assert_eq!(ask(harness.address(), &[own], &list).status, 404);

    let rebound =
        format!("POST /mcp HTTP/1.1\r\nhost: evil.example\r\nauthorization: {bearer}\r\ncontent-length: 0\r\n\r\n");
    let mut connection = Connection::open(address).unwrap();
    connection.write(rebound.as_bytes());
    assert_eq!(Answer::read(connection.response()).status, 403);
}

#[test]
fn nothing_listens_unless_it_is_asked_for() {
    let harness = Harness::start();
    harness.invite("john");
    assert!(!harness.data().path().join("mcp-token").exists());
    assert!(!harness.output().text().contains("other agents"));
}
