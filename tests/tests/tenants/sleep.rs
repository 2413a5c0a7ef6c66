use friends_chat_tests::{Data, Script, Tenant, Watcher};

const SHORT: &str = "tenants.sleep = \"50ms\"\n";

/// An agent that answers when it is let.
const GATED: &str = r#"read -r _ < "${0%/*}/gate" || exit 1
    printf '{"delta":"Here."}\n'"#;

#[test]
fn a_stream_stays_open_over_a_plugin_that_sleeps() {
    let data = Data::new().with_config(SHORT);
    let anna = Tenant::add(&data, "anna", &[]);
    let harness = data.serve(&[]);
    let john = anna.friend(&harness, "john");
    let mut feed = john.feed();
    for text in ["first", "second"] {
        while anna.health() != "asleep" {}
        anna.owner(&["nudge", "john", text]).success();
        assert_eq!(feed.until("nudge")["content"], text);
    }
    while anna.health() != "asleep" {}
    assert_eq!(john.ask("hello"), "You said: hello");
    assert_eq!(john.history().len(), 4);
}

#[test]
fn who_is_alone_is_forgotten_and_found_as_before() {
    let data = Data::new().with_config(SHORT);
    let anna = Tenant::add(&data, "anna", &[]);
    let harness = data.serve(&["--metrics", "127.0.0.1:0"]);
    let john = anna.friend(&harness, "john");
    assert_eq!(john.ask("hello"), "You said: hello");
    let watcher = Watcher::of(&harness);
    while watcher.metrics().value("tenants{state=\"awake\"}") > 0.0 {}
    assert!(!anna.path().join("at-work").exists());
    assert_eq!(john.history().len(), 2);
    assert_eq!(john.ask("again"), "You said: again");
}

#[test]
fn a_plugin_does_not_sleep_while_its_agent_speaks() {
    let data = Data::new().with_config(SHORT);
    let script = Script::new(GATED);
    let mut gate = script.gate("gate");
    let anna = Tenant::add(&data, "anna", &["--agent", &script.agent()]);
    let harness = data.serve(&[]);
    let john = anna.friend(&harness, "john");
    let said = john.say("are you there?");
    for _ in 0..5 {
        assert_eq!(anna.health(), "running");
    }
    gate.let_one_through();
    assert_eq!(said.answer(), "Here.");
    harness.stop();
}

#[test]
fn what_was_begun_is_taken_up_though_nobody_calls() {
    let data = Data::new();
    let script = Script::new(GATED);
    let mut gate = script.gate("gate");
    let anna = Tenant::add(&data, "anna", &["--agent", &script.agent()]);
    let harness = data.serve(&[]);
    let john = anna.friend(&harness, "john");
    drop(john.say("are you there?"));
    harness.kill();

    let harness = data.serve(&[]);
    gate.let_one_through();
    gate.let_one_through();
    harness.log().expect(&["tenant", "is ready"]);
    let john = john.at(&harness);
    let mut feed = john.feed();
    while john.history().len() < 2 {
        feed.next_event().unwrap();
    }
    assert_eq!(john.history()[0]["text"], "Here.");
}
