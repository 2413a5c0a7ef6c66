//! Whoever writes a plugin is told where it keeps the contract and where it does not, in words that say what is demanded. Observed
//! by `conform` at what we ship and at plugins that misbehave.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::{Data, fixture, wasm};

#[test]
fn what_we_ship_keeps_the_contract() {
    let own = Data::new().run(&["conform"]).success();
    let webhook = wasm("webhook_channel");
    let example = Data::new().run(&["conform", webhook.to_str().unwrap()]).success();
    for report in [own, example] {
        assert!(report.contains("ok       the same through both doors"), "{report}");
        assert!(report.contains("18 passed, 0 failed, 1 skipped"), "{report}");
    }
}

#[test]
fn what_is_broken_is_named_with_what_came() {
    for (name, line) in [
        (
            "lies_about_version",
            "FAILED   describe, before start: the version is semantic, as 1.2.3, and what came is \"999",
        ),
        (
            "spins",
            "FAILED   requests of every kind: GET /: the call did not return within 300ms",
        ),
        (
            "recurses",
            "FAILED   start, once: `start` of a plugin that runs is `already-started`, and what came is Ok(())",
        ),
        ("traps_on_start", "FAILED   start, once: the call trapped: wasm"),
        (
            "traps_on_start",
            "skipped  the same through both doors: it has no door for `wasi:http`",
        ),
    ] {
        let data = Data::new().with_config("[limits]\ncall = \"300ms\"\n");
        let file = fixture(name);
        let outcome = data.run(&["conform", file.to_str().unwrap()]);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert!(outcome.stdout.contains(line), "{name}:\n{}", outcome.stdout);
    }
}

#[test]
fn what_cannot_be_loaded_is_refused_in_one_sentence() {
    let file = fixture("asks_network");
    let error = Data::new().run(&["conform", file.to_str().unwrap()]).failure();
    assert!(error.contains("wants `wasi:sockets/"), "{error}");
}
