//! Directories as a whole: copied, moved and removed. What a plugin has put into its directory is not followed out of it.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};

/// Copies a directory with all that is in it, for its user only. `to` must not exist. Symbolic links are copied as links.
/// What was copied is on disk when this returns.
///
/// # Errors
/// What the system says. A part may have been copied.
pub(crate) fn copy_dir(from: &Path, to: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy_dir(&entry.path(), &target)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(entry.path())?, &target)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), &target)?;
            File::open(&target)?.sync_all()?;
        }
    }
    File::open(to)?.sync_all()
}

/// Gives a file or directory another name on the same file system that nothing has yet, lastingly.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] when something has it, and what the system says; nothing has changed then.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?;
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// Writes a file so that it is there as it was, or as it is to be.
///
/// # Errors
/// What the system says; it is as it was then.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    fs::write(&beside, bytes)?;
    File::open(&beside)?.sync_all()?;
    fs::rename(&beside, path)
}

/// Makes a directory, and those that it is in, for their user only. It may be there already.
///
/// # Errors
/// What the system says.
pub(crate) fn make_private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Removes a directory with all that is in it. It need not exist.
///
/// # Errors
/// What the system says. A part may have been removed.
pub(crate) fn remove_dir(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_copy_has_everything_and_nothing_from_elsewhere() {
        let root = tempfile::tempdir().unwrap();
        let (from, to) = (root.path().join("from"), root.path().join("to"));
        fs::create_dir_all(from.join("inner")).unwrap();
        fs::write(from.join("inner/file"), "own").unwrap();
        fs::write(root.path().join("foreign"), "not the plugin's").unwrap();
        symlink("../foreign", from.join("link")).unwrap();
        copy_dir(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("inner/file")).unwrap(), "own");
        assert_eq!(fs::read_link(to.join("link")).unwrap(), Path::new("../foreign"));
        assert!(copy_dir(&from, &to).is_err(), "nothing is written over");
    }
}
