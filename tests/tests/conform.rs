//! The component keeps the contract, as `host-harness conform` sees it. Observed by running that, and by looking up the
//! sentences that it quotes. What it says of plugins that do not is in the tests of those.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::Path;

use friends_chat_tests::{Data, wasm};
use host_harness::conform::conform;
use host_harness::settings::{Overrides, Settings};

/// Checks that need somebody whom the plugin knows.
const OF_KNOWN_USERS: [&str; 2] = [
    "an empty message to a user is refused",
    "`history` gives no more than asked for, and never more than 1000",
];

/// Asserts that all is well with a plugin, but for these checks, which cannot be made.
fn keeps_the_contract(arguments: &[&str], unseen: &[&str]) {
    let table = Data::new().run(&[&["conform"], arguments].concat()).success();
    let mut skipped = Vec::new();
    for line in table.lines().take_while(|line| !line.is_empty()) {
        match line.split_once(' ').unwrap() {
            ("ok", _) => {}
            ("skipped", line) => skipped.push(line.trim_start().split(": ").next().unwrap().to_owned()),
            _ => panic!("{line}"),
        }
    }
    assert_eq!(skipped, unseen, "{table}");
}

#[test]
fn what_we_ship_keeps_the_contract() {
    keeps_the_contract(&[], &OF_KNOWN_USERS);
    // It asks nothing of its host that could call it back before somebody opens a hook.
    let unseen = [&["a call in the middle of another is `busy`"], &OF_KNOWN_USERS[..]].concat();
    keeps_the_contract(&[wasm("webhook_channel").to_str().unwrap()], &unseen);
}

#[test]
fn the_scenario_of_all_hosts_holds() {
    let table = Data::new()
        .run(&["conform", "--scenario", "../hosts/scenario.json"])
        .success();
    for line in table.lines().take_while(|line| !line.is_empty()) {
        assert!(line.starts_with("ok"), "{table}");
    }
    assert!(table.contains("scenario, restart without a goodbye"), "{table}");
    for check in OF_KNOWN_USERS {
        assert!(table.contains(check), "{table}");
    }
}

#[test]
fn a_scenario_fails_at_the_step_that_does_not_hold() {
    let data = Data::new();
    let file = data.path().join("scenario.json");
    let play = |scenario: &str| {
        fs::write(&file, scenario).unwrap();
        data.run(&["conform", "--scenario", file.to_str().unwrap()])
    };
    let steps = r#"[{"name": "one", "steps": [{"restart": "killed"}, {"get": "/", "status": 404}]}, {"name": "two", "steps": []}]"#;
    let outcome = play(steps);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    for line in [
        "FAILED   scenario, one: `{\"get\":\"/\"}`: the status is 200, not 404\n",
        "skipped  scenario, two: an earlier part failed\n",
    ] {
        assert!(outcome.stdout.contains(line), "{}", outcome.stdout);
    }
    let refusal = play(r#"[{"name": "one", "steps": [{"gets": "/"}]}]"#).failure();
    assert!(
        refusal.contains("gets") && refusal.contains("docs/hosts.md"),
        "{refusal}"
    );
}

#[test]
fn what_is_no_plugin_fails_in_one_line() {
    let data = Data::new();
    let file = data.path().join("plugin.wasm");
    fs::write(&file, b"\0asm\x01\0\0\0").unwrap();
    let outcome = data.run(&["conform", file.to_str().unwrap()]);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stdout.starts_with("FAILED   it imports"), "{outcome:?}");
    assert!(outcome.stdout.contains("core WebAssembly module"), "{outcome:?}");
}

#[tokio::test]
async fn every_sentence_that_is_quoted_is_in_the_contract() {
    let data = Data::new();
    let overrides = Overrides {
        data: Some(data.path().to_owned()),
        ..Overrides::default()
    };
    let report = conform(&Settings::resolve(overrides).unwrap(), None).await.unwrap();
    for rule in report.lines.iter().filter_map(|line| line.rule) {
        let wit = fs::read_to_string(Path::new("../wit").join(rule.file)).unwrap();
        let words: Vec<&str> = wit.split_whitespace().filter(|word| *word != "///").collect();
        assert!(words.join(" ").contains(rule.says), "{rule:?}");
    }
}
