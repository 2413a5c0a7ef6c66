//! Arbitrary deeds and faults at the virtual file system under SQLite; what holds is in `friends_chat_tests::fuzzing`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: &[u8]| friends_chat_tests::fuzzing::VFS.run(script));
