//! Chromium's own protocol, without WebDriver between, which passes on no events.

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpStream};

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use crate::DEADLINE;

/// A connection to a tab.
#[derive(Debug)]
pub struct Devtools {
    socket: WebSocket<TcpStream>,
    commands: u64,
    /// What came while something else was awaited.
    events: VecDeque<Value>,
}

impl Devtools {
    /// Connects to the tab with this handle in the browser that listens there.
    #[track_caller]
    pub(super) fn open(browser: SocketAddr, handle: &str) -> Self {
        let stream = TcpStream::connect_timeout(&browser, DEADLINE).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        let address = format!("ws://localhost:{}/devtools/page/{handle}", browser.port());
        let (socket, _) = tungstenite::client(address, stream).unwrap();
        Self {
            socket,
            commands: 0,
            events: VecDeque::new(),
        }
    }

    /// Carries out a command and gives its result.
    #[track_caller]
    pub fn command(&mut self, name: &str, parameters: &Value) -> Value {
        self.commands += 1;
        let command = json!({ "id": self.commands, "method": name, "params": parameters });
        self.socket.send(Message::text(command.to_string())).unwrap();
        loop {
            let mut received = self.receive();
            if received["id"] == self.commands {
                assert!(
                    received["error"].is_null(),
                    "{name} {parameters}: {}",
                    received["error"]
                );
                return received["result"].take();
            }
            self.events.push_back(received);
        }
    }

    /// The parameters of the next event of a name.
    #[track_caller]
    pub fn event(&mut self, name: &str) -> Value {
        if let Some(at) = self.events.iter().position(|event| event["method"] == name) {
            return self.events.remove(at).unwrap()["params"].take();
        }
        loop {
            let mut received = self.receive();
            if received["method"] == name {
                return received["params"].take();
            }
            self.events.push_back(received);
        }
    }

    /// The parameters of every event of a name that came so far.
    #[track_caller]
    pub fn events(&mut self, name: &str) -> Vec<Value> {
        // What was sent before the answer to a command is there when the answer is.
        self.command("Runtime.getIsolateId", &json!({}));
        let of_name = |event: &Value| event["method"] == name;
        let (wanted, others) = self.events.drain(..).partition::<Vec<_>, _>(of_name);
        self.events.extend(others);
        wanted.into_iter().map(|mut event| event["params"].take()).collect()
    }

    #[track_caller]
    fn receive(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.socket.read().unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }
}
