//! Data directories, and the harness's program on them.

use std::fs::{self, File};
use std::io::{Seek, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Once};

use crate::{Harness, Outcome, Process};

/// Variables of the environment that the harness reads: a test says all that matters itself.
const VARIABLES: [&str; 21] = [
    "DOCKER_CONFIG",
    "HARNESS_AGENT",
    "HARNESS_AGENT_KEY",
    "HARNESS_AGENT_KEY_FILE",
    "HARNESS_BASE_URL",
    "HARNESS_CONFIG",
    "HARNESS_DATA",
    "HARNESS_LOG_FORMAT",
    "HARNESS_MCP_PORT",
    "HARNESS_METRICS",
    "HARNESS_NATS",
    "HARNESS_NATS_CA",
    "HARNESS_NATS_CREDENTIALS",
    "HARNESS_PLUGIN",
    "HARNESS_PORT",
    "HARNESS_TENANT",
    "HARNESS_TLS_CERT",
    "HARNESS_TLS_KEY",
    "HARNESS_TRUSTED_PROXIES",
    "HOST",
    "RUST_LOG",
];

/// A data directory of one test. Clones share it; it goes with the last one.
#[derive(Debug, Clone)]
pub struct Data {
    directory: Arc<tempfile::TempDir>,
}

impl Data {
    /// A new data directory for a harness that finds its plugin compiled.
    pub fn new() -> Self {
        static WARM: Once = Once::new();
        WARM.call_once(compile_once);
        Self::with_shared_cache()
    }

    /// A new data directory where nothing is compiled yet.
    pub fn cold() -> Self {
        Self {
            directory: Arc::new(tempfile::tempdir().unwrap()),
        }
    }

    fn with_shared_cache() -> Self {
        let data = Self::cold();
        symlink(shared_cache(), data.path().join("cache")).unwrap();
        data
    }

    /// The same directory with a configuration file.
    pub fn with_config(self, toml: &str) -> Self {
        fs::write(self.path().join("config.toml"), toml).unwrap();
        self
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.path().join("plugin/friends.db")
    }

    /// What SQLite finds wrong with the database as it lies there, or `ok`. It looks at a copy.
    pub fn integrity(&self) -> String {
        let copy = tempfile::tempdir().unwrap();
        for file in fs::read_dir(self.path().join("plugin")).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
        }
        let mut command = Command::new("sqlite3");
        command
            .arg(copy.path().join("friends.db"))
            .arg("PRAGMA integrity_check");
        Process::start(command).wait().success()
    }

    /// A command of the harness on this data.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Self::bare_command(arguments);
        command.arg("--data").arg(self.path());
        command
    }

    /// A command of the harness that is not told where the data lies.
    pub fn bare_command(arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(arguments);
        for variable in VARIABLES {
            command.env_remove(variable);
        }
        command
    }

    /// Carries out a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        Process::start(self.command(arguments)).wait()
    }

    /// Carries out `chat` with these lines from a pipe, to its end.
    pub fn chat(&self, arguments: &[&str], lines: &str) -> Outcome {
        let mut input = tempfile::tempfile().unwrap();
        input.write_all(lines.as_bytes()).unwrap();
        input.rewind().unwrap();
        let command = self.command(&[&["chat"], arguments].concat());
        Process::start_with(command, input).wait()
    }

    /// A harness that serves this data on a free port.
    pub fn serve(&self, arguments: &[&str]) -> Harness {
        Harness::start_on(self, 0, arguments)
    }
}

impl Default for Data {
    fn default() -> Self {
        Self::new()
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// `<target>/<profile>`: tests run in its directory `deps`.
fn profile_dir() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().to_owned()
}

fn program() -> PathBuf {
    let program = profile_dir().join("host-harness");
    assert!(
        program.is_file(),
        "{} is missing: run `cargo build -p host-harness` before",
        program.display()
    );
    program
}

/// Where everything that is built lies.
pub(crate) fn target_dir() -> PathBuf {
    profile_dir().parent().unwrap().to_owned()
}

/// A component that `make build` has made of a package of this workspace.
pub fn wasm(name: &str) -> PathBuf {
    built(format!("wasm32-wasip2/debug/{name}.wasm"))
}

/// A plugin that misbehaves.
pub fn fixture(name: &str) -> PathBuf {
    built(format!("fixtures/wasm32-wasip2/debug/{name}.wasm"))
}

fn built(name: String) -> PathBuf {
    let file = target_dir().join(name);
    assert!(file.is_file(), "{} is missing: run `make build` before", file.display());
    file
}

/// To compile the plugin takes seconds, and most tests are about something else.
pub(crate) fn shared_cache() -> PathBuf {
    target_dir().join("tmp/compiled-plugin")
}

fn compile_once() {
    let cache = shared_cache();
    fs::create_dir_all(&cache).unwrap();
    // Test programs may run at the same time.
    let lock = File::create(cache.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    Data::with_shared_cache().run(&["list"]).success();
}
