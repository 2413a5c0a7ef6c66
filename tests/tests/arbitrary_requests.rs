//! Whatever is sent, in whatever order: no call traps, nothing fails, no secret is told and no session ends that nobody
//! ended. Observed at the real component in the real host, with the scripts of `fuzz/seeds/requests` and thousands of
//! changed ones, always the same; `make fuzz` looks further.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use friends_chat_tests::fuzzing::{self, Mutations};

/// As many as take some ten seconds.
const MUTATIONS: usize = 2_000;

fn seeds() -> Vec<(String, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/requests");
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut seeds: Vec<(String, String)> = entries
        .map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap()))
        .collect();
    seeds.sort();
    assert!(!seeds.is_empty());
    seeds
}

#[test]
fn every_seed_holds() {
    for (name, script) in seeds() {
        println!("{name}");
        fuzzing::run(script.as_bytes());
    }
}

#[test]
fn thousands_of_changed_seeds_hold() {
    let scripts: Vec<String> = seeds().into_iter().map(|(_, script)| script).collect();
    for script in Mutations::of(&scripts).take(MUTATIONS) {
        fuzzing::run(&script);
    }
}
