//! Takes all that cannot be made again into one file, while the harness runs or not, and brings it back.
//!
//! A backup counts only after the plugin has read what came back out of it; it never replaces a file. What is restored is
//! unpacked and read beside the data, and then takes its place at one stroke: see [`swap`].

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::data_dir::DataDirError;
use crate::engine::Engine;
use crate::files;
use crate::owner::{self, ClientError, Command};
use crate::plugin::{CallError, Condition, verify_files};
use crate::programs::Programs;
use crate::serve::ServeError;
use crate::settings::Settings;

mod archive;
pub(crate) mod swap;

use archive::ArchiveError;

/// What a backup holds, by its names in the data directory.
const CONTENT: [&str; 5] = ["config.toml", "FRIENDS.md", "owner-chat.jsonl", "secrets", PLUGIN];

/// The plugin's own directory.
const PLUGIN: &str = "plugin";

/// Where a backup is made, and where one is unpacked, in the data directory.
const MAKING: &str = "backup-in-the-making";
const UNPACKING: &str = "restore-in-the-making";

/// Why there is no backup, or why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file is there already.
    #[error("{} is there already and stays as it is: name another file", .0.display())]
    Exists(PathBuf),
    /// Another process does the same.
    #[error("another backup is being made on this data: wait until it is done")]
    Busy,
    /// A file or directory cannot be read or written.
    #[error("{doing} {}: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The running harness cannot be asked.
    #[error(transparent)]
    Asking(#[from] ClientError),
    /// The plugin's files were not copied.
    #[error("{0}")]
    NotCopied(String),
    /// The data directory is in use, or cannot be used.
    #[error(transparent)]
    Data(#[from] DataDirError),
    /// The plugin cannot be loaded to look at the files.
    #[error(transparent)]
    Plugin(#[from] ServeError),
    /// The file is no backup.
    #[error("{}: {source}; nothing was changed", file.display())]
    Unfit {
        /// The file.
        file: PathBuf,
        /// Why.
        source: ArchiveError,
    },
    /// The plugin cannot use the files.
    #[error("the plugin cannot use these files: {0}; nothing was changed")]
    Unusable(CallError),
    /// The plugin's files are damaged.
    #[error(
        "the plugin's files are damaged: {0}; nothing was changed: use an earlier backup, with `host-harness restore FILE`"
    )]
    Damaged(String),
    /// There is nothing in the plugin's files.
    #[error("the plugin has kept nothing in these files, so there is nothing to bring back")]
    Empty,
}

/// Makes a backup in `file`, which must not be there, and gives a sentence about it.
///
/// # Errors
/// When it cannot be made, or the plugin cannot use it. Then there is no `file`.
pub fn back_up(settings: &Settings, file: &Path) -> Result<String, BackupError> {
    if fs::symlink_metadata(file).is_ok() {
        return Err(BackupError::Exists(file.to_owned()));
    }
    let scratch = Scratch::take(settings.data.root().join(MAKING))?;
    let copy = scratch.directory("copy")?;
    let waited = owner::ask(
        settings,
        Command::CopyFiles {
            into: copy.join(PLUGIN),
        },
    )?
    .map_err(BackupError::NotCopied)?;
    for name in CONTENT.into_iter().filter(|name| *name != PLUGIN) {
        let from = settings.data.root().join(name);
        copy_if_there(&from, &copy.join(name)).map_err(failure("copying", &from))?;
    }

    let part = Part::create(file)?;
    let bytes = archive::write(&part.file, &copy).map_err(failure("writing", &part.path))?;
    // What is looked at is what was written.
    let unpacked = unpack(&part.path, &scratch)?;
    verify(settings, &unpacked)?;
    part.put_at(file)?;
    Ok(format!(
        "{} holds everything, {bytes} bytes; the plugin has read it through. {waited}",
        file.display()
    ))
}

/// Brings back what `file` holds and sets aside what was there before; gives a sentence about it.
///
/// # Errors
/// When something runs on the data, or the plugin cannot use what the file holds. Then nothing has changed.
pub fn restore(settings: &Settings, file: &Path) -> Result<String, BackupError> {
    let _lock = settings.data.lock()?;
    let root = settings.data.root();
    let scratch = Scratch::take(root.join(UNPACKING))?;
    let unpacked = unpack(file, &scratch)?;
    verify(settings, &unpacked)?;
    let accept = || {
        swap::commit(root, &scratch.directory)?;
        swap::finish(root)
    };
    let aside = accept().map_err(failure("putting the backup's files into", root))?;
    let before = match aside {
        Some(aside) => format!("What was there before is in {}.", aside.display()),
        None => "There was nothing before.".to_owned(),
    };
    Ok(format!("Everything in {} is back. {before}", file.display()))
}

/// Unpacks a backup in a scratch directory and gives where.
fn unpack(file: &Path, scratch: &Scratch) -> Result<PathBuf, BackupError> {
    let opened = File::open(file).map_err(failure("opening", file))?;
    let into = scratch.directory(swap::AFTER)?;
    archive::unpack(opened, &into).map_err(|source| BackupError::Unfit {
        file: file.to_owned(),
        source,
    })?;
    Ok(into)
}

/// Has the plugin read a copy through.
fn verify(settings: &Settings, copy: &Path) -> Result<(), BackupError> {
    let engine = Arc::new(Engine::new(&settings.whole.cache()).map_err(ServeError::Engine)?);
    let program = Programs::new(Arc::clone(&engine))
        .load(settings, &settings.capabilities)?
        .program;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ServeError::Runtime)?;
    let condition = runtime.block_on(verify_files(engine, program, &copy.join(PLUGIN)));
    match condition.map_err(BackupError::Unusable)? {
        Condition::Sound => Ok(()),
        Condition::Damaged(found) => Err(BackupError::Damaged(found)),
        Condition::Empty => Err(BackupError::Empty),
    }
}

fn copy_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match fs::metadata(from) {
        Ok(found) if found.is_dir() => files::copy_dir(from, to),
        Ok(_) => fs::copy(from, to).map(drop),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// A directory for this process alone, removed at the end. What an earlier process left there is removed first.
struct Scratch {
    directory: PathBuf,
    _lock: File,
}

impl Scratch {
    fn take(directory: PathBuf) -> Result<Self, BackupError> {
        let failed = |source| failure("making", &directory)(source);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&directory);
        let lock = made.and_then(|()| File::open(&directory)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BackupError::Busy),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let clear = || fs::read_dir(&directory)?.try_for_each(|left| files::remove_dir(&left?.path()));
        clear().map_err(failed)?;
        Ok(Self { directory, _lock: lock })
    }

    /// Makes a directory in it.
    fn directory(&self, name: &str) -> Result<PathBuf, BackupError> {
        let path = self.directory.join(name);
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.map_err(failure("making", &path))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left lying is removed by the next one.
        let _ = files::remove_dir(&self.directory);
    }
}

/// A backup that is being written, beside the file that it will be. Removed unless it gets there.
struct Part {
    path: PathBuf,
    file: File,
}

impl Part {
    fn create(target: &Path) -> Result<Self, BackupError> {
        let mut name = target.as_os_str().to_owned();
        name.push(".part");
        let path = PathBuf::from(name);
        let create = || {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            // There are secrets in it.
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)
        };
        let file = create().map_err(failure("making", &path))?;
        Ok(Self { path, file })
    }

    /// Makes it lasting under its own name, unless something has that name.
    fn put_at(self, target: &Path) -> Result<(), BackupError> {
        self.file.sync_all().map_err(failure("writing", &self.path))?;
        files::rename_new(&self.path, target).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => BackupError::Exists(target.to_owned()),
            _ => failure("writing", target)(source),
        })
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It has another name, or the next backup to this file replaces it.
        let _ = fs::remove_file(&self.path);
    }
}

fn failure(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::Io { doing, path, source }
}
