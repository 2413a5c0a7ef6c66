//! Counts what comes over the wire to a browser, whoever in it has asked: the page, its worker, the browser itself.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::free_port;

/// A wire between a browser and a harness, for the rest of the test's process.
#[derive(Debug)]
pub struct Meter {
    port: u16,
    upstream: u16,
    received_bytes: Arc<AtomicU64>,
}

impl Meter {
    /// Lays the wire between two ports that were free a moment ago.
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let meter = Self {
            port: listener.local_addr().unwrap().port(),
            upstream: free_port(),
            received_bytes: Arc::default(),
        };
        let (upstream, received_bytes) = (meter.upstream, Arc::clone(&meter.received_bytes));
        thread::spawn(move || {
            for browser in listener.incoming() {
                let browser = browser.unwrap();
                let harness = TcpStream::connect((Ipv4Addr::LOCALHOST, upstream)).unwrap();
                let (from, to) = (browser.try_clone().unwrap(), harness.try_clone().unwrap());
                thread::spawn(move || carry(from, to, &AtomicU64::new(0)));
                let received_bytes = Arc::clone(&received_bytes);
                thread::spawn(move || carry(harness, browser, &received_bytes));
            }
        });
        meter
    }

    /// The address in a browser.
    pub fn url(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// The port on which it expects the harness.
    pub fn upstream(&self) -> u16 {
        self.upstream
    }

    /// What has come so far, heads and all.
    pub fn received_bytes(&self) -> u64 {
        self.received_bytes.load(Ordering::SeqCst)
    }
}

/// Carries bytes until one side ends. They are counted before they are handed on.
fn carry(mut from: TcpStream, mut to: TcpStream, bytes: &AtomicU64) {
    let mut buffer = [0; 16 << 10];
    let mut step = || -> io::Result<usize> {
        let read = from.read(&mut buffer)?;
        bytes.fetch_add(u64::try_from(read).unwrap(), Ordering::SeqCst);
        to.write_all(&buffer[..read])?;
        Ok(read)
    };
    while step().is_ok_and(|read| read > 0) {}
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
