//! What an edge asks of a node, and what that answers: the record door's requests and responses as they are, and what
//! connections need that another machine holds.
//!
//! Written with [postcard](https://postcard.jamesmunns.com/wire-format.html). All processes of a cluster are of one minor
//! version, or of two that follow each other: cases are only added, at the end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::plugin::{self, CallError, wit};
use crate::push::{End, Hold, KeepAlive, Moment, Reason, Recent, Relayed, What};

/// A question for the node that has a tenant.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Call {
    pub(super) tenant: String,
    /// Who asks: an edge by its number.
    pub(super) from: u64,
    /// Under which id it is in the log.
    pub(super) request_id: String,
    pub(super) ask: Ask,
}

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Ask {
    /// A request, on a connection of this number if it is to be held.
    Http(u64, Request),
    /// The handshake of a WebSocket.
    Open(u64, Request),
    /// A message on a WebSocket which this instance accepted.
    Message {
        connection: u64,
        handshake: Request,
        by: u64,
        text: String,
    },
    /// A WebSocket has gone.
    Closed(u64),
    /// Held connections have gone.
    Gone(Vec<u64>),
    /// What was published after a number, for a connection that listens since a moment.
    Recent {
        topics: Vec<String>,
        after: u64,
        since: u64,
    },
    /// What the tenant's owner asks, in JSON.
    Owner(String),
    /// Somebody waits for what the tenant's plugin has to do.
    Wake,
}

/// What a node answers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    /// This node does not have the tenant, or has just lost it. Nothing was done.
    Elsewhere,
    /// There is no such tenant, or it is suspended.
    Nobody,
    /// The plugin gave no answer; it may be asked again after some milliseconds.
    Down(u64),
    /// As many calls wait as may.
    Saturated,
    /// The plugin's answer cannot be passed on.
    Unfit,
    /// As many connections are held as may be.
    Full,
    Complete(Response),
    /// The response is begun, and what is published follows.
    Stream(Response, Holding),
    /// The response comes later, and else is this one.
    Later(Response, Holding),
    /// A WebSocket is accepted by an instance, and these messages are sent first.
    Accepted(Vec<String>, Holding, u64),
    /// What is sent back on a WebSocket, and by which instance; none if it refuses the connection.
    Messages(Option<Vec<String>>, u64),
    /// What was published.
    Recent(u64, Vec<Published>),
    /// It is not known any more what was published.
    Lost,
    /// What the owner is answered, in JSON.
    Owner(String),
    Done,
}

/// What was published on a topic, as it goes to all edges that listen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Published {
    pub(super) topic: String,
    /// The fencing token of the node that publishes, and so whose numbers these are.
    pub(super) epoch: u64,
    pub(super) number: u64,
    pub(super) before: u64,
    pub(super) what: Sent,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Sent {
    Frame(#[serde(with = "serde_bytes")] Vec<u8>),
    Closed(u16, String),
    Answered(Response),
}

/// What a connection is held on, and from where on.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Holding {
    pub(super) topics: Vec<String>,
    pub(super) keep_alive: Option<(Vec<u8>, u64)>,
    pub(super) life_ms: u64,
    pub(super) epoch: u64,
    /// The number of the last that was published before the connection listened.
    pub(super) after: u64,
    pub(super) since: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Request {
    method: String,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    #[serde(with = "serde_bytes")]
    body: Vec<u8>,
    client: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Response {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    #[serde(with = "serde_bytes")]
    body: Vec<u8>,
}

/// What came is no message of this cluster.
#[derive(Debug, thiserror::Error)]
#[error("a message of another version: let all processes of the cluster be of versions that follow each other")]
pub(super) struct OtherVersion;

pub(super) fn write<T: Serialize>(message: &T) -> Result<Bytes, OtherVersion> {
    postcard::to_allocvec(message)
        .map(Bytes::from)
        .map_err(|_| OtherVersion)
}

pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, OtherVersion> {
    postcard::from_bytes(bytes).map_err(|_| OtherVersion)
}

impl From<wit::Request> for Request {
    fn from(request: wit::Request) -> Self {
        Self {
            method: request.method,
            target: request.target,
            headers: request.headers,
            body: request.body,
            client: request.client,
        }
    }
}

impl From<&plugin::Request> for Request {
    fn from(request: &plugin::Request) -> Self {
        wit::Request::from(request).into()
    }
}

impl TryFrom<Request> for plugin::Request {
    type Error = OtherVersion;

    fn try_from(request: Request) -> Result<Self, OtherVersion> {
        let mut inner = http::Request::builder()
            .method(request.method.as_str())
            .uri(request.target);
        for (name, value) in request.headers {
            inner = inner.header(name, value);
        }
        Ok(Self {
            inner: inner.body(request.body.into()).map_err(|_| OtherVersion)?,
            client: request.client.parse().map_err(|_| OtherVersion)?,
        })
    }
}

impl From<plugin::Response> for Response {
    fn from(response: plugin::Response) -> Self {
        Self {
            status: response.status,
            headers: response.headers,
            body: response.body.into(),
        }
    }
}

impl From<Response> for plugin::Response {
    fn from(response: Response) -> Self {
        Self {
            status: response.status,
            headers: response.headers,
            body: response.body.into(),
        }
    }
}

impl From<&Holding> for Hold {
    fn from(holding: &Holding) -> Self {
        Self {
            topics: holding.topics.iter().map(|topic| Arc::from(topic.as_str())).collect(),
            keep_alive: holding.keep_alive.as_ref().map(|(frame, every)| KeepAlive {
                frame: frame.clone().into(),
                every: Duration::from_millis(*every),
            }),
            life: Duration::from_millis(holding.life_ms),
        }
    }
}

impl Holding {
    /// What a connection of a node's hub is held on.
    pub(super) fn new(hold: &Hold, since: Moment, epoch: u64, after: u64) -> Self {
        Self {
            topics: hold.topics.iter().map(ToString::to_string).collect(),
            keep_alive: hold
                .keep_alive
                .as_ref()
                .map(|keep_alive| (keep_alive.frame.to_vec(), milliseconds(keep_alive.every))),
            life_ms: milliseconds(hold.life),
            epoch,
            after,
            since: since.number(),
        }
    }
}

impl Published {
    pub(super) fn new(relayed: Relayed, epoch: u64) -> Self {
        let Relayed {
            topic,
            number,
            before,
            what,
            ..
        } = relayed;
        Self {
            topic: topic.to_string(),
            epoch,
            number,
            before,
            what: match what {
                What::Frame(frame) => Sent::Frame(frame.into()),
                What::End(End::Answered(response)) => Sent::Answered((*response).into()),
                What::End(End::Closed(reason)) => Sent::Closed(reason.code, reason.text),
                // Only who holds a connection cuts it.
                What::End(End::Cut) => Sent::Closed(1001, String::new()),
            },
        }
    }
}

impl From<Sent> for What {
    fn from(sent: Sent) -> Self {
        match sent {
            Sent::Frame(frame) => Self::Frame(frame.into()),
            Sent::Closed(code, text) => Self::End(End::Closed(Reason { code, text })),
            Sent::Answered(response) => Self::End(End::Answered(Box::new(response.into()))),
        }
    }
}

impl Reply {
    /// What was published of late.
    pub(super) fn recent(recent: Option<Recent>, epoch: u64) -> Self {
        match recent {
            None => Self::Lost,
            Some(Recent { upto, relayed }) => {
                let published = relayed
                    .into_iter()
                    .map(|relayed| Published::new(relayed, epoch))
                    .collect();
                Self::Recent(upto, published)
            }
        }
    }
}

impl From<CallError> for Reply {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Saturated => Self::Saturated,
            CallError::Down { retry_after } => Self::Down(milliseconds(retry_after)),
            CallError::Unfit(_) => Self::Unfit,
            _ => Self::Down(1_000),
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_request_arrives_as_it_was() {
        let inner = http::Request::post("/api/chat?a=%20b")
            .header("cookie", "a=b")
            .header("cookie", b"\xff".as_slice())
            .body(Bytes::from_static(b"{}"))
            .unwrap();
        let client = "::1".parse().unwrap();
        let sent = plugin::Request { inner, client };
        let bytes = write(&Request::from(&sent)).unwrap();
        let came: plugin::Request = read::<Request>(&bytes).unwrap().try_into().unwrap();
        assert_eq!(came.inner.method(), sent.inner.method());
        assert_eq!(came.inner.uri(), sent.inner.uri());
        assert_eq!(came.inner.headers(), sent.inner.headers());
        assert_eq!((came.inner.body(), came.client), (sent.inner.body(), client));
        assert!(read::<Call>(&bytes).is_err());
    }
}
