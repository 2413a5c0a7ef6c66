//! Arbitrary deeds at a database in WebAssembly, over the virtual file system that ships, on a disk that fails and loses
//! its power when the script says so. The deeds, and what holds after each, are in `guest/sqlite/examples/deeds`.

use std::path::PathBuf;

use wasm_runner::Program;

/// What is written into scripts besides parts of others.
pub(super) const PIECES: &[&str] = &[
    "open",
    "close",
    "drop",
    "copy",
    "vacuum",
    "checkpoint",
    "heal",
    "put 1 2 100 a",
    "put 3 4 12000 b",
    "put 2 9 3000 c",
    "undo 1 20 3000 d",
    "delete 2",
    "delete 1",
    "erase 3",
    "cache 5",
    "every 4",
    "every 0",
    "fault io 3",
    "fault sync 0",
    "fault space 2 lasting",
    "fault short 1 lasting",
    "space 9000",
    "cut 3 1",
    "crash 4",
    "lasting",
    "0",
    "1",
    "5",
    "17",
    "40",
    "255",
    "4000",
    "30000",
];

/// Where the program is when it is not beside the tests.
const FILE: &str = "WASI_SQLITE_DEEDS";

thread_local! {
    static DEEDS: Program = Program::load(&file()).unwrap();
}

/// Carries out a script and panics when something is not as it should be.
pub(super) fn run(script: &[u8]) {
    let ended = DEEDS.with(|deeds| deeds.run_on(script));
    assert_eq!(ended.status, 0, "{}", ended.said);
}

fn file() -> PathBuf {
    let file = std::env::var_os(FILE).map_or_else(
        || {
            let test = std::env::current_exe().unwrap();
            let target = test.ancestors().nth(3).unwrap();
            target.join("wasm32-wasip2/debug/examples/deeds.wasm")
        },
        PathBuf::from,
    );
    assert!(file.is_file(), "{} is missing: run `make build` before", file.display());
    file
}
