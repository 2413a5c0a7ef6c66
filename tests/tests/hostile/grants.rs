//! A plugin that asks for what nobody granted it.

use friends_chat_tests::Script;
use host_harness::capability::{Capabilities, Capability};
use host_harness::pin::sha256;

use crate::host::{Hostile, data, fixture};

#[test]
pub(crate) fn asks_network() {
    let file = fixture("asks_network");
    let refusal = data("")
        .run(&["serve", "--port", "0", "--plugin", file.to_str().unwrap()])
        .failure();
    assert!(
        refusal.contains("wants `wasi:sockets/") && refusal.contains("does not give"),
        "{refusal}"
    );
}

#[test]
pub(crate) fn asks_around() {
    let data = data("[channels.other]\npassword = \"hunter2\"\n[channels.friends]\nown = \"granted\"\n");
    let secrets = data.path().join("secrets");
    std::fs::create_dir(&secrets).unwrap();
    std::fs::write(secrets.join("other-key"), [b'x'; 32]).unwrap();
    let host = Hostile::on(&data, "asks_around", &[]);
    assert_eq!(host.text("/ask"), "[] [] Ok(None) [] Err(Error::NotGranted)");
}

#[test]
pub(crate) fn asks_notes() {
    let file = fixture("asks_notes");
    let file = file.to_str().unwrap();
    // All that there is but the notes.
    let less = r#"grants = ["agent", "connections", "notifications", "secrets", "config", "files", "log"]"#;
    let more = r#"grants = ["agent", "connections", "notes", "notifications", "secrets", "config", "files", "log"]"#;
    let withheld = data(less);
    let wanted = "wants `tinyclaw:plugin/memory@0.1.0`, which is not granted";
    for command in ["serve", "accept", "list"] {
        let refusal = withheld.run(&[command, "--port", "0", "--plugin", file]).failure();
        assert!(refusal.contains(wanted) && refusal.contains(more), "{refusal}");
    }
    let inspected = withheld.run(&["inspect", file]).success();
    for part in ["NOT GRANTED, would be notes", "It would not be loaded", more] {
        assert!(inspected.contains(part), "{part} is missing: {inspected}");
    }
    let json = withheld.run(&["inspect", "--json", file]).success();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let want = |name: &str| {
        let wants = json["wants"].as_array().unwrap();
        wants.iter().find(|want| want["interface"] == name).unwrap().clone()
    };
    let memory = want("tinyclaw:plugin/memory@0.1.0");
    assert_eq!((&memory["grant"], &memory["granted"]), (&"notes".into(), &false.into()));
    let push = want("tinyclaw:plugin/push@0.1.0");
    assert_eq!(
        (&push["grant"], &push["granted"]),
        (&"connections".into(), &true.into())
    );
    assert!(!withheld.path().join("accepted.json").exists());

    let running = Hostile::on(&withheld, "spins", &[]);
    let refusal = running.harness.owner(&["reload", file]).failure();
    assert!(refusal.contains("not used") && refusal.contains(wanted), "{refusal}");
    running.assert_answers();

    let host = Hostile::on(&data(more), "asks_notes", &[]);
    assert_eq!(host.text("/ask"), "Ok([])");
}

#[test]
fn the_built_in_plugin_needs_all_that_can_be_granted() {
    for granted in Capability::ALL {
        let others: Capabilities = Capability::ALL.into_iter().filter(|other| *other != granted).collect();
        let refusal = data(&others.to_string()).run(&["serve", "--port", "0"]).failure();
        assert!(refusal.contains(granted.interfaces()[0]), "{refusal}");
        assert!(refusal.contains(&Capabilities::default().to_string()), "{refusal}");
    }
}

#[test]
pub(crate) fn speaks_unasked() {
    let data = data("");
    let agent = Script::new("touch \"${0%/*}/asked\"");
    let file = fixture("speaks_unasked");
    let arguments = ["inspect", file.to_str().unwrap(), "--agent", &agent.agent()];
    let inspected = data.run(&arguments).success();
    assert!(inspected.contains("description: true"), "{inspected}");
    assert!(!agent.path("asked").exists());
    // Where it runs it may speak.
    let host = Hostile::on(&data, "speaks_unasked", &["--agent", &agent.agent()]);
    host.harness.owner(&["nudge", "nobody", "hello"]).failure();
    host.harness.stop();
    assert!(agent.path("asked").exists());
}

#[test]
pub(crate) fn calls_back() {
    let host = Hostile::serve("calls_back", "");
    host.assert_fails("/call-back");
    host.assert_lost("cannot leave component instance");
}

#[test]
pub(crate) fn lies_about_version() {
    let host = Hostile::serve("lies_about_version", "");
    host.assert_answers();
    let file = fixture("lies_about_version");
    let inspected = data("").run(&["inspect", file.to_str().unwrap()]).success();
    assert_eq!(inspected.matches("sha256").count(), 2);
    assert!(
        inspected.contains("  version: 999.0.0\\n\\u{1b}[2Jsha256 0000\n"),
        "{inspected}"
    );
    let digest = sha256(&std::fs::read(&file).unwrap());
    assert!(inspected.starts_with(&format!("sha256 {digest}\n")), "{inspected}");
}

#[test]
fn inspecting_gives_the_plugin_nothing() {
    let data = data("");
    let text = data.run(&["inspect"]).success();
    for part in [
        "Friends Chat",
        "friends_chat_invite",
        "tinyclaw:plugin/push@0.1.0",
        "the secret invite-key",
        "granted, as files: keep files in its own directory",
        "every plugin has it",
    ] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    let json: serde_json::Value = serde_json::from_str(&data.run(&["inspect", "--json"]).success()).unwrap();
    assert_eq!(json["sha256"], sha256(host_harness::DEFAULT_PLUGIN));
    assert_eq!(json["says"]["channel-prefix"], "friend");
    assert!(!data.database().exists());
}

#[test]
fn another_plugin_that_wants_more_waits_for_the_owner() {
    let data = data("");
    let modest = fixture("spins");
    let demanding = fixture("asks_around");
    let demanding = demanding.to_str().unwrap();
    let digest = |file: &str| sha256(&std::fs::read(file).unwrap());
    Hostile::on(&data, "spins", &[]).harness.stop();
    let refusal = data.run(&["serve", "--port", "0", "--plugin", demanding]).failure();
    for part in [
        "`tinyclaw:plugin/secrets@0.1.0`",
        "`wasi:config/store@0.2.0-rc.1`",
        "host-harness accept",
        &digest(demanding),
    ] {
        assert!(refusal.contains(part), "{part} is missing: {refusal}");
    }
    Hostile::on(&data, "spins", &[]).harness.stop();
    let accepted = data.run(&["accept", "--plugin", demanding]).success();
    assert!(
        accepted.contains("It may have now: the interface `tinyclaw:plugin/secrets@0.1.0`"),
        "{accepted}"
    );
    Hostile::on(&data, "asks_around", &[]).harness.stop();
    // Back to less is no question.
    let host = Hostile::on(&data, "spins", &[]);
    host.harness
        .log()
        .expect(&["wants no more", &digest(modest.to_str().unwrap())]);
}
