//! Arbitrary bytes at the HTTP front; what holds for them is in `friends_chat_tests::fuzzing`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: &[u8]| friends_chat_tests::fuzzing::FRONT.run(script));
