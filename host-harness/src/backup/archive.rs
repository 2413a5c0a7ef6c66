//! The file that a backup is: a tar archive of files and directories, with an entry at its end that says that it is whole.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use tar::{Archive, Builder, EntryType, Header};

use super::CONTENT;

/// The last entry. An archive without it was cut short, or is something else.
const END: &str = "end-of-backup";

/// Why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It cannot be read, or what is in it not be written.
    #[error("{0}")]
    Io(io::Error),
    /// It does not end as a backup does.
    #[error("this is no backup of a chat, or only a part of one")]
    NoBackup,
    /// There is something in it that no backup has: a link, a device, or a path that leads elsewhere.
    #[error("this is no backup of a chat: there is {} in it, which no backup has", .0.display())]
    Foreign(PathBuf),
}

impl From<io::Error> for ArchiveError {
    fn from(error: io::Error) -> Self {
        // What does not come from the system is the library's complaint about the bytes.
        match error.raw_os_error() {
            Some(_) => Self::Io(error),
            None => Self::NoBackup,
        }
    }
}

/// Writes what is in `directory`, and gives the length in bytes.
///
/// # Errors
/// What the system says, and for anything that is neither file nor directory.
pub(super) fn write(file: &File, directory: &Path) -> io::Result<u64> {
    let mut tar = Builder::new(io::BufWriter::new(file));
    // Links are stored as such, and then refused. Holes are nothing special.
    tar.follow_symlinks(false);
    tar.sparse(false);
    for name in CONTENT {
        let path = directory.join(name);
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => tar.append_dir_all(name, &path)?,
            Ok(_) => tar.append_path_with_name(&path, name)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    let mut end = Header::new_gnu();
    end.set_size(0);
    end.set_mode(0o600);
    tar.append_data(&mut end, END, io::empty())?;
    tar.into_inner()?.flush()?;
    Ok(file.metadata()?.len())
}

/// Unpacks an archive into `directory`, which is empty. Nothing is written elsewhere, whatever the archive says; what was
/// written is on disk when this returns.
///
/// # Errors
/// When it is no backup. A part may have been unpacked.
pub(super) fn unpack(file: File, directory: &Path) -> Result<(), ArchiveError> {
    let mut is_whole = false;
    let mut directories = vec![directory.to_owned()];
    for entry in Archive::new(io::BufReader::new(file)).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        if is_whole {
            return Err(ArchiveError::Foreign(path));
        }
        if path == Path::new(END) {
            is_whole = true;
            continue;
        }
        // There are no links in `directory`, as none are made: a path of plain names stays in it.
        let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        if !plain || !CONTENT.iter().any(|name| path.starts_with(name)) {
            return Err(ArchiveError::Foreign(path));
        }
        let target = directory.join(&path);
        // Twice the same, or in a directory that was not there before.
        let misplaced = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                ArchiveError::Foreign(path.clone())
            }
            _ => ArchiveError::Io(error),
        };
        match entry.header().entry_type() {
            EntryType::Directory => {
                DirBuilder::new().mode(0o700).create(&target).map_err(misplaced)?;
                directories.push(target);
            }
            EntryType::Regular => {
                let mut written = OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(&target)
                    .map_err(misplaced)?;
                // An archive that ends here gives fewer.
                if io::copy(&mut entry, &mut written)? != entry.size() {
                    return Err(ArchiveError::NoBackup);
                }
                written.sync_all()?;
            }
            _ => return Err(ArchiveError::Foreign(path)),
        }
    }
    if !is_whole {
        return Err(ArchiveError::NoBackup);
    }
    for directory in directories {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}
