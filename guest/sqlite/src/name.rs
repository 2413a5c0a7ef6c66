//! Names of database files.

use crate::error::{Error, Result};
use crate::ffi;

/// Whether `name` can be a file's own name in the directory, and nothing that SQLite reads as more than a name.
pub(crate) fn is_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\\', ':', '\0'])
}

pub(crate) fn check_name(name: &str) -> Result<()> {
    if is_name(name) {
        return Ok(());
    }
    Err(Error::new(
        ffi::SQLITE_CANTOPEN,
        format!("{name:?} is no name for a file"),
    ))
}
