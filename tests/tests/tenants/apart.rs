use std::fs;

use friends_chat_tests::{Answer, Connection, Data, Friend, Harness, Invite, Script, Tenant, Watcher, fixture};
use serde_json::json;

#[test]
fn friends_of_one_owner_are_strangers_to_the_other() {
    let data = Data::new();
    let anna = Tenant::add(&data, "anna", &[]);
    let script = Script::new("echo '{\"delta\":\"No.\"}'");
    let ben = Tenant::add(&data, "ben", &["--agent", &script.agent()]);
    let harness = data.serve(&[]);
    let (annas, bens) = (anna.friend(&harness, "john"), ben.friend(&harness, "john"));
    assert_eq!(annas.ask("hello"), "You said: hello");
    assert_eq!(bens.ask("hello"), "No.");

    let mut feeds = [annas.feed(), bens.feed()];
    anna.owner(&["nudge", "john", "from Anna"]).success();
    ben.owner(&["nudge", "john", "from Ben"]).success();
    for (feed, text) in feeds.iter_mut().zip(["from Anna", "from Ben"]) {
        assert_eq!(feed.until("nudge")["content"], text);
    }
    assert_eq!(annas.asking_for(&ben.host()).status()["authenticated"], false);
    let nowhere = annas.asking_for("eve.example.org").get("/chat");
    assert_eq!(nowhere.status, 404, "{}", nowhere.text());
    assert!(!ben.owner(&["list"]).success().contains("Anna"));
    assert!(anna.path().join("plugin/friends.db").is_file());
    assert!(!data.path().join("plugin/friends.db").exists());
}

#[test]
fn chats_below_paths_of_one_host_are_told_apart() {
    let data = Data::new();
    for name in ["anna", "ben"] {
        let base_url = format!("http://example.org/{name}");
        data.run(&["tenant", "add", name, "--base-url", &base_url]).success();
    }
    let harness = data.serve(&[]);
    let friend = Friend::stranger(&harness).asking_for("example.org");
    let invite = Invite::parse(&data.run(&["--tenant", "anna", "invite", "john"]).success());
    assert!(
        invite.link.starts_with("http://example.org/anna/chat?"),
        "{}",
        invite.link
    );
    let joined = friend.get(&format!("/anna{}", invite.target()));
    assert_eq!((joined.status, joined.header("location")), (302, Some("/anna/chat")));
    assert!(joined.header("set-cookie").unwrap().contains("Path=/anna;"));
    assert_eq!(friend.get("/anna/api/auth/status").json()["username"], "john");
    assert_eq!(friend.get("/ben/api/auth/status").json()["authenticated"], false);
    let bare = friend.get("/anna?a=b");
    assert_eq!((bare.status, bare.header("location")), (308, Some("/anna/?a=b")));
    for nowhere in ["/", "/annabel/chat", "/chat"] {
        assert_eq!(friend.get(nowhere).status, 404, "{nowhere}");
    }
}

#[test]
fn a_component_is_loaded_once_for_all_who_use_it() {
    let data = Data::new();
    let owners = ["anna", "ben", "cleo"].map(|name| Tenant::add(&data, name, &[]));
    let harness = data.serve(&[]);
    for owner in &owners {
        assert_eq!(owner.stranger(&harness).get("/api/health").status, 200);
    }
    let log = harness.stop_and_log();
    assert_eq!(log.matches("loaded the plugin").count(), 1, "{log}");
    for owner in ["anna", "ben", "cleo"] {
        let ready = log
            .lines()
            .find(|line| line.contains("is ready") && line.contains(&format!("name={owner}")));
        assert!(ready.is_some(), "{log}");
    }
}

#[test]
fn who_computes_without_end_keeps_nobody_else_waiting() {
    let data = Data::new().with_config("limits.call = \"50s\"\n");
    let plugin = fixture("spins");
    let eve = Tenant::add(&data, "eve", &["--plugin", plugin.to_str().unwrap()]);
    let anna = Tenant::add(&data, "anna", &[]);
    let harness = data.serve(&[]);
    let john = anna.friend(&harness, "john");
    let mut spinning = Connection::open(harness.address()).unwrap();
    spinning.request("GET", "/spin", &[("host", &eve.host())], b"");
    for round in 0..20 {
        let message = format!("round {round}");
        assert_eq!(john.ask(&message), format!("You said: {message}"));
    }
    // It has not been given up meanwhile.
    assert_eq!(eve.health(), "running");
    harness.kill();
}

#[test]
fn a_tenant_who_cannot_be_served_is_named_and_harms_nobody() {
    let data = Data::new();
    let (anna, ben) = (Tenant::add(&data, "anna", &[]), Tenant::add(&data, "ben", &[]));
    let config = format!("prot = 1\nchannels.friends.baseUrl = \"http://{}\"", ben.host());
    fs::write(ben.path().join("config.toml"), config).unwrap();
    let cleo = Tenant::add(&data, "cleo", &[]);
    fs::write(
        cleo.path().join("plugin/friends.db"),
        "this is no database, and was one before, of more than a page",
    )
    .unwrap();
    let harness = data.serve(&[]);
    assert_eq!(anna.stranger(&harness).get("/api/health").status, 200);
    for owner in [&ben, &cleo] {
        let down = owner.stranger(&harness).get("/api/health");
        assert_eq!(down.status, 503, "{}", down.text());
        assert!(down.header("retry-after").is_some());
    }
    harness.log().expect(&["tenant=ben", "prot"]);
    harness.log().expect(&["tenant=cleo", "damaged"]);
}

#[test]
fn a_token_opens_its_own_owners_tools_only() {
    let data = Data::new();
    let (anna, _ben) = (Tenant::add(&data, "anna", &[]), Tenant::add(&data, "ben", &[]));
    let harness = data.serve(&["--mcp-port", "0"]);
    let url = harness.output().expect(&["other agents find them at http://"]);
    let address = url.split("http://").nth(1).unwrap().split('/').next().unwrap();
    let token = fs::read_to_string(anna.path().join("mcp-token")).unwrap();
    let bearer = format!("Bearer {}", token.trim());
    let ask = |path: &str| {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }).to_string();
        let mut connection = Connection::open(address.parse().unwrap()).unwrap();
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("mcp-protocol-version", "2025-11-25"),
        ];
        connection.request("POST", path, &headers, body.as_bytes());
        Answer::read(connection.response())
    };
    let tools = ask("/mcp/anna");
    assert_eq!(tools.status, 200, "{}", tools.text());
    assert!(tools.text().contains("friends_chat_invite"), "{}", tools.text());
    for path in ["/mcp/ben", "/mcp/eve", "/mcp", "/mcp/anna/x"] {
        assert_eq!(ask(path).status, 401, "{path}");
    }
}

#[test]
fn metrics_tell_tenants_apart() {
    let data = Data::new();
    let [anna, ..] = ["anna", "ben", "cleo"].map(|name| Tenant::add(&data, name, &[]));
    data.run(&["tenant", "suspend", "ben"]).success();
    let harness: Harness = data.serve(&["--metrics", "127.0.0.1:0"]);
    let _feed = anna.friend(&harness, "john").feed();
    let metrics = Watcher::of(&harness).metrics();
    for (series, value) in [
        ("tenants{state=\"awake\"}", 1.0),
        ("tenants{state=\"asleep\"}", 1.0),
        ("tenants{state=\"suspended\"}", 1.0),
        ("tenant_held_connections{tenant=\"anna\"}", 1.0),
    ] {
        assert_eq!(metrics.value(series), value, "{}", metrics.text);
    }
    assert!(!metrics.text.contains("tenant=\"ben\""), "{}", metrics.text);
}
