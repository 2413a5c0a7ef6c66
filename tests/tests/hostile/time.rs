//! A plugin that takes its time.

use friends_chat_tests::{Answer, Connection, Signal};

use crate::host::{Hostile, data, fixture};

#[test]
pub(crate) fn spins() {
    let host = Hostile::serve("spins", "call = \"200ms\"");
    let mut held = host.hold();
    host.assert_fails("/spin");
    host.assert_lost("lasted longer than 200ms: the limit `call`");
    host.assert_told("call");
    host.text("/tell");
    assert_eq!(held.line(), "told", "who is held stays");
}

#[test]
fn a_call_is_ended_though_no_other_keeps_the_clock_going() {
    let host = Hostile::serve("spins", "");
    host.assert_fails("/spin");
    host.assert_lost("lasted longer than 2s: the limit `call`");
}

#[test]
fn others_are_served_while_a_call_lasts() {
    let host = Hostile::serve("spins", "call = \"50s\"\nbody_bytes = \"1 KiB\"");
    let spinning = host.ask("/spin");
    host.harness.log().expect(&["a call lets others take their turns"]);
    // The host answers this one by itself.
    let mut other = Connection::open(host.harness.address()).unwrap();
    other.request("POST", "/ping", &[], &[b'x'; 2048]);
    assert_eq!(Answer::read(other.response()).status, 413);
    // Who goes away takes the call along.
    drop(spinning);
    host.assert_answers();
    host.assert_lost("given up in the middle");
}

#[test]
pub(crate) fn sleeps() {
    let host = Hostile::serve("sleeps", "call = \"5s\"");
    assert_eq!(host.text("/1"), "slept");
    host.assert_answers();
    let host = Hostile::serve("sleeps", "call = \"200ms\"");
    host.assert_fails("/3600000");
    host.assert_lost("the limit `call`");
}

#[test]
pub(crate) fn never_starts() {
    let data = data("[limits]\nstart = \"200ms\"");
    let file = fixture("never_starts");
    let outcome = data.run(&["serve", "--port", "0", "--plugin", file.to_str().unwrap()]);
    assert!(outcome.stderr.contains("the limit `start`"), "{outcome:?}");
    outcome.failure();
}

#[test]
pub(crate) fn never_stops() {
    let host = Hostile::serve("never_stops", "stop = \"200ms\"");
    host.assert_answers();
    host.harness.signal(Signal::TERM);
    let outcome = host.harness.wait();
    assert!(outcome.stderr.contains("the limit `stop`"), "{outcome:?}");
    outcome.failure();
}
