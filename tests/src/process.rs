//! A process that is ended with the test that started it.

use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::Lines;

/// A running process.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// What it writes on standard output.
    pub stdout: Lines,
    /// What it writes on standard error.
    pub stderr: Lines,
}

/// How a process ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Its exit status; none when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote on standard output.
    pub stdout: String,
    /// What it wrote on standard error.
    pub stderr: String,
}

impl Process {
    /// Starts a program without input.
    pub fn start(command: Command) -> Self {
        Self::start_with(command, Stdio::null())
    }

    /// Starts a program that reads this.
    pub fn start_with(mut command: Command, input: impl Into<Stdio>) -> Self {
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("starting {command:?}: {error}"));
        let stdout = Lines::collect(child.stdout.take().unwrap());
        let stderr = Lines::collect(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Outcome {
        self.stdout.end();
        self.stderr.end();
        let status = self.child.wait().unwrap();
        Outcome {
            code: status.code(),
            stdout: self.stdout.text(),
            stderr: self.stderr.text(),
        }
    }

    /// Ends it on the spot, as a power cut does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Outcome {
    /// The output of a command that succeeded.
    pub fn success(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// The one sentence of a command that failed.
    pub fn failure(self) -> String {
        assert_eq!(self.code, Some(1), "{self:?}");
        let errors: Vec<&str> = self.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!(errors.len(), 1, "{self:?}");
        assert!(
            self.stderr.ends_with(errors[0]),
            "something follows the sentence: {self:?}"
        );
        let parts: Vec<&str> = errors[0].split(": ").collect();
        let mut different = parts.clone();
        different.sort_unstable();
        different.dedup();
        assert_eq!(different.len(), parts.len(), "something is said twice: {self:?}");
        errors[0].to_owned()
    }
}
