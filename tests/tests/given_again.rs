//! What is the same for everybody is answered by the harness, without the plugin, until that is another one. Observed in
//! the harness's metrics, which count the plugin's calls.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use friends_chat_tests::{Answer, Data, Friend, Harness, Watcher, twin};

/// Calls of the plugin for requests so far.
fn calls(watcher: &Watcher) -> f64 {
    watcher.metrics().value("call_duration_seconds_count{kind=\"http\"}")
}

fn harness() -> (Harness, Watcher) {
    let harness = Data::new().serve(&["--metrics", "127.0.0.1:0"]);
    let watcher = Watcher::of(&harness);
    (harness, watcher)
}

#[test]
fn the_page_and_its_files_cost_the_plugin_nothing_the_second_time() {
    let (harness, watcher) = harness();
    let stranger = Friend::stranger(&harness);
    let first = stranger.get("/");
    assert_eq!(first.status, 200);
    assert!(
        first.header("host-cache-control").is_none(),
        "it is for the harness alone"
    );
    let after_one = calls(&watcher);
    for _ in 0..10 {
        let again = stranger.get("/");
        assert_eq!((again.status, again.text()), (200, first.text()));
        assert_eq!(again.header("etag"), first.header("etag"));
        assert_eq!(
            again.header("content-security-policy"),
            first.header("content-security-policy")
        );
    }
    let tag = first.header("etag").unwrap();
    let held = Answer::read(stranger.request("GET", "/", &[("if-none-match", tag)], b""));
    assert_eq!((held.status, held.text().len()), (304, 0));
    assert!((calls(&watcher) - after_one).abs() < 0.1);

    let german = Answer::read(stranger.request("GET", "/", &[("accept-language", "de")], b""));
    assert_ne!(german.text(), first.text(), "what depends on the request is asked for");
    let reloaded = Answer::read(stranger.request("GET", "/", &[("cache-control", "no-cache")], b""));
    assert_eq!(reloaded.text(), first.text());
    assert!((calls(&watcher) - after_one - 2.0).abs() < 0.1);
}

#[test]
fn what_an_instance_answered_is_forgotten_with_it() {
    let (harness, watcher) = harness();
    let stranger = Friend::stranger(&harness);
    let first = stranger.get("/");
    let other = twin(harness.data().path(), "twin");
    harness.owner(&["reload", other.to_str().unwrap()]).success();
    let before = calls(&watcher);
    assert_eq!(stranger.get("/").text(), first.text());
    assert!((calls(&watcher) - before - 1.0).abs() < 0.1);
}

#[test]
fn what_is_a_friends_own_is_never_given_again() {
    let (harness, watcher) = harness();
    let john = harness.friend("john");
    let before = calls(&watcher);
    for _ in 0..5 {
        assert_eq!(john.status()["authenticated"], true);
    }
    harness.owner(&["revoke", "john"]).success();
    assert_eq!(john.status()["authenticated"], false);
    assert!((calls(&watcher) - before - 6.0).abs() < 0.1);
}
