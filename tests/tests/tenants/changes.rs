use friends_chat_tests::{Data, Script, Tenant, wasm};

#[test]
fn owners_come_and_go_while_others_chat() {
    let data = Data::new();
    let anna = Tenant::add(&data, "anna", &[]);
    let harness = data.serve(&[]);
    let john = anna.friend(&harness, "john");
    let mut feed = john.feed();

    let ben = Tenant::add(&data, "ben", &[]);
    let jane = ben.friend(&harness, "jane");
    assert_eq!(jane.ask("hello"), "You said: hello");
    let mut ended = jane.feed();

    data.run(&["tenant", "suspend", "ben"]).success();
    while ended.next_event().is_some() {}
    let refused = jane.get("/chat");
    assert_eq!((refused.status, refused.text().contains("suspended")), (503, true));
    let refused = ben.owner(&["list"]).failure();
    assert!(refused.contains("tenant resume ben"), "{refused}");
    assert!(data.run(&["tenant", "list"]).success().contains("ben  suspended"));

    data.run(&["tenant", "resume", "ben"]).success();
    assert_eq!(jane.history().len(), 2);
    let removed = data.run(&["tenant", "remove", "ben"]).success();
    assert_eq!(jane.get("/chat").status, 404);
    let (_, aside) = removed.split_once("Its directory is ").unwrap();
    assert!(
        std::path::Path::new(aside.trim().trim_end_matches('.'))
            .join("plugin/friends.db")
            .is_file()
    );

    anna.owner(&["nudge", "john", "still here?"]).success();
    assert_eq!(feed.until("nudge")["content"], "still here?");
}

#[test]
fn what_cannot_be_added_is_said_and_leaves_nothing() {
    let data = Data::new();
    Tenant::add(&data, "anna", &[]);
    let harness = data.serve(&[]);
    for command in ["status", "list"] {
        let refused = data.run(&[command]).failure();
        assert!(refused.contains("--tenant NAME"), "{refused}");
    }
    harness.stop();
    for (arguments, said) in [
        (&["tenant", "add", "ben"][..], "--base-url"),
        (
            &["tenant", "add", "anna", "--base-url", "http://b.example.org"],
            "a tenant `anna` already",
        ),
        (
            &["tenant", "add", "ben", "--base-url", "http://ANNA.example.org"],
            "`anna` has this address",
        ),
        (
            &[
                "tenant",
                "add",
                "ben",
                "--base-url",
                "http://b.example.org",
                "--agent",
                "gpt",
            ],
            "`gpt` is no agent",
        ),
        (&["tenant", "suspend", "ben"], "no tenant `ben`"),
        (&["--tenant", "ben", "list"], "no tenant `ben`"),
    ] {
        let refused = data.run(arguments).failure();
        assert!(refused.contains(said), "{refused}");
    }
    assert_eq!(
        data.run(&["tenant", "list"]).success(),
        "anna  served  http://anna.example.org"
    );
    let left: Vec<_> = std::fs::read_dir(data.path().join("tenants")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");

    let own = Data::new();
    own.serve(&[]).stop();
    let refused = own
        .run(&["tenant", "add", "anna", "--base-url", "http://a.example.org"])
        .failure();
    assert!(refused.contains("has a chat of its own"), "{refused}");
}

#[test]
fn programs_are_replaced_for_those_who_are_awake() {
    let data = Data::new();
    let plugin = wasm("webhook_channel");
    let arguments = ["--plugin", plugin.to_str().unwrap()];
    let [anna, ben] = ["anna", "ben"].map(|name| Tenant::add(&data, name, &arguments));
    Tenant::add(&data, "cleo", &[]);
    let harness = data.serve(&[]);
    assert_eq!(anna.stranger(&harness).get("/").status, 404);
    let said = data.run(&["reload"]).success();
    assert!(said.starts_with("anna: Version") && !said.contains("ben"), "{said}");
    assert_eq!(ben.stranger(&harness).get("/").status, 404);
    assert_eq!(data.run(&["reload"]).success().lines().count(), 2);
}

#[test]
fn a_tenants_own_agent_is_used_after_its_file_has_changed() {
    let data = Data::new();
    let anna = Tenant::add(&data, "anna", &[]);
    let harness = data.serve(&[]);
    let john = anna.friend(&harness, "john");
    assert_eq!(john.ask("hello"), "You said: hello");
    let script = Script::new("echo '{\"delta\":\"Another.\"}'");
    let path = anna.path().join("config.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("agent.use = {:?}\n{config}", script.agent())).unwrap();
    data.run(&["tenant", "resume", "anna"]).success();
    assert_eq!(john.ask("hello"), "Another.");
}
