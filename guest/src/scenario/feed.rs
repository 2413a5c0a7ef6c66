//! What a page is told when it connects, nudges, what was seen, and the WebSocket.

use super::*;
use crate::plugin::CallError;
use crate::testing::Told;
use channel_plugin::Opening;

fn nudge(scenario: &mut Scenario, user_id: &str, content: &str) -> Result<(u32, i64), CallError> {
    scenario
        .plugin
        .send_to_user(&mut scenario.host, user_id, content, "background-agent", "high")
        .map(|delivered| (delivered.connections, delivered.id))
}

#[test]
fn a_feed_begins_with_who_it_is_for() {
    let mut scenario = Scenario::started("feed_hello.db");
    let mut john = scenario.friend("john");
    let response = scenario.get(&mut john, "/api/stream");
    assert!(response.body.starts_with(b"retry: 2000\n\n"));
    assert_eq!(header(&response, "x-accel-buffering"), Some("no"));
    let hello = &events(&response)[0];
    assert_eq!(
        (&hello["type"], &hello["agent"], &hello["unread"]),
        (&json!("hello"), &json!("idle"), &json!(0))
    );
    assert_eq!(
        (&hello["username"], &hello["name"], &hello["latest"]),
        (&json!("john"), &json!("the agent"), &json!(0))
    );
    let names = response.hold.unwrap().topics;
    assert_eq!(names, ["friend/1", "session/1", "all"]);
    let again = scenario.get(&mut john, "/api/push");
    assert_eq!(events(&again)[0]["epoch"], hello["epoch"], "the epoch is the log's");
}

#[test]
fn a_page_gets_exactly_what_it_missed() {
    let mut scenario = Scenario::started("feed_missed.db");
    let mut john = scenario.friend("john");
    let first = scenario.say(&mut john, "one");
    scenario.answer(1, "1");
    let second = scenario.say(&mut john, "two");
    scenario.agent(2, AgentEvent::Delta("so far".to_owned()));

    let response = scenario.request(
        &mut john,
        "GET",
        "/api/stream",
        &[("last-event-id", &first.to_string())],
        b"",
    );
    let told = events(&response);
    assert_eq!(types(&told), ["hello", "reply", "message", "text"]);
    assert_eq!(told[0]["agent"], "answering");
    assert_eq!((&told[1]["id"], &told[2]["id"]), (&json!(first + 1), &json!(second)));
    assert_eq!(told[2]["state"], "answering");
    assert_eq!(told[3], json!({"type": "text", "message": second, "content": "so far"}));

    let response = scenario.get(&mut john, &format!("/api/stream?after={second}"));
    let told = events(&response);
    assert_eq!(types(&told), ["hello", "state", "text"]);
    assert_eq!(
        told[1],
        json!({"type": "state", "message": second, "state": "answering"})
    );
    for after in ["99999", "-1", "junk", ""] {
        let response = scenario.get(&mut john, &format!("/api/stream?after={after}"));
        let expected: &[&str] = if after == "99999" {
            &["hello", "resync", "text"]
        } else {
            &["hello", "text"]
        };
        assert_eq!(types(&events(&response)), expected, "{after}");
    }
}

#[test]
fn a_gap_too_long_says_resync() {
    let mut scenario = Scenario::started("feed_gap.db");
    let mut john = scenario.friend("john");
    for _ in 0..501 {
        nudge(&mut scenario, "friend:john", "hi").unwrap();
    }
    assert_eq!(
        types(&events(&scenario.get(&mut john, "/api/stream?after=0"))),
        ["hello", "resync"]
    );
    assert_eq!(events(&scenario.get(&mut john, "/api/stream?after=1")).len(), 501);
}

#[test]
fn a_nudge_reaches_who_is_there_and_waits_for_who_is_not() {
    let mut scenario = Scenario::started("feed_nudge.db");
    let mut john = scenario.friend("john");
    scenario.host.connections = 1;
    let (reached, id) = nudge(&mut scenario, "friend:john", "*hey*").unwrap();
    assert_eq!(reached, 2, "a stream and a WebSocket");
    let sent = &scenario.published("friend/1")[0];
    assert_eq!(
        (&sent["type"], &sent["content"], &sent["html"]),
        (&json!("nudge"), &json!("*hey*"), &json!("<p><em>hey</em></p>\n"))
    );
    assert_eq!(
        (&sent["source"], &sent["priority"]),
        (&json!("background-agent"), &json!("high"))
    );
    assert_eq!(sent["timestamp"], json!(1_700_000_000_000_i64));

    scenario.host.connections = 0;
    let (reached, later) = nudge(&mut scenario, "friend:john", "still there?").unwrap();
    assert_eq!(reached, 0);
    let told = events(&scenario.get(&mut john, "/api/stream"));
    assert_eq!(types(&told), ["hello", "nudge", "nudge"]);
    assert_eq!(told[0]["unread"], 2);
    let history = body(&scenario.get(&mut john, "/api/history"));
    assert_eq!(
        (&history["entries"][0]["state"], &history["entries"][1]["state"]),
        (&json!("stored"), &json!("pushed"))
    );

    let unseen = body(&scenario.get(&mut john, "/api/notifications"))["unseen"].take();
    assert_eq!(unseen, json!({"id": later, "text": "still there?"}));
    assert_eq!(scenario.post(&mut john, "/api/seen", json!({ "id": id })).status, 200);
    assert_eq!(
        scenario.published("friend/1").last(),
        Some(&json!({"type": "seen", "id": id}))
    );
    let told = events(&scenario.get(&mut john, "/api/stream"));
    assert_eq!(
        (types(&told), &told[0]["unread"], &told[1]["id"]),
        (vec!["hello", "nudge"], &json!(1), &json!(later))
    );
    scenario.post(&mut john, "/api/seen", json!({ "id": 1_000_000 }));
    let unseen = body(&scenario.get(&mut john, "/api/notifications"))["unseen"].take();
    assert_eq!(unseen, Value::Null);
    assert_eq!(
        body(&scenario.get(&mut john, "/api/history"))["entries"][0]["state"],
        "seen"
    );
    let (_, third) = nudge(&mut scenario, "friend:john", "one more").unwrap();
    assert!(third > later);
    assert_eq!(
        events(&scenario.get(&mut john, "/api/stream"))[0]["unread"],
        1,
        "what was not there was not seen"
    );
}

#[test]
fn a_nudge_to_nobody_says_which() {
    let mut scenario = Scenario::started("feed_nobody.db");
    scenario.friend("john");
    scenario
        .tool("friends_chat_revoke", json!({"username": "john"}))
        .unwrap();
    assert!(nudge(&mut scenario, "friend:john", "kept").is_ok());
    assert!(matches!(nudge(&mut scenario, "friend:jane", "x"), Err(CallError::UnknownUser(id)) if id == "friend:jane"));
    for id in ["john", "web:john", "friend:", "friend:JOHN", ""] {
        assert!(
            matches!(nudge(&mut scenario, id, "x"), Err(CallError::MalformedUserId(_))),
            "{id}"
        );
    }
    for content in ["", "  ", &"x".repeat(65_537)] {
        assert!(matches!(
            nudge(&mut scenario, "friend:john", content),
            Err(CallError::Invalid(_))
        ));
    }
}

#[test]
fn friends_never_hear_each_other() {
    let mut scenario = Scenario::started("feed_apart.db");
    let (mut john, mut jane) = (scenario.friend("john"), scenario.friend("jane"));
    scenario.say(&mut john, "secret");
    scenario.answer(1, "secret too");
    nudge(&mut scenario, "friend:john", "secret nudge").unwrap();
    assert!(scenario.published("friend/2").is_empty());
    assert_eq!(
        types(&events(&scenario.get(&mut jane, "/api/stream?after=0"))),
        ["hello"]
    );
    assert_eq!(
        body(&scenario.get(&mut jane, "/api/history?limit=200"))["entries"],
        json!([])
    );
}

#[test]
fn history_comes_in_pages_newest_first() {
    let mut scenario = Scenario::started("feed_pages.db");
    let mut john = scenario.friend("john");
    let ids: Vec<i64> = (0..5)
        .map(|_| nudge(&mut scenario, "friend:john", "hi").unwrap().1)
        .collect();
    let page = body(&scenario.get(&mut john, "/api/history?limit=2"));
    assert_eq!(
        (&page["entries"][0]["id"], &page["entries"][1]["id"], &page["more"]),
        (&json!(ids[4]), &json!(ids[3]), &json!(true))
    );
    let page = body(&scenario.get(&mut john, &format!("/api/history?limit=3&before={}", ids[3])));
    assert_eq!(
        (page["entries"].as_array().unwrap().len(), &page["more"]),
        (3, &json!(false))
    );
    for query in ["limit=0", "limit=201", "limit=x", "before=x", "before=-1"] {
        assert_eq!(
            scenario.get(&mut john, &format!("/api/history?{query}")).status,
            400,
            "{query}"
        );
    }
    let entries = scenario.plugin.history("friend:john", 2).unwrap();
    assert_eq!(
        entries.iter().map(|entry| entry.id).collect::<Vec<_>>(),
        &ids[3..],
        "for the host, oldest first"
    );
}

#[test]
fn what_is_too_long_for_a_frame_becomes_resync() {
    let mut scenario = Scenario::started("feed_frame.db");
    scenario.friend("john");
    scenario.host.max_frame_bytes = 1_000;
    nudge(&mut scenario, "friend:john", &"x".repeat(2_000)).unwrap();
    assert_eq!(scenario.published("friend/1"), [json!({"type": "resync"})]);
}

fn open(
    scenario: &mut Scenario,
    browser: &Browser,
    connection: u64,
    headers: &[(&str, &str)],
) -> Result<Vec<Value>, u16> {
    let mut all: Vec<(String, Vec<u8>)> = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
        .collect();
    all.extend(
        browser
            .cookie
            .iter()
            .map(|cookie| ("cookie".to_owned(), cookie.clone().into_bytes())),
    );
    let request = Request::new("GET".to_owned(), "/api/socket", all, Vec::new(), String::new());
    match scenario.plugin.open_socket(&mut scenario.host, connection, &request) {
        Opening::Accepted(hold, messages) => {
            assert!(hold.topics.contains(&"friend/1/ws".to_owned()));
            Ok(messages
                .iter()
                .map(|json| serde_json::from_str(json).unwrap())
                .collect())
        }
        Opening::Refused(response) => Err(response.status),
    }
}

fn tell(scenario: &mut Scenario, connection: u64, message: Value) -> Vec<Value> {
    let answers = scenario
        .plugin
        .socket_message(&mut scenario.host, connection, &message.to_string());
    answers.iter().map(|json| serde_json::from_str(json).unwrap()).collect()
}

#[test]
fn a_websocket_carries_the_same_feed_and_takes_messages() {
    let mut scenario = Scenario::started("feed_socket.db");
    let mut john = scenario.friend("john");
    let hello = open(&mut scenario, &john, 7, &[("origin", "http://localhost:3001")]).unwrap();
    assert_eq!(hello, events(&scenario.get(&mut john, "/api/stream")));
    let answer = tell(
        &mut scenario,
        7,
        json!({"type": "message", "message": "hello", "id": "c1"}),
    );
    assert_eq!(answer, [json!({"type": "accepted", "id": 1, "client_id": "c1"})]);
    assert_eq!(scenario.host.queue.len(), 1);
    assert!(tell(&mut scenario, 7, json!({"type": "stop"})).is_empty());
    assert!(scenario.host.told.contains(&Told::Cancelled(1)));
    assert!(tell(&mut scenario, 7, json!({"type": "seen", "id": 1})).is_empty());
    for bad in [
        json!({"type": "message"}),
        json!({"type": "message", "message": " "}),
        json!({"type": "dance"}),
        json!(5),
    ] {
        assert_eq!(types(&tell(&mut scenario, 7, bad)), ["error"]);
    }
}

#[test]
fn a_websocket_needs_a_session_and_the_own_origin() {
    let mut scenario = Scenario::started("feed_origin.db");
    let john = scenario.friend("john");
    assert_eq!(open(&mut scenario, &Browser::default(), 1, &[]), Err(401));
    assert_eq!(
        open(&mut scenario, &john, 1, &[("origin", "https://evil.example")]),
        Err(403)
    );
    open(&mut scenario, &john, 1, &[]).unwrap();
    scenario
        .tool("friends_chat_revoke", json!({"username": "john"}))
        .unwrap();
    let code = scenario.host.told.iter().find_map(|told| match told {
        Told::Closed(topic, reason) if topic == "session/1/ws" => Some(reason.code),
        _ => None,
    });
    assert_eq!(code, Some(4401));
    assert!(tell(&mut scenario, 1, json!({"type": "message", "message": "still me"})).is_empty());
    assert!(scenario.host.queue.is_empty() && scenario.host.has_closed("socket/1/ws"));
}
