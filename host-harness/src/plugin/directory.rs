//! Bounds what a plugin keeps in its directory: what would make it larger than it may be is refused as a full disk is.
//!
//! Every write counts as if it made a file longer, until that would be too much; then the directory is measured. So a
//! write costs an addition, and the bound is never passed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::filesystem::WasiFilesystemView;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    Descriptor, DescriptorFlags, ErrorCode, HostDescriptor as _, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynOutputStream, FsResult, OutputStream, Pollable, StreamError, StreamResult};

use super::imports::State;
use crate::limits::{Limit, Limits};

/// What a file costs at least: a block of the file system.
const BLOCK_BYTES: u64 = 4 << 10;

/// The interface as Wasmtime names it.
const TYPES: &str = "wasi:filesystem/types@0.2.12";

type File = Resource<Descriptor>;

/// A plugin's directory. Clones share what is known of it.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    path: PathBuf,
    limits: Limits,
    left: Arc<Mutex<Left>>,
}

/// What may still be taken without measuring.
#[derive(Debug, Default)]
struct Left {
    bytes: u64,
    files: usize,
}

/// What was found in a directory.
#[derive(Debug, Default)]
struct Found {
    bytes: u64,
    files: usize,
}

impl Directory {
    pub(super) fn new(path: &Path, limits: &Limits) -> Self {
        Self {
            path: path.to_owned(),
            limits: limits.clone(),
            left: Arc::default(),
        }
    }

    /// Notes how large it is, and gives the bytes.
    pub(super) fn measure(&self) -> io::Result<u64> {
        self.measure_for(&mut self.left())
    }

    fn measure_for(&self, left: &mut Left) -> io::Result<u64> {
        let mut found = Found::default();
        look(&self.path, self.limits.directory_files, &mut found)?;
        self.limits
            .note(Limit::directory_bytes, found.bytes.try_into().unwrap_or(usize::MAX));
        self.limits.note(Limit::directory_files, found.files);
        let most = u64::try_from(self.limits.directory_bytes).unwrap_or(u64::MAX);
        *left = Left {
            bytes: most.saturating_sub(found.bytes),
            files: self.limits.directory_files.saturating_sub(found.files),
        };
        Ok(found.bytes)
    }

    /// Takes room for bytes that are written.
    fn take_bytes(&self, bytes: u64) -> Result<(), Refusal> {
        let mut left = self.left();
        if left.bytes < bytes {
            self.measure_for(&mut left)?;
        }
        left.bytes = left
            .bytes
            .checked_sub(bytes)
            .ok_or(Refusal::Full(Limit::directory_bytes))?;
        Ok(())
    }

    /// Takes room for a file that may be made.
    fn take_file(&self) -> Result<(), Refusal> {
        let mut left = self.left();
        if left.files == 0 {
            self.measure_for(&mut left)?;
        }
        left.files = left.files.checked_sub(1).ok_or(Refusal::Full(Limit::directory_files))?;
        drop(left);
        self.take_bytes(BLOCK_BYTES)
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why there is no room.
enum Refusal {
    Full(Limit),
    Unknown(io::Error),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Unknown(error)
    }
}

/// Adds up what lies in a directory and below, without following links; stops at `most` files.
fn look(directory: &Path, most: usize, found: &mut Found) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        if found.files >= most {
            return Ok(());
        }
        let entry = entry?;
        let metadata = match entry.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            metadata => metadata?,
        };
        found.files += 1;
        found.bytes = found.bytes.saturating_add(metadata.len().max(BLOCK_BYTES));
        if metadata.is_dir() {
            look(&entry.path(), most, found)?;
        }
    }
    Ok(())
}

/// Puts these bounds in the place of the standard's operations that make files or make them longer.
pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance(TYPES)?;
    types.func_wrap_async(
        "[method]descriptor.write",
        |mut store, (file, bytes, offset): (File, Vec<u8>, u64)| {
            Box::new(async move {
                let state = store.data_mut();
                let room = state.before_write(&file, offset, length(&bytes))?;
                told(match room {
                    Ok(()) => state.filesystem().write(file, bytes, offset).await,
                    Err(code) => Err(code.into()),
                })
            })
        },
    )?;
    types.func_wrap_async("[method]descriptor.set-size", |mut store, (file, size): (File, u64)| {
        Box::new(async move {
            let state = store.data_mut();
            let now = state.filesystem().stat(Resource::new_borrow(file.rep())).await;
            let longer = now.map_or(size, |stat| size.saturating_sub(stat.size));
            let room = state.before_change().and_then(|()| state.room(longer));
            state.before_size(&file, size)?;
            told(match room {
                Ok(()) => state.filesystem().set_size(file, size).await,
                Err(code) => Err(code.into()),
            })
        })
    })?;
    types.func_wrap_async(
        "[method]descriptor.open-at",
        |mut store,
         (directory, path_flags, path, mut open_flags, flags): (
            File,
            PathFlags,
            String,
            OpenFlags,
            DescriptorFlags,
        )| {
            Box::new(async move {
                let state = store.data_mut();
                if open_flags.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE)
                    && let Err(code) = state.before_change()
                {
                    return Ok((Err(code),));
                }
                let refusal = match open_flags.contains(OpenFlags::CREATE) {
                    true => state.room_for_file().err(),
                    false => None,
                };
                // What is there already can be opened in a full directory too.
                if refusal.is_some() {
                    open_flags &= !(OpenFlags::CREATE | OpenFlags::EXCLUSIVE);
                }
                let opened = state
                    .filesystem()
                    .open_at(directory, path_flags, path, open_flags, flags)
                    .await;
                let (opened,) = told(opened)?;
                Ok((match (opened, refusal) {
                    (Err(ErrorCode::NoEntry), Some(full)) => Err(full),
                    (opened, _) => opened,
                },))
            })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.create-directory-at",
        |mut store, (directory, path): (File, String)| {
            Box::new(async move {
                let state = store.data_mut();
                let room = state.before_change().and_then(|()| state.room_for_file());
                told(match room {
                    Ok(()) => state.filesystem().create_directory_at(directory, path).await,
                    Err(code) => Err(code.into()),
                })
            })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.symlink-at",
        |mut store, (directory, target, path): (File, String, String)| {
            Box::new(async move {
                let state = store.data_mut();
                let room = state.before_change().and_then(|()| state.room_for_file());
                told(match room {
                    Ok(()) => state.filesystem().symlink_at(directory, target, path).await,
                    Err(code) => Err(code.into()),
                })
            })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.link-at",
        |mut store, (directory, flags, from, to_directory, to): (File, PathFlags, String, File, String)| {
            Box::new(async move {
                let state = store.data_mut();
                let room = state.before_change().and_then(|()| state.room_for_file());
                told(match room {
                    Ok(()) => {
                        state
                            .filesystem()
                            .link_at(directory, flags, from, to_directory, to)
                            .await
                    }
                    Err(code) => Err(code.into()),
                })
            })
        },
    )?;
    types.func_wrap(
        "[method]descriptor.write-via-stream",
        |mut store, (file, offset): (File, u64)| {
            let state = store.data_mut();
            state.before_stream(&file)?;
            let stream = state.filesystem().write_via_stream(file, offset);
            told(bounded(state, stream))
        },
    )?;
    types.func_wrap("[method]descriptor.append-via-stream", |mut store, (file,): (File,)| {
        let state = store.data_mut();
        state.before_stream(&file)?;
        let stream = state.filesystem().append_via_stream(file);
        told(bounded(state, stream))
    })?;
    types.func_wrap("[method]descriptor.sync-data", |mut store, (file,): (File,)| {
        Ok((store.data_mut().sync(&file)?,))
    })?;
    types.func_wrap_async(
        "[method]descriptor.rename-at",
        |mut store, (from, old, to, new): (File, String, File, String)| {
            Box::new(async move {
                let state = store.data_mut();
                told(match state.before_change() {
                    Ok(()) => state.filesystem().rename_at(from, old, to, new).await,
                    Err(code) => Err(code.into()),
                })
            })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.unlink-file-at",
        |mut store, (directory, path): (File, String)| {
            Box::new(async move {
                let state = store.data_mut();
                told(match state.before_change() {
                    Ok(()) => state.filesystem().unlink_file_at(directory, path).await,
                    Err(code) => Err(code.into()),
                })
            })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.remove-directory-at",
        |mut store, (directory, path): (File, String)| {
            Box::new(async move {
                let state = store.data_mut();
                told(match state.before_change() {
                    Ok(()) => state.filesystem().remove_directory_at(directory, path).await,
                    Err(code) => Err(code.into()),
                })
            })
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

/// A result as a component gets it.
fn told<T>(result: FsResult<T>) -> wasmtime::Result<(Result<T, ErrorCode>,)> {
    Ok((match result {
        Ok(value) => Ok(value),
        Err(error) => Err(error.downcast()?),
    },))
}

fn length(bytes: &[u8]) -> u64 {
    bytes.len().try_into().unwrap_or(u64::MAX)
}

/// The same stream, within the bounds.
fn bounded(state: &mut State, stream: FsResult<Resource<DynOutputStream>>) -> FsResult<Resource<DynOutputStream>> {
    let stream = stream?;
    state.syncs.leave_none().map_err(|error| code(&error))?;
    let directory = state.directory.clone();
    let table = state.filesystem().table;
    let inner = table.delete(stream)?;
    let bounded: DynOutputStream = Box::new(Bounded { inner, directory });
    Ok(table.push(bounded)?)
}

/// What a component is told of a failure of the disk.
fn code(error: &io::Error) -> ErrorCode {
    match error.kind() {
        io::ErrorKind::StorageFull => ErrorCode::InsufficientSpace,
        io::ErrorKind::QuotaExceeded => ErrorCode::Quota,
        io::ErrorKind::ReadOnlyFilesystem => ErrorCode::ReadOnly,
        _ => ErrorCode::Io,
    }
}

impl State {
    fn sync(&mut self, file: &File) -> wasmtime::Result<Result<(), ErrorCode>> {
        let synced = match self.filesystem().table.get(file)? {
            Descriptor::File(open) => {
                let open = Arc::clone(&open.file);
                self.syncs.sync(&open)
            }
            Descriptor::Dir(open) => open.dir.sync_data(),
        };
        Ok(synced.map_err(|error| code(&error)))
    }

    fn before_write(&mut self, file: &File, offset: u64, bytes: u64) -> wasmtime::Result<Result<(), ErrorCode>> {
        if let Descriptor::File(open) = self.filesystem().table.get(file)? {
            let open = Arc::clone(&open.file);
            if let Err(error) = self.syncs.before_write(&open, offset, bytes) {
                return Ok(Err(code(&error)));
            }
            if let Some(journal) = &self.journal {
                journal.wrote(&open, offset, bytes);
            }
        }
        Ok(self.room(bytes))
    }

    /// Notes for other machines what a file's end is about to become.
    fn before_size(&mut self, file: &File, size: u64) -> wasmtime::Result<()> {
        if let (Some(journal), Some(open)) = (self.journal.clone(), self.open_file(file)?) {
            let now = open.metadata().map_or(size, |of| of.len());
            journal.wrote(&open, size, now.saturating_sub(size));
        }
        Ok(())
    }

    /// Notes for other machines that a file may become anything.
    fn before_stream(&mut self, file: &File) -> wasmtime::Result<()> {
        if let (Some(journal), Some(open)) = (self.journal.clone(), self.open_file(file)?) {
            journal.may_write(&open);
        }
        Ok(())
    }

    fn open_file(&mut self, file: &File) -> wasmtime::Result<Option<Arc<fs::File>>> {
        Ok(match self.filesystem().table.get(file)? {
            Descriptor::File(open) => Some(Arc::clone(&open.file)),
            Descriptor::Dir(_) => None,
        })
    }

    fn before_change(&mut self) -> Result<(), ErrorCode> {
        self.syncs.settle().map_err(|error| code(&error))
    }

    fn room(&mut self, bytes: u64) -> Result<(), ErrorCode> {
        let room = self.directory.take_bytes(bytes);
        self.refused(room)
    }

    fn room_for_file(&mut self) -> Result<(), ErrorCode> {
        let room = self.directory.take_file();
        self.refused(room)
    }

    fn refused(&mut self, room: Result<(), Refusal>) -> Result<(), ErrorCode> {
        room.map_err(|refusal| match refusal {
            Refusal::Full(limit) => {
                self.bounds.meet(limit);
                ErrorCode::InsufficientSpace
            }
            Refusal::Unknown(error) => {
                tracing::warn!(%error, "measuring the plugin's directory");
                ErrorCode::Io
            }
        })
    }
}

/// A stream into a file.
struct Bounded {
    inner: DynOutputStream,
    directory: Directory,
}

impl Bounded {
    fn take(&self, bytes: &[u8]) -> StreamResult<()> {
        let error = match self.directory.take_bytes(length(bytes)) {
            Ok(()) => return Ok(()),
            Err(Refusal::Full(limit)) => {
                self.directory.limits.tell(limit);
                io::ErrorKind::StorageFull.into()
            }
            Err(Refusal::Unknown(error)) => error,
        };
        Err(StreamError::LastOperationFailed(error.into()))
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Bounded {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[wasmtime_wasi::async_trait]
impl OutputStream for Bounded {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes)?;
        self.inner.write(bytes)
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes)?;
        self.inner.blocking_write_and_flush(bytes).await
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.inner.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.inner.check_write()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn what_is_deleted_makes_room_and_what_lies_there_counts() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("below")).unwrap();
        fs::write(root.path().join("below/file"), vec![0; 100_000]).unwrap();
        let limits = Limits {
            directory_bytes: 200_000,
            directory_files: 3,
            ..Limits::default()
        };
        let directory = Directory::new(root.path(), &limits);
        assert!(directory.take_file().is_ok());
        assert!(directory.take_bytes(91_000).is_ok());
        fs::write(root.path().join("another"), vec![0; 95_000]).unwrap();
        assert!(matches!(
            directory.take_bytes(1_000),
            Err(Refusal::Full(Limit::directory_bytes))
        ));
        assert!(matches!(
            directory.take_file(),
            Err(Refusal::Full(Limit::directory_files))
        ));
        fs::remove_file(root.path().join("below/file")).unwrap();
        assert!(directory.take_file().is_ok());
        assert!(directory.take_bytes(90_000).is_ok());
    }
}
