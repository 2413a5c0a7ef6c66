//! The plugin on a disk that is full, that fails, and that loses its power at every moment of a conversation.

use super::*;
use crate::plugin::CallError;
use crate::store::StoreError;
use crate::testing::Told;
use control::Fault;
use wasi_sqlite::{Connection, params};

mod control {
    #![allow(unsafe_code, missing_docs, unreachable_pub, clippy::all, reason = "generated")]

    wit_bindgen::generate!({ path: "../tests/disk/wit", world: "tested" });

    pub(super) use self::tests::disk::control::*;
}

/// Images of each moment.
const SEEDS: u64 = 2;

/// The texts of a friend's history, latest first.
fn texts(scenario: &mut Scenario, browser: &mut Browser) -> Vec<String> {
    let response = scenario.get(browser, "/api/history");
    assert_eq!(response.status, 200);
    let entries = body(&response)["entries"].as_array().unwrap().clone();
    let text = |entry: &Value| entry["text"].as_str().unwrap().to_owned();
    entries.iter().map(text).collect()
}

/// A message is refused in plain words, and the agent does not answer it.
fn is_refused(scenario: &mut Scenario, browser: &mut Browser) {
    let enqueued = u64::try_from(scenario.host.queue.len()).unwrap();
    let response = scenario.post(browser, "/api/chat", json!({ "message": "lost", "id": "lost" }));
    assert_eq!(response.status, 503);
    let sentence = "That could not be saved at the moment. Please try again later.";
    assert_eq!(body(&response), json!({ "error": sentence }));
    assert!(header(&response, "retry-after").is_some());
    assert_eq!(scenario.host.told.last(), Some(&Told::Cancelled(enqueued + 1)));
}

#[test]
fn on_a_full_disk_friends_read_and_what_they_say_is_refused_until_there_is_space() {
    control::watch("full");
    let mut scenario = Scenario::started("full.db");
    let mut john = scenario.friend("john");
    scenario.say(&mut john, "before");
    scenario.answer(1, "answer");

    control::leave_space(Some(0));
    is_refused(&mut scenario, &mut john);
    assert!(
        scenario
            .tool("friends_chat_invite", json!({ "username": "jane" }))
            .is_err()
    );
    let nudged = scenario
        .plugin
        .send_to_user(&mut scenario.host, "friend:john", "lost", "cron", "low");
    assert!(matches!(nudged, Err(CallError::Store(StoreError::Failed { .. }))));
    assert_eq!(body(&scenario.get(&mut john, "/api/auth/status"))["username"], "john");
    assert_eq!(texts(&mut scenario, &mut john), ["answer", "before"]);

    let mut scenario = scenario.crash("full.db");
    assert_eq!(texts(&mut scenario, &mut john), ["answer", "before"]);
    is_refused(&mut scenario, &mut john);

    assert!(control::heal() > 0);
    // The page sends it again, as the same message.
    let response = scenario.post(&mut john, "/api/chat", json!({ "message": "lost", "id": "lost" }));
    assert_eq!(response.status, 200);
    assert_eq!(texts(&mut scenario, &mut john), ["lost", "answer", "before"]);
    assert!(!scenario.tool("friends_chat_list", json!({})).unwrap().contains("jane"));
    scenario.plugin.stop(&mut scenario.host).unwrap();
}

#[test]
fn while_the_disk_fails_what_is_said_is_refused_and_afterwards_all_is_well() {
    control::watch("fails");
    let mut scenario = Scenario::started("fails.db");
    let mut john = scenario.friend("john");
    scenario.say(&mut john, "before");
    for fault in [Fault::Io, Fault::FailedSync] {
        control::fail(fault, 0, true);
        is_refused(&mut scenario, &mut john);
        assert!(control::heal() > 0);
        assert_eq!(texts(&mut scenario, &mut john), ["before"]);
    }
    scenario.say(&mut john, "after");
    assert_eq!(texts(&mut scenario, &mut john), ["after", "before"]);
}

/// What the owner and a friend see.
fn view(scenario: &mut Scenario, browser: &Browser) -> Vec<String> {
    let mut browser = browser.clone();
    let mut view = vec![scenario.tool("friends_chat_list", json!({})).unwrap()];
    let status = scenario.get(&mut browser, "/api/auth/status");
    view.push(body(&status).to_string());
    let history = scenario.get(&mut browser, "/api/history");
    if history.status == 200 {
        view.push(body(&history)["entries"].to_string());
    }
    view
}

/// What is seen after a power cut, by the plugin that is started then.
fn view_of_image(browser: &Browser) -> Vec<String> {
    let mut scenario = Scenario::started("image.db");
    let view = view(&mut scenario, browser);
    scenario.plugin.stop(&mut scenario.host).unwrap();
    let connection = Connection::open("image.db").unwrap();
    let sound: Vec<String> = connection
        .query("PRAGMA integrity_check", params![], |row| row.get(0))
        .unwrap();
    assert_eq!(sound, ["ok"]);
    view
}

/// Does something, and cuts the power at every moment of it: either it was done, or nothing was.
fn cut_through(
    scenario: &mut Scenario,
    browser: &mut Browser,
    what: &str,
    act: impl FnOnce(&mut Scenario, &mut Browser),
) {
    control::moments();
    let before = view(scenario, browser);
    act(scenario, browser);
    let after = view(scenario, browser);
    let moments = control::moments();
    assert!(moments > 0, "{what} writes nothing");
    for moment in 0..=moments {
        for seed in 0..SEEDS {
            control::cut(moment, u64::from(moment) * SEEDS + seed);
            let found = view_of_image(browser);
            let is_right = found == after || (found == before && moment < moments);
            assert!(
                is_right,
                "{what}, moment {moment} of {moments}, seed {seed}:\n{found:#?}\nnot\n{before:#?}\nor\n{after:#?}"
            );
        }
    }
}

#[test]
fn whenever_the_power_fails_what_was_answered_is_kept() {
    control::watch("cut");
    let mut scenario = Scenario::started("cut.db");
    let john = &mut Browser::default();
    let mut code = String::new();
    cut_through(&mut scenario, john, "invite", |scenario, _| {
        code = scenario.invite("john")
    });
    cut_through(&mut scenario, john, "redeem", |scenario, john| {
        let response = scenario.post(john, "/api/auth/redeem", json!({ "code": code }));
        assert_eq!(response.status, 200);
    });
    cut_through(&mut scenario, john, "nickname", |scenario, john| {
        let response = scenario.post(john, "/api/nickname", json!({ "nickname": "Johnny" }));
        assert_eq!(response.status, 200);
    });
    for ticket in 1..=4 {
        let text = "long enough for more than a page ".repeat(300);
        cut_through(&mut scenario, john, "message", |scenario, john| {
            scenario.say(john, &text);
        });
        cut_through(&mut scenario, john, "answer", |scenario, _| {
            scenario.answer(ticket, &text)
        });
    }
    cut_through(&mut scenario, john, "nudge", |scenario, _| {
        let Scenario { plugin, host } = scenario;
        host.connections = 0;
        plugin.send_to_user(host, "friend:john", "look", "cron", "low").unwrap();
    });
    cut_through(&mut scenario, john, "revoke", |scenario, _| {
        scenario
            .tool("friends_chat_revoke", json!({ "username": "john" }))
            .unwrap();
    });
    cut_through(&mut scenario, john, "stop and start", |scenario, _| {
        scenario.plugin.stop(&mut scenario.host).unwrap();
        scenario.plugin.start(&mut scenario.host).unwrap();
    });
}
