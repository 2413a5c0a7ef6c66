//! The owner at the socket of the running harness, which the commands use too: without starting a program each time.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::{DEADLINE, Data, Invite};

/// The owner of one data directory.
#[derive(Debug)]
pub struct Owner {
    socket: PathBuf,
}

impl Owner {
    /// The owner of this data.
    pub fn new(data: &Data) -> Self {
        Self {
            socket: data.path().join("owner.sock"),
        }
    }

    /// Sends a friend a message of the agent's own, and gives what the harness reports of it.
    ///
    /// # Errors
    /// When no harness runs there, or it ends before it has reported; and the refusal.
    pub fn nudge(&self, user: &str, text: &str) -> io::Result<String> {
        self.ask(&json!({ "nudge": { "user": user, "text": text, "source": "test", "priority": "normal" } }))
    }

    /// Invites a friend.
    pub fn invite(&self, user: &str) -> Invite {
        let arguments = json!({ "username": user }).to_string();
        let command = json!({ "tool-ending": { "suffix": "_invite", "arguments": arguments } });
        Invite::parse(&self.ask(&command).unwrap())
    }

    /// Carries out a command, as the program sends it.
    fn ask(&self, command: &Value) -> io::Result<String> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.write_all(format!("{command}\n").as_bytes())?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        if !line.ends_with('\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let answer: Value = serde_json::from_str(&line)?;
        match answer["Ok"].as_str() {
            Some(report) => Ok(report.to_owned()),
            None => Err(io::Error::other(format!("refused: {answer}"))),
        }
    }
}
