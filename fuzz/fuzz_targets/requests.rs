//! Arbitrary scripts of requests at the real component; what holds for each is in `friends_chat_tests::fuzzing`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: &[u8]| friends_chat_tests::fuzzing::REQUESTS.run(script));
