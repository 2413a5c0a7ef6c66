//! How a refusal by WASI reads in SQLite's codes, without losing what WASI said.

use rsqlite_vfs::{VfsError, VfsErrorCode};
use wasip2::filesystem::types::ErrorCode;

/// What was being done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Open,
    Read,
    Write,
    Resize,
    Sync,
    SyncDirectory,
    Stat,
    Find,
    Delete,
    Rename,
}

impl Operation {
    /// The failure of this operation on `name`.
    pub(crate) fn failed(self, name: &str, reason: ErrorCode) -> VfsError {
        let message = format!("{} {name}: {}", self.doing(), reason.name());
        VfsError::new(self.code(reason), message.into())
    }

    /// The failure of an operation that WASI reported as done, and was not.
    pub(crate) fn stalled(self, name: &str) -> VfsError {
        let message = format!("{} {name}: no progress", self.doing());
        VfsError::new(self.general_code(), message.into())
    }

    fn code(self, reason: ErrorCode) -> VfsErrorCode {
        match (self, reason) {
            (_, ErrorCode::InsufficientSpace | ErrorCode::Quota | ErrorCode::FileTooLarge) => VfsErrorCode::Full,
            (_, ErrorCode::InsufficientMemory) => VfsErrorCode::NoMemory,
            (_, ErrorCode::ReadOnly) => VfsErrorCode::ReadOnly,
            (Self::Open, ErrorCode::Access | ErrorCode::NotPermitted) => VfsErrorCode::Permission,
            (Self::Open, ErrorCode::Io) => VfsErrorCode::Io,
            // Some deletions are of files that need not be there: SQLite tells them apart by this code.
            (Self::Delete, ErrorCode::NoEntry) => VfsErrorCode::IoDeleteNoEntry,
            _ => self.general_code(),
        }
    }

    fn general_code(self) -> VfsErrorCode {
        match self {
            Self::Open => VfsErrorCode::CantOpen,
            Self::Read => VfsErrorCode::IoRead,
            Self::Write => VfsErrorCode::IoWrite,
            Self::Resize => VfsErrorCode::IoTruncate,
            Self::Sync => VfsErrorCode::IoSync,
            Self::SyncDirectory => VfsErrorCode::IoDirectorySync,
            Self::Stat => VfsErrorCode::IoStat,
            Self::Find => VfsErrorCode::IoAccess,
            Self::Delete => VfsErrorCode::IoDelete,
            Self::Rename => VfsErrorCode::Io,
        }
    }

    fn doing(self) -> &'static str {
        match self {
            Self::Open => "opening",
            Self::Read => "reading",
            Self::Write => "writing",
            Self::Resize => "resizing",
            Self::Sync => "syncing",
            Self::SyncDirectory => "syncing the directory of",
            Self::Stat => "measuring",
            Self::Find => "looking for",
            Self::Delete => "deleting",
            Self::Rename => "renaming",
        }
    }
}
