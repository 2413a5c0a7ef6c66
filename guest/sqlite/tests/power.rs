//! The power fails at every moment of a database's life, and the disk keeps of what was not synced what it likes: some of
//! the writes, in any order, whole or torn. What is found is opened, must be sound, and holds what had been committed.
#![cfg(target_family = "wasm")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod ledger;

use ledger::{Rows, Step, disk};
use wasi_sqlite::{Connection, copy, exists, params};

/// Rows that fill some pages, others that fill none; checkpoints with and without pages that are new.
const STEPS: [Step; 10] = [
    Step::Put(1, 3, 100, 'a'),
    Step::Put(4, 3, 20_000, 'b'),
    Step::Put(2, 4, 300, 'c'),
    Step::Checkpoint,
    Step::Put(10, 2, 9_000, 'd'),
    Step::Delete(2),
    Step::Checkpoint,
    Step::Put(20, 8, 5_000, 'e'),
    Step::Vacuum,
    Step::Put(3, 1, 50, 'f'),
];

/// Images of each moment.
const SEEDS: u64 = 3;

/// Cuts the power at every moment since the last call and shows each image to `check`, which says what is wrong with it.
fn cut_everywhere(what: &str, mut check: impl FnMut(bool) -> Result<(), String>) -> u64 {
    let moments = disk::moments();
    let mut images = 0;
    for moment in 0..=moments {
        for seed in 0..SEEDS {
            let seed = u64::from(moment) * SEEDS + seed;
            disk::cut(moment, seed);
            images += 1;
            if let Err(wrong) = check(moment == moments) {
                panic!("{what}, moment {moment} of {moments}, seed {seed}: {wrong}");
            }
        }
    }
    images
}

/// What an image holds; nothing, if the table had not been made.
fn found() -> Result<Rows, String> {
    let connection = ledger::open("image.db").map_err(|error| error.to_string())?;
    let rows = ledger::rows(&connection).map_err(|error| error.to_string())?;
    // It can be worked with, and closed.
    Step::Put(1_000, 1, 5, 'z')
        .take(&connection)
        .map_err(|error| error.to_string())?;
    connection.close().map_err(|error| error.to_string())?;
    Ok(rows)
}

fn expect(found: &Rows, wanted: &[&Rows]) -> Result<(), String> {
    if wanted.contains(&found) {
        return Ok(());
    }
    Err(format!("{found:?}, not {wanted:?}"))
}

#[test]
fn what_was_committed_is_there_and_what_was_not_is_not_by_half() {
    disk::watch("life");
    let mut images = 0;
    let mut rows = Rows::new();
    let mut connection = ledger::open("life.db").unwrap();
    images += cut_everywhere("making the table", |_| expect(&found()?, &[&rows]));
    for round in 0..2 {
        // Checkpoints come by themselves too.
        connection.execute_batch("PRAGMA wal_autocheckpoint = 12").unwrap();
        for (number, step) in STEPS.into_iter().enumerate() {
            let after = step.on(&rows);
            step.take(&connection).unwrap();
            images += cut_everywhere(&format!("round {round}, step {number}, {step:?}"), |is_done| {
                let found = found()?;
                if is_done {
                    expect(&found, &[&after])
                } else {
                    expect(&found, &[&rows, &after])
                }
            });
            rows = after;
        }
        connection.close().unwrap();
        images += cut_everywhere("closing", |_| expect(&found()?, &[&rows]));
        connection = ledger::open("life.db").unwrap();
        images += cut_everywhere("opening", |_| expect(&found()?, &[&rows]));
    }
    println!("{images} power cuts");
}

#[test]
fn a_transaction_that_is_rolled_back_never_was() {
    disk::watch("undone");
    let connection = ledger::open("undone.db").unwrap();
    let kept = Step::Put(1, 20, 3_000, 'a');
    kept.take(&connection).unwrap();
    let kept = kept.on(&Rows::new());
    disk::moments();
    // More than the cache holds, so that pages go to the log before the end.
    connection.execute_batch("PRAGMA cache_size = 5").unwrap();
    let undone = connection.transaction(|connection| {
        connection.execute("UPDATE ledger SET text = replace(text, 'a', 'b')", params![])?;
        connection.execute_batch("nonsense")
    });
    undone.unwrap_err();
    let images = cut_everywhere("rolling back", |_| expect(&found()?, &[&kept]));
    assert!(images > 100, "nothing was written: {images}");
}

#[test]
fn a_copy_is_whole_or_not_there() {
    disk::watch("copied");
    let original = ledger::open("copied.db").unwrap();
    Step::Put(1, 8, 9_000, 'a').take(&original).unwrap();
    original.close().unwrap();
    let rows = Step::Put(1, 8, 9_000, 'a').on(&Rows::new());
    disk::moments();
    copy("copied.db", "copied-too.db").unwrap();
    cut_everywhere("copying", |is_done| {
        expect(&found()?, &[&rows])?;
        if !exists("image-too.db").unwrap() && !is_done {
            return Ok(());
        }
        let copied = Connection::open("image-too.db").map_err(|error| error.to_string())?;
        expect(&ledger::rows(&copied).map_err(|error| error.to_string())?, &[&rows])
    });
}
