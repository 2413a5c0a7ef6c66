//! The owner's commands do the same whether the harness runs or not. Observed at exit status, standard output and
//! standard error, and at what friends see afterwards.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use friends_chat_tests::{Data, Friend, Harness, Invite, Outcome};
use serde_json::json;

/// Every command once, on data that may or may not be served.
fn every_command(run: &dyn Fn(&[&str]) -> Outcome) {
    let none = run(&["list"]).success();
    assert!(none.contains("no friends yet"), "{none}");

    let invited = run(&["invite", "john", "--nickname", "John Doe"]).success();
    let invite = Invite::parse(&invited);
    assert!(
        invited.contains("john") && invited.contains("\"John Doe\""),
        "{invited}"
    );
    let list = run(&["list"]).success();
    assert!(
        list.contains("- john, nickname \"John Doe\", invite pending, last seen never"),
        "{list}"
    );
    assert_eq!(run(&["tool", "friends_chat_list"]).success(), list);
    assert_eq!(run(&["tool", "friends_chat_list", "{}"]).success(), list);

    let taken = run(&["invite", "john"]).failure();
    assert!(
        taken.contains("taken") && taken.contains("friends_chat_reinvite"),
        "{taken}"
    );
    let bad = run(&["invite", "José"]).failure();
    assert!(bad.contains("2 to 32") && bad.contains("\"jose\""), "{bad}");

    let again = Invite::parse(&run(&["reinvite", "john"]).success());
    assert_ne!(again.code, invite.code);
    let revoked = run(&["revoke", "john"]).success();
    assert!(revoked.contains("john"), "{revoked}");
    let list = run(&["list"]).success();
    assert!(list.contains("- john, nickname \"John Doe\", revoked"), "{list}");
    for command in ["reinvite", "revoke"] {
        let unknown = run(&[command, "nobody"]).failure();
        assert!(unknown.contains("nobody"), "{unknown}");
    }

    let arguments = json!({ "username": "mary" }).to_string();
    Invite::parse(&run(&["tool", "friends_chat_invite", &arguments]).success());
    let kept = run(&["nudge", "mary", "hello"]).success();
    assert!(kept.contains("kept"), "{kept}");
    let kept = run(&["nudge", "friend:mary", "hello"]).success();
    assert!(kept.contains("friend:mary"), "{kept}");

    let before = run(&["list"]).success();
    for (tool, arguments) in [
        ("friends_chat_nothing", "{}"),
        ("friends_chat_invite", "not JSON"),
        ("friends_chat_invite", "[]"),
        ("friends_chat_invite", "{}"),
        ("friends_chat_invite", r#"{"username":1}"#),
        ("friends_chat_invite", r#"{"username":"anna","nickname":"a\nb"}"#),
        ("friends_chat_invite", r#"{"username":"anna","admin":true}"#),
        ("friends_chat_reinvite", r#"{"username":"../john"}"#),
        ("friends_chat_list", r#"{"all":true}"#),
    ] {
        run(&["tool", tool, arguments]).failure();
    }
    assert_eq!(run(&["list"]).success(), before, "what was refused has changed nothing");
}

#[test]
fn when_the_harness_runs() {
    let harness = Harness::start();
    every_command(&|arguments| harness.owner(arguments));
}

#[test]
fn when_it_does_not() {
    let data = Data::new();
    every_command(&|arguments| data.run(arguments));
}

#[test]
fn what_was_done_without_it_is_so_when_it_runs() {
    let data = Data::new();
    let invite = Invite::parse(&data.run(&["invite", "john", "--nickname", "John Doe"]).success());
    data.run(&["nudge", "john", "welcome"]).success();
    let harness = data.serve(&[]);
    let john = Friend::stranger(&harness);
    john.join(&invite);
    assert_eq!(john.status()["nickname"], "John Doe");
    assert_eq!(john.feed().until("nudge")["content"], "welcome");
    let list = harness.owner(&["list"]).success();
    assert!(
        list.contains("- john, nickname \"John Doe\", active, last seen 20"),
        "{list}"
    );
}

#[test]
fn a_nickname_forges_no_row() {
    let harness = Harness::start();
    let john = harness.friend("john");
    let forgeries = [
        "x\n- mary, nickname \"Mary\", active",
        "x\r- mary",
        "x\u{2028}- mary",
        "x\", active, last seen never",
        "\u{202e}x",
        "x\\",
    ];
    for nickname in forgeries {
        john.post("/api/nickname", &json!({ "nickname": nickname }));
        let list = harness.owner(&["list"]).success();
        let lines: Vec<&str> = list.split(['\n', '\r', '\u{2028}']).collect();
        assert_eq!(lines.len(), 2, "{list}");
        assert!(!list.contains('\u{202e}'), "{list:?}");
        let rest = lines[1].strip_prefix("- john, nickname \"").unwrap();
        // Where the quotation ends, the rest of the row is ours.
        let mut escaped = false;
        let end = rest.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        assert!(rest[end.unwrap()..].starts_with("\", active, last seen 20"), "{list}");
    }
}

#[test]
fn what_is_secret_is_for_its_user_only() {
    let data = Data::new();
    let harness = data.serve(&[]);
    harness.invite("john");
    let mode = |name: &str| fs::metadata(data.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("owner.sock"), 0o600);
    assert_eq!(mode("secrets"), 0o700);
    assert_eq!(mode("secrets/invite-key"), 0o600);
    assert_eq!(mode("plugin"), 0o700);
    assert_eq!(mode("lock"), 0o600);
}

#[test]
fn codes_and_cookies_are_in_no_file_and_no_log() {
    let harness = Harness::start();
    let (pending, used) = (harness.invite("mary"), harness.invite("john"));
    let john = Friend::stranger(&harness);
    john.join(&used);
    john.ask("a secret message");
    let secrets = [pending.code, used.code, john.cookie().unwrap()];
    let log = harness.log().text();
    for secret in secrets.iter().map(String::as_str).chain(["secret message"]) {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    let data = harness.stop();
    for entry in fs::read_dir(data.path().join("plugin")).unwrap() {
        let content = fs::read(entry.unwrap().path()).unwrap();
        for secret in &secrets {
            for form in [secret.clone(), secret.replace('-', "")] {
                assert!(
                    !content.windows(form.len()).any(|window| window == form.as_bytes()),
                    "{form} is in a file"
                );
            }
        }
    }
}

#[test]
fn whoever_stops_listening_hears_of_no_error() {
    let data = Data::new();
    for arguments in [&["inspect"][..], &["conform"], &["list"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = data.command(arguments).stdout(writer).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && said.is_empty(), "{arguments:?}: {said}");
    }
}
