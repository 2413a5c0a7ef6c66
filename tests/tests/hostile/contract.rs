//! Plugins that break the contract in one thing each: `host-harness conform` says which, and what the contract says instead.

use friends_chat_tests::Data;

use crate::host::fixture;

/// What fails when a fixture is held to the contract, each as check and sentence.
fn failures(name: &str) -> Vec<(String, String)> {
    let file = fixture(name);
    let outcome = Data::new().run(&["conform", file.to_str().unwrap()]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let failed = outcome.stdout.lines().filter_map(|line| line.strip_prefix("FAILED   "));
    failed
        .map(|line| {
            let (check, why) = line.split_once(": ").unwrap();
            (check.to_owned(), why.to_owned())
        })
        .collect()
}

#[test]
pub(crate) fn starts_twice() {
    assert_eq!(
        failures("starts_twice"),
        [(
            "a second `start` is `already-started`".to_owned(),
            "channel.wit says \"`start` was called on a plugin that runs.\", and what came is: start answered ok"
                .to_owned()
        )]
    );
}

#[test]
pub(crate) fn misnames_tools() {
    let failures = failures("misnames_tools");
    let [(names, name), (parameters, parameter)] = failures.as_slice() else {
        panic!("{failures:?}");
    };
    assert_eq!(names, "tools have names that a model can call");
    assert!(name.ends_with("a tool with the name \"do it\""), "{name}");
    assert_eq!(parameters, "tools take an object, by a valid JSON Schema");
    assert!(parameter.ends_with("where `type` is not \"object\""), "{parameter}");
}

#[test]
pub(crate) fn answers_within() {
    let failures = failures("answers_within");
    let [(check, why)] = failures.as_slice() else {
        panic!("{failures:?}");
    };
    assert_eq!(check, "a call in the middle of another is `busy`");
    assert!(
        why.ends_with("history in the middle of another call answered the error `not-started`"),
        "{why}"
    );
}

#[test]
pub(crate) fn answers_999() {
    let failures = failures("answers_999");
    assert_eq!(failures[0].0, "ordinary requests are answered");
    for (_, why) in failures {
        assert!(why.contains("the status 999, which is not from 200 to 599"), "{why}");
    }
}

#[test]
fn one_that_does_not_start_fails_with_the_reason() {
    let failures = failures("traps_on_start");
    // What needs one that runs is skipped, so that a start that does not return is waited for once.
    let [(check, why), (asked, _)] = failures.as_slice() else {
        panic!("{failures:?}");
    };
    assert_eq!(check, "`start` is ok on an empty directory");
    assert!(why.contains("the call did not return"), "{why}");
    assert_eq!(asked, "requests to a plugin that does not run are answered");
}
