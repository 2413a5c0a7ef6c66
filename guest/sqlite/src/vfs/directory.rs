//! The directory that holds the databases: names in it are opened, found, renamed and deleted.
//!
//! Links are not followed: a database is a file of this directory and no other.

use rsqlite_vfs::VfsResult;
use wasip2::filesystem::preopens;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags};

use super::failure::Operation;

/// A directory that the host has given.
pub(crate) struct Directory {
    descriptor: Descriptor,
}

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Read,
    ReadWrite,
    /// Made when it is not there.
    Create,
    /// Made, and an error when it is there.
    CreateNew,
    /// Made, or emptied when it is there.
    Replace,
}

impl Mode {
    pub(crate) fn may_create(self) -> bool {
        !matches!(self, Self::Read | Self::ReadWrite)
    }
}

impl Directory {
    /// The first directory among those given, or `None` when the host gave none.
    pub(crate) fn first_preopened() -> Option<Self> {
        let (descriptor, _path) = preopens::get_directories().into_iter().next()?;
        Some(Self { descriptor })
    }

    pub(crate) fn open(&self, name: &str, mode: Mode) -> VfsResult<Descriptor> {
        let open_flags = match mode {
            Mode::Read | Mode::ReadWrite => OpenFlags::empty(),
            Mode::Create => OpenFlags::CREATE,
            Mode::CreateNew => OpenFlags::CREATE | OpenFlags::EXCLUSIVE,
            Mode::Replace => OpenFlags::CREATE | OpenFlags::TRUNCATE,
        };
        let flags = match mode {
            Mode::Read => DescriptorFlags::READ,
            _ => DescriptorFlags::READ | DescriptorFlags::WRITE,
        };
        self.descriptor
            .open_at(PathFlags::empty(), name, open_flags, flags)
            .map_err(|reason| Operation::Open.failed(name, reason))
    }

    /// How many bytes the file holds, or `None` when there is no such file.
    pub(crate) fn size_of(&self, name: &str) -> VfsResult<Option<u64>> {
        match self.descriptor.stat_at(PathFlags::empty(), name) {
            Ok(stat) => Ok(Some(stat.size)),
            Err(ErrorCode::NoEntry) => Ok(None),
            Err(reason) => Err(Operation::Find.failed(name, reason)),
        }
    }

    pub(crate) fn delete(&self, name: &str) -> VfsResult<()> {
        self.descriptor
            .unlink_file_at(name)
            .map_err(|reason| Operation::Delete.failed(name, reason))
    }

    /// Gives a file another name in one step. A file that had that name is gone.
    pub(crate) fn rename(&self, from: &str, to: &str) -> VfsResult<()> {
        self.descriptor
            .rename_at(from, &self.descriptor, to)
            .map_err(|reason| Operation::Rename.failed(from, reason))
    }

    /// Makes it last that `name` was made, renamed or deleted, on hosts where a directory can be synced. On others
    /// it is for the file system to keep names in order.
    pub(crate) fn sync(&self, name: &str) -> VfsResult<()> {
        match self.descriptor.sync() {
            Ok(())
            | Err(
                ErrorCode::Unsupported
                | ErrorCode::Invalid
                | ErrorCode::BadDescriptor
                | ErrorCode::IsDirectory
                | ErrorCode::NotPermitted,
            ) => Ok(()),
            Err(reason) => Err(Operation::SyncDirectory.failed(name, reason)),
        }
    }
}
