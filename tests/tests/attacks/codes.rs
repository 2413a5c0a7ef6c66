//! Invite codes: redeemed by a crowd at once, and guessed.

use std::time::Instant;

use friends_chat_tests::{Answer, Data, Friend, Harness, Visitor, loopback};
use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::json;

/// As many as the contract names.
const CROWD: u16 = 1_000;
const GUESSES: u32 = 100_000;
/// Requests written before their answers are read.
const AT_ONCE: u32 = 100;
/// Wrong codes in a minute that the chat looks at, of all addresses together.
const LOOKED_AT_A_MINUTE: u64 = 120;

/// A test with a thousand connections needs as many descriptors, on both ends.
fn allow_many_connections() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

#[test]
fn of_a_thousand_who_redeem_a_code_at_once_one_gets_in() {
    allow_many_connections();
    let harness = Harness::start();
    let code = harness.invite("john").code;
    let mut crowd: Vec<Visitor> = (0..CROWD)
        .map(|number| Visitor::open(loopback(number), harness.address()))
        .collect();
    // All but the last byte, so that everybody is there when it begins.
    for visitor in &mut crowd {
        let request = visitor.redeeming(&code);
        visitor.write(&request[..request.len() - 1]);
    }
    for visitor in &mut crowd {
        visitor.write(b"}");
    }
    let outcomes: Vec<(u16, bool)> = crowd.iter_mut().map(Visitor::outcome).collect();

    let inside = outcomes.iter().filter(|outcome| **outcome == (200, true)).count();
    assert_eq!(inside, 1, "{outcomes:?}");
    let refused = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, (401 | 429, false)))
        .count();
    assert_eq!(refused, outcomes.len() - 1, "{outcomes:?}");
    assert!(
        outcomes.contains(&(401, false)),
        "nobody else was looked at: {outcomes:?}"
    );
}

#[test]
fn a_hundred_thousand_guesses_are_not_looked_at_and_cost_no_memory() {
    allow_many_connections();
    let harness = Harness::start();
    harness.invite("john");
    let began = Instant::now();
    let mut looked_at = 0_u64;
    let mut guess = |from: u16| {
        let mut visitor = Visitor::open(loopback(from), harness.address());
        for number in 0..AT_ONCE {
            let request = visitor.redeeming(&format!("{from:04}-{number:04}-0000"));
            visitor.write(&request);
        }
        for _ in 0..AT_ONCE {
            match visitor.outcome() {
                (401, false) => looked_at += 1,
                (429, false) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    // The first tenth fills what is to be filled.
    let addresses = u16::try_from(GUESSES / AT_ONCE).unwrap();
    (0..addresses / 10).for_each(&mut guess);
    let before = harness.memory_bytes();
    (addresses / 10..addresses).for_each(&mut guess);
    let grown = harness.memory_bytes().saturating_sub(before);

    let minutes = began.elapsed().as_secs() / 60 + 1;
    // A minute of the chat's may begin within one of ours.
    let most = LOOKED_AT_A_MINUTE * (minutes + 1);
    assert!(
        looked_at > 0 && looked_at <= most,
        "{looked_at} guesses were looked at in {minutes} minutes"
    );
    assert!(grown < 4 << 20, "the harness grew by {grown} bytes");
    assert_eq!(Friend::stranger(&harness).get("/api/health").status, 200);
}

#[test]
fn an_address_that_a_stranger_makes_up_counts_for_nothing() {
    let harness = Harness::start();
    let mallory = Friend::stranger(&harness);
    let mut statuses = (0..20).map(|number| {
        let made_up = format!("203.0.113.{number}");
        let forwarded = format!("for={made_up}");
        let headers = [
            ("content-type", "application/json"),
            ("x-forwarded-for", made_up.as_str()),
            ("forwarded", forwarded.as_str()),
            ("x-real-ip", made_up.as_str()),
        ];
        guess_with(&mallory, &headers)
    });
    assert!(statuses.any(|status| status == 429));
}

#[test]
fn behind_a_trusted_proxy_the_address_is_what_the_proxy_saw() {
    let harness = Data::new().serve(&["--trusted-proxy", "127.0.0.1"]);
    let proxy = Friend::stranger(&harness);
    let guess = |forwarded: &str| {
        guess_with(
            &proxy,
            &[("content-type", "application/json"), ("x-forwarded-for", forwarded)],
        )
    };
    // What stands further left was sent by the client.
    let mut statuses = (0..20).map(|number| guess(&format!("198.51.100.{number}, 203.0.113.9")));
    assert!(statuses.any(|status| status == 429));
    assert_eq!(guess("203.0.113.9, 203.0.113.10"), 401, "somebody else is looked at");
}

#[test]
fn whose_a_code_is_cannot_be_asked_more_often_than_it_can_be_tried() {
    let harness = Harness::start();
    let stranger = Friend::stranger(&harness);
    let mut statuses = (0..20).map(|_| {
        stranger
            .post("/api/auth/invite", &json!({ "code": "0000-0000-0000" }))
            .status
    });
    assert!(statuses.any(|status| status == 429));
    let redeem = stranger.post("/api/auth/redeem", &json!({ "code": "0000-0000-0000" }));
    assert_eq!(redeem.status, 429, "it is one count for both");
}

fn guess_with(friend: &Friend, headers: &[(&str, &str)]) -> u16 {
    let body = br#"{"code":"0000-0000-0000"}"#;
    Answer::read(friend.request("POST", "/api/auth/redeem", headers, body)).status
}
