//! The far end of the OpenAI chat-completions protocol: a server that says what a test wants, byte by byte, and remembers
//! what it was sent.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

use crate::DEADLINE;

/// A running server, which ends with the test.
#[derive(Debug)]
pub struct Model {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    ended: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    replies: VecDeque<Reply>,
    asked: Vec<Asked>,
    /// Connections that the client has closed while they were held or flooded.
    left: usize,
    connections: Vec<TcpStream>,
}

/// What is answered to one request for a completion.
#[derive(Debug, Clone)]
pub struct Reply {
    bytes: Vec<u8>,
    then: Then,
}

/// What follows the bytes of a reply.
#[derive(Debug, Clone)]
enum Then {
    /// The connection is closed.
    Close,
    /// It is held until the client closes it.
    Hold,
    /// These bytes, again and again, until the client closes it.
    Flood(Vec<u8>),
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Method and target.
    pub line: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub body: String,
}

impl Reply {
    /// Bytes as they are, after which the connection is closed.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            bytes: bytes.into(),
            then: Then::Close,
        }
    }

    /// A whole response.
    pub fn response(status: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::raw(format!(
            "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        ))
    }

    /// A whole response of JSON.
    pub fn json(status: &str, body: &Value) -> Self {
        Self::response(status, "content-type: application/json\r\n", &body.to_string())
    }

    /// An event stream of these bytes, ended by the end of the connection.
    pub fn stream(events: &str) -> Self {
        Self::raw(format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{events}"
        ))
    }

    /// An answer in words, each a piece, as the protocol has it.
    pub fn words(words: &[&str]) -> Self {
        let pieces: String = words.iter().map(|word| piece(word)).collect();
        Self::stream(&format!("{pieces}{}data: [DONE]\n\n", end("stop")))
    }

    /// A stream that calls a tool, its arguments in two fragments.
    pub fn calling(tool: &str, arguments: &Value) -> Self {
        let arguments = arguments.to_string();
        let (first, second) = arguments.split_at(arguments.len() / 2);
        let fragment = |call: Value| {
            format!(
                "data: {}\n\n",
                json!({ "choices": [{ "delta": { "tool_calls": [call] } }] })
            )
        };
        let begin =
            json!({ "index": 0, "id": "call_1", "type": "function", "function": { "name": tool, "arguments": first } });
        Self::stream(&format!(
            "{}{}{}data: [DONE]\n\n",
            fragment(begin),
            fragment(json!({ "index": 0, "function": { "arguments": second } })),
            end("tool_calls")
        ))
    }

    /// The same, held open at its end.
    pub fn held(self) -> Self {
        Self {
            then: Then::Hold,
            ..self
        }
    }

    /// The same, followed by these bytes without end.
    pub fn flooding(self, bytes: &str) -> Self {
        Self {
            then: Then::Flood(bytes.repeat((64 << 10) / bytes.len() + 1).into_bytes()),
            ..self
        }
    }
}

/// The event of one piece.
pub fn piece(text: &str) -> String {
    format!(
        "data: {}\n\n",
        json!({ "choices": [{ "index": 0, "delta": { "content": text }, "finish_reason": null }] })
    )
}

/// The event that ends an answer.
pub fn end(reason: &str) -> String {
    format!(
        "data: {}\n\n",
        json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] })
    )
}

impl Model {
    /// A server on a free port that gives these replies in turn, and then says "and so on".
    pub fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        Self::on(listener, replies)
    }

    /// The same on an address that somebody has had before.
    pub fn start_at(address: SocketAddr, replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::on(TcpListener::bind(address).unwrap(), replies)
    }

    fn on(listener: TcpListener, replies: impl IntoIterator<Item = Reply>) -> Self {
        let shared = Arc::new(Shared::default());
        shared.state.lock().unwrap().replies.extend(replies);
        let address = listener.local_addr().unwrap();
        let serving = shared.clone();
        let accepting = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.ended.load(Ordering::SeqCst) {
                    return;
                }
                let (serving, stream) = (serving.clone(), stream.unwrap());
                let connection = stream.try_clone().unwrap();
                serving.state.lock().unwrap().connections.push(connection);
                std::thread::spawn(move || serving.serve(stream));
            }
        });
        Self {
            shared,
            address,
            accepting: Some(accepting),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The value for `--agent`.
    pub fn agent(&self) -> String {
        format!("http://{}/v1#small", self.address)
    }

    /// The requests for completions so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.state.lock().unwrap().asked.clone()
    }

    /// What the model was told of its call in the latest request.
    pub fn outcome(&self) -> String {
        let body = self.asked().pop().unwrap().json();
        let last = body["messages"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(
            (&last["role"], &last["tool_call_id"]),
            (&json!("tool"), &json!("call_1"))
        );
        last["content"].as_str().unwrap().to_owned()
    }

    /// Waits until so many requests for completions have come.
    pub fn wait_until_asked(&self, times: usize) {
        self.wait(|state| state.asked.len() >= times);
    }

    /// Waits until the client has closed a connection that was held.
    pub fn wait_until_left(&self) {
        self.wait(|state| state.left > 0);
    }

    fn wait(&self, fits: impl Fn(&State) -> bool) {
        let state = self.shared.state.lock().unwrap();
        let waited = self
            .shared
            .changed
            .wait_timeout_while(state, DEADLINE, |state| !fits(state))
            .unwrap();
        assert!(!waited.1.timed_out(), "the model's server waits in vain");
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // Wakes the one who waits for a connection.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        // The address is free when this returns, and nobody has an answer any more.
        let _ = self.accepting.take().map(JoinHandle::join);
        for connection in &self.shared.state.lock().unwrap().connections {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let Some(asked) = Asked::read(&mut reader) else { return };
        let reply = if asked.line.starts_with("GET /v1/models ") {
            Reply::json(
                "200 OK",
                &json!({ "data": [{ "id": "first-listed" }, { "id": "second" }] }),
            )
        } else {
            let mut state = self.state.lock().unwrap();
            state.asked.push(asked);
            self.changed.notify_all();
            state
                .replies
                .pop_front()
                .unwrap_or_else(|| Reply::words(&["and so on"]))
        };
        let mut writer = &stream;
        // A client that was told enough may be gone.
        let _ = writer.write_all(&reply.bytes);
        match reply.then {
            Then::Close => return drop(stream.shutdown(Shutdown::Both)),
            Then::Hold => drop(reader.read(&mut [0])),
            Then::Flood(bytes) => while writer.write_all(&bytes).is_ok() {},
        }
        self.state.lock().unwrap().left += 1;
        self.changed.notify_all();
    }
}

impl Asked {
    fn read(reader: &mut BufReader<TcpStream>) -> Option<Self> {
        let mut line = || {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
            Some(line.trim_end().to_owned())
        };
        let first = line()?;
        let mut headers = Vec::new();
        loop {
            let line = line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").unwrap();
            headers.push((name.to_lowercase(), value.to_owned()));
        }
        let mut asked = Self {
            line: first,
            headers,
            body: String::new(),
        };
        let length: u64 = asked
            .header("content-length")
            .map_or(0, |length| length.parse().unwrap());
        reader.take(length).read_to_string(&mut asked.body).unwrap();
        Some(asked)
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(other, _)| other == name);
        header.map(|(_, value)| value.as_str())
    }

    /// The body.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The names of the tools that were offered.
    pub fn offered(&self) -> Vec<String> {
        let body = self.json();
        let tools = body["tools"].as_array().cloned().unwrap_or_default();
        let name = |tool: &Value| tool["function"]["name"].as_str().unwrap().to_owned();
        tools.iter().map(name).collect()
    }

    /// The messages, as role and content.
    pub fn messages(&self) -> Vec<(String, String)> {
        let body = self.json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let messages = body["messages"].as_array().unwrap();
        messages
            .iter()
            .map(|message| (text(&message["role"]), text(&message["content"])))
            .collect()
    }
}
