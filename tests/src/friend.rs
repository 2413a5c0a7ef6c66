//! A friend's browser, as far as the harness can tell.

use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::{Answer, Connection, Events, Harness, Incoming, Invite, secrets};

/// Name of the cookie.
pub const COOKIE: &str = "tc_friend_session";

/// A client with its cookie.
#[derive(Debug)]
pub struct Friend {
    address: SocketAddr,
    /// The host that it asks for; the local one where nothing is said.
    host: Option<String>,
    cookie: Mutex<Option<String>>,
}

impl Friend {
    /// Somebody without a cookie.
    pub fn stranger(harness: &Harness) -> Self {
        Self::with_cookie(harness, None)
    }

    /// Somebody with a cookie of this value.
    pub fn with_cookie(harness: &Harness, cookie: Option<String>) -> Self {
        Self {
            address: harness.address(),
            host: None,
            cookie: Mutex::new(cookie),
        }
    }

    /// The same browser, asking for another host.
    pub fn asking_for(&self, host: &str) -> Self {
        Self {
            address: self.address,
            host: Some(host.to_owned()),
            cookie: Mutex::new(self.cookie()),
        }
    }

    /// The same browser, after the harness was started anew.
    pub fn at(&self, harness: &Harness) -> Self {
        self.at_address(harness.address())
    }

    /// The same browser, where the harness listens now.
    pub fn at_address(&self, address: SocketAddr) -> Self {
        Self {
            address,
            host: self.host.clone(),
            cookie: Mutex::new(self.cookie()),
        }
    }

    /// Where it looks for the harness.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The value of the cookie.
    pub fn cookie(&self) -> Option<String> {
        self.cookie.lock().unwrap().clone()
    }

    /// Opens an invite link.
    #[track_caller]
    pub fn join(&self, invite: &Invite) {
        let answer = self.get(&invite.target());
        assert_eq!(answer.status, 302, "{}", answer.text());
        assert_eq!(self.status()["authenticated"], true);
    }

    /// A request with headers of its own, and the cookie.
    pub fn request(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Incoming {
        self.try_request(method, target, headers, body).unwrap()
    }

    /// As [`Friend::request`], to a harness that may end at any moment.
    ///
    /// # Errors
    /// When nothing listens there, or the connection ends before the response begins.
    pub fn try_request(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Incoming> {
        let mut connection = Connection::open(self.address)?;
        let cookie = self.cookie().map(|value| format!("theme=dark; {COOKIE}={value}"));
        let cookie = cookie.as_deref().map(|value| ("cookie", value));
        let host = self.host.as_deref().map(|host| ("host", host));
        let headers: Vec<(&str, &str)> = headers.iter().copied().chain(cookie).chain(host).collect();
        connection.request(method, target, &headers, body);
        let incoming = connection.try_response()?;
        for (_, value) in incoming.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let Some(rest) = value.strip_prefix(COOKIE).and_then(|rest| rest.strip_prefix('=')) else {
                continue;
            };
            let (value, _) = rest.split_once(';').unwrap();
            if !value.is_empty() {
                secrets::remember(value);
            }
            *self.cookie.lock().unwrap() = (!value.is_empty()).then(|| value.to_owned());
        }
        Ok(incoming)
    }

    /// `GET`.
    pub fn get(&self, target: &str) -> Answer {
        Answer::read(self.request("GET", target, &[], b""))
    }

    /// `POST` of bytes that are said to be JSON.
    pub fn post_bytes(&self, target: &str, body: &[u8]) -> Answer {
        Answer::read(self.request("POST", target, &[("content-type", "application/json")], body))
    }

    /// `POST` of JSON.
    pub fn post(&self, target: &str, body: &Value) -> Answer {
        self.post_bytes(target, body.to_string().as_bytes())
    }

    /// Who this is to the chat.
    pub fn status(&self) -> Value {
        let answer = self.get("/api/auth/status");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// Opens the stream of everything that happens in the friend's chat, up to and with its first event.
    #[track_caller]
    pub fn feed(&self) -> Events {
        let mut events = Events::read(self.request("GET", "/api/stream", &[], b""));
        let hello = events.next_value().unwrap();
        assert_eq!(hello["type"], "hello", "{hello}");
        events
    }

    /// Sends a message and opens the stream of its answer, up to and with its first event: the message is taken.
    #[track_caller]
    pub fn say(&self, message: &str) -> Events {
        let body = json!({ "message": message, "stream": true }).to_string();
        let headers = [("content-type", "application/json")];
        let mut events = Events::read(self.request("POST", "/api/chat", &headers, body.as_bytes()));
        let accepted = events.next_value().unwrap();
        assert_eq!(accepted["type"], "accepted", "{accepted}");
        events
    }

    /// Sends a message and gives the whole answer.
    #[track_caller]
    pub fn ask(&self, message: &str) -> String {
        self.say(message).answer()
    }

    /// The whole conversation, latest first.
    #[track_caller]
    pub fn history(&self) -> Vec<Value> {
        let mut entries: Vec<Value> = Vec::new();
        loop {
            let before = entries
                .last()
                .map_or_else(String::new, |oldest| format!("?before={}", oldest["id"]));
            let answer = self.get(&format!("/api/history{before}"));
            assert_eq!(answer.status, 200, "{}", answer.text());
            let page = answer.json();
            entries.extend(page["entries"].as_array().unwrap().iter().cloned());
            if page["more"] == false {
                return entries;
            }
        }
    }
}
