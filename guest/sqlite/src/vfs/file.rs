//! An open file of SQLite's: one in the directory, or a temporary one in memory.
//!
//! Reads and writes go on until the whole buffer is done; a sync also makes the name of a new file last.

use std::rc::Rc;

use rsqlite_vfs::{DeviceCharacteristics, LockLevel, MemChunksFile, SyncOptions, VfsFile, VfsResult};
use wasip2::filesystem::types::Descriptor;

use super::directory::Mode;
use super::failure::Operation;
use super::store::{Claim, Storage};

/// What is copied at a time: large enough that few calls leave the sandbox, small beside the memory an instance has.
pub(crate) const CHUNK_BYTES: usize = 64 * 1024;

/// A file in the directory.
pub(crate) struct StoredFile {
    descriptor: Descriptor,
    name: String,
    storage: Rc<Storage>,
    name_synced: bool,
    /// Held for as long as a database is open; given back on drop.
    _claim: Option<Claim>,
}

impl StoredFile {
    pub(crate) fn open(storage: &Rc<Storage>, name: &str, mode: Mode, claim: Option<Claim>) -> VfsResult<Self> {
        Ok(Self {
            descriptor: storage.directory().open(name, mode)?,
            name: name.to_owned(),
            storage: storage.clone(),
            name_synced: !mode.may_create(),
            _claim: claim,
        })
    }

    /// Fills `buffer` from `offset` on, and returns less than its length only at the end of the file.
    pub(crate) fn read(&self, buffer: &mut [u8], offset: u64) -> VfsResult<usize> {
        let length = buffer.len();
        let mut rest = buffer;
        let mut at = offset;
        while !rest.is_empty() {
            let (bytes, _end) = self
                .descriptor
                .read(rest.len() as u64, at)
                .map_err(|reason| Operation::Read.failed(&self.name, reason))?;
            // The host's word on whether the end is reached differs between hosts; that nothing came does not.
            if bytes.is_empty() {
                break;
            }
            let (filled, unfilled) = rest
                .split_at_mut_checked(bytes.len())
                .ok_or_else(|| Operation::Read.stalled(&self.name))?;
            filled.copy_from_slice(&bytes);
            at += bytes.len() as u64;
            rest = unfilled;
        }
        Ok(length - rest.len())
    }

    /// Writes all of `bytes` at `offset`.
    pub(crate) fn write(&self, bytes: &[u8], offset: u64) -> VfsResult<()> {
        let mut rest = bytes;
        let mut at = offset;
        while !rest.is_empty() {
            let written = self
                .descriptor
                .write(rest, at)
                .map_err(|reason| Operation::Write.failed(&self.name, reason))?;
            rest = usize::try_from(written)
                .ok()
                .filter(|count| *count > 0)
                .and_then(|count| rest.get(count..))
                .ok_or_else(|| Operation::Write.stalled(&self.name))?;
            at += written;
        }
        Ok(())
    }

    /// Makes what was written last, and the name too if the file may be new.
    pub(crate) fn sync(&mut self) -> VfsResult<()> {
        // The file's times need not last, its length does, and is data in this sense.
        self.descriptor
            .sync_data()
            .map_err(|reason| Operation::Sync.failed(&self.name, reason))?;
        if !self.name_synced {
            self.storage.directory().sync(&self.name)?;
            self.name_synced = true;
        }
        Ok(())
    }

    /// Writes what the file holds once more, and syncs it. Before this was opened a sync may have failed: systems then
    /// show bytes that never reach the disk, and what is added after those would be lost with them.
    pub(crate) fn settle(&mut self) -> VfsResult<()> {
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut offset = 0;
        loop {
            let count = self.read(&mut chunk, offset)?;
            self.write(chunk.get(..count).unwrap_or_default(), offset)?;
            offset += count as u64;
            if count < chunk.len() {
                break;
            }
        }
        if offset > 0 { self.sync() } else { Ok(()) }
    }

    fn resize(&self, size: u64) -> VfsResult<()> {
        self.descriptor
            .set_size(size)
            .map_err(|reason| Operation::Resize.failed(&self.name, reason))
    }

    fn size(&self) -> VfsResult<u64> {
        let stat = self
            .descriptor
            .stat()
            .map_err(|reason| Operation::Stat.failed(&self.name, reason))?;
        Ok(stat.size)
    }
}

/// What SQLite reads and writes.
pub(crate) enum File {
    Stored(StoredFile),
    /// A statement's own journal: gone with the connection, so never in the directory of what lasts.
    Temporary(MemChunksFile),
}

impl VfsFile for File {
    fn device_characteristics(&self) -> DeviceCharacteristics {
        // As SQLite assumes on every system: a write that loses power spoils no bytes beside its own.
        DeviceCharacteristics::POWERSAFE_OVERWRITE
    }

    fn read(&mut self, buffer: &mut [u8], offset: u64) -> VfsResult<usize> {
        match self {
            Self::Stored(file) => file.read(buffer, offset),
            Self::Temporary(file) => file.read(buffer, offset),
        }
    }

    fn write(&mut self, bytes: &[u8], offset: u64) -> VfsResult<()> {
        match self {
            Self::Stored(file) => file.write(bytes, offset),
            Self::Temporary(file) => file.write(bytes, offset),
        }
    }

    fn truncate(&mut self, size: u64) -> VfsResult<()> {
        match self {
            Self::Stored(file) => file.resize(size),
            Self::Temporary(file) => file.truncate(size),
        }
    }

    fn sync(&mut self, options: SyncOptions) -> VfsResult<()> {
        match self {
            Self::Stored(file) => file.sync(),
            Self::Temporary(file) => file.sync(options),
        }
    }

    fn size(&self) -> VfsResult<u64> {
        match self {
            Self::Stored(file) => file.size(),
            Self::Temporary(file) => file.size(),
        }
    }

    /// Granted: the claim on the database's name leaves nobody to compete with.
    fn lock(&mut self, _level: LockLevel) -> VfsResult<()> {
        Ok(())
    }

    fn unlock(&mut self, _level: LockLevel) -> VfsResult<()> {
        Ok(())
    }

    /// No other connection holds a lock, so a journal that is there was left by a crash.
    fn check_reserved_lock(&self) -> VfsResult<bool> {
        Ok(false)
    }
}
