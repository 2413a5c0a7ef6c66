//! What a disk may hold after the power failed: everything that was synced, and of the rest whatever got there.
//!
//! A disk writes in any order, sector by sector, so each unsynced change, or each sector of it, is there or not. A file
//! may have grown without what it grew by: that part is zeros or whatever lay there.

use crate::medium::{Change, File, Medium, Names, Pending, put};
use crate::random::Random;

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// Which of the pending changes got there.
enum Survival {
    Nothing,
    Everything,
    /// All up to one of them: a disk that keeps order.
    UpTo(u64),
    /// Each change whole, or not.
    Some,
    /// Each sector of each change, or not.
    Torn,
}

/// The files after a power cut, by name.
pub(crate) fn image(medium: &Medium, seed: u64) -> Vec<(String, Vec<u8>)> {
    let mut random = Random::new(seed);
    let survival = match random.below(8) {
        0 => Survival::Nothing,
        1 => Survival::Everything,
        2 => Survival::UpTo(oldest(medium) + random.below(medium.changes() - oldest(medium) + 1)),
        3 | 4 => Survival::Some,
        _ => Survival::Torn,
    };
    let names = names(medium, &survival, &mut random);
    let content = |(name, id)| (name, content(medium.file(id), &survival, &mut random));
    names.into_iter().map(content).collect()
}

/// The number before that of the first change that is pending.
fn oldest(medium: &Medium) -> u64 {
    let names = medium.pending_names.iter().map(|pending| pending.number);
    let files = medium
        .lasting_names
        .values()
        .flat_map(|id| &medium.file(*id).pending)
        .map(|pending| pending.number);
    names.chain(files).min().map_or(medium.changes(), |first| first - 1)
}

fn names(medium: &Medium, survival: &Survival, random: &mut Random) -> Names {
    let mut names = medium.lasting_names.clone();
    for Pending { number, change } in &medium.pending_names {
        if survival.keeps(*number, random) {
            change.apply(&mut names);
        }
    }
    names
}

fn content(file: &File, survival: &Survival, random: &mut Random) -> Vec<u8> {
    let mut content = file.lasting.to_vec();
    for Pending { number, change } in &file.pending {
        match change {
            Change::Resize(size) if survival.keeps(*number, random) => content.resize(*size, 0),
            Change::Resize(_) => {}
            Change::Write { offset, bytes } if matches!(survival, Survival::Torn) => {
                tear(&mut content, *offset, bytes, random);
            }
            Change::Write { offset, bytes } if survival.keeps(*number, random) => put(&mut content, *offset, bytes),
            Change::Write { .. } => {}
        }
    }
    content
}

/// Writes some sectors of a change.
fn tear(content: &mut Vec<u8>, offset: usize, bytes: &[u8], random: &mut Random) {
    let mut at = offset;
    let mut rest = bytes;
    while !rest.is_empty() {
        let (sector, later) = rest.split_at(rest.len().min(SECTOR_BYTES - at % SECTOR_BYTES));
        let grows = at + sector.len() > content.len();
        match random.below(4) {
            0 | 1 => put(content, at, sector),
            2 if grows => {
                let noise = [random.next().to_le_bytes(); SECTOR_BYTES / 8].concat();
                put(content, at, &noise[..sector.len()]);
            }
            _ => {}
        }
        at += sector.len();
        rest = later;
    }
}

impl Survival {
    fn keeps(&self, number: u64, random: &mut Random) -> bool {
        match self {
            Self::Nothing => false,
            Self::Everything => true,
            Self::UpTo(last) => number <= *last,
            Self::Some | Self::Torn => random.coin(),
        }
    }
}
