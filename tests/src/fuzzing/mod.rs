//! Arbitrary input, and what holds whatever it is. There are three targets: [requests](REQUESTS) at the real component in
//! the real host, bytes at the host's [HTTP front](FRONT), and deeds and faults at the virtual [file system](VFS) under
//! SQLite.
//!
//! An input is a script in plain text, so that a seed can be read and an input that failed can be kept as one. `make fuzz`
//! lets libFuzzer look for inputs; `make test` tries the seeds and [mutations](mutate) of them.

mod account;
mod agent;
mod browser;
mod check;
mod front;
mod held;
mod log;
mod mutate;
mod requests;
mod run;
mod script;
mod vfs;
mod world;

use std::fs;
use std::path::Path;

pub use mutate::Mutations;

/// Sequences of requests, sockets, owner's commands and agent's words. Nothing that anybody sends may trap the component,
/// make it fail, give a secret away or end a session.
pub const REQUESTS: Target = Target {
    name: "requests",
    run: requests::run,
    pieces: &requests::PIECES,
};

/// Bytes on connections, in pieces, with pauses and ends anywhere.
pub const FRONT: Target = Target {
    name: "front",
    run: front::run,
    pieces: front::PIECES,
};

/// What is done to a database and to the disk under it.
pub const VFS: Target = Target {
    name: "vfs",
    run: vfs::run,
    pieces: vfs::PIECES,
};

/// Something that scripts are carried out at.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    name: &'static str,
    run: fn(&[u8]),
    pieces: &'static [&'static str],
}

impl Target {
    /// Carries out a script and panics when something is not as it should be.
    pub fn run(&self, script: &[u8]) {
        let _shown = Shown(script);
        (self.run)(script);
    }

    /// The scripts of `fuzz/seeds`, with their names.
    pub fn seeds(&self) -> Vec<(String, String)> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../fuzz/seeds")
            .join(self.name);
        let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
        let mut seeds: Vec<(String, String)> = entries
            .map(|entry| {
                (
                    entry.file_name().into_string().unwrap(),
                    fs::read_to_string(entry.path()).unwrap(),
                )
            })
            .collect();
        seeds.sort();
        assert!(!seeds.is_empty());
        seeds
    }

    /// Changed seeds, always the same.
    pub fn mutations(&self) -> Mutations {
        let seeds: Vec<String> = self.seeds().into_iter().map(|(_, script)| script).collect();
        Mutations::of(&seeds, self.pieces)
    }

    /// Carries out every seed.
    pub fn run_seeds(&self) {
        for (name, script) in self.seeds() {
            println!("{name}");
            self.run(script.as_bytes());
        }
    }
}

/// Shows the script of a run that fails.
struct Shown<'a>(&'a [u8]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this script fails:\n{}", String::from_utf8_lossy(self.0));
        }
    }
}
