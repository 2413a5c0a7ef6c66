//! A WebSocket, as a page holds it.

use std::net::TcpStream;

use serde_json::Value;
use tungstenite::client::IntoClientRequest;
use tungstenite::http::{HeaderName, HeaderValue};
use tungstenite::{Error, HandshakeError, Message, WebSocket};

use crate::{COOKIE, DEADLINE, Friend};

/// An open WebSocket.
#[derive(Debug)]
pub struct Socket {
    socket: WebSocket<TcpStream>,
    /// Types of what was read, for the message of a test that fails.
    seen: Vec<String>,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// An event.
    Event(Value),
    /// The other side closes: its code and reason.
    Closed(u16, String),
}

impl Socket {
    /// Opens `target` with a friend's cookie and headers of its own.
    ///
    /// # Errors
    /// The status with which the handshake is refused.
    pub fn open(friend: &Friend, target: &str, headers: &[(&str, &str)]) -> Result<Self, u16> {
        let address = friend.address();
        let mut request = format!("ws://localhost:{}{target}", address.port())
            .into_client_request()
            .unwrap();
        let cookie = friend.cookie().map(|value| format!("{COOKIE}={value}"));
        let cookie = cookie.as_deref().map(|value| ("cookie", value));
        for (name, value) in headers.iter().copied().chain(cookie) {
            let name = HeaderName::try_from(name).unwrap();
            request
                .headers_mut()
                .insert(name, HeaderValue::from_str(value).unwrap());
        }
        let stream = TcpStream::connect_timeout(&address, DEADLINE).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        match tungstenite::client(request, stream) {
            Ok((socket, _)) => Ok(Self {
                socket,
                seen: Vec::new(),
            }),
            Err(HandshakeError::Failure(Error::Http(refusal))) => Err(refusal.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// Sends a message in JSON.
    pub fn say(&mut self, message: &Value) {
        self.send(Message::text(message.to_string()));
    }

    /// Sends anything.
    pub fn send(&mut self, message: Message) {
        self.socket.send(message).unwrap();
    }

    /// What comes next, even if it only keeps the connection alive.
    #[track_caller]
    pub fn receive(&mut self) -> Received {
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => {
                    let event: Value = serde_json::from_str(&text).unwrap();
                    self.seen.push(event["type"].as_str().unwrap().to_owned());
                    return Received::Event(event);
                }
                Ok(Message::Close(Some(frame))) => {
                    return Received::Closed(frame.code.into(), frame.reason.to_string());
                }
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                other => panic!("{other:?} after {:?}", self.seen),
            }
        }
    }

    /// The next event.
    #[track_caller]
    pub fn next_value(&mut self) -> Value {
        loop {
            match self.receive() {
                Received::Event(event) if event["type"] == "heartbeat" => {}
                Received::Event(event) => return event,
                closed @ Received::Closed(..) => panic!("{closed:?} after {:?}", self.seen),
            }
        }
    }

    /// The first event of a type.
    #[track_caller]
    pub fn until(&mut self, wanted: &str) -> Value {
        loop {
            let event = self.next_value();
            if event["type"] == wanted {
                return event;
            }
        }
    }

    /// Reads to the end: the last event, and how the connection is closed.
    #[track_caller]
    pub fn end(mut self) -> (Value, u16, String) {
        let mut last = Value::Null;
        loop {
            match self.receive() {
                Received::Event(event) => last = event,
                Received::Closed(code, reason) => return (last, code, reason),
            }
        }
    }
}
