//! Database files that are not open: whether one is there, copies of it, and whether two are the same.

use rsqlite_vfs::VfsError;

use crate::error::{Error, Result};
use crate::ffi;
use crate::name::check_name;
use crate::vfs::{self, Mode, StoredFile};

/// Whether there is a file of that name in the first preopened directory.
///
/// # Errors
///
/// When the name is a path, or the directory cannot be read.
pub fn exists(file_name: &str) -> Result<bool> {
    check_name(file_name)?;
    Ok(vfs::storage()?.directory().size_of(file_name)?.is_some())
}

/// Whether both files are there and hold the same bytes.
///
/// # Errors
///
/// [`Busy`](crate::ErrorKind::Busy) while either is open, and what the file system refuses.
pub fn same(one: &str, other: &str) -> Result<bool> {
    check_name(one)?;
    check_name(other)?;
    let storage = vfs::storage()?;
    let (_one, _other) = (storage.claim(one)?, storage.claim(other)?);
    let size = storage.directory().size_of(one)?;
    if size.is_none() || size != storage.directory().size_of(other)? {
        return Ok(false);
    }
    let one = StoredFile::open(&storage, one, Mode::Read, None)?;
    let other = StoredFile::open(&storage, other, Mode::Read, None)?;
    let (mut chunk, mut other_chunk) = (vec![0; vfs::CHUNK_BYTES], vec![0; vfs::CHUNK_BYTES]);
    let mut offset = 0;
    loop {
        let count = one.read(&mut chunk, offset)?;
        if other.read(&mut other_chunk, offset)? != count || chunk.get(..count) != other_chunk.get(..count) {
            return Ok(false);
        }
        offset += count as u64;
        if count < chunk.len() {
            return Ok(true);
        }
    }
}

/// Copies a closed database, replacing the copy that was there. `to` is either as before or whole, and synced.
///
/// # Errors
///
/// [`Busy`](crate::ErrorKind::Busy) while either is open, or while a log of `from` holds what the file does not:
/// opening and closing it writes that back. Otherwise what the file system refuses.
pub fn copy(from: &str, to: &str) -> Result<()> {
    check_name(from)?;
    check_name(to)?;
    let storage = vfs::storage()?;
    let _from = storage.claim(from)?;
    let _to = storage.claim(to)?;
    let directory = storage.directory();
    if directory.size_of(&format!("{from}-wal"))?.is_some_and(|size| size > 0) {
        return Err(Error::new(
            ffi::SQLITE_BUSY,
            format!("{from} has a log that is not written back"),
        ));
    }
    let part = format!("{to}.part");
    let copied = copy_bytes(&storage, from, &part).and_then(|()| directory.rename(&part, to));
    if copied.is_err() {
        // The failure is what to tell; a part that stays is replaced by the next copy.
        let _deleted = directory.delete(&part);
    }
    copied?;
    Ok(directory.sync(to)?)
}

fn copy_bytes(storage: &std::rc::Rc<vfs::Storage>, from: &str, to: &str) -> std::result::Result<(), VfsError> {
    let source = StoredFile::open(storage, from, Mode::Read, None)?;
    let mut target = StoredFile::open(storage, to, Mode::Replace, None)?;
    let mut chunk = vec![0; vfs::CHUNK_BYTES];
    let mut offset = 0;
    loop {
        let count = source.read(&mut chunk, offset)?;
        target.write(chunk.get(..count).unwrap_or_default(), offset)?;
        offset += count as u64;
        if count < chunk.len() {
            return target.sync();
        }
    }
}

impl From<VfsError> for Error {
    fn from(failure: VfsError) -> Self {
        Self::from_code(failure.raw_code()).with_storage(failure.message())
    }
}
