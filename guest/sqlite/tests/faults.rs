//! Each kind of fault, met by the first operation of a database's life, then by the second, and so on to the last. The
//! call that meets it fails with an error of the right kind or not at all, what had been done stays, a full disk can be
//! read, and once the fault is over the same connection goes on.
#![cfg(target_family = "wasm")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod ledger;

use std::fs;

use ledger::disk::{self, Fault};
use ledger::{Rows, Step};
use wasi_sqlite::{Connection, Error, ErrorKind};

/// Growing, shrinking and overwriting, in the log and in the file.
const STEPS: [Step; 6] = [
    Step::Put(1, 2, 100, 'a'),
    Step::Put(3, 2, 12_000, 'b'),
    Step::Checkpoint,
    Step::Put(2, 2, 300, 'c'),
    Step::Delete(2),
    Step::Vacuum,
];

/// Images of the disk after a failure.
const SEEDS: u64 = 3;

/// What goes wrong in a life.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    /// A fault, met once or ever again after so many operations that could have met it.
    Fault { fault: Fault, after: u32, lasting: bool },
    /// Only so many bytes are left on the disk.
    Space(u64),
}

impl Trouble {
    fn begin(self) {
        match self {
            Self::Fault { fault, after, lasting } => disk::fail(fault, after, lasting),
            Self::Space(bytes) => disk::leave_space(Some(bytes)),
        }
    }

    /// Differs from trouble to trouble of one kind.
    fn number(self) -> u64 {
        match self {
            Self::Fault { after, .. } => after.into(),
            Self::Space(bytes) => bytes,
        }
    }

    /// What a call that meets it fails with.
    fn kind(self) -> Option<ErrorKind> {
        match self {
            Self::Fault {
                fault: Fault::Io | Fault::FailedSync,
                ..
            } => Some(ErrorKind::Io),
            Self::Fault {
                fault: Fault::NoSpace, ..
            }
            | Self::Space(_) => Some(ErrorKind::Full),
            Self::Fault {
                fault: Fault::Short, ..
            } => None,
        }
    }
}

/// A database's life.
struct Life {
    trouble: Trouble,
    rows: Rows,
    /// What the step under way would make of the rows.
    next: Rows,
    connection: Option<Connection>,
    /// Of the last image.
    seed: u64,
}

impl Life {
    /// Lives through the trouble and gives how often it was met.
    fn live(trouble: Trouble) -> u32 {
        println!("{trouble:?}");
        for name in ["fault.db", "fault.db-wal", "fault.db-journal"] {
            // Most are not there.
            let _removed = fs::remove_file(format!("/{name}"));
        }
        disk::watch("fault");
        trouble.begin();
        let mut life = Self {
            trouble,
            rows: Rows::new(),
            next: Rows::new(),
            connection: None,
            seed: trouble.number() * 100,
        };
        let mut met = 0;
        for step in STEPS {
            life.next = step.on(&life.rows);
            met += life.persist(|life| {
                let connection = life.connection()?;
                connection.execute_batch("PRAGMA wal_autocheckpoint = 4")?;
                step.take(connection)
            });
            life.rows = life.next.clone();
            let rows = life.rows.clone();
            life.survives(&[&rows], 1);
        }
        met += life.persist(|life| {
            life.connection()?;
            life.connection.take().map_or(Ok(()), Connection::close)
        });
        let left = fs::metadata("/fault.db-wal").map_or(0, |log| log.len());
        assert_eq!(left, 0, "closed, and the file alone does not hold everything");
        met += disk::heal();
        assert_eq!(ledger::rows(life.connection().unwrap()).unwrap(), life.rows);
        drop(life.connection.take());
        let rows = life.rows.clone();
        life.survives(&[&rows], SEEDS);
        met
    }

    fn connection(&mut self) -> Result<&Connection, Error> {
        if self.connection.is_none() {
            self.connection = Some(ledger::open("fault.db")?);
        }
        Ok(self.connection.as_ref().unwrap())
    }

    /// Does something; when it fails, has a look at the damage, ends the trouble and does it again. Gives how often the
    /// trouble was met.
    fn persist(&mut self, mut work: impl FnMut(&mut Self) -> Result<(), Error>) -> u32 {
        let Err(error) = work(self) else {
            return 0;
        };
        assert_eq!(Some(error.kind()), self.trouble.kind(), "{error}");
        assert!(error.storage().is_some(), "no reason: {error}");
        if error.kind() == ErrorKind::Full {
            self.reads(&error);
        }
        let met = disk::heal();
        assert!(met > 0, "without a cause: {error}");
        self.reads(&error);
        let (rows, next) = (self.rows.clone(), self.next.clone());
        self.survives(&[&rows, &next], SEEDS);
        work(self).unwrap_or_else(|again| panic!("after {error}: {again}"));
        met
    }

    /// Whether the connection, if it is still there, reads what there was before.
    fn reads(&self, error: &Error) {
        if let Some(connection) = &self.connection {
            assert_eq!(ledger::rows(connection).unwrap(), self.rows, "after {error}");
        }
    }

    /// Whether a power cut now leaves one of these, in so many images.
    fn survives(&mut self, wanted: &[&Rows], images: u64) {
        let now = disk::moments();
        for _ in 0..images {
            self.seed += 1;
            disk::cut(now, self.seed);
            let found = ledger::rows(&ledger::open("image.db").unwrap()).unwrap();
            assert!(
                wanted.contains(&&found),
                "seed {}: {found:?}, not {wanted:?}",
                self.seed
            );
        }
    }
}

/// Lives once for each operation that can meet the fault.
fn live_with(fault: Fault) {
    for lasting in [false, true] {
        let lives = (0..).take_while(|after| {
            let after = *after;
            Life::live(Trouble::Fault { fault, after, lasting }) > 0
        });
        assert!(lives.count() > 10);
    }
}

#[test]
fn the_device_fails() {
    live_with(Fault::Io);
}

#[test]
fn a_sync_fails_and_what_was_to_be_synced_is_lost() {
    live_with(Fault::FailedSync);
}

#[test]
fn space_is_refused() {
    live_with(Fault::NoSpace);
}

#[test]
fn the_disk_fills_up() {
    let lives = (0..).take_while(|thousands| Life::live(Trouble::Space(thousands * 1_000)) > 0);
    assert!(lives.count() > 10);
}

#[test]
fn less_is_read_and_written_than_asked() {
    live_with(Fault::Short);
}
