//! The far end: requests to the server, what its refusals mean, and bodies within bounds of size and time.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use reqwest::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::failure::{self, Failure};
use super::reply;
use super::{Endpoint, Key};
use crate::agent::AgentError;

/// Time to connect.
const CONNECT: Duration = Duration::from_secs(10);
/// Time until something of the answer comes: a model on a small machine is loaded first.
pub(super) const FIRST: Duration = Duration::from_secs(180);
/// Bytes of an answer that does not come in pieces, and of an error.
const BODY_BYTES: usize = 4 << 20;

/// The server that is asked.
#[derive(Debug)]
pub(super) struct Server {
    endpoint: Endpoint,
    key: Option<Key>,
    client: Client,
    model: OnceCell<String>,
}

impl Server {
    /// A server, which is not asked before it has to be.
    ///
    /// # Errors
    /// When this machine has no roots of trust, or its TLS cannot be set up.
    pub(super) fn new(endpoint: Endpoint, key: Option<Key>) -> Result<Self, AgentError> {
        let client = crate::crypto::client()
            .map_err(|error| AgentError(error.to_string()))?
            .connect_timeout(CONNECT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| AgentError(failure::explained(&error)))?;
        let model = OnceCell::new_with(endpoint.model.clone());
        Ok(Self {
            endpoint,
            key,
            client,
            model,
        })
    }

    /// The model to ask: the one that was named, or else the first that the server lists.
    pub(super) async fn model(&self) -> Result<&str, Failure> {
        Ok(self.model.get_or_try_init(|| self.first_model()).await?)
    }

    /// Asks for an answer; gives its beginning.
    pub(super) async fn complete(&self, body: &Value) -> Result<Response, Failure> {
        let request = self
            .client
            .post(self.endpoint.path("chat/completions"))
            .header(ACCEPT, "text/event-stream, application/json")
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_string());
        self.send(request).await
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

/// What comes next of a body; none at its end.
pub(super) async fn next_bytes(
    stream: &mut (impl Stream<Item = reqwest::Result<Bytes>> + Unpin),
    patience: Duration,
) -> Result<Option<Bytes>, Failure> {
    match timeout(patience, stream.next()).await {
        Err(_) => Err(Failure::Silent(patience)),
        Ok(None) => Ok(None),
        Ok(Some(Err(error))) => Err(Failure::Broken(failure::explained(&error))),
        Ok(Some(Ok(bytes))) => Ok(Some(bytes)),
    }
}

/// A body that is JSON, within bounds of size and time.
pub(super) async fn json_of(response: Response) -> Result<Value, Failure> {
    let mut stream = response.bytes_stream();
    let mut body = Vec::new();
    while let Some(bytes) = next_bytes(&mut stream, FIRST).await? {
        body.extend_from_slice(&bytes);
        if body.len() > BODY_BYTES {
            return Err(Failure::TooLong);
        }
    }
    serde_json::from_slice(&body).map_err(|_| Failure::Rubbish("an answer that is not JSON"))
}
