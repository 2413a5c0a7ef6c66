//! The plugin's files as they were before an upgrade. They lie beside the plugin's directory until the new program has
//! shown that it can go on with what it made of them; as long as they do, they are what counts. Whoever takes the data
//! directory puts them back where an upgrade was cut off.
//!
//! Each step is one rename, and done again where it was cut off.

use std::io;
use std::path::{Path, PathBuf};

use crate::files;

/// Files of a plugin before an upgrade, and what is left over of one.
#[derive(Debug, Clone)]
pub(crate) struct Before {
    directory: PathBuf,
}

impl Before {
    /// Of the plugin with this directory.
    pub(crate) fn of(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
        }
    }

    /// Where they lie.
    pub(super) fn files(&self) -> PathBuf {
        self.beside("before")
    }

    /// Where a new program is tried.
    pub(super) fn trial(&self) -> PathBuf {
        self.beside("trial")
    }

    /// Where a copy is made that does not count yet.
    fn copying(&self) -> PathBuf {
        self.beside("copying")
    }

    /// Where that lies which does not count any more.
    fn left_over(&self) -> PathBuf {
        self.beside("left-over")
    }

    fn beside(&self, what: &str) -> PathBuf {
        self.directory.with_extension(what)
    }

    /// Copies the plugin's files, of which no instance has any open, and lets the copy count.
    ///
    /// # Errors
    /// What the system says; the plugin's files are as they were, and count.
    pub(super) fn keep(&self) -> io::Result<()> {
        files::remove_dir(&self.copying())?;
        files::copy_dir(&self.directory, &self.copying())?;
        files::rename_new(&self.copying(), &self.files())
    }

    /// Lets the new program's files count.
    ///
    /// # Errors
    /// What the system says; those before count still.
    pub(super) fn forget(&self) -> io::Result<()> {
        files::remove_dir(&self.left_over())?;
        files::rename_new(&self.files(), &self.left_over())
    }

    /// Puts the files in their place, if there are any; says whether there were.
    ///
    /// # Errors
    /// What the system says. It may be tried again.
    pub(crate) fn put_back(&self) -> io::Result<bool> {
        if !self.files().try_exists()? {
            return Ok(false);
        }
        files::remove_dir(&self.left_over())?;
        if self.directory.try_exists()? {
            files::rename_new(&self.directory, &self.left_over())?;
        }
        files::rename_new(&self.files(), &self.directory)?;
        Ok(true)
    }

    /// Removes what does not count.
    pub(crate) fn tidy(&self) {
        for directory in [self.trial(), self.copying(), self.left_over()] {
            if let Err(error) = files::remove_dir(&directory) {
                tracing::warn!(%error, "removing {}", directory.display());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs;

    use super::*;

    #[test]
    fn the_files_before_count_until_they_are_forgotten_wherever_it_is_cut_off() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("plugin");
        let before = Before::of(&directory);
        let file = directory.join("file");
        fs::create_dir(&directory).unwrap();
        fs::write(&file, "before").unwrap();
        assert!(!before.put_back().unwrap(), "nothing to put back");

        // Half of a copy does not count.
        fs::create_dir(before.copying()).unwrap();
        assert!(!before.put_back().unwrap());

        before.keep().unwrap();
        fs::write(&file, "spoiled").unwrap();
        assert!(before.put_back().unwrap());
        assert_eq!(fs::read_to_string(&file).unwrap(), "before");

        // Cut off between the two renames, and a directory made by whoever came first.
        before.keep().unwrap();
        fs::remove_dir_all(&directory).unwrap();
        assert!(before.put_back().unwrap());
        before.keep().unwrap();
        fs::remove_file(&file).unwrap();
        assert!(before.put_back().unwrap());
        assert_eq!(fs::read_to_string(&file).unwrap(), "before");

        before.keep().unwrap();
        fs::write(&file, "after").unwrap();
        before.forget().unwrap();
        assert!(!before.put_back().unwrap());
        assert_eq!(fs::read_to_string(&file).unwrap(), "after");
        before.tidy();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }
}
