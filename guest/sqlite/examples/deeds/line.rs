//! One line of a script.
//!
//! ```text
//! open                 opens the database, or makes it
//! put 1 3 100 a        rows from an id on, how many, the length and the letter of their text
//! delete 2             the rows whose id the number divides
//! undo 1 3 100 b       rows as with put, in a transaction that is rolled back
//! checkpoint           moves the log into the file
//! vacuum
//! erase 2              with the database closed: deletes as a program does that wants nothing found afterwards
//! copy                 with the database closed: makes a copy beside it
//! cache 5              pages that are kept in memory
//! every 4              pages of the log after which it is moved into the file
//! close
//! drop                 closes without a word
//! fault io 3           the disk fails after so many operations: io, sync, space or short; once, or: fault io 3 lasting
//! space 4000           bytes by which files may still grow
//! heal
//! cut 2 7              a power cut at a moment of the last deed, with a seed for what is left, to look at
//! crash 7              a power cut now, after which life goes on with what is left
//! ```
//!
//! What is none of these does nothing.

use crate::ledger::Step;
use crate::ledger::disk::Fault;

/// Most rows, bytes of a text and ids, so that a deed takes milliseconds.
const MAX_COUNT: i64 = 40;
const MAX_LENGTH: usize = 30_000;
const MAX_ID: i64 = 100_000;

/// One line.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Line {
    Open,
    Do(Step),
    Undo(Step),
    Erase(i64),
    Copy,
    Cache(u32),
    Every(u32),
    Close,
    Drop,
    Fault { fault: Fault, after: u32, lasting: bool },
    Space(u64),
    Heal,
    Cut(u32, u64),
    Crash(u64),
}

impl Line {
    /// Understands a line; none where it means nothing.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split(' ').collect();
        Some(match *words.as_slice() {
            ["open"] => Self::Open,
            ["put", ref row @ ..] => Self::Do(put(row)?),
            ["undo", ref row @ ..] => Self::Undo(put(row)?),
            ["delete", divisor] => Self::Do(Step::Delete(self::divisor(divisor)?)),
            ["checkpoint"] => Self::Do(Step::Checkpoint),
            ["vacuum"] => Self::Do(Step::Vacuum),
            ["erase", divisor] => Self::Erase(self::divisor(divisor)?),
            ["copy"] => Self::Copy,
            ["cache", pages] => Self::Cache(pages.parse::<u32>().ok()?.min(10_000)),
            ["every", pages] => Self::Every(pages.parse::<u32>().ok()?.min(10_000)),
            ["close"] => Self::Close,
            ["drop"] => Self::Drop,
            ["fault", kind, after, ref rest @ ..] => Self::Fault {
                fault: fault(kind)?,
                after: after.parse().ok()?,
                lasting: match rest {
                    [] => false,
                    ["lasting"] => true,
                    _ => return None,
                },
            },
            ["space", bytes] => Self::Space(bytes.parse().ok()?),
            ["heal"] => Self::Heal,
            ["cut", moment, seed] => Self::Cut(moment.parse().ok()?, seed.parse().ok()?),
            ["crash", seed] => Self::Crash(seed.parse().ok()?),
            _ => return None,
        })
    }
}

fn divisor(word: &str) -> Option<i64> {
    word.parse().ok().filter(|divisor| *divisor > 0)
}

fn put(words: &[&str]) -> Option<Step> {
    let [first, count, length, letter] = words else {
        return None;
    };
    let first: i64 = first.parse().ok()?;
    let count: i64 = count.parse().ok()?;
    let length: usize = length.parse().ok()?;
    let letter = letter.chars().next().filter(char::is_ascii_alphabetic)?;
    let fits = (0..=MAX_ID).contains(&first) && (1..=MAX_COUNT).contains(&count) && (1..=MAX_LENGTH).contains(&length);
    fits.then_some(Step::Put(first, count, length, letter))
}

fn fault(word: &str) -> Option<Fault> {
    Some(match word {
        "io" => Fault::Io,
        "sync" => Fault::FailedSync,
        "space" => Fault::NoSpace,
        "short" => Fault::Short,
        _ => return None,
    })
}
