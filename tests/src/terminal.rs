//! The owner at a terminal: a pseudo-terminal as standard input, so that the program knows that somebody sits there.

use std::fs::{File, OpenOptions};
use std::io::Write;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::{Data, Lines, Outcome, Process, Signal};

/// A running `chat`.
#[derive(Debug)]
pub struct Terminal {
    process: Process,
    keyboard: File,
}

impl Terminal {
    /// Starts `chat` on this data.
    pub fn chat(data: &Data, arguments: &[&str]) -> Self {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let name = ptsname(&keyboard, Vec::new()).unwrap();
        let input = OpenOptions::new()
            .read(true)
            .write(true)
            .open(name.to_str().unwrap())
            .unwrap();
        let command = data.command(&[&["chat"], arguments].concat());
        Self {
            process: Process::start_with(command, input),
            keyboard: keyboard.into(),
        }
    }

    /// Types a line.
    pub fn enter(&mut self, line: &str) {
        self.keyboard.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// What is shown so far, and will be.
    pub fn shown(&self) -> &Lines {
        &self.process.stdout
    }

    /// Presses Ctrl-C.
    pub fn interrupt(&self) {
        self.process.signal(Signal::INT);
    }

    /// Presses Ctrl-D and waits for the end.
    pub fn end(mut self) -> Outcome {
        self.keyboard.write_all(b"\x04").unwrap();
        self.process.wait()
    }
}
