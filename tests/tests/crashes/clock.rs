//! A wall clock that jumps, for one program: libfaketime reads from a file by how much it is wrong. What measures time
//! goes on as it did.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Seconds after which a jump is noticed, at most.
const NOTICED_AFTER_S: &str = "1";

#[derive(Debug)]
pub(crate) struct Clock {
    library: PathBuf,
    file: tempfile::NamedTempFile,
}

impl Clock {
    /// A clock that is right so far.
    pub(crate) fn new() -> Self {
        let places = fs::read_dir("/usr/lib").unwrap().map(|place| place.unwrap().path());
        let library = places
            .map(|place| place.join("faketime/libfaketime.so.1"))
            .find(|library| library.is_file())
            .expect("libfaketime is missing: run `./setup soak` before");
        let clock = Self {
            library,
            file: tempfile::NamedTempFile::new().unwrap(),
        };
        clock.jump_to(0);
        clock
    }

    /// Lets it be wrong by so many seconds from now on.
    pub(crate) fn jump_to(&self, seconds: i64) {
        // Exchanged at once: nobody reads half of it.
        let next = self.file.path().with_extension("next");
        fs::write(&next, format!("{seconds:+}s\n")).unwrap();
        fs::rename(&next, self.file.path()).unwrap();
    }

    /// Gives it to a program and those that the program starts.
    pub(crate) fn give(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", self.file.path())
            .env("FAKETIME_CACHE_DURATION", NOTICED_AFTER_S)
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1");
    }
}
