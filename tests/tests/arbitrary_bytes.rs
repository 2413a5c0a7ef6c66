//! Whatever bytes come on connections, in whatever pieces and with whatever pauses: every connection ends, and what is sent
//! back is whole answers, none of them to what a strict reader of HTTP does not take for a request. Observed at the real
//! front on a simulated clock, with the scripts of `fuzz/seeds/front` and thousands of changed ones, always the same;
//! `make fuzz` looks further.

use friends_chat_tests::fuzzing::FRONT;

/// As many as take some ten seconds.
const MUTATIONS: usize = 1_000;

#[test]
fn every_seed_holds() {
    FRONT.run_seeds();
}

#[test]
fn thousands_of_changed_seeds_hold() {
    for script in FRONT.mutations().take(MUTATIONS) {
        FRONT.run(&script);
    }
}
