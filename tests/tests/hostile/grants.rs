//! A plugin that asks for what nobody granted it.

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
