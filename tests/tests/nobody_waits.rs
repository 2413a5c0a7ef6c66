//! Nobody waits for anybody else: not for an agent that takes its time, nor for a client that sends or reads slowly.
//! Observed by order alone: what is slow is held until everybody else has been answered.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::{Answer, COOKIE, Connection, Data, Friend, Gates, Harness, Script};
use serde_json::json;

#[test]
fn while_one_friends_agent_works_another_friend_is_answered() {
    let gates = Gates::new();
    let mut gate = gates.close("john");
    let harness = Data::new().serve(&["--agent", &gates.agent()]);
    let (john, mary) = (harness.friend("john"), harness.friend("mary"));
    let mut feed = john.feed();
    let mut answer = john.say("take your time");
    assert_eq!(answer.until("status")["content"], "at the gate");

    let health = Friend::stranger(&harness).get("/api/health");
    assert_eq!(
        (health.status, health.json()),
        (200, json!({ "ok": true, "service": "friends-chat" }))
    );
    assert_eq!(mary.ask("quick one"), "You said: quick one");
    assert_eq!(john.status()["username"], "john");
    harness.nudge("john", "meanwhile");
    assert_eq!(feed.until("nudge")["content"], "meanwhile");

    gate.let_one_through();
    assert_eq!(answer.answer(), "You said: take your time");
}

#[test]
fn a_client_that_sends_slowly_delays_nobody() {
    let harness = Harness::start();
    let john = harness.friend("john");
    let body = json!({ "code": "0000-0000-0000" }).to_string();
    let head = format!(
        "POST /api/auth/redeem HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    // One stops in the head, one before the body, the others within it.
    let request = [head.as_bytes(), body.as_bytes()].concat();
    let stops = [5, head.len(), head.len() + 1, head.len() + 2, request.len() - 1];
    let slow: Vec<(Connection, usize)> = stops
        .into_iter()
        .map(|stop| {
            let mut connection = Connection::open(harness.address()).unwrap();
            connection.write(&request[..stop]);
            (connection, stop)
        })
        .collect();

    assert_eq!(Friend::stranger(&harness).get("/api/health").status, 200);
    assert_eq!(john.ask("hello"), "You said: hello");

    for (mut connection, stop) in slow {
        for byte in &request[stop..] {
            connection.write(std::slice::from_ref(byte));
        }
        Answer::read(connection.response()).assert_error(401);
    }
}

#[test]
fn a_client_that_does_not_read_delays_nobody() {
    // Pieces of 8 KiB, 512 KiB an answer.
    let script = Script::new(
        r#"piece=$(head -c 8192 /dev/zero | tr '\0' x)
        for _ in $(seq 64); do echo "{\"delta\":\"$piece\"}"; done"#,
    );
    let harness = Data::new().serve(&["--agent", &script.agent()]);
    let (john, mary) = (harness.friend("john"), harness.friend("mary"));
    let mut mute = Vec::new();
    for target in ["/api/stream", "/api/stream", "/assets/app.css"] {
        let mut connection = Connection::open(harness.address()).unwrap();
        let cookie = format!("{COOKIE}={}", john.cookie().unwrap());
        connection.request("GET", target, &[("cookie", &cookie)], b"");
        mute.push(connection);
    }
    let mut feed = john.feed();
    // More than the harness keeps for one connection together with what the sockets hold.
    for _ in 0..8 {
        assert_eq!(john.ask("go on").len(), 64 * 8192);
        feed.until("done");
    }
    assert_eq!(Friend::stranger(&harness).get("/api/health").status, 200);
    assert_eq!(mary.ask("hello").len(), 64 * 8192);
    assert_eq!(john.status()["authenticated"], true);
    // They were never read from.
    assert_eq!(mute.len(), 3);
}
