//! The owner's terminal, or a pipe in its place: lines come in, text goes out, and Ctrl-C is noticed.

use std::collections::VecDeque;
use std::io::{self, BufRead, IsTerminal, Write};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// Asks for a line.
const PROMPT: &str = "> ";

/// Where the owner types and reads.
#[derive(Debug)]
pub(super) struct Terminal {
    lines: mpsc::UnboundedReceiver<String>,
    /// Typed before they were asked for.
    early: VecDeque<String>,
    interrupts: Signal,
    is_interactive: bool,
}

/// What comes in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    Line(String),
    Interrupt,
    End,
}

impl Terminal {
    /// Standard input and output.
    pub(super) fn open() -> io::Result<Self> {
        let (sender, lines) = mpsc::unbounded_channel();
        // Reading cannot be given up; the thread ends with the process, or with its input.
        std::thread::Builder::new().name("input".to_owned()).spawn(move || {
            let mut stdin = io::stdin().lock();
            let mut line = Vec::new();
            while matches!(stdin.read_until(b'\n', &mut line), Ok(read) if read > 0) {
                let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
                line.clear();
                if sender.send(text).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self {
            lines,
            early: VecDeque::new(),
            interrupts: signal(SignalKind::interrupt())?,
            is_interactive: io::stdin().is_terminal(),
        })
    }

    /// Whether somebody sits there.
    pub(super) fn is_interactive(&self) -> bool {
        self.is_interactive
    }

    /// The next line.
    pub(super) async fn line(&mut self) -> io::Result<Input> {
        if self.is_interactive {
            self.show(PROMPT)?;
        }
        match self.early.pop_front() {
            Some(line) => Ok(Input::Line(line)),
            None => Ok(self.input().await),
        }
    }

    /// Asks a question; what was typed before it was there is no answer to it. Nobody who sits there means no.
    pub(super) async fn consents(&mut self, question: &str) -> io::Result<Input> {
        if !self.is_interactive {
            return Ok(Input::End);
        }
        while let Ok(line) = self.lines.try_recv() {
            self.early.push_back(line);
        }
        self.show(&format!("{question} [y/N] "))?;
        Ok(self.input().await)
    }

    /// Waits for Ctrl-C.
    pub(super) async fn interrupted(&mut self) {
        self.interrupts.recv().await;
    }

    /// Shows text as it is, except for what would command the terminal: the text may be anybody's.
    pub(super) fn show(&self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(harmless(text).as_bytes())?;
        stdout.flush()
    }

    /// The same with the end of a line.
    pub(super) fn show_line(&self, text: &str) -> io::Result<()> {
        self.show(&format!("{text}\n"))
    }

    async fn input(&mut self) -> Input {
        tokio::select! {
            line = self.lines.recv() => line.map_or(Input::End, Input::Line),
            _ = self.interrupts.recv() => Input::Interrupt,
        }
    }
}

/// The text without control characters and without those that turn the direction of writing.
pub(super) fn harmless(text: &str) -> String {
    let is_harmful = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\t')) || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .map(|c| if is_harmful(c) { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_commands_the_terminal() {
        let text = "a\u{1b}[2J\u{9b}1mb\r\u{202e}c\td\n";
        assert_eq!(harmless(text), "a\u{fffd}[2J\u{fffd}1mb\u{fffd}\u{fffd}c\td\n");
    }
}
