//! Puts restored files in the place of what was there, in steps that whoever comes next can finish.
//!
//! One rename decides: before it nothing has changed; after it the data directory has [`READY`], and every process that
//! opens the data directory first does what is left to do. Files move and are never written over or removed.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::CONTENT;

/// A restore that has been decided. In it lies what is to come and, until all of it is moved out, what was before.
const READY: &str = "restore-ready";
pub(super) const AFTER: &str = "after";
const BEFORE: &str = "before";

/// Whether a restore was decided and is not finished.
pub(crate) fn is_pending(root: &Path) -> bool {
    root.join(READY).exists()
}

/// Decides that what is in the directory [`AFTER`] of `scratch` takes the place of what is in `root`.
///
/// # Errors
/// What the system says. Nothing has changed then.
pub(super) fn commit(root: &Path, scratch: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(scratch.join(BEFORE))?;
    sync(scratch)?;
    fs::rename(scratch, root.join(READY))?;
    sync(root)
}

/// Does what is left to do of a restore that was decided; gives where that lies which was there before, if anything was.
/// The caller has the data directory to itself.
///
/// # Errors
/// What the system says. It may be tried again.
pub(crate) fn finish(root: &Path) -> io::Result<Option<PathBuf>> {
    let ready = root.join(READY);
    let (before, after) = (ready.join(BEFORE), ready.join(AFTER));
    let mut aside = None;
    // As long as it is here, nothing has been moved in.
    if before.exists() {
        for name in CONTENT {
            move_out(&root.join(name), &before.join(name))?;
        }
        sync(&before)?;
        sync(root)?;
        aside = put_away(root, &before)?;
        sync(&ready)?;
        sync(root)?;
    }
    for name in CONTENT {
        match fs::rename(after.join(name), root.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    sync(root)?;
    fs::remove_dir_all(&ready)?;
    sync(root)?;
    Ok(aside)
}

/// An empty directory is as good as none.
fn move_out(from: &Path, to: &Path) -> io::Result<()> {
    if fs::remove_dir(from).is_ok() {
        return Ok(());
    }
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        renamed => renamed,
    }
}

/// Gives what was before a name of its own in the data directory.
fn put_away(root: &Path, before: &Path) -> io::Result<Option<PathBuf>> {
    if fs::remove_dir(before).is_ok() {
        return Ok(None);
    }
    let mut seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    loop {
        let aside = root.join(format!("before-restore-{seconds}"));
        match crate::files::rename_new(before, &aside) {
            Ok(()) => return Ok(Some(aside)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => seconds = seconds.saturating_add(1),
            Err(error) => return Err(error),
        }
    }
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

    use super::*;

    /// A data directory with old content and a restore that was decided.
    fn decided() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let scratch = root.path().join("scratch");
        for (directory, content) in [(root.path(), "old"), (&scratch.join(AFTER), "new")] {
            fs::create_dir_all(directory.join("plugin")).unwrap();
            fs::write(directory.join("plugin/friends.db"), content).unwrap();
            fs::write(directory.join("config.toml"), content).unwrap();
        }
        // Only the old data has notes, only the new has secrets.
        fs::write(root.path().join("FRIENDS.md"), "old").unwrap();
        fs::create_dir(scratch.join(AFTER).join("secrets")).unwrap();
        fs::write(scratch.join(AFTER).join("secrets/key"), "new").unwrap();
        commit(root.path(), &scratch).unwrap();
        root
    }

    fn is_finished(root: &Path) {
        assert!(is_pending(root));
        finish(root).unwrap();
        assert!(!is_pending(root));
        for file in ["plugin/friends.db", "config.toml", "secrets/key"] {
            assert_eq!(fs::read_to_string(root.join(file)).unwrap(), "new", "{file}");
        }
        assert!(!root.join("FRIENDS.md").exists());
        let aside = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
        let aside = aside.filter(|path| path.to_string_lossy().contains("before-restore-"));
        let aside: Vec<PathBuf> = aside.collect();
        assert_eq!(aside.len(), 1, "{aside:?}");
        for file in ["plugin/friends.db", "config.toml", "FRIENDS.md"] {
            assert_eq!(fs::read_to_string(aside[0].join(file)).unwrap(), "old", "{file}");
        }
    }

    #[test]
    fn a_restore_is_finished_from_wherever_it_was_cut_off() {
        for moved_out in 0..=CONTENT.len() {
            let root = decided();
            let before = root.path().join(READY).join(BEFORE);
            for name in &CONTENT[..moved_out] {
                move_out(&root.path().join(name), &before.join(name)).unwrap();
            }
            // Who opened the directory just before has made these.
            for name in ["plugin", "secrets"] {
                fs::create_dir_all(root.path().join(name)).unwrap();
            }
            is_finished(root.path());
        }
        for moved_in in 0..=CONTENT.len() {
            let root = decided();
            let ready = root.path().join(READY);
            for name in CONTENT {
                move_out(&root.path().join(name), &ready.join(BEFORE).join(name)).unwrap();
            }
            put_away(root.path(), &ready.join(BEFORE)).unwrap();
            for name in &CONTENT[..moved_in] {
                let _ = fs::rename(ready.join(AFTER).join(name), root.path().join(name));
            }
            is_finished(root.path());
        }
        let root = decided();
        fs::remove_dir_all(root.path().join("plugin")).unwrap();
        finish(root.path()).unwrap();
        assert_eq!(
            fs::read_to_string(root.path().join("plugin/friends.db")).unwrap(),
            "new"
        );
    }
}
