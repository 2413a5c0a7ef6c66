//! Whatever is sent, in whatever order: no call traps, nothing fails, no secret is told and no session ends that nobody
//! ended. Observed at the real component in the real host, with the scripts of `fuzz/seeds/requests` and thousands of
//! changed ones, always the same; `make fuzz` looks further.

use friends_chat_tests::fuzzing::REQUESTS;

/// As many as take some ten seconds.
const MUTATIONS: usize = 2_000;

#[test]
fn every_seed_holds() {
    REQUESTS.run_seeds();
}

#[test]
fn thousands_of_changed_seeds_hold() {
    for script in REQUESTS.mutations().take(MUTATIONS) {
        REQUESTS.run(&script);
    }
}
