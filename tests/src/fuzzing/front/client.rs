//! A client's end of a connection, which never waits for the other.

use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use host_harness::http::Server;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, DuplexStream, ReadBuf};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{answers, frames};

/// What the line between client and front holds in each direction, as a kernel's buffers do.
pub(super) const WIRE_BYTES: usize = 32 << 10;

/// Most bytes that a client sends.
const MAX_SENT_BYTES: usize = 1 << 20;

/// A client.
pub(super) struct Client {
    /// None after it has left.
    wire: Option<DuplexStream>,
    server: JoinHandle<()>,
    outbox: Vec<u8>,
    /// What the other side could read.
    sent: Vec<u8>,
    received: Vec<u8>,
    reads: bool,
    stopped: bool,
    ended: bool,
    /// Whether it did nothing that may cost it an answer.
    pub(super) is_exact: bool,
    /// Whether it may have been given up in the middle of an answer, which it did not read.
    may_be_cut: bool,
}

impl Client {
    /// Opens a connection.
    pub(super) fn connect(server: &Arc<Server>) -> Self {
        let (wire, other_end) = tokio::io::duplex(WIRE_BYTES);
        let server = Arc::clone(server);
        let serving = async move { server.serve(other_end, IpAddr::V4(Ipv4Addr::LOCALHOST)).await };
        Self {
            wire: Some(wire),
            server: tokio::spawn(serving),
            outbox: Vec::new(),
            sent: Vec::new(),
            received: Vec::new(),
            reads: true,
            stopped: false,
            ended: false,
            is_exact: true,
            may_be_cut: false,
        }
    }

    pub(super) fn send(&mut self, bytes: &[u8]) {
        if !self.stopped && self.sent.len() + self.outbox.len() + bytes.len() <= MAX_SENT_BYTES {
            self.outbox.extend_from_slice(bytes);
        }
    }

    pub(super) fn stop(&mut self) {
        self.is_exact = false;
        self.stopped = true;
    }

    pub(super) fn leave(&mut self) {
        self.is_exact = false;
        self.may_be_cut = true;
        self.wire = None;
    }

    pub(super) fn pause(&mut self) {
        self.is_exact = false;
        self.may_be_cut = true;
        self.reads = false;
    }

    pub(super) fn read(&mut self) {
        self.reads = true;
    }

    /// Sends and reads what can be at once, and says whether anything was.
    pub(super) fn exchange(&mut self) -> bool {
        let Some(wire) = &mut self.wire else { return false };
        let mut wire = Pin::new(wire);
        // Nobody is to be woken: this is asked again.
        let mut cx = Context::from_waker(Waker::noop());
        let mut moved = false;
        if !self.outbox.is_empty() {
            match wire.as_mut().poll_write(&mut cx, &self.outbox) {
                Poll::Ready(Ok(count)) => {
                    self.sent.extend(self.outbox.drain(..count));
                    moved = true;
                }
                Poll::Ready(Err(_)) => self.outbox.clear(),
                Poll::Pending => {}
            }
        }
        if self.stopped && self.outbox.is_empty() {
            // Again and again makes no difference.
            let _shut = wire.as_mut().poll_shutdown(&mut cx);
        }
        if self.reads && !self.ended {
            let mut memory = [0; 4096];
            let mut buffer = ReadBuf::new(&mut memory);
            if let Poll::Ready(Ok(())) = wire.poll_read(&mut cx, &mut buffer) {
                self.ended = buffer.filled().is_empty();
                self.received.extend_from_slice(buffer.filled());
                moved = true;
            }
        }
        moved
    }

    /// Reads to the end, which the other side makes within a time, and looks at what came.
    pub(super) async fn end(mut self, longest: Duration) {
        self.reads = true;
        while self.exchange() {
            tokio::task::yield_now().await;
        }
        if let Some(mut wire) = self.wire.take() {
            let all = timeout(longest, async {
                if !self.ended {
                    wire.read_to_end(&mut self.received).await.unwrap();
                }
                (&mut self.server).await
            });
            all.await
                .expect("the connection never ends")
                .expect("the front panicked");
        } else {
            let ended = timeout(longest, &mut self.server).await;
            ended
                .expect("a connection outlives its client")
                .expect("the front panicked");
        }
        if self.sent.starts_with(b"PRI ") {
            frames::check(&self.sent, &self.received, self.may_be_cut);
        } else {
            let is_exact = self.is_exact && self.outbox.is_empty();
            answers::check(&self.sent, &self.received, is_exact, self.may_be_cut);
        }
    }
}
