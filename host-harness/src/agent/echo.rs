//! The agent that repeats what it is told, word by word, so that streaming can be seen without a model.

use std::time::Duration;

use tokio::sync::mpsc;

use super::{Agent, Answering, Piece, Turn};

/// Time between two words when nothing is said: a quick reader's pace.
pub(super) const PACE: Duration = Duration::from_millis(30);

/// Longer messages come in larger pieces, so that no answer takes longer than two seconds.
const MOST_PIECES: usize = 64;

/// Repeats what it is told.
#[derive(Debug, Clone, Copy)]
pub struct Echo {
    pace: Duration,
}

impl Echo {
    /// One that takes this long from word to word.
    pub fn at(pace: Duration) -> Self {
        Self { pace }
    }
}

/// At the pace of a quick reader.
impl Default for Echo {
    fn default() -> Self {
        Self::at(PACE)
    }
}

impl Agent for Echo {
    fn answer(&self, turn: Turn, pieces: mpsc::Sender<Piece>) -> Answering<'_> {
        Box::pin(async move {
            let text = format!("You said: {}", turn.message);
            let words: Vec<&str> = text.split_inclusive(char::is_whitespace).collect();
            for (index, piece) in words.chunks(words.len().div_ceil(MOST_PIECES).max(1)).enumerate() {
                // To sleep for no time takes until the timer's next tick.
                if index > 0 && !self.pace.is_zero() {
                    tokio::time::sleep(self.pace).await;
                }
                if pieces.send(Piece::Delta(piece.concat())).await.is_err() {
                    break;
                }
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

    use super::*;

    async fn echo(message: &str) -> Vec<String> {
        let (sender, mut receiver) = mpsc::channel(1000);
        let turn = Turn {
            user_id: "friend:john".to_owned(),
            message: message.to_owned(),
            history: Vec::new(),
            hands: None,
        };
        Echo::at(Duration::ZERO).answer(turn, sender).await.unwrap();
        let mut pieces = Vec::new();
        while let Some(Piece::Delta(piece)) = receiver.recv().await {
            pieces.push(piece);
        }
        pieces
    }

    #[tokio::test]
    async fn the_answer_is_the_message_in_several_pieces() {
        let pieces = echo("good  morning,\nagent").await;
        assert!(pieces.len() > 2);
        assert_eq!(pieces.concat(), "You said: good  morning,\nagent");
        assert!(echo(&"word ".repeat(10_000)).await.len() <= MOST_PIECES);
    }
}
