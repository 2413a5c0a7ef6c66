//! A program as agent: one process a message, JSON lines on its standard input and output.
//!
//! It reads `{"user":"friend:john","message":"hello"}` and writes any number of `{"status":"…"}` and
//! `{"delta":"…"}`, and may end with `{"error":"…"}`. Its end is the end of the answer.

use std::process::Stdio;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;

use super::{Agent, AgentError, Answering, Piece, Turn};

/// Bytes of a line; a piece of an answer is far shorter.
const LINE_BYTES: u64 = 1 << 20;

const UNKNOWN_LINE: &str = r#"a line is none of {"status":"…"}, {"delta":"…"} and {"error":"…"}"#;

/// A program that answers.
#[derive(Debug)]
pub struct Command {
    words: Vec<String>,
}

#[derive(Serialize)]
struct Question<'a> {
    user: &'a str,
    message: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Line {
    Status(String),
    Delta(String),
    Error(String),
}

impl Command {
    /// A program and its arguments.
    pub fn new(words: Vec<String>) -> Self {
        Self { words }
    }

    async fn run(&self, turn: Turn, pieces: mpsc::Sender<Piece>) -> Result<(), AgentError> {
        let (program, arguments) = self
            .words
            .split_first()
            .ok_or_else(|| AgentError("no program is named".to_owned()))?;
        let failed = |doing: &str, error: &dyn std::fmt::Display| AgentError(format!("{doing} `{program}`: {error}"));
        let mut child = tokio::process::Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed("starting", &error))?;
        if let Some(mut stdin) = child.stdin.take() {
            let question = Question {
                user: &turn.user_id,
                message: &turn.message,
            };
            let mut line = serde_json::to_vec(&question).map_err(|error| failed("asking", &error))?;
            line.push(b'\n');
            // A program that does not read its question may still answer.
            let _ = stdin.write_all(&line).await;
        }
        if let Some(stdout) = child.stdout.take() {
            let mut reader = BufReader::new(stdout);
            let mut line = String::new();
            loop {
                line.clear();
                let read = (&mut reader).take(LINE_BYTES).read_line(&mut line).await;
                if read.map_err(|error| failed("reading from", &error))? == 0 {
                    break;
                }
                // Errors are logged, and the parser's own say what it read: that may be part of a conversation.
                let piece = match serde_json::from_str(&line).map_err(|_| failed("understanding", &UNKNOWN_LINE))? {
                    Line::Status(text) => Piece::Status(text),
                    Line::Delta(text) => Piece::Delta(text),
                    Line::Error(text) => return Err(failed("an error of", &text)),
                };
                if pieces.send(piece).await.is_err() {
                    return Ok(());
                }
            }
        }
        let status = child.wait().await.map_err(|error| failed("waiting for", &error))?;
        if status.success() {
            Ok(())
        } else {
            Err(failed("the end of", &status))
        }
    }
}

impl Agent for Command {
    fn answer(&self, turn: Turn, pieces: mpsc::Sender<Piece>) -> Answering<'_> {
        Box::pin(self.run(turn, pieces))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    async fn ask(script: &str) -> (Vec<Piece>, Result<(), AgentError>) {
        let command = Command::new(vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()]);
        let (sender, mut receiver) = mpsc::channel(100);
        let turn = Turn {
            user_id: "friend:john".to_owned(),
            message: "hi".to_owned(),
            history: Vec::new(),
            hands: None,
        };
        let result = command.answer(turn, sender).await;
        let mut pieces = Vec::new();
        while let Some(piece) = receiver.recv().await {
            pieces.push(piece);
        }
        (pieces, result)
    }

    #[tokio::test]
    async fn lines_become_pieces() {
        let (pieces, result) =
            ask(r#"echo '{"status":"thinking"}'; echo '{"delta":"hel"}'; echo '{"delta":"lo"}'"#).await;
        assert!(result.is_ok());
        let expected = [
            Piece::Status("thinking".into()),
            Piece::Delta("hel".into()),
            Piece::Delta("lo".into()),
        ];
        assert_eq!(pieces, expected);
    }

    #[tokio::test]
    async fn the_program_reads_who_asks_and_what() {
        let (pieces, _) =
            ask(r#"read -r line; [ "$line" = '{"user":"friend:john","message":"hi"}' ] && echo '{"delta":"yes"}'"#)
                .await;
        assert_eq!(pieces, [Piece::Delta("yes".into())]);
    }

    #[tokio::test]
    async fn what_goes_wrong_is_an_error_and_what_was_said_is_kept() {
        for script in [
            r#"echo '{"delta":"a"}'; exit 3"#,
            r#"echo '{"delta":"a"}'; echo rubbish"#,
            r#"echo '{"delta":"a"}'; echo '{"error":"no"}'"#,
        ] {
            let (pieces, result) = ask(script).await;
            assert_eq!(pieces, [Piece::Delta("a".into())], "{script}");
            assert!(result.is_err(), "{script}");
        }
    }

    #[tokio::test]
    async fn an_error_does_not_repeat_what_was_said() {
        for script in [
            r#"echo '"marzipan"'"#,
            r#"echo '{"marzipan":1}'"#,
            r#"echo '{"delta":["marzipan"]}'"#,
        ] {
            let (_, result) = ask(script).await;
            let error = result.unwrap_err().to_string();
            assert!(
                error.contains(r#"{"delta":"…"}"#) && !error.contains("marzipan"),
                "{error}"
            );
        }
    }
}
