//! A setting is taken from its flag, else the environment, else the file, else its default. Observed at the
//! address that is listened on, at invite links, and at the page.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::net::TcpStream;

use friends_chat_tests::{Data, Friend, Invite, Process, free_port};

const FILE: &str = "[channels.friends]\nhost = '127.0.0.4'\nbaseUrl = 'https://file.example'\n";

fn link(data: &Data, user: &str, environment: &[(&str, &str)], flags: &[&str]) -> String {
    let mut command = data.command(&[&["invite", user], flags].concat());
    command.envs(environment.iter().copied());
    let invite = Invite::parse(&Process::start(command).wait().success());
    invite.link.split_once("/chat").unwrap().0.to_owned()
}

#[test]
fn the_base_url_of_links() {
    let data = Data::new().with_config(FILE);
    let environment = [("HARNESS_BASE_URL", "https://env.example")];
    assert_eq!(
        link(&data, "f1", &environment, &["--base-url", "https://flag.example/"]),
        "https://flag.example"
    );
    assert_eq!(link(&data, "f2", &environment, &[]), "https://env.example");
    assert_eq!(link(&data, "f3", &[], &[]), "https://file.example");
    let data = data.with_config("");
    assert_eq!(link(&data, "f4", &[], &[]), "http://localhost:3001");
    assert_eq!(link(&data, "f5", &[], &["--port", "4000"]), "http://localhost:4000");
    assert_eq!(
        link(&data, "f6", &[("HARNESS_PORT", "5000")], &["--port", "4000"]),
        "http://localhost:4000"
    );
    assert_eq!(
        link(&data, "f7", &[("HARNESS_PORT", "5000")], &[]),
        "http://localhost:5000"
    );
    let data = data.with_config("[channels.friends]\nport = 6000\n");
    assert_eq!(link(&data, "f8", &[], &[]), "http://localhost:6000");
}

#[test]
fn a_local_link_says_that_it_is_local_and_what_to_set() {
    let data = Data::new();
    let local = data.run(&["invite", "john"]).success();
    assert!(
        local.contains("this machine only") && local.contains("channels.friends.baseUrl"),
        "{local}"
    );
    let public = data
        .run(&["reinvite", "john", "--base-url", "https://chat.example"])
        .success();
    assert!(!public.contains("this machine only"), "{public}");
}

#[test]
fn the_address_that_is_listened_on() {
    let data = Data::new().with_config(FILE);
    let cases: [(&[&str], Option<&str>, &str); 4] = [
        (&["--host", "127.0.0.2"], Some("127.0.0.3"), "127.0.0.2"),
        (&[], Some("127.0.0.3"), "127.0.0.3"),
        (&[], None, "127.0.0.4"),
        (&["--config", "/dev/null"], None, "127.0.0.1"),
    ];
    for (flags, environment, address) in cases {
        let port = free_port();
        let mut command = data.command(&[&["serve", "--port", &port.to_string()], flags].concat());
        if let Some(host) = environment {
            command.env("HOST", host);
        }
        let process = Process::start(command);
        process.stdout.expect(&["The chat is at "]);
        for other in ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"] {
            assert_eq!(
                TcpStream::connect((other, port)).is_ok(),
                other == address,
                "{other}, expected {address}"
            );
        }
        process.signal(friends_chat_tests::Signal::TERM);
        assert_eq!(process.wait().code, Some(0));
    }
}

#[test]
fn the_agent_and_its_name() {
    let data = Data::new().with_config("[agent]\nname = 'Ada'\nuse = 'nobody'\n");
    let refusal = data.run(&["serve", "--port", "0"]).failure();
    assert!(refusal.contains("`nobody`") && refusal.contains("echo"), "{refusal}");
    let harness = data.serve(&["--agent", "echo"]);
    let data = data.with_config("");
    assert_eq!(Friend::stranger(&harness).status()["agent"], "Ada");
    let john = Friend::stranger(&harness);
    john.join(&Invite::parse(&data.run(&["invite", "john"]).success()));
    assert_eq!(john.ask("hi"), "You said: hi");
}

#[test]
fn the_file_may_lie_elsewhere_and_name_the_data() {
    let (data, elsewhere) = (Data::new(), Data::new());
    let file = elsewhere.path().join("harness.toml");
    fs::write(&file, format!("data = {:?}\n", data.path())).unwrap();
    let mut command = Data::bare_command(&["invite", "john", "--config"]);
    command.arg(&file);
    Process::start(command).wait().success();
    assert!(data.database().exists());
}

#[test]
fn what_cannot_be_is_named_with_its_key() {
    let rows = [
        ("[channels.friends]\nport = 70000\n", "port"),
        ("[channels.friends]\nbaseUrl = 'chat.example'\n", "chat.example"),
        ("[channels.friends]\ninviteTtl = 'soon'\n", "inviteTtl"),
        ("[channels.friends]\nenabled = 'maybe'\n", "enabled"),
        ("agnet = 1\n", "agnet"),
        ("= 1\n", "config.toml"),
    ];
    for (file, named) in rows {
        let outcome = Data::new().with_config(file).run(&["serve", "--port", "0"]);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert!(
            outcome.stderr.contains("error: ") && outcome.stderr.contains(named),
            "{outcome:?}"
        );
    }
    let missing = Data::new().run(&["list", "--config", "/nowhere.toml"]).failure();
    assert!(missing.contains("/nowhere.toml"), "{missing}");
}
