//! Changes that a host lets wait, so that several calls share one commit.

use super::*;
use crate::testing::let_changes_wait;

/// What the file would hold after a power cut now: read by another plugin from a copy.
fn on_disk(file: &str, copy: &'static str) -> Scenario {
    for suffix in ["", "-wal"] {
        if let Ok(bytes) = std::fs::read(format!("/{file}{suffix}")) {
            std::fs::write(format!("/{copy}{suffix}"), bytes).unwrap();
        }
    }
    let_changes_wait(false);
    let mut scenario = Scenario::new(copy);
    scenario.plugin.start(&mut scenario.host).unwrap();
    scenario
}

fn texts(scenario: &mut Scenario, browser: &mut Browser) -> Vec<String> {
    let history = body(&scenario.get(browser, "/api/history"));
    let entries = history["entries"].as_array().unwrap();
    entries
        .iter()
        .map(|entry| entry["text"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn what_waits_is_seen_by_later_calls_and_lasts_with_the_commit() {
    let mut scenario = Scenario::started("together.db");
    let (mut john, mut jane) = (scenario.friend("john"), scenario.friend("jane"));
    let_changes_wait(true);
    scenario.say(&mut john, "one");
    scenario.say(&mut jane, "two");
    assert_eq!(texts(&mut scenario, &mut john), ["one"]);
    assert!(texts(&mut on_disk("together.db", "together_before.db"), &mut john).is_empty());

    scenario.plugin.commit().unwrap();
    for browser in [(&mut john, "one"), (&mut jane, "two")] {
        let mut after = on_disk("together.db", "together_after.db");
        assert_eq!(texts(&mut after, browser.0), [browser.1]);
    }
    scenario.plugin.commit().unwrap();
}

#[test]
fn a_call_that_fails_takes_nothing_of_the_others_with_it() {
    let mut scenario = Scenario::started("together_fails.db");
    let mut john = scenario.friend("john");
    let_changes_wait(true);
    scenario.say(&mut john, "kept");
    // The username is taken, which is found out in the middle of a change.
    scenario
        .tool("friends_chat_invite", json!({ "username": "john" }))
        .unwrap_err();
    scenario.say(&mut john, "kept too");
    scenario.plugin.commit().unwrap();
    let mut after = on_disk("together_fails.db", "together_fails_after.db");
    assert_eq!(texts(&mut after, &mut john), ["kept too", "kept"]);
}

#[test]
fn stopping_makes_last_what_waits() {
    let mut scenario = Scenario::started("together_stop.db");
    let mut john = scenario.friend("john");
    let_changes_wait(true);
    scenario.say(&mut john, "kept");
    scenario.plugin.stop(&mut scenario.host).unwrap();
    let mut after = on_disk("together_stop.db", "together_stop_after.db");
    assert_eq!(texts(&mut after, &mut john), ["kept"]);
}

#[test]
fn where_nothing_may_wait_each_call_lasts_by_itself() {
    let mut scenario = Scenario::started("together_not.db");
    let mut john = scenario.friend("john");
    let_changes_wait(false);
    scenario.say(&mut john, "kept");
    let mut after = on_disk("together_not.db", "together_not_after.db");
    assert_eq!(texts(&mut after, &mut john), ["kept"]);
}
