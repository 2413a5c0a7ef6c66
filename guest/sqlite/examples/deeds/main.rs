//! Carries out a script of deeds, faults and power cuts at a database, and panics when it is not as it should be: for
//! arbitrary scripts, which the host gives on the standard input.
//!
//! What is promised for each: the database is sound, and holds what it said it had done; after a power cut it may also hold
//! what failed since, whole. An error has a cause, and says it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![cfg_attr(
    not(target_family = "wasm"),
    allow(missing_docs, reason = "nothing is here natively")
)]

#[cfg(target_family = "wasm")]
#[path = "../../tests/ledger/mod.rs"]
mod ledger;
#[cfg(target_family = "wasm")]
mod life;
#[cfg(target_family = "wasm")]
mod line;

#[cfg(target_family = "wasm")]
fn main() {
    /// Most deeds of a script.
    const MAX_LINES: usize = 40;

    let mut script = Vec::new();
    std::io::Read::read_to_end(&mut std::io::stdin(), &mut script).unwrap();
    let mut life = life::Life::begin();
    for line in script.split(|byte| *byte == b'\n').take(MAX_LINES) {
        if let Some(line) = line::Line::parse(&String::from_utf8_lossy(line)) {
            println!("{line:?}");
            life.carry_out(line);
        }
    }
    life.end();
}

#[cfg(not(target_family = "wasm"))]
fn main() {}
