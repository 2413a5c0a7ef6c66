//! Any server of the OpenAI chat-completions protocol: a model on this machine, a company's, or another agent's gateway.
//!
//! What a friend writes goes there as a friend's words and never as the system's, and a friend's turn is offered no tool. A
//! request is tried again only while nothing of the answer has been seen.

mod endpoint;
mod events;
mod failure;
mod messages;
mod reply;

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::{OnceCell, mpsc};
use tokio::time::timeout;

pub use endpoint::{Endpoint, Key};

use super::{Agent, AgentError, Answering, Piece, Turn};
use events::Decoder;
use failure::Failure;
use reply::{Chunk, Reply};

/// Time to connect.
const CONNECT: Duration = Duration::from_secs(10);
/// Time until something of the answer comes: a model on a small machine is loaded first.
const FIRST: Duration = Duration::from_secs(180);
/// Longest silence in the middle of an answer.
const SILENCE: Duration = Duration::from_secs(60);
/// Tries for one answer.
const TRIES: u32 = 4;
/// Pause before the second try; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause that a server is granted with `Retry-After`: a friend waits.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// Bytes of an answer that does not come in pieces, and of an error.
const BODY_BYTES: usize = 4 << 20;

/// Answers by asking a model.
#[derive(Debug)]
pub struct OpenAi {
    endpoint: Endpoint,
    key: Option<Key>,
    /// What the model is told it is called.
    name: String,
    client: Client,
    model: OnceCell<String>,
}

impl OpenAi {
    /// An agent at an endpoint, which is not asked before the first message.
    ///
    /// # Errors
    /// When this machine has no roots of trust, or its TLS cannot be set up.
    pub fn new(endpoint: Endpoint, key: Option<Key>, name: String) -> Result<Self, AgentError> {
        // Fails only where another part of the program has chosen already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .connect_timeout(CONNECT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| AgentError(failure::explained(&error)))?;
        let model = OnceCell::new_with(endpoint.model.clone());
        Ok(Self {
            endpoint,
            key,
            name,
            client,
            model,
        })
    }

    async fn run(&self, turn: Turn, pieces: mpsc::Sender<Piece>) -> Result<(), AgentError> {
        let mut pause = FIRST_PAUSE;
        for tries_left in (0..TRIES).rev() {
            let mut reply = Reply::default();
            let failure = match self.attempt(&turn, &pieces, &mut reply).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            let Some(wanted) = failure.retry_after().filter(|_| tries_left > 0 && !reply.has_begun()) else {
                return Err(AgentError(failure.to_string()));
            };
            tracing::info!(%failure, tries_left, "the agent is asked again");
            tokio::time::sleep(wanted.unwrap_or(pause).min(LONGEST_PAUSE)).await;
            pause = pause.saturating_mul(2);
        }
        Ok(())
    }

    /// Asks once.
    async fn attempt(&self, turn: &Turn, pieces: &mpsc::Sender<Piece>, reply: &mut Reply) -> Result<(), Failure> {
        let model = self.model.get_or_try_init(|| self.first_model()).await?;
        let body = json!({
            "model": model,
            "stream": true,
            "user": turn.user_id,
            "messages": messages::of(turn, &self.name),
        });
        let request = self
            .client
            .post(self.endpoint.path("chat/completions"))
            .header(ACCEPT, "text/event-stream, application/json")
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_string());
        let response = self.send(request).await?;
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
    async fn follow(&self, response: Response, pieces: &mpsc::Sender<Piece>, reply: &mut Reply) -> Result<(), Failure> {
        let mut stream = response.bytes_stream();
        let mut decoder = Decoder::default();
        loop {
            let patience = if reply.has_begun() { SILENCE } else { FIRST };
            let bytes = match timeout(patience, stream.next()).await {
                Err(_) => return Err(Failure::Silent(patience)),
                Ok(None) => return reply.end(),
                Ok(Some(Err(error))) => return Err(Failure::Broken(failure::explained(&error))),
                Ok(Some(Ok(bytes))) => bytes,
            };
            for data in decoder.feed(&bytes)? {
                match reply.chunk(&data)? {
                    Chunk::End => return reply.end(),
                    Chunk::Piece(piece) => {
                        if !take(Some(piece), pieces).await {
                            return Ok(());
                        }
                    }
                    Chunk::Nothing => {}
                }
            }
        }
    }

    /// The first model that the server names.
    async fn first_model(&self) -> Result<String, Failure> {
        let response = self.send(self.client.get(self.endpoint.path("models"))).await?;
        let list = json_of(response).await?;
        let model = list.pointer("/data/0/id").and_then(Value::as_str);
        model.map(str::to_owned).ok_or(Failure::NoModel)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Response, Failure> {
        let request = match &self.key {
            Some(key) => request.bearer_auth(key.reveal()),
            None => request,
        };
        let response = match timeout(FIRST, request.send()).await {
            Err(_) => return Err(Failure::Silent(FIRST)),
            Ok(Err(error)) => return Err(Failure::Unreachable(failure::explained(&error))),
            Ok(Ok(response)) => response,
        };
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(Duration::from_secs);
        let words = match json_of(response).await {
            Ok(body) => reply::error_in(&body).unwrap_or_default(),
            Err(_) => String::new(),
        };
        Err(if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            Failure::Busy {
                status,
                words,
                retry_after,
            }
        } else {
            Failure::Refused { status, words }
        })
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

/// Hands a piece on; whether somebody takes more.
async fn take(piece: Option<Piece>, pieces: &mpsc::Sender<Piece>) -> bool {
    match piece {
        Some(piece) => pieces.send(piece).await.is_ok(),
        None => true,
    }
}

/// A body that is JSON, within bounds of size and time.
async fn json_of(response: Response) -> Result<Value, Failure> {
    let mut stream = response.bytes_stream();
    let mut body = Vec::new();
    loop {
        match timeout(FIRST, stream.next()).await {
            Err(_) => return Err(Failure::Silent(FIRST)),
            Ok(None) => break,
            Ok(Some(Err(error))) => return Err(Failure::Broken(failure::explained(&error))),
            Ok(Some(Ok(bytes))) => body.extend_from_slice(&bytes),
        }
        if body.len() > BODY_BYTES {
            return Err(Failure::TooLong);
        }
    }
    serde_json::from_slice(&body).map_err(|_| Failure::Rubbish("an answer that is not JSON"))
}
