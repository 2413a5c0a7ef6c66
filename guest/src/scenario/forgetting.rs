//! What is forgotten, and what never is: old entries, surplus entries, nudges that nobody saw in time.

use super::*;
use wasi_sqlite::{Connection, params};

const DAY_MS: i64 = 24 * 3_600_000;

fn started(file: &'static str, settings: &[(&str, &str)]) -> Scenario {
    let mut scenario = Scenario::new(file);
    for (key, value) in settings {
        let key = format!("channels.friends.{key}");
        scenario.host.settings.insert(key, (*value).to_owned());
    }
    scenario.plugin.start(&mut scenario.host).unwrap();
    scenario
}

fn nudge(scenario: &mut Scenario, text: &str, priority: &str) {
    scenario
        .plugin
        .send_to_user(&mut scenario.host, "friend:john", text, "cron", priority)
        .unwrap();
}

/// The history, latest first, as text and state.
fn history(scenario: &mut Scenario, browser: &mut Browser) -> Vec<(String, String)> {
    let page = body(&scenario.get(browser, "/api/history?limit=200"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let entries = page["entries"].as_array().unwrap();
    entries
        .iter()
        .map(|entry| (text(&entry["text"]), text(&entry["state"])))
        .collect()
}

fn unread(scenario: &mut Scenario, browser: &mut Browser) -> i64 {
    let response = scenario.get(browser, "/api/stream");
    events(&response)[0]["unread"].as_i64().unwrap()
}

#[test]
fn what_is_older_than_the_owner_keeps_is_forgotten_and_what_is_open_is_not() {
    let mut scenario = started("forget_age.db", &[("historyAge", "10d")]);
    let mut john = scenario.friend("john");
    scenario.say(&mut john, "old");
    scenario.answer(1, "an old answer");
    scenario.say(&mut john, "not answered for ever");
    nudge(&mut scenario, "not seen", "urgent");
    scenario.host.now_ms += 11 * DAY_MS;
    scenario.say(&mut john, "new");
    let texts: Vec<String> = history(&mut scenario, &mut john)
        .into_iter()
        .map(|(text, _)| text)
        .collect();
    assert_eq!(texts, ["new", "not seen", "not answered for ever"]);

    // A page that has been away for so long cannot be told what it missed.
    let replay = scenario.get(&mut john, "/api/stream?after=1");
    assert!(types(&events(&replay)).contains(&"resync"));
    let latest = events(&replay)[0]["latest"].as_i64().unwrap();
    let replay = scenario.get(&mut john, &format!("/api/stream?after={}", latest - 1));
    assert!(!types(&events(&replay)).contains(&"resync"));
}

#[test]
fn of_very_many_entries_the_latest_are_kept_for_each_friend() {
    let mut scenario = started(
        "forget_count.db",
        &[("historyCount", "100"), ("messagesPerMinute", "100000")],
    );
    let (mut john, mut jane) = (scenario.friend("john"), scenario.friend("jane"));
    scenario.say(&mut jane, "hers");
    scenario.answer(1, "and its answer");
    for number in 0..200 {
        scenario.say(&mut john, &format!("message {number}"));
        scenario.answer(number + 2, "yes");
    }
    let kept = history(&mut scenario, &mut john);
    assert_eq!(kept[1].0, "message 199");
    let response = scenario.get(&mut john, "/api/history?limit=200");
    let oldest = body(&response)["entries"].as_array().unwrap().last().unwrap()["id"]
        .as_i64()
        .unwrap();
    let more = body(&scenario.get(&mut john, &format!("/api/history?before={oldest}&limit=200")));
    let count = kept.len() + more["entries"].as_array().unwrap().len();
    assert!((100..100 + 2 * 32 + 2).contains(&count), "{count}");
    assert_eq!(history(&mut scenario, &mut jane).len(), 2);
}

#[test]
fn a_great_surplus_is_forgotten_bit_by_bit() {
    let file = "forget_surplus.db";
    let mut scenario = Scenario::started(file);
    let mut john = scenario.friend("john");
    scenario.plugin.stop(&mut scenario.host).unwrap();
    let connection = Connection::open(file).unwrap();
    let insert = "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 9000)
        INSERT INTO entries (friend_id, role, text, at_ms, state) SELECT 1, 'agent', 'old', 1, 'answered' FROM number";
    connection.execute(insert, params![]).unwrap();
    connection.close().unwrap();
    let count = |scenario: &mut Scenario| {
        scenario.plugin.stop(&mut scenario.host).unwrap();
        let connection = Connection::open(file).unwrap();
        let row = |row: &wasi_sqlite::Row<'_>| row.get::<u32>(0);
        connection
            .query_row("SELECT count(*) FROM entries", params![], row)
            .unwrap()
            .unwrap()
    };

    scenario
        .host
        .settings
        .insert("channels.friends.historyCount".to_owned(), "100".to_owned());
    scenario.plugin.start(&mut scenario.host).unwrap();
    scenario.say(&mut john, "one");
    let after_one = count(&mut scenario);
    assert!((6_900..7_100).contains(&after_one), "{after_one}");
    scenario.plugin.start(&mut scenario.host).unwrap();
    for ticket in 2..8 {
        scenario.host.now_ms += 100;
        scenario.say(&mut john, "more");
        scenario.answer(ticket, "yes");
    }
    let after_more = count(&mut scenario);
    assert!(after_more < 150, "{after_more}");
}

#[test]
fn very_many_friends_are_looked_at_little_by_little() {
    let file = "forget_many.db";
    let mut scenario = started(file, &[("historyAge", "1d")]);
    let mut john = scenario.friend("john");
    scenario.plugin.stop(&mut scenario.host).unwrap();
    let connection = Connection::open(file).unwrap();
    connection
        .execute_batch(
            "WITH RECURSIVE number (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM number WHERE n < 100)
             INSERT INTO friends (id, username, nickname, created_at_ms) SELECT n, 'friend_' || n, 'f', 1 FROM number;
             INSERT INTO entries (friend_id, role, text, at_ms, state) SELECT id, 'agent', 'old', 1, 'answered' FROM friends",
        )
        .unwrap();
    connection.close().unwrap();
    let old = |scenario: &mut Scenario| {
        scenario.plugin.stop(&mut scenario.host).unwrap();
        let connection = Connection::open(file).unwrap();
        let count = "SELECT count(*) FROM entries WHERE text = 'old'";
        let row = |row: &wasi_sqlite::Row<'_>| row.get::<u32>(0);
        connection.query_row(count, params![], row).unwrap().unwrap()
    };
    scenario.plugin.start(&mut scenario.host).unwrap();
    for _ in 0..3 {
        scenario.say(&mut john, "at the same time");
    }
    assert_eq!(old(&mut scenario), 80);
    scenario.plugin.start(&mut scenario.host).unwrap();
    scenario.say(&mut john, "one");
    scenario.host.now_ms += 100;
    scenario.say(&mut john, "later");
    assert_eq!(old(&mut scenario), 60);
}

#[test]
fn space_is_given_back() {
    let file = "forget_space.db";
    let size = |scenario: Scenario| {
        let Scenario { mut plugin, mut host } = scenario;
        plugin.stop(&mut host).unwrap();
        (
            std::fs::metadata(format!("/{file}")).unwrap().len(),
            Scenario { plugin, host },
        )
    };
    let mut scenario = started(file, &[("historyAge", "1d"), ("messagesPerMinute", "100000")]);
    let mut john = scenario.friend("john");
    let long = "x".repeat(20_000);
    for ticket in 1..=60 {
        scenario.say(&mut john, &long);
        scenario.answer(ticket, "yes");
    }
    let (before, mut scenario) = size(scenario);
    scenario.plugin.start(&mut scenario.host).unwrap();
    scenario.host.now_ms += 2 * DAY_MS;
    scenario.say(&mut john, "short");
    let (after, _) = size(scenario);
    assert!(after * 4 < before, "{before} -> {after}");
}

#[test]
fn a_nudge_that_nobody_saw_in_time_bothers_nobody() {
    let mut scenario = started("forget_nudge.db", &[("nudgeTtl.low", "1h")]);
    let mut john = scenario.friend("john");
    nudge(&mut scenario, "a snack?", "low");
    nudge(&mut scenario, "dinner?", "normal");
    assert_eq!(unread(&mut scenario, &mut john), 2);
    scenario.host.now_ms += 3_600_000;
    assert_eq!(unread(&mut scenario, &mut john), 1);
    let greeting = events(&scenario.get(&mut john, "/api/stream"));
    let contents: Vec<&Value> = greeting
        .iter()
        .filter(|event| event["type"] == "nudge")
        .map(|event| &event["content"])
        .collect();
    assert_eq!(contents, ["dinner?"]);
    let states: Vec<(String, String)> = history(&mut scenario, &mut john);
    assert_eq!(
        states[1],
        ("a snack?".to_owned(), "expired".to_owned()),
        "it was said all the same"
    );
    assert_eq!(states[0].1, "pushed");
}

#[test]
fn a_file_of_the_first_version_is_brought_up_to_date() {
    let file = "forget_upgrade.db";
    let mut scenario = Scenario::started(file);
    let mut john = scenario.friend("john");
    scenario.say(&mut john, "kept");
    nudge(&mut scenario, "kept too", "normal");
    let Scenario { mut plugin, mut host } = scenario;
    plugin.stop(&mut host).unwrap();
    let connection = Connection::open(file).unwrap();
    connection
        .execute_batch(
            "DROP TABLE subscriptions; DROP INDEX sessions_by_use; ALTER TABLE entries DROP COLUMN expires_at_ms;
             ALTER TABLE friends DROP COLUMN forgotten_id; PRAGMA user_version = 1",
        )
        .unwrap();
    connection.close().unwrap();

    plugin.start(&mut host).unwrap();
    let mut scenario = Scenario { plugin, host };
    assert_eq!(history(&mut scenario, &mut john).len(), 2);
    assert_eq!(unread(&mut scenario, &mut john), 1);
    drop(scenario);
    let connection = Connection::open(file).unwrap();
    let row = |sql| {
        connection
            .query_row(sql, params![], |row| row.get::<i64>(0))
            .unwrap()
            .unwrap()
    };
    assert_eq!(
        row("SELECT expires_at_ms - at_ms FROM entries WHERE role = 'nudge'"),
        30 * DAY_MS
    );

    // What an entry may be is looked at with each that is written, and costs no table of its own.
    let insert = |state| {
        format!("INSERT INTO entries (friend_id, role, text, at_ms, state) VALUES (1, 'agent', 'text', 1, '{state}')")
    };
    let steps = connection
        .query(&format!("EXPLAIN {}", insert("answered")), params![], |row| {
            row.get::<String>(1)
        })
        .unwrap();
    assert!(steps.iter().any(|step| step == "IdxInsert"));
    assert!(!steps.iter().any(|step| step == "OpenEphemeral"), "{steps:?}");
    assert!(connection.execute(&insert("lost"), params![]).is_err());
    assert!(connection.execute(&insert("answered"), params![]).is_ok());
}
