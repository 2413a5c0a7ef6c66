//! Agents that do what a test wants: programs for `--agent cmd:…`.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use rustix::fs::{CWD, Mode, mkfifoat};

/// A shell script as agent.
#[derive(Debug)]
pub struct Script {
    directory: tempfile::TempDir,
}

impl Script {
    /// An agent that runs `script` for each message, which it finds as JSON in `$message`, with the friend in `$user`.
    pub fn new(script: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let prologue = "read -r question\n\
            user=${question#*friend:}; user=${user%%\\\"*}\n\
            message=${question#*\\\"message\\\":}; message=${message%\\}}\n";
        fs::write(directory.path().join("agent"), format!("{prologue}{script}\n")).unwrap();
        Self { directory }
    }

    /// The value for `--agent`.
    pub fn agent(&self) -> String {
        format!("cmd:sh {}", self.directory.path().join("agent").display())
    }

    /// The path of a file beside the script, which is `${0%/*}/NAME` to it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Makes a pipe of that name beside the script and gives its path.
    pub fn pipe(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
        path
    }

    /// Makes a gate where the script waits by reading a line from `${0%/*}/NAME`.
    pub fn gate(&self, name: &str) -> Gate {
        let path = self.pipe(name);
        // Open for reading as well, so that neither side waits for the other to open it.
        Gate {
            pipe: OpenOptions::new().read(true).write(true).open(&path).unwrap(),
        }
    }
}

/// An agent that repeats what it is told, and before that waits at the friend's gate if there is one.
#[derive(Debug)]
pub struct Gates {
    script: Script,
}

/// Where answers wait. Dropped, it lets nothing through any more: what waits there fails.
#[derive(Debug)]
pub struct Gate {
    pipe: File,
}

impl Gates {
    /// An agent without gates so far.
    pub fn new() -> Self {
        let script = Script::new(
            r#"gate="${0%/*}/$user"
            if [ -p "$gate" ]; then
                echo '{"status":"at the gate"}'
                read -r _ < "$gate" || exit 1
            fi
            printf '{"delta":"You said: "}\n{"delta":%s}\n' "$message""#,
        );
        Self { script }
    }

    /// The value for `--agent`.
    pub fn agent(&self) -> String {
        self.script.agent()
    }

    /// Makes every answer to a friend wait from now on.
    pub fn close(&self, user: &str) -> Gate {
        self.script.gate(user)
    }
}

impl Default for Gates {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// Lets one answer through: the one that waits, or else the next.
    pub fn let_one_through(&mut self) {
        self.pipe.write_all(b"\n").unwrap();
    }
}
