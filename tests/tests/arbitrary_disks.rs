//! Whatever is done to a database, and wherever its disk fails or loses power meanwhile: it is sound and holds what it
//! said it had done. Observed in WebAssembly through the virtual file system that ships, with the scripts of
//! `fuzz/seeds/vfs` and hundreds of changed ones, always the same; `make fuzz` looks further.

use friends_chat_tests::fuzzing::VFS;

/// As many as take some ten seconds.
const MUTATIONS: usize = 500;

#[test]
fn every_seed_holds() {
    VFS.run_seeds();
}

#[test]
fn hundreds_of_changed_seeds_hold() {
    for script in VFS.mutations().take(MUTATIONS) {
        VFS.run(&script);
    }
}
