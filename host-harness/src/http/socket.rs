//! Holds WebSockets (RFC 6455) as streams are held: what is published is sent, what the client says is handed to the
//! plugin, one message at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::{Body as _, Incoming};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::{Instant, interval_at, sleep};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::carrier::Carrier;
use super::respond::Line;
use super::response::{self, Content};
use super::shape;
use super::site::Answerer;
use crate::plugin::{self, Accepted, CallError, SocketAnswer};
use crate::push::{End, Held, Next, Reason};
use crate::request_id::RequestId;

/// The only version there is.
const VERSION: &str = "13";

/// Time between keep-alive frames where the plugin asks for none.
const DEFAULT_KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Time for the closing handshake; a client that has gone does not answer.
const CLOSING: Duration = Duration::from_secs(2);

static LAST_CONNECTION: AtomicU64 = AtomicU64::new(0);

/// An accepted WebSocket.
#[derive(Debug)]
pub(super) struct Socket {
    plugin: Answerer,
    accepted: Box<Accepted>,
    messages: Vec<String>,
    held: Held,
}

/// Whether a request is the handshake of a WebSocket (RFC 6455, section 4.2.1).
pub(super) fn is_handshake(request: &Request<Incoming>) -> bool {
    let headers = request.headers();
    request.method() == Method::GET
        && request.body().is_end_stream()
        && shape::names(headers, UPGRADE, "websocket")
        && shape::names(headers, CONNECTION, "upgrade")
}

/// Answers a handshake, with the socket if the plugin accepts it.
pub(super) async fn shake_hands(
    plugin: Answerer,
    request: Request<Incoming>,
    client: std::net::IpAddr,
    line: &Line,
) -> Response<Content> {
    let Some(accept) = accept_key(request.headers()) else {
        let mut refusal = response::error(
            StatusCode::UPGRADE_REQUIRED,
            "This is no WebSocket of version 13.",
            None,
        );
        refusal
            .headers_mut()
            .insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
        return refusal;
    };
    let connection = LAST_CONNECTION.fetch_add(1, Ordering::Relaxed) + 1;
    let request = plugin::Request {
        inner: request.map(|_| Bytes::new()),
        client,
    };
    let (asked, cut) = (plugin.clone(), Arc::clone(&line.cut));
    let opening = async move { asked.socket_open(connection, request, &cut).await };
    match Carrier::default().carry(opening).await {
        Ok(SocketAnswer::Accepted(messages, held, accepted)) => {
            let socket = Socket {
                plugin,
                accepted,
                messages,
                held,
            };
            switching(accept, socket)
        }
        Ok(SocketAnswer::Refused(answer)) => response::complete(answer),
        Ok(SocketAnswer::Full) => response::full(),
        Err(error) => response::no_answer(&error),
    }
}

fn accept_key(headers: &HeaderMap) -> Option<HeaderValue> {
    let version = headers.get(SEC_WEBSOCKET_VERSION)?;
    let key = headers.get(SEC_WEBSOCKET_KEY)?;
    (version == VERSION)
        .then(|| HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok())
        .flatten()
}

fn switching(accept: HeaderValue, socket: Socket) -> Response<Content> {
    let mut response = Response::new(Content::Socket(Box::new(socket)));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response
        .headers_mut()
        .insert(UPGRADE, HeaderValue::from_static("websocket"));
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("upgrade"));
    response.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, accept);
    response
}

impl Socket {
    /// Writes the head of the answer and holds the WebSocket until either side ends it or it is cut.
    pub(super) async fn run<S>(mut self, stream: S, head: &[u8], came: Bytes, cut: &Notify)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        tokio::select! {
            // Looked at first: nothing is cut in the middle of a call, which is not to be given up for one that was before.
            biased;
            () = cut.notified() => {}
            () = self.hold(stream, head, came) => {}
        }
        self.closed().await;
    }

    /// Tells the plugin that it is gone.
    pub(super) async fn closed(self) {
        let closing = RequestId::new().scope(self.plugin.socket_closed(*self.accepted));
        if let Err(error) = closing.await {
            tracing::debug!(%error, "saying that a socket is gone");
        }
    }

    async fn hold<S>(&mut self, mut stream: S, head: &[u8], came: Bytes)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let shaken = async {
            stream.write_all(head).await?;
            stream.flush().await
        };
        if let Err(error) = shaken.await {
            return tracing::debug!(%error, "a socket's handshake");
        }
        let bytes = self.plugin.limits().body_bytes;
        let config = WebSocketConfig::default()
            .max_message_size(Some(bytes))
            .max_frame_size(Some(bytes));
        let mut socket = WebSocketStream::from_partially_read(stream, came.into(), Role::Server, Some(config)).await;
        let end = match self.talk(&mut socket).await {
            Ok(end) => end,
            Err(error) => return tracing::debug!(%error, "a socket"),
        };
        let frame = CloseFrame {
            code: CloseCode::from(end.code),
            reason: end.text.into(),
        };
        let closing = async {
            socket.close(Some(frame)).await?;
            while socket.next().await.transpose()?.is_some() {}
            Ok::<(), Error>(())
        };
        // Either way the connection goes.
        let _ = tokio::time::timeout(CLOSING, closing).await;
    }

    /// Carries messages both ways. An error means that the client has gone or broke the protocol.
    async fn talk<S>(&mut self, socket: &mut WebSocketStream<S>) -> Result<Reason, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        for message in self.messages.drain(..) {
            socket.send(Message::text(message)).await?;
        }
        let (plugin, held, accepted) = (&self.plugin, &self.held, &mut self.accepted);
        let keep_alive = held.hold().keep_alive.clone();
        let every = keep_alive
            .as_ref()
            .map_or(DEFAULT_KEEP_ALIVE, |keep_alive| keep_alive.every);
        let mut ticks = interval_at(Instant::now() + every, every);
        let life = sleep(held.hold().life);
        tokio::pin!(life);
        loop {
            tokio::select! {
                next = std::future::poll_fn(|cx| held.poll_next(cx.waker())) => match next {
                    Next::Frame(frame) => socket.send(text(frame)?).await?,
                    Next::End(End::Closed(reason)) => return Ok(reason),
                    Next::End(End::Answered(_) | End::Cut) => return Err(Error::ConnectionClosed),
                },
                message = socket.next() => match message.ok_or(Error::ConnectionClosed)?? {
                    Message::Text(message) => match hand_over(plugin, accepted, &message).await {
                        Ok(None) => return Ok(reason(CloseCode::Restart, "reload")),
                        Ok(Some(answers)) => {
                            for answer in answers {
                                socket.send(Message::text(answer)).await?;
                            }
                        }
                        Err(_) => return Ok(reason(CloseCode::Again, "try again")),
                    },
                    Message::Binary(_) => return Ok(reason(CloseCode::Unsupported, "text only")),
                    Message::Close(_) => return Err(Error::ConnectionClosed),
                    // The library answers pings itself.
                    Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
                },
                _ = ticks.tick() => match &keep_alive {
                    Some(keep_alive) => socket.send(text(keep_alive.frame.clone())?).await?,
                    None => socket.send(Message::Ping(Bytes::new())).await?,
                },
                () = life.as_mut() => return Ok(reason(CloseCode::Normal, "come again")),
            }
        }
    }
}

/// Hands a message over, under an id of its own.
async fn hand_over(
    plugin: &Answerer,
    accepted: &mut Accepted,
    message: &str,
) -> Result<Option<Vec<String>>, CallError> {
    let handing = async {
        let handed = plugin.socket_message(accepted, message).await;
        handed.inspect_err(|error| tracing::debug!(%error, "handing over a socket's message"))
    };
    RequestId::new().scope(handing).await
}

fn reason(code: CloseCode, text: &str) -> Reason {
    Reason {
        code: code.into(),
        text: text.to_owned(),
    }
}

fn text(frame: Bytes) -> Result<Message, Error> {
    Utf8Bytes::try_from(frame)
        .map(Message::Text)
        .map_err(|error| Error::Utf8(error.to_string()))
}
