//! The disk: what it was told, what it has recorded, and the directory under it.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::fault::{Fault, Operation, Plan};
use crate::medium::{FileId, Medium};
use crate::power;

/// How the names of an image begin.
const IMAGE: &str = "image";

/// A disk. Clones are the same disk.
#[derive(Debug, Clone)]
pub struct Disk(Arc<Mutex<State>>);

#[derive(Debug)]
pub(crate) struct State {
    directory: PathBuf,
    stem: Option<String>,
    pub(crate) medium: Medium,
    /// What is open, by the number of the descriptor; what is not here is the directory.
    pub(crate) open: HashMap<u32, Option<FileId>>,
    /// Whether a watched file was the last to be used: then it is for its sake that the directory is synced.
    watched_last: bool,
    plan: Option<Plan>,
    /// Bytes by which files may still grow.
    space: Option<u64>,
    /// How often there was not enough of it.
    lacked: u32,
    moments: Vec<Medium>,
    /// Moments that were asked for, and can be cut at.
    told: Vec<Medium>,
}

/// What a descriptor is open for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    Watched(FileId),
    /// The directory, for the sake of a watched file.
    Directory,
    Other,
}

impl State {
    /// Nothing has happened yet, and nothing is to fail.
    fn over(directory: PathBuf, stem: Option<String>) -> Self {
        Self {
            directory,
            stem,
            medium: Medium::default(),
            open: HashMap::new(),
            watched_last: false,
            plan: None,
            space: None,
            lacked: 0,
            moments: Vec::new(),
            told: Vec::new(),
        }
    }
}

impl Disk {
    /// A disk that behaves, over a directory that is the program's first.
    pub fn new(directory: &Path) -> Self {
        Self(Arc::new(Mutex::new(State::over(directory.to_owned(), None))))
    }

    /// Minds the files whose names begin with `stem`, from what they hold now. None of them may be open.
    pub fn watch(&self, stem: &str) {
        let mut disk = self.lock();
        *disk = State::over(disk.directory.clone(), Some(stem.to_owned()));
        for (name, path) in disk.files(stem) {
            let content = fs::read(path).unwrap();
            disk.medium.adopt(&name, content);
        }
    }

    /// Lets a fault be met by an operation, or by every one, after so many that could have met it.
    pub fn fail(&self, fault: Fault, after: u32, lasting: bool) {
        self.lock().plan = Some(Plan {
            fault,
            after,
            lasting,
            met: 0,
        });
    }

    /// Ends the fault and the lack of space, and gives how often either was met.
    pub fn heal(&self) -> u32 {
        let mut disk = self.lock();
        disk.space = None;
        std::mem::take(&mut disk.lacked) + disk.plan.take().map_or(0, |plan| plan.met)
    }

    /// Lets files grow by so many bytes until the disk is full, or without end.
    pub fn leave_space(&self, bytes: Option<u64>) {
        self.lock().space = bytes;
    }

    /// How many moments passed since the last call: the ones that can be cut at from now on.
    pub fn moments(&self) -> u32 {
        let mut disk = self.lock();
        disk.told = std::mem::take(&mut disk.moments);
        u32::try_from(disk.told.len()).unwrap()
    }

    /// Makes the files of an image: what may be found after the power failed at a moment.
    pub fn cut(&self, moment: u32, seed: u64) {
        let disk = self.lock();
        let medium = disk.told.get(moment as usize).unwrap_or(&disk.medium);
        let stem = disk.stem.as_deref().unwrap();
        for (_, path) in disk.files(IMAGE) {
            fs::remove_file(path).unwrap();
        }
        for (name, content) in power::image(medium, seed) {
            let rest = name.strip_prefix(stem).unwrap();
            fs::write(disk.directory.join(format!("{IMAGE}{rest}")), content).unwrap();
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    /// Whether a name is that of a watched file.
    pub(crate) fn watches(&mut self, name: &str) -> bool {
        self.watched_last = self.stem.as_ref().is_some_and(|stem| name.starts_with(stem.as_str()));
        self.watched_last
    }

    /// What a descriptor is open for.
    pub(crate) fn target(&mut self, descriptor: u32) -> Target {
        match self.open.get(&descriptor) {
            Some(file) => {
                self.watched_last = file.is_some();
                file.map_or(Target::Other, Target::Watched)
            }
            None if self.watched_last => Target::Directory,
            None => Target::Other,
        }
    }

    /// What an operation on a watched file meets. What changes something is a moment to cut the power at.
    pub(crate) fn meet(&mut self, operation: Operation) -> Option<Fault> {
        if !matches!(
            operation,
            Operation::Read | Operation::Stat | Operation::Open { makes: false }
        ) {
            self.moments.push(self.medium.clone());
        }
        self.plan.as_mut().and_then(|plan| plan.meet(operation))
    }

    /// How much there is space for of so many bytes that end at `end`.
    pub(crate) fn fitting(&mut self, id: FileId, end: u64, count: u64) -> u64 {
        let growth = end.saturating_sub(self.medium.length(id));
        let lacking = self.space.map_or(0, |space| growth.saturating_sub(space));
        if lacking > 0 {
            self.lacked += 1;
        }
        count.saturating_sub(lacking)
    }

    /// Takes or gives back what a file's new length differs by.
    pub(crate) fn account(&mut self, old_length: u64, length: u64) {
        if let Some(space) = &mut self.space {
            *space = (*space + old_length).saturating_sub(length);
        }
    }

    /// The files there whose names begin so.
    fn files(&self, stem: &str) -> Vec<(String, PathBuf)> {
        let entries = fs::read_dir(&self.directory).unwrap().map(|entry| entry.unwrap());
        let mut files: Vec<_> = entries
            .filter(|entry| entry.file_type().unwrap().is_file())
            .map(|entry| (entry.file_name().into_string().unwrap(), entry.path()))
            .filter(|(name, _)| name.starts_with(stem))
            .collect();
        files.sort();
        files
    }
}
