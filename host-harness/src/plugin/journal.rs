//! What a plugin changes in its directory, so that another machine can have the same.
//!
//! It is noted where a plugin writes, and what is there is read when it is to be sent, between two calls: so a batch is the step
//! from one state that the plugin left to another, whatever it did in between, and the host need not know what the files are. For
//! a database with a write-ahead log a batch is the new frames of that. The tenant's other small files, which the host writes
//! itself, are looked at as a whole.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

/// What is a machine's own in a tenant's directory, and what all machines have from elsewhere.
const NOT_SENT: [&str; 7] = [
    "at-work",
    "cache",
    "components",
    "config.toml",
    "lock",
    "owner.sock",
    "suspended",
];

/// Ranges of a file that are noted apart; beyond that it is sent as a whole.
const RANGES: usize = 4096;

/// The changes of one plugin's directory.
#[derive(Debug)]
pub struct Journal {
    root: PathBuf,
    state: Mutex<State>,
    sender: mpsc::UnboundedSender<Parcel>,
    /// Where they are sent.
    runtime: Handle,
    /// Everything is to be sent with the next batch.
    wants_everything: Arc<AtomicBool>,
    /// Nothing can be sent any more.
    broken: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    /// By inode.
    dirty: HashMap<u64, Dirty>,
    /// As they were sent, by path.
    known: HashMap<PathBuf, Known>,
}

#[derive(Debug)]
enum Dirty {
    Ranges(Vec<(u64, u64)>),
    Whole,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

/// Something to be sent.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) bytes: Vec<u8>,
    /// Whether it is everything, and not what has changed.
    pub(crate) is_everything: bool,
    pub(crate) sent: oneshot::Sender<io::Result<()>>,
}

/// A parcel on its way.
#[derive(Debug)]
pub(crate) struct Shipment {
    journal: Arc<Journal>,
    sent: oneshot::Receiver<io::Result<()>>,
}

/// The step from one state of a directory to another.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Batch {
    files: Vec<Change>,
    removed: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Change {
    path: String,
    /// Its length then.
    bytes: u64,
    /// Nothing of what was there before is left.
    is_whole: bool,
    pieces: Vec<(u64, Piece)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Piece(#[serde(with = "serde_bytes")] Vec<u8>);

impl Journal {
    /// The journal of a directory as it is now, which whoever gets the parcels has already, unless everything is wanted.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub(crate) fn begin(
        root: &Path,
        wants_everything: Arc<AtomicBool>,
        runtime: Handle,
    ) -> io::Result<(Arc<Self>, mpsc::UnboundedReceiver<Parcel>)> {
        let (sender, parcels) = mpsc::unbounded_channel();
        let journal = Self {
            root: root.to_owned(),
            state: Mutex::default(),
            sender,
            runtime,
            wants_everything,
            broken: AtomicBool::new(false),
        };
        let known = journal.look()?;
        journal.state().known = known.into_iter().map(|(path, of)| (path, Known::of(&of))).collect();
        Ok((Arc::new(journal), parcels))
    }

    /// Notes that bytes of a file are about to be other ones.
    pub(super) fn wrote(&self, file: &File, offset: u64, bytes: u64) {
        self.note(file, |dirty| match dirty {
            Dirty::Ranges(ranges) if ranges.len() < RANGES => ranges.push((offset, offset.saturating_add(bytes))),
            _ => *dirty = Dirty::Whole,
        });
    }

    /// Notes that a file may become anything.
    pub(super) fn may_write(&self, file: &File) {
        self.note(file, |dirty| *dirty = Dirty::Whole);
    }

    fn note(&self, file: &File, note: impl FnOnce(&mut Dirty)) {
        match file.metadata() {
            Ok(of) => note(self.state().dirty.entry(of.ino()).or_insert(Dirty::Ranges(Vec::new()))),
            Err(error) => {
                tracing::error!(%error, "what a plugin writes is not known");
                self.broken.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Sends what has changed since the last time; none if nothing has.
    pub(super) fn send(self: &Arc<Self>) -> Option<Shipment> {
        let (tell, sent) = oneshot::channel();
        let shipment = Shipment {
            journal: Arc::clone(self),
            sent,
        };
        let is_everything = self.wants_everything.load(Ordering::Relaxed);
        let batch = match self.batch(is_everything) {
            Ok(batch) if batch.files.is_empty() && batch.removed.is_empty() => return None,
            Ok(batch) => postcard::to_allocvec(&batch).map_err(io::Error::other),
            Err(error) => Err(error),
        };
        match batch {
            Ok(bytes) => {
                // Nobody takes it any more: then the shipment says so.
                let _ = self.sender.send(Parcel {
                    bytes,
                    is_everything,
                    sent: tell,
                });
            }
            Err(error) => drop(tell.send(Err(error))),
        }
        Some(shipment)
    }

    /// Whether something could not be sent: what is here is not what another machine would find.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    fn batch(&self, everything: bool) -> io::Result<Batch> {
        let found = self.look()?;
        let mut state = self.state();
        let State { dirty, known } = &mut *state;
        let mut batch = Batch::default();
        let before = std::mem::take(known);
        for (path, of) in found {
            let now = Known::of(&of);
            let was = before.get(&path).filter(|was| was.inode == now.inode);
            let change = match (everything, was, dirty.get(&now.inode)) {
                (false, Some(was), None) if *was == now => None,
                (false, Some(_), Some(Dirty::Ranges(ranges))) => Some(Some(joined(ranges, now.bytes))),
                _ => Some(None),
            };
            if let Some(ranges) = change {
                let file = File::open(self.root.join(&path))?;
                let whole = [(0, now.bytes)];
                let is_whole = ranges.is_none();
                let pieces = ranges.as_deref().unwrap_or(&whole).iter();
                batch.files.push(Change {
                    path: text(&path)?,
                    bytes: now.bytes,
                    is_whole,
                    pieces: pieces.map(|range| piece(&file, *range)).collect::<io::Result<_>>()?,
                });
            }
            known.insert(path, now);
        }
        for path in before.keys().filter(|path| !known.contains_key(*path)) {
            batch.removed.push(text(path)?);
        }
        dirty.clear();
        Ok(batch)
    }

    /// Every file that is sent, by its path in the directory.
    fn look(&self) -> io::Result<Vec<(PathBuf, Metadata)>> {
        let mut found = Vec::new();
        let mut below = vec![PathBuf::new()];
        while let Some(directory) = below.pop() {
            for entry in fs::read_dir(self.root.join(&directory))? {
                let entry = entry?;
                let path = directory.join(entry.file_name());
                let is_own = directory.as_os_str().is_empty()
                    && (NOT_SENT.iter().any(|name| path.as_os_str() == *name)
                        || path.extension().is_some_and(|extension| extension == "new"));
                if is_own {
                    continue;
                }
                let of = match entry.metadata() {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    of => of?,
                };
                if of.is_dir() {
                    below.push(path);
                } else if of.is_file() {
                    found.push((path, of));
                }
            }
        }
        Ok(found)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shipment {
    /// Where it is sent.
    pub(super) fn runtime(&self) -> &Handle {
        &self.journal.runtime
    }

    /// Waits until another machine would find it.
    ///
    /// # Errors
    /// When it may not: nothing more is sent then.
    pub(super) async fn arrived(self) -> io::Result<()> {
        let arrived = match self.sent.await {
            Ok(arrived) => arrived,
            Err(_) => Err(io::Error::other("nothing is sent to other machines any more")),
        };
        if arrived.is_err() {
            self.journal.broken.store(true, Ordering::Relaxed);
        }
        arrived
    }
}

impl Known {
    fn of(of: &Metadata) -> Self {
        Self {
            inode: of.ino(),
            bytes: of.len(),
            changed: (of.mtime(), of.mtime_nsec()),
        }
    }
}

/// The ranges in order, none overlapping another, within a file's bytes.
fn joined(ranges: &[(u64, u64)], bytes: u64) -> Vec<(u64, u64)> {
    let mut ranges: Vec<_> = ranges
        .iter()
        .map(|(from, to)| (*from, (*to).min(bytes)))
        .filter(|(from, to)| from < to)
        .collect();
    ranges.sort_unstable();
    let mut joined: Vec<(u64, u64)> = Vec::new();
    for (from, to) in ranges {
        match joined.last_mut() {
            Some((_, end)) if from <= *end => *end = to.max(*end),
            _ => joined.push((from, to)),
        }
    }
    joined
}

fn piece(file: &File, (from, to): (u64, u64)) -> io::Result<(u64, Piece)> {
    let mut bytes = vec![0; usize::try_from(to - from).map_err(io::Error::other)?];
    file.read_exact_at(&mut bytes, from)?;
    Ok((from, Piece(bytes)))
}

fn text(path: &Path) -> io::Result<String> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| io::Error::other(format!("{} has no name that is text", path.display())))
}

/// Makes of a directory what a batch says.
///
/// # Errors
/// When the batch is of another version, leads elsewhere, or cannot be written.
pub(crate) fn apply(batch: &[u8], root: &Path) -> io::Result<()> {
    let batch: Batch = postcard::from_bytes(batch).map_err(io::Error::other)?;
    for path in &batch.removed {
        match fs::remove_file(within(root, path)?) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    for change in &batch.files {
        let path = within(root, &change.path)?;
        if let Some(directory) = path.parent() {
            crate::files::make_private_dir(directory)?;
        }
        let mut options = File::options();
        options.write(true).create(true).truncate(change.is_whole);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        for (from, piece) in &change.pieces {
            file.write_all_at(&piece.0, *from)?;
        }
        file.set_len(change.bytes)?;
        file.sync_data()?;
    }
    Ok(())
}

fn within(root: &Path, path: &str) -> io::Result<PathBuf> {
    let path = Path::new(path);
    let is_plain = |part| matches!(part, std::path::Component::Normal(_));
    match path.components().all(is_plain) {
        true => Ok(root.join(path)),
        false => Err(io::Error::other(format!("{} leads elsewhere", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

    use super::*;

    struct Pair {
        here: tempfile::TempDir,
        there: tempfile::TempDir,
        journal: Arc<Journal>,
        parcels: mpsc::UnboundedReceiver<Parcel>,
    }

    impl Pair {
        fn new() -> Self {
            let here = tempfile::tempdir().unwrap();
            fs::create_dir(here.path().join("plugin")).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let runtime = runtime.handle().clone();
            let (journal, parcels) = Journal::begin(here.path(), Arc::default(), runtime).unwrap();
            Self {
                there: tempfile::tempdir().unwrap(),
                here,
                journal,
                parcels,
            }
        }

        fn file(&self, path: &str) -> File {
            let mut options = File::options();
            options.read(true).write(true).create(true).truncate(false);
            options.open(self.here.path().join(path)).unwrap()
        }

        fn write(&self, file: &File, offset: u64, bytes: &[u8]) {
            self.journal.wrote(file, offset, bytes.len() as u64);
            file.write_all_at(bytes, offset).unwrap();
        }

        /// The bytes that were sent; none if nothing was.
        fn send(&mut self) -> Option<usize> {
            self.journal.send()?;
            let parcel = self.parcels.try_recv().unwrap();
            apply(&parcel.bytes, self.there.path()).unwrap();
            Some(parcel.bytes.len())
        }

        fn there(&self, path: &str) -> Option<Vec<u8>> {
            fs::read(self.there.path().join(path)).ok()
        }
    }

    #[test]
    fn what_was_written_arrives_and_nothing_else() {
        let mut pair = Pair::new();
        let file = pair.file("plugin/a.db");
        pair.write(&file, 0, &[1; 100_000]);
        assert!(pair.send().unwrap() > 100_000);
        assert_eq!(pair.send(), None);
        pair.write(&file, 10, &[2; 20]);
        pair.write(&file, 20, &[3; 20]);
        assert!(pair.send().unwrap() < 200);
        assert_eq!(
            pair.there("plugin/a.db").unwrap(),
            fs::read(pair.here.path().join("plugin/a.db")).unwrap()
        );
    }

    #[test]
    fn a_file_may_shrink_grow_and_go() {
        let mut pair = Pair::new();
        let file = pair.file("plugin/a.db");
        pair.write(&file, 0, &[1; 1000]);
        pair.send();
        pair.journal.wrote(&file, 10, 990);
        file.set_len(10).unwrap();
        pair.write(&file, 500, b"end");
        pair.send();
        assert_eq!(
            pair.there("plugin/a.db").unwrap(),
            fs::read(pair.here.path().join("plugin/a.db")).unwrap()
        );
        fs::rename(
            pair.here.path().join("plugin/a.db"),
            pair.here.path().join("plugin/b.db"),
        )
        .unwrap();
        pair.send();
        assert_eq!(pair.there("plugin/a.db"), None);
        assert_eq!(pair.there("plugin/b.db").unwrap().len(), 503);
    }

    #[test]
    fn the_hosts_own_files_come_along_and_a_machines_do_not() {
        let mut pair = Pair::new();
        for name in ["FRIENDS.md", "lock", "config.toml", "x.new"] {
            fs::write(pair.here.path().join(name), name).unwrap();
        }
        pair.send();
        assert_eq!(pair.there("FRIENDS.md").unwrap(), b"FRIENDS.md");
        assert_eq!(fs::read_dir(pair.there.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_batch_leads_nowhere_else() {
        let batch = Batch {
            removed: vec!["../a".to_owned()],
            ..Batch::default()
        };
        let bytes = postcard::to_allocvec(&batch).unwrap();
        assert!(apply(&bytes, tempfile::tempdir().unwrap().path()).is_err());
    }
}
