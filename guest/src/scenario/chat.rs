//! Saying something and getting the agent's answer, in every way it can go.

use channel_plugin::{EnqueueError, HoldMode};

use super::*;
use crate::conversation::AGENT_FAILED;
use crate::testing::Told;

#[test]
fn an_answer_comes_in_pieces_and_ends() {
    let mut scenario = Scenario::started("chat_pieces.db");
    let mut john = scenario.friend("john");
    let response = scenario.post(&mut john, "/api/chat", json!({"message": "hello", "id": "c1"}));
    assert_eq!(header(&response, "content-type"), Some("text/event-stream"));
    assert_eq!(header(&response, "cache-control"), Some("no-store, no-transform"));
    let id = events(&response)[0]["id"].as_i64().unwrap();
    assert_eq!(events(&response), [json!({"type": "accepted", "id": id})]);
    let hold = response.hold.unwrap();
    assert_eq!(
        (hold.mode, hold.topics),
        (
            HoldMode::Stream,
            vec![format!("answer/{id}"), "session/1".to_owned(), "all".to_owned()]
        )
    );
    assert_eq!(scenario.host.queue, [("friend:john".to_owned(), "hello".to_owned())]);

    scenario.agent(1, AgentEvent::Started);
    scenario.agent(1, AgentEvent::Status("thinking".to_owned()));
    scenario.agent(1, AgentEvent::Delta("**hi** ".to_owned()));
    scenario.agent(1, AgentEvent::Delta("you".to_owned()));
    scenario.agent(1, AgentEvent::Done);

    assert_eq!(
        scenario.published(&format!("answer/{id}")),
        [
            json!({"type": "status", "content": "thinking"}),
            json!({"type": "text", "content": "**hi** "}),
            json!({"type": "text", "content": "you"}),
            json!({"type": "done"}),
        ]
    );
    assert!(scenario.host.has_closed(&format!("answer/{id}")));
    let feed = scenario.published("friend/1");
    assert_eq!(
        types(&feed),
        ["message", "state", "status", "text", "text", "reply", "state", "done"]
    );
    assert_eq!(feed[0]["client_id"], "c1");
    assert_eq!(feed[5]["html"], "<p><strong>hi</strong> you</p>\n");
    assert_eq!(feed[6], json!({"type": "state", "message": id, "state": "answered"}));
    assert!(scenario.host.published("friend/1")[5].starts_with(&format!("id: {}\n", id + 1)));
    assert_eq!(
        scenario.host.published("friend/1/ws").len(),
        feed.len(),
        "one feed, two transports"
    );
}

#[test]
fn a_whole_answer_is_one_object() {
    let mut scenario = Scenario::started("chat_whole.db");
    let mut john = scenario.friend("john");
    let response = scenario.post(&mut john, "/api/chat", json!({"message": "hello", "stream": false}));
    assert_eq!(response.hold.as_ref().unwrap().mode, HoldMode::Response);
    scenario.answer(1, "hi");
    let given = scenario.host.told.iter().find_map(|told| match told {
        Told::Responded(topic, response) if topic == "answer/1/json" => Some(body(response)),
        _ => None,
    });
    assert_eq!(given, Some(json!({"content": "hi"})));
}

#[test]
fn a_failed_answer_keeps_its_reason_to_the_owner() {
    let mut scenario = Scenario::started("chat_failed.db");
    let mut john = scenario.friend("john");
    let id = scenario.say(&mut john, "hello");
    scenario.agent(1, AgentEvent::Failed("panic at /srv/agent.py:12".to_owned()));
    assert_eq!(
        scenario.published("answer/1"),
        [json!({"type": "error", "error": AGENT_FAILED})]
    );
    assert!(
        !scenario
            .host
            .told
            .iter()
            .any(|told| format!("{told:?}").contains("agent.py"))
    );
    let responded = scenario
        .host
        .told
        .iter()
        .any(|told| matches!(told, Told::Responded(_, response) if response.status == 502));
    assert!(responded);
    let history = body(&scenario.get(&mut john, "/api/history"));
    assert_eq!(
        (&history["entries"][0]["id"], &history["entries"][0]["state"]),
        (&json!(id), &json!("failed"))
    );
}

#[test]
fn an_answer_that_begins_anew_forgets_the_pieces() {
    let mut scenario = Scenario::started("chat_restarted.db");
    let mut john = scenario.friend("john");
    scenario.say(&mut john, "hello");
    scenario.agent(1, AgentEvent::Delta("wro".to_owned()));
    scenario.agent(1, AgentEvent::Restarted);
    scenario.agent(1, AgentEvent::Delta("right".to_owned()));
    scenario.agent(1, AgentEvent::Done);
    assert_eq!(
        types(&scenario.published("answer/1")),
        ["text", "restarted", "text", "done"]
    );
    assert_eq!(
        body(&scenario.get(&mut john, "/api/history"))["entries"][0]["text"],
        "right"
    );
}

#[test]
fn the_same_client_id_is_the_same_message() {
    let mut scenario = Scenario::started("chat_twice.db");
    let mut john = scenario.friend("john");
    let mut send =
        |scenario: &mut Scenario| scenario.post(&mut john, "/api/chat", json!({"message": "hello", "id": "c1"}));
    let first = send(&mut scenario);
    scenario.agent(1, AgentEvent::Delta("so far".to_owned()));
    let again = send(&mut scenario);
    assert_eq!(scenario.host.queue.len(), 1);
    assert_eq!(
        events(&again),
        [events(&first)[0].clone(), json!({"type": "text", "content": "so far"})]
    );
    assert!(again.hold.is_some());
    scenario.agent(1, AgentEvent::Done);
    let afterwards = send(&mut scenario);
    assert_eq!(types(&events(&afterwards)), ["accepted", "text", "done"]);
    assert!(afterwards.hold.is_none());
    let whole = scenario.post(
        &mut john,
        "/api/chat",
        json!({"message": "hello", "id": "c1", "stream": false}),
    );
    assert_eq!(body(&whole), json!({"content": "so far"}));
}

#[test]
fn two_friends_may_use_the_same_client_id() {
    let mut scenario = Scenario::started("chat_ids.db");
    let (mut john, mut jane) = (scenario.friend("john"), scenario.friend("jane"));
    for browser in [&mut john, &mut jane] {
        assert_eq!(
            scenario
                .post(browser, "/api/chat", json!({"message": "x", "id": "c1"}))
                .status,
            200
        );
    }
    assert_eq!(scenario.host.queue.len(), 2);
    assert_eq!(
        body(&scenario.get(&mut jane, "/api/history"))["entries"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn stop_keeps_what_was_said() {
    let mut scenario = Scenario::started("chat_stop.db");
    let mut john = scenario.friend("john");
    scenario.say(&mut john, "hello");
    scenario.agent(1, AgentEvent::Delta("half a".to_owned()));
    assert_eq!(
        body(&scenario.post(&mut john, "/api/chat/stop", json!({}))),
        json!({"ok": true})
    );
    assert!(scenario.host.told.contains(&Told::Cancelled(1)));
    assert_eq!(types(&scenario.published("answer/1")), ["text", "done"]);
    let history = body(&scenario.get(&mut john, "/api/history"));
    assert_eq!(history["entries"][0]["text"], "half a");
    assert_eq!(history["entries"][1]["state"], "stopped");
    assert_eq!(
        scenario.post(&mut john, "/api/chat/stop", json!({})).status,
        200,
        "nothing to stop is no error"
    );
}

#[test]
fn a_full_queue_keeps_nothing_and_says_when() {
    let mut scenario = Scenario::started("chat_full.db");
    let mut john = scenario.friend("john");
    scenario.host.queue_error = Some(EnqueueError::Full { retry_after_ms: 1_500 });
    let response = scenario.post(&mut john, "/api/chat", json!({"message": "hello"}));
    assert_eq!((response.status, header(&response, "retry-after")), (503, Some("2")));
    assert_eq!(body(&scenario.get(&mut john, "/api/history"))["entries"], json!([]));
    scenario.host.queue_error = None;
    for _ in 0..8 {
        scenario.say(&mut john, "hello");
    }
    let response = scenario.post(&mut john, "/api/chat", json!({"message": "hello"}));
    assert_eq!(response.status, 429);
    assert!(header(&response, "retry-after").is_some());
    scenario.answer(1, "hi");
    scenario.say(&mut john, "hello");
}

#[test]
fn bad_requests_are_told_what_is_wrong() {
    let mut scenario = Scenario::started("chat_bad.db");
    let mut john = scenario.friend("john");
    let json_type = [("content-type", "application/json; charset=utf-8")];
    for (sent, status) in [
        (&b"{"[..], 400),
        (b"\xff", 400),
        (b"[]", 400),
        (b"{}", 400),
        (br#"{"message":5}"#, 400),
        (br#"{"message":""}"#, 400),
        (br#"{"message":" \n "}"#, 400),
        (br#"{"message":"x","stream":"yes"}"#, 400),
        (br#"{"message":"x","id":""}"#, 400),
    ] {
        let response = scenario.request(&mut john, "POST", "/api/chat", &json_type, sent);
        assert_eq!(response.status, status, "{}", String::from_utf8_lossy(sent));
        assert!(body(&response)["error"].is_string());
    }
    let longest = json!({"message": "x".repeat(65_536 - 14)}).to_string();
    assert_eq!(longest.len(), 65_536);
    assert_eq!(
        scenario
            .request(&mut john, "POST", "/api/chat", &json_type, longest.as_bytes())
            .status,
        200
    );
    let too_long = format!("{longest} ");
    assert_eq!(
        scenario
            .request(&mut john, "POST", "/api/chat", &json_type, too_long.as_bytes())
            .status,
        413
    );
    assert_eq!(scenario.host.queue.len(), 1);
}

#[test]
fn routes_that_are_none_say_so() {
    let mut scenario = Scenario::started("chat_routes.db");
    let mut browser = Browser::default();
    let response = scenario.get(&mut browser, "/nowhere");
    assert_eq!((response.status, body(&response)), (404, json!({"error": "Not found"})));
    let response = scenario.request(&mut browser, "DELETE", "/api/chat", &[], b"");
    assert_eq!((response.status, header(&response, "allow")), (405, Some("POST")));
    let response = scenario.get(&mut browser, "/api/health");
    assert_eq!(body(&response), json!({"ok": true, "service": "friends-chat"}));
    let response = scenario.request(&mut browser, "HEAD", "/api/health", &[], b"");
    assert_eq!((response.status, response.body.len()), (200, 0));
    assert_eq!(scenario.get(&mut browser, "/api/socket").status, 426);
}

#[test]
fn the_page_is_kept_and_checked() {
    let mut scenario = Scenario::started("chat_page.db");
    let mut browser = Browser::default();
    let response = scenario.get(&mut browser, "/chat");
    assert_eq!(response.status, 200);
    assert!(
        header(&response, "content-security-policy")
            .unwrap()
            .starts_with("default-src 'none'; ")
    );
    assert_eq!(header(&response, "referrer-policy"), Some("no-referrer"));
    let tag = header(&response, "etag").unwrap().to_owned();
    let response = scenario.request(&mut browser, "GET", "/", &[("if-none-match", &tag)], b"");
    assert_eq!((response.status, response.body.len()), (304, 0));
    let response = scenario.request(
        &mut browser,
        "GET",
        "/assets/app.js",
        &[("accept-encoding", "br, gzip;q=0.5")],
        b"",
    );
    assert_eq!(header(&response, "content-encoding"), Some("gzip"));
    let response = scenario.request(
        &mut browser,
        "GET",
        "/assets/app.js",
        &[("accept-encoding", "gzip;q=0")],
        b"",
    );
    assert_eq!(header(&response, "content-encoding"), None);
}
