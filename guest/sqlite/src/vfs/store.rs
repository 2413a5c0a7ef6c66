//! The files as SQLite asks for them by name, and what is open of them.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use rsqlite_vfs::{
    AccessMode, FileKind, MemChunksFile, OpenAccess, OpenOptions, OpenRequest, OpenedFile, VfsError, VfsErrorCode,
    VfsResult, VfsStore,
};

use super::directory::{Directory, Mode};
use super::file::{File, StoredFile};
use crate::name::is_name;

/// The granularity of a temporary file: SQLite's page as this build makes it.
const TEMPORARY_CHUNK_BYTES: usize = 8192;

/// The directory, the databases open in it, and what failed.
pub(crate) struct Storage {
    directory: Directory,
    open_databases: RefCell<BTreeSet<String>>,
    /// The last failure of each code, in order: after one SQLite may try to undo things, which fails again.
    failures: RefCell<Vec<VfsError>>,
}

impl Storage {
    pub(crate) fn new(directory: Directory) -> Self {
        Self {
            directory,
            open_databases: RefCell::default(),
            failures: RefCell::default(),
        }
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Every failure since this was asked before.
    pub(crate) fn take_failures(&self) -> Vec<VfsError> {
        self.failures.take()
    }

    /// Takes the one place there is for a user of the database `name`.
    pub(crate) fn claim(self: &Rc<Self>, name: &str) -> VfsResult<Claim> {
        if self.open_databases.borrow_mut().insert(name.to_owned()) {
            return Ok(Claim {
                storage: self.clone(),
                name: name.to_owned(),
            });
        }
        let message = format!("{name} is open already");
        Err(VfsError::new(VfsErrorCode::Busy, message.into()))
    }
}

/// The right to use a database, given back on drop.
pub(crate) struct Claim {
    storage: Rc<Storage>,
    name: String,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.storage.open_databases.borrow_mut().remove(&self.name);
    }
}

/// Opens, finds and deletes files for SQLite.
pub(crate) struct Store;

impl VfsStore for Store {
    type File = File;
    type AppData = Rc<Storage>;

    fn record_error(storage: &Rc<Storage>, error: VfsError) {
        // Both are answers rather than failures, and would hide what really failed.
        if !matches!(error.code(), VfsErrorCode::IoShortRead | VfsErrorCode::IoDeleteNoEntry) {
            let mut failures = storage.failures.borrow_mut();
            failures.retain(|earlier| earlier.raw_code() != error.raw_code());
            failures.push(error);
        }
    }

    fn last_error(storage: &Rc<Storage>) -> Option<VfsError> {
        storage.failures.borrow().last().cloned()
    }

    fn open_file(storage: &Rc<Storage>, request: OpenRequest<'_>) -> VfsResult<OpenedFile<File>> {
        let options = request.options;
        let file = match request.filename {
            Some(name) if !options.delete_on_close() => {
                let claim = match options.kind() {
                    Some(FileKind::MainDb) => Some(storage.claim(name.path())?),
                    _ => None,
                };
                let mut file = StoredFile::open(storage, name.path(), mode_of(options), claim)?;
                if options.kind() == Some(FileKind::Wal) {
                    // A log that was left is read as it stands and added to.
                    file.settle()?;
                }
                File::Stored(file)
            }
            _ => File::Temporary(MemChunksFile::new(TEMPORARY_CHUNK_BYTES)),
        };
        Ok(OpenedFile {
            file,
            access: options.access(),
        })
    }

    fn close_file(_: &Rc<Storage>, _: Option<&str>, file: File, _: OpenOptions) -> VfsResult<()> {
        drop(file);
        Ok(())
    }

    /// WASI does not say what a file may be used for before it is opened, so this tells only whether it is there.
    fn access(storage: &Rc<Storage>, name: &str, _mode: AccessMode) -> VfsResult<bool> {
        Ok(storage.directory.size_of(name)?.is_some())
    }

    fn full_pathname(_: &Rc<Storage>, name: &str) -> VfsResult<String> {
        if is_name(name) {
            return Ok(name.to_owned());
        }
        Err(VfsError::new(
            VfsErrorCode::CantOpen,
            format!("{name:?} is no name for a file").into(),
        ))
    }

    fn delete_file(storage: &Rc<Storage>, name: &str, sync_dir: bool) -> VfsResult<()> {
        storage.directory.delete(name)?;
        if sync_dir {
            storage.directory.sync(name)?;
        }
        Ok(())
    }
}

fn mode_of(options: OpenOptions) -> Mode {
    match options.access() {
        OpenAccess::ReadOnly => Mode::Read,
        OpenAccess::ReadWrite if options.exclusive() => Mode::CreateNew,
        OpenAccess::ReadWrite if options.create() => Mode::Create,
        OpenAccess::ReadWrite => Mode::ReadWrite,
    }
}
