//! Any server of the OpenAI chat-completions protocol: a model on this machine, a company's, or another agent's gateway.
//!
//! What a friend writes goes there as a friend's words and never as the system's, and a friend's turn is offered no tool but
//! to take a note about that friend; the owner's turn is offered the owner's. A request is tried again only while nothing of the answer has been seen.

mod endpoint;
mod failure;
mod marks;
mod messages;
mod reply;
mod server;
mod tools;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tokio::sync::mpsc;

pub use endpoint::{Endpoint, Key};

use super::{Agent, AgentError, Answering, Notes, Piece, Turn};
use failure::Failure;
use marks::Marks;
use reply::{Chunk, Reply};
use server::{FIRST, Server, json_of, next_bytes};
use tools::{Call, Tools};

use crate::sse::Decoder;

/// Longest silence in the middle of an answer.
const SILENCE: Duration = Duration::from_secs(60);
/// Most bytes of an answer in pieces, whatever they say, and longest time for it. A long answer has a few thousand pieces of some
/// hundred bytes.
const STREAM_BYTES: usize = 32 << 20;
const LONGEST: Duration = Duration::from_secs(30 * 60);
/// Tries for one answer.
const TRIES: u32 = 4;
/// Pause before the second try; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause that a server is granted with `Retry-After`: a friend waits.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// Answers by asking a model.
#[derive(Debug)]
pub struct OpenAi {
    server: Server,
    /// What the model is told it is called.
    name: String,
    notes: Notes,
    /// The server has said that its model takes no tools.
    without_tools: AtomicBool,
}

impl OpenAi {
    /// An agent at an endpoint, which is not asked before the first message.
    ///
    /// # Errors
    /// When this machine has no roots of trust, or its TLS cannot be set up.
    pub fn new(endpoint: Endpoint, key: Option<Key>, name: String, notes: Notes) -> Result<Self, AgentError> {
        Ok(Self {
            server: Server::new(endpoint, key)?,
            name,
            notes,
            without_tools: AtomicBool::new(false),
        })
    }

    async fn run(&self, turn: Turn, pieces: mpsc::Sender<Piece>) -> Result<(), AgentError> {
        let tools = Tools::new(&self.notes, &turn);
        let marks = Marks::new(&turn.user_id);
        let remembered = tools.remembered().await;
        let mut messages = messages::of(&turn, &marks, &self.name, remembered.as_deref());
        let mut has_text = false;
        let rounds = tools.rounds();
        for round in 0..=rounds {
            let offer = (round < rounds).then(|| tools.offered());
            let calls = self
                .ask(&turn.user_id, &messages, offer, &pieces, &mut has_text)
                .await?;
            if calls.is_empty() {
                return Ok(());
            }
            messages.push(json!({ "role": "assistant", "content": null, "tool_calls": calls.iter().map(shown).collect::<Value>() }));
            for call in &calls {
                let outcome = marks.result(&tools.carry_out(call).await);
                messages.push(json!({ "role": "tool", "tool_call_id": call.id, "content": outcome }));
            }
        }
        Err(AgentError("the model calls tools and gives no answer".to_owned()))
    }

    /// Asks until there is an answer, as often as that makes sense; gives the tools that it calls.
    async fn ask(
        &self,
        user_id: &str,
        messages: &[Value],
        offer: Option<Value>,
        pieces: &mpsc::Sender<Piece>,
        has_text: &mut bool,
    ) -> Result<Vec<Call>, AgentError> {
        let mut pause = FIRST_PAUSE;
        let mut tries_left = TRIES;
        loop {
            tries_left -= 1;
            let offer = offer.as_ref().filter(|_| !self.without_tools.load(Ordering::Relaxed));
            let mut reply = Reply::after(*has_text);
            let attempt = self.attempt(user_id, messages, offer, pieces, &mut reply).await;
            *has_text |= reply.has_begun();
            let failure = match attempt {
                Ok(calls) => return Ok(calls),
                Err(failure) => failure,
            };
            if offer.is_some() && failure.is_about_tools() {
                tracing::info!(%failure, "the agent uses no tools");
                self.without_tools.store(true, Ordering::Relaxed);
                tries_left += 1;
                continue;
            }
            let Some(wanted) = failure.retry_after().filter(|_| tries_left > 0 && !reply.has_begun()) else {
                return Err(AgentError(failure.to_string()));
            };
            tracing::info!(%failure, tries_left, "the agent is asked again");
            tokio::time::sleep(wanted.unwrap_or(pause).min(LONGEST_PAUSE)).await;
            pause = pause.saturating_mul(2);
        }
    }

    /// Asks once.
    async fn attempt(
        &self,
        user_id: &str,
        messages: &[Value],
        offer: Option<&Value>,
        pieces: &mpsc::Sender<Piece>,
        reply: &mut Reply,
    ) -> Result<Vec<Call>, Failure> {
        let model = self.server.model().await?;
        let mut body = json!({ "model": model, "stream": true, "user": user_id, "messages": messages });
        if let (Some(offer), Some(fields)) = (offer, body.as_object_mut()) {
            fields.insert("tools".to_owned(), offer.clone());
        }
        let response = self.server.complete(&body).await?;
        let is_stream = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.trim_start().starts_with("text/event-stream"));
        if is_stream {
            return self.follow(response, pieces, reply).await;
        }
        let whole = json_of(response).await?;
        take(reply.whole(&whole)?, pieces).await;
        reply.end()
    }

    /// Reads an answer that comes in pieces. Ends early when nobody takes them any more.
    async fn follow(
        &self,
        response: Response,
        pieces: &mpsc::Sender<Piece>,
        reply: &mut Reply,
    ) -> Result<Vec<Call>, Failure> {
        let mut stream = response.bytes_stream();
        let mut decoder = Decoder::default();
        let (begin, mut bytes_left) = (Instant::now(), STREAM_BYTES);
        loop {
            let patience = if reply.has_begun() { SILENCE } else { FIRST };
            let Some(bytes) = next_bytes(&mut stream, patience).await? else {
                return reply.end();
            };
            bytes_left = bytes_left.checked_sub(bytes.len()).ok_or(Failure::TooLong)?;
            if begin.elapsed() > LONGEST {
                return Err(Failure::TooLong);
            }
            for data in decoder.feed(&bytes)? {
                match reply.chunk(&data)? {
                    Chunk::End => return reply.end(),
                    Chunk::Piece(piece) => {
                        if !take(Some(piece), pieces).await {
                            return Ok(Vec::new());
                        }
                    }
                    Chunk::Nothing => {}
                }
            }
        }
    }
}

impl Agent for OpenAi {
    fn answer(&self, turn: Turn, pieces: mpsc::Sender<Piece>) -> Answering<'_> {
        Box::pin(self.run(turn, pieces))
    }

    fn wants_history(&self) -> bool {
        true
    }
}

/// A call as it goes back to the model that made it.
fn shown(call: &Call) -> Value {
    json!({ "id": call.id, "type": "function", "function": { "name": call.name, "arguments": call.arguments } })
}

/// Hands a piece on; whether somebody takes more.
async fn take(piece: Option<Piece>, pieces: &mpsc::Sender<Piece>) -> bool {
    match piece {
        Some(piece) => pieces.send(piece).await.is_ok(),
        None => true,
    }
}
