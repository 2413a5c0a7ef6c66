//! A plugin is named by what it is, in a registry: it is fetched once, checked, and then runs without asking anybody. What
//! is not what was named is refused in one sentence, and nothing of it is kept, however much of it a registry sends. Observed
//! by the real program at Debian's registry, and at one that answers as no registry should.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::fs;

use friends_chat_tests::{Data, FalseRegistry, LOGIN, Process, Registry, Sent, manifest};
use host_harness::DEFAULT_PLUGIN;
use host_harness::pin::sha256;
use host_harness::registry::Digest;
use serde_json::json;

/// A reference with its digest.
fn whole(reference: &str, component: &[u8]) -> String {
    format!("{reference}@{}", Digest::of(&manifest(component)))
}

/// The files on the shelf of fetched components.
fn shelf(data: &Data) -> Vec<String> {
    let Ok(entries) = fs::read_dir(data.path().join("components")) else {
        return Vec::new();
    };
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The sentence with which a reference is refused everywhere, with nothing kept.
#[track_caller]
fn refusal(reference: &str) -> String {
    let data = Data::new();
    let served = data.run(&["serve", "--port", "0", "--plugin", reference]).failure();
    assert_eq!(shelf(&data), [""; 0]);
    assert!(!data.database().exists() && !data.path().join("accepted.json").exists());
    served
}

#[test]
fn it_is_fetched_once_and_runs_without_its_registry() {
    let data = Data::new();
    let registry = Registry::start();
    let plugin = whole(&registry.push("friends/chat", DEFAULT_PLUGIN), DEFAULT_PLUGIN);
    let arguments = ["--plugin", &plugin];
    let harness = data.serve(&arguments);
    harness.log().expect(&["fetching the component", &plugin]);
    assert_eq!(harness.friend("john").ask("hello"), "You said: hello");
    harness.stop();
    let digest = sha256(DEFAULT_PLUGIN);
    assert!(shelf(&data).contains(&format!("{digest}.wasm")));
    assert_eq!(shelf(&data).len(), 2);
    let pin = fs::read_to_string(data.path().join("accepted.json")).unwrap();
    assert!(pin.contains(&digest));

    drop(registry);
    let harness = data.serve(&arguments);
    assert!(!harness.log().text().contains("fetching the component"));
    assert_eq!(harness.friend("mary").ask("hello"), "You said: hello");
    harness.stop();
    // What lies there is not believed either.
    let file = data.path().join(format!("components/{digest}.wasm"));
    fs::write(&file, &DEFAULT_PLUGIN[1..]).unwrap();
    let refusal = data
        .run(&[&["serve", "--port", "0"][..], &arguments].concat())
        .failure();
    assert!(refusal.contains("cannot be reached"), "{refusal}");
}

#[test]
fn what_is_damaged_here_is_fetched_again() {
    let data = Data::new();
    let registry = Registry::start();
    let plugin = whole(&registry.push("friends/chat", DEFAULT_PLUGIN), DEFAULT_PLUGIN);
    data.run(&["inspect", &plugin]).success();
    let kept = shelf(&data);
    assert_eq!(kept.len(), 2);
    for name in kept {
        let file = data.path().join("components").join(name);
        let sound = fs::read(&file).unwrap();
        fs::write(&file, &sound[1..]).unwrap();
        data.run(&["inspect", &plugin]).success();
        assert!(fs::read(&file).unwrap() == sound);
    }
}

#[test]
fn every_command_takes_a_reference() {
    let data = Data::new();
    let registry = Registry::start();
    let plugin = whole(&registry.push("chat", DEFAULT_PLUGIN), DEFAULT_PLUGIN);
    let digest = sha256(DEFAULT_PLUGIN);
    let inspected = data.run(&["inspect", &plugin]).success();
    assert!(inspected.starts_with(&format!("sha256 {digest}\n")), "{inspected}");
    let accepted = data.run(&["accept", "--plugin", &plugin]).success();
    assert!(accepted.contains(&digest), "{accepted}");
    assert_eq!(data.run(&["list", "--plugin", &plugin]).code, Some(0));

    let harness = data.serve(&[]);
    let john = harness.friend("john");
    let mut feed = john.feed();
    let report = harness.owner(&["reload", &plugin]).success();
    assert!(
        report.contains(&format!("write plugin = {plugin:?} into config.toml")),
        "{report}"
    );
    harness.owner(&["reload"]).success();
    assert_eq!(john.ask("still there?"), "You said: still there?");
    feed.until("reply");
    harness.stop();
    let data = data.with_config(&format!("plugin = {plugin:?}\n"));
    let harness = data.serve(&[]);
    assert!(!harness.owner(&["reload", &plugin]).success().contains("config.toml"));
}

#[test]
fn without_a_digest_it_is_told_which_one_it_has_now() {
    let registry = Registry::start();
    let named = registry.push("chat", DEFAULT_PLUGIN);
    let whole = whole(&named, DEFAULT_PLUGIN);
    let refused = refusal(&named);
    assert!(
        refused.contains("give the digest") && refused.contains(&whole),
        "{refused}"
    );
    let data = Data::new();
    let refused = data.run(&["inspect", &named]).failure();
    assert!(refused.contains(&whole), "{refused}");
    data.run(&["inspect", &whole]).success();
}

#[test]
fn what_is_not_there_and_what_is_no_reference() {
    let registry = Registry::start();
    let named = registry.push("chat", DEFAULT_PLUGIN);
    for missing in [
        whole(&named, b"another"),
        whole(&named.replace("chat", "other"), DEFAULT_PLUGIN),
    ] {
        let refused = refusal(&missing);
        assert!(refused.contains("404") && refused.contains("the manifest"), "{refused}");
    }
    drop(registry);
    let refused = refusal(&whole(&named, DEFAULT_PLUGIN));
    assert!(
        refused.contains("cannot be reached") && refused.contains(&named),
        "{refused}"
    );
    let refused = refusal("oci://localhost/Chat");
    assert!(
        refused.contains("its name") && refused.contains("oci://REGISTRY/NAME@sha256:DIGEST"),
        "{refused}"
    );
}

#[test]
fn what_is_only_for_some_is_shown_the_login() {
    let registry = Registry::start_private();
    let plugin = whole(&registry.push("chat", DEFAULT_PLUGIN), DEFAULT_PLUGIN);
    let refused = refusal(&plugin);
    assert!(refused.contains("401") && refused.contains("docker login"), "{refused}");
    let data = Data::new();
    let host = plugin.strip_prefix("oci://").unwrap().split('/').next().unwrap();
    let logins = json!({ "auths": { host: { "auth": LOGIN } } });
    fs::write(data.path().join("config.json"), logins.to_string()).unwrap();
    let mut command = data.command(&["inspect", &plugin]);
    command.env("DOCKER_CONFIG", data.path()).env("RUST_LOG", "trace");
    let inspected = Process::start(command).wait();
    assert!(!inspected.stderr.contains(LOGIN), "{}", inspected.stderr);
    assert!(inspected.success().contains("Friends Chat"));
}

#[test]
fn another_manifest_is_refused() {
    let ours = manifest(DEFAULT_PLUGIN);
    let theirs = manifest(b"something else");
    let registry = FalseRegistry::with_manifest(theirs.clone(), Sent::Whole(b"something else".to_vec()));
    let refused = refusal(&registry.reference(&ours));
    for part in ["something else for the manifest", &sha256(&ours), &sha256(&theirs)] {
        assert!(refused.contains(part), "{refused}");
    }
    assert_eq!(registry.asked().len(), 1);
}

#[test]
fn another_component_is_refused() {
    let ours = manifest(DEFAULT_PLUGIN);
    let mut theirs = DEFAULT_PLUGIN.to_vec();
    theirs[1000] ^= 1;
    for (sent, why) in [
        (Sent::Whole(theirs.clone()), "something else for the component"),
        (Sent::Whole(Vec::new()), "something else for the component"),
        (Sent::Whole([DEFAULT_PLUGIN, b"x"].concat()), "more than"),
        (Sent::Cut(DEFAULT_PLUGIN.to_vec()), "cannot be reached"),
        (Sent::Endless, "more than"),
    ] {
        let registry = FalseRegistry::with_manifest(ours.clone(), sent);
        let refused = refusal(&registry.reference(&ours));
        assert!(refused.contains(why), "{refused}");
    }
}

#[test]
fn a_manifest_that_does_not_end_is_not_read_to_its_end() {
    let registry = FalseRegistry::start(|_| Sent::Endless);
    let refused = refusal(&registry.reference(b""));
    assert!(
        refused.contains("more than 4194304 bytes for the manifest"),
        "{refused}"
    );
    let refused = refusal(&format!("oci://{}/chat:1.0", registry.address()));
    assert!(
        refused.contains("more than 4194304 bytes for the manifest"),
        "{refused}"
    );
}

#[test]
fn what_is_no_component_is_refused_before_it_is_fetched() {
    let index = json!({ "schemaVersion": 2, "manifests": [] }).to_string().into_bytes();
    let huge = String::from_utf8(manifest(b""))
        .unwrap()
        .replace("\"size\":0", "\"size\":99999999999");
    for (manifest, why) in [
        (index, "a list of others"),
        (b"<html>".to_vec(), "cannot be read"),
        (huge.into_bytes(), "more than 67108864 bytes"),
    ] {
        let registry = FalseRegistry::with_manifest(manifest.clone(), Sent::Endless);
        let refused = refusal(&registry.reference(&manifest));
        assert!(refused.contains(why), "{refused}");
        assert_eq!(registry.asked().len(), 1);
    }
}

#[test]
fn a_redirect_is_followed_without_the_token_and_never_out_of_this_machine_in_the_clear() {
    let ours = manifest(DEFAULT_PLUGIN);
    let blobs = FalseRegistry::start(|_| Sent::Whole(DEFAULT_PLUGIN.to_vec()));
    let elsewhere = format!("http://{}/blob", blobs.address());
    let sending = |location: String| {
        let ours = ours.clone();
        FalseRegistry::start(move |request| match request.target.as_str() {
            target if target.starts_with("/token?") => Sent::Whole(br#"{"token":"let-me-in"}"#.to_vec()),
            _ if request.authorization.as_deref() != Some("Bearer let-me-in") => {
                let port = request.host.rsplit(':').next().unwrap();
                Sent::Head(format!(
                    "401 Unauthorized\r\nwww-authenticate: Bearer realm=\"http://127.0.0.1:{port}/token\",service=\"it\""
                ))
            }
            target if target.contains("/manifests/") => Sent::Whole(ours.clone()),
            _ => Sent::Head(format!("307 Temporary Redirect\r\nlocation: {location}")),
        })
    };
    let registry = sending(elsewhere);
    let data = Data::new();
    data.run(&["inspect", &registry.reference(&ours)]).success();
    let token = registry.asked()[1].target.clone();
    assert_eq!(token, "/token?service=it&scope=repository%3Afriends%2Fchat%3Apull");
    assert_eq!(blobs.asked().len(), 1);
    assert_eq!(blobs.asked()[0].authorization, None);

    for away in ["http://192.0.2.1/blob", "ftp://127.0.0.1/blob"] {
        let registry = sending(away.to_owned());
        let refused = refusal(&registry.reference(&ours));
        assert!(refused.contains("without TLS"), "{refused}");
    }
    let registry =
        FalseRegistry::start(|request| Sent::Head(format!("307 Temporary Redirect\r\nlocation: {}", request.target)));
    let refused = refusal(&registry.reference(&ours));
    assert!(refused.contains("without end"), "{refused}");
    assert_eq!(registry.asked().len(), 6);
}

#[test]
fn a_token_is_asked_for_at_a_fit_place_only_and_once() {
    for challenge in [
        "Bearer realm=\"http://192.0.2.1/token\"",
        "Bearer realm=\"file:///etc/passwd\"",
        "Bearer service=\"it\"",
        "Negotiate",
        "\"",
    ] {
        let head = format!("401 Unauthorized\r\nwww-authenticate: {challenge}");
        let registry = FalseRegistry::start(move |_| Sent::Head(head.clone()));
        let refused = refusal(&registry.reference(b""));
        assert!(refused.contains("not understood"), "{refused}");
        assert_eq!(registry.asked().len(), 1);
    }
    let registry = FalseRegistry::start(|request| match request.target.starts_with("/token") {
        true => Sent::Endless,
        false => {
            let realm = format!("http://{}/token", request.host);
            Sent::Head(format!(
                "401 Unauthorized\r\nwww-authenticate: Bearer realm=\"{realm}\""
            ))
        }
    });
    let refused = refusal(&registry.reference(b""));
    assert!(refused.contains("bytes for a token"), "{refused}");
    let registry = FalseRegistry::start(|request| match request.target.starts_with("/token") {
        true => Sent::Whole(br#"{"access_token":"of-no-use"}"#.to_vec()),
        false => {
            let realm = format!("http://{}/token", request.host);
            Sent::Head(format!(
                "401 Unauthorized\r\nwww-authenticate: Bearer realm=\"{realm}\""
            ))
        }
    });
    let refused = refusal(&registry.reference(b""));
    assert!(refused.contains("401"), "{refused}");
    assert_eq!(registry.asked().len(), 3);
}
