//! Starting, stopping, starting again, and what happens while the plugin does not run.

use super::*;
use crate::plugin::{CallError, StartError};
use crate::service::OpenError;
use crate::store::StoreError;
use channel_plugin::EnqueueError;
use wasi_sqlite::Connection;

#[test]
fn a_plugin_that_does_not_run_answers_503_everywhere() {
    let mut scenario = Scenario::new("life_503.db");
    for path in ["/", "/api/health", "/nowhere", "/api/stream"] {
        let response = scenario.get(&mut Browser::default(), path);
        assert_eq!(response.status, 503, "{path}");
        assert!(header(&response, "retry-after").is_some() && body(&response)["error"].is_string());
    }
    let error = scenario
        .plugin
        .send_to_user(&mut scenario.host, "friend:john", "hi", "cron", "low")
        .unwrap_err();
    assert!(matches!(error, CallError::NotStarted));
    let error = scenario
        .plugin
        .on_agent_event(&mut scenario.host, 1, AgentEvent::Done)
        .unwrap_err();
    assert!(matches!(error, CallError::NotStarted));
}

#[test]
fn switched_off_means_started_and_not_running() {
    let mut scenario = Scenario::new("life_off.db");
    scenario
        .host
        .settings
        .insert("channels.friends.enabled".to_owned(), "false".to_owned());
    scenario.plugin.start(&mut scenario.host).unwrap();
    assert_eq!(scenario.get(&mut Browser::default(), "/api/health").status, 503);
    assert!(!wasi_sqlite::exists("life_off.db").unwrap());
    scenario.plugin.stop(&mut scenario.host).unwrap();
}

#[test]
fn a_second_start_is_an_error_and_a_second_stop_is_none() {
    let mut scenario = Scenario::started("life_twice.db");
    assert!(matches!(
        scenario.plugin.start(&mut scenario.host),
        Err(StartError::AlreadyStarted)
    ));
    assert_eq!(scenario.get(&mut Browser::default(), "/api/health").status, 200);
    scenario.plugin.stop(&mut scenario.host).unwrap();
    assert_eq!(
        scenario.published("all"),
        [json!({"type": "end", "reason": "stopping"})]
    );
    assert!(scenario.host.has_closed("all") && scenario.host.has_closed("all/ws"));
    scenario.plugin.stop(&mut scenario.host).unwrap();
    scenario.plugin.start(&mut scenario.host).unwrap();
}

#[test]
fn tools_work_before_start_and_what_they_did_stays() {
    let mut scenario = Scenario::new("life_tools.db");
    let code = scenario.invite("john");
    scenario.plugin.start(&mut scenario.host).unwrap();
    let response = scenario.post(&mut Browser::default(), "/api/auth/redeem", json!({ "code": code }));
    assert_eq!(response.status, 200);
}

#[test]
fn a_session_survives_a_crash() {
    let mut scenario = Scenario::started("life_crash.db");
    let mut john = scenario.friend("john");
    let mut scenario = scenario.crash("life_crash.db");
    assert_eq!(body(&scenario.get(&mut john, "/api/auth/status"))["username"], "john");
}

#[test]
fn messages_without_an_answer_are_enqueued_again_in_order() {
    let file = "life_again.db";
    let mut scenario = Scenario::started(file);
    let mut john = scenario.friend("john");
    let mut jane = scenario.friend("jane");
    scenario.say(&mut john, "answered");
    let half = scenario.say(&mut john, "half answered");
    scenario.say(&mut jane, "queued");
    scenario.say(&mut john, "queued too");
    scenario.answer(1, "yes");
    scenario.agent(2, AgentEvent::Started);
    scenario.agent(2, AgentEvent::Delta("ye".to_owned()));

    let mut scenario = scenario.crash(file);
    let texts: Vec<&str> = scenario.host.queue.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, ["half answered", "queued", "queued too"]);
    assert_eq!(
        scenario.published(&format!("answer/{half}")),
        [json!({"type": "restarted"})]
    );
    scenario.answer(1, "yes again");
    let history = body(&scenario.get(&mut john, "/api/history"));
    let texts: Vec<&str> = history["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["text"].as_str().unwrap())
        .collect();
    assert_eq!(texts, ["yes again", "yes", "queued too", "half answered", "answered"]);
}

#[test]
fn what_the_queue_has_no_place_for_waits_its_turn() {
    let file = "life_full.db";
    let mut scenario = Scenario::started(file);
    let mut john = scenario.friend("john");
    scenario.say(&mut john, "one");
    scenario.say(&mut john, "two");
    let Scenario { plugin, mut host } = scenario;
    drop(plugin);
    host.queue.clear();
    host.queue_error = Some(EnqueueError::Full { retry_after_ms: 10 });
    let mut scenario = Scenario {
        plugin: Plugin::on_file(file),
        host,
    };
    scenario.plugin.start(&mut scenario.host).unwrap();
    let response = scenario.post(&mut john, "/api/chat", json!({ "message": "three" }));
    assert_eq!(response.status, 429);
    scenario.host.queue_error = None;
    scenario.say(&mut john, "three");
    let texts: Vec<&str> = scenario.host.queue.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, ["one", "two", "three"]);
}

#[test]
fn a_file_from_the_future_is_refused() {
    let file = "life_newer.db";
    let connection = Connection::open(file).unwrap();
    connection.execute_batch("CREATE TABLE later (x)").unwrap();
    connection.set_user_version(99).unwrap();
    connection.close().unwrap();
    let mut scenario = Scenario::new(file);
    let error = scenario.plugin.start(&mut scenario.host).unwrap_err();
    assert!(
        matches!(
            error,
            StartError::Open(OpenError::Store(StoreError::Newer { found: 99, .. }))
        ),
        "{error}"
    );
    let error = scenario.tool("friends_chat_list", json!({})).unwrap_err();
    assert!(error.to_string().contains("later version"), "{error}");
}

#[test]
fn a_file_that_is_refused_is_not_touched() {
    let file = "life_untouched.db";
    let connection = Connection::open(file).unwrap();
    // Of another mode than ours, which a careless look would change.
    connection
        .execute_batch("CREATE TABLE later (x); PRAGMA journal_mode = DELETE; PRAGMA user_version = 99")
        .unwrap();
    connection.close().unwrap();
    let before = std::fs::read(format!("/{file}")).unwrap();
    let mut scenario = Scenario::new(file);
    scenario.plugin.start(&mut scenario.host).unwrap_err();
    assert_eq!(std::fs::read(format!("/{file}")).unwrap(), before);
}

#[test]
fn a_file_of_somebody_else_is_refused() {
    let file = "life_foreign.db";
    let connection = Connection::open(file).unwrap();
    connection.execute_batch("CREATE TABLE cats (x)").unwrap();
    connection.close().unwrap();
    let mut scenario = Scenario::new(file);
    let error = scenario.plugin.start(&mut scenario.host).unwrap_err();
    assert!(
        matches!(error, StartError::Open(OpenError::Store(StoreError::Foreign { .. }))),
        "{error}"
    );
}

#[test]
fn without_the_key_of_the_codes_nothing_starts() {
    let mut scenario = Scenario::new("life_key.db");
    scenario.host.no_secrets = true;
    let error = scenario.plugin.start(&mut scenario.host).unwrap_err();
    assert!(matches!(error, StartError::Open(OpenError::Key(_))));
}
