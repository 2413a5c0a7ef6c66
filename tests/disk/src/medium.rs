//! What is on the disk for good, and what is still to be written there: a change lasts when it is synced.
//!
//! A file's content is synced by the file, its name by the directory. Copies are cheap: one is kept of every moment.

use std::collections::BTreeMap;
use std::sync::Arc;

/// A file, whatever it is called now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId(usize);

/// Names, and the files they mean.
pub(crate) type Names = BTreeMap<String, FileId>;

/// All files that are minded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Medium {
    files: Vec<File>,
    names: Names,
    pub(crate) lasting_names: Names,
    pub(crate) pending_names: Vec<Pending<NameChange>>,
    changes: u64,
}

/// One file's content.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) lasting: Arc<Vec<u8>>,
    pub(crate) pending: Vec<Pending<Change>>,
    length: u64,
}

/// A change that is not synced, and its place in the order of all.
#[derive(Debug, Clone)]
pub(crate) struct Pending<T> {
    pub(crate) number: u64,
    pub(crate) change: T,
}

/// A change of a file's content.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Write { offset: usize, bytes: Arc<[u8]> },
    Resize(usize),
}

/// A change of the directory.
#[derive(Debug, Clone)]
pub(crate) enum NameChange {
    Made(String, FileId),
    Deleted(String),
    Renamed(String, String),
}

impl Medium {
    /// The file of a name.
    pub(crate) fn find(&self, name: &str) -> Option<FileId> {
        self.names.get(name).copied()
    }

    pub(crate) fn file(&self, id: FileId) -> &File {
        &self.files[id.0]
    }

    pub(crate) fn length(&self, id: FileId) -> u64 {
        self.file(id).length
    }

    /// How many changes there have been.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Takes a file in that was there before anything was watched, name and all.
    pub(crate) fn adopt(&mut self, name: &str, content: Vec<u8>) -> FileId {
        let id = self.add(content);
        self.names.insert(name.to_owned(), id);
        self.lasting_names.insert(name.to_owned(), id);
        id
    }

    /// Makes an empty file.
    pub(crate) fn make(&mut self, name: &str) -> FileId {
        let id = self.add(Vec::new());
        self.change_names(NameChange::Made(name.to_owned(), id));
        id
    }

    pub(crate) fn delete(&mut self, name: &str) {
        self.change_names(NameChange::Deleted(name.to_owned()));
    }

    pub(crate) fn rename(&mut self, from: &str, to: &str) {
        self.change_names(NameChange::Renamed(from.to_owned(), to.to_owned()));
    }

    pub(crate) fn write(&mut self, id: FileId, offset: u64, bytes: &[u8]) {
        let end = offset + bytes.len() as u64;
        let length = self.length(id).max(end);
        let offset = usize::try_from(offset).unwrap();
        let bytes = bytes.into();
        self.change(id, Change::Write { offset, bytes }, length);
    }

    pub(crate) fn resize(&mut self, id: FileId, size: u64) {
        self.change(id, Change::Resize(usize::try_from(size).unwrap()), size);
    }

    /// What is pending of a file's content lasts.
    pub(crate) fn sync(&mut self, id: FileId) {
        let File { lasting, pending, .. } = &mut self.files[id.0];
        let content = Arc::make_mut(lasting);
        for Pending { change, .. } in pending.drain(..) {
            match change {
                Change::Write { offset, bytes } => put(content, offset, &bytes),
                Change::Resize(size) => content.resize(size, 0),
            }
        }
    }

    /// What is pending of a file's content will never last.
    pub(crate) fn lose(&mut self, id: FileId) {
        self.files[id.0].pending.clear();
    }

    /// What is pending of the directory lasts.
    pub(crate) fn sync_names(&mut self) {
        for Pending { change, .. } in self.pending_names.drain(..) {
            change.apply(&mut self.lasting_names);
        }
    }

    fn add(&mut self, content: Vec<u8>) -> FileId {
        self.files.push(File {
            length: content.len() as u64,
            lasting: Arc::new(content),
            pending: Vec::new(),
        });
        FileId(self.files.len() - 1)
    }

    fn change(&mut self, id: FileId, change: Change, length: u64) {
        let number = self.number();
        let file = &mut self.files[id.0];
        file.pending.push(Pending { number, change });
        file.length = length;
    }

    fn change_names(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        let number = self.number();
        self.pending_names.push(Pending { number, change });
    }

    fn number(&mut self) -> u64 {
        self.changes += 1;
        self.changes
    }
}

impl NameChange {
    /// Does it, as far as what it is about is there.
    pub(crate) fn apply(&self, names: &mut Names) {
        match self {
            Self::Made(name, id) => {
                names.insert(name.clone(), *id);
            }
            Self::Deleted(name) => {
                names.remove(name);
            }
            Self::Renamed(from, to) => {
                if let Some(id) = names.remove(from) {
                    names.insert(to.clone(), id);
                }
            }
        }
    }
}

/// Writes into `content`, which grows as it has to.
pub(crate) fn put(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(bytes);
}
