//! A real `nats-server` with JetStream, which a test can end and start again on the same port with what it kept.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// The server. It is killed when this is dropped.
#[derive(Debug)]
pub struct NatsServer {
    port: u16,
    directory: tempfile::TempDir,
    process: Option<Child>,
}

impl NatsServer {
    /// Starts one with nothing in it, and waits until it takes connections.
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let mut server = Self {
            port,
            directory: tempfile::tempdir().unwrap(),
            process: None,
        };
        server.go_on();
        server
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Ends it on the spot.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.process.as_ref().unwrap()), signal).unwrap();
    }

    /// Starts it again with what it kept.
    pub fn go_on(&mut self) {
        self.kill();
        let mut child = Command::new(program())
            .args(["--jetstream", "--addr", "127.0.0.1", "--port", &self.port.to_string()])
            .arg("--store_dir")
            .arg(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("starting nats-server: {error}: run ./setup test"));
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("Server is ready") {
            line.clear();
            let read = said.read_line(&mut line).unwrap();
            assert_ne!(read, 0, "nats-server ended");
        }
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        self.process = Some(child);
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Where `setup test` unpacks it, or where the system has it.
fn program() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target")),
        PathBuf::from,
    );
    let unpacked = target.join("nats-server/usr/sbin/nats-server");
    match unpacked.is_file() {
        true => unpacked,
        false => "nats-server".into(),
    }
}
