//! Held streams, many at a time.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::harness::PATIENCE;

/// Streams that are being opened at the same time: fewer than wait in a listener's queue.
const OPENING: usize = 64;
/// Streams from one address: it has some 28,000 ports, of which earlier cases have used some.
const STREAMS_PER_ADDRESS: usize = 1_000;

/// An open stream.
#[derive(Debug)]
pub(crate) struct Held {
    socket: TcpStream,
    unread: Vec<u8>,
}

impl Held {
    /// Opens a stream, up to the bytes that its beginning has. `receive_bytes` is what the kernel takes before it is read.
    pub(crate) async fn open(
        address: SocketAddr,
        number: usize,
        request: &[u8],
        beginning: &[u8],
        receive_bytes: Option<u32>,
    ) -> anyhow::Result<Self> {
        let from = u8::try_from(number / STREAMS_PER_ADDRESS % 200)?;
        let socket = TcpSocket::new_v4()?;
        if let Some(bytes) = receive_bytes {
            socket.set_recv_buffer_size(bytes)?;
        }
        socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 1, from + 1), 0)))?;
        let mut stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        stream.write_all(request).await?;
        let mut held = Self {
            socket: stream,
            unread: Vec::new(),
        };
        held.wait_for(beginning).await?;
        ensure!(held.is_ok(), "no stream but {}", String::from_utf8_lossy(&held.unread));
        Ok(held)
    }

    fn is_ok(&self) -> bool {
        self.unread.starts_with(b"HTTP/1.1 200")
    }

    /// Whether these bytes are among what has come and was not dropped.
    pub(crate) fn has(&self, wanted: &[u8]) -> bool {
        self.unread.windows(wanted.len()).any(|window| window == wanted)
    }

    /// Reads until these bytes have come.
    pub(crate) async fn wait_for(&mut self, wanted: &[u8]) -> anyhow::Result<Instant> {
        loop {
            if self.has(wanted) {
                return Ok(Instant::now());
            }
            match timeout(PATIENCE, self.socket.read_buf(&mut self.unread)).await {
                Ok(Ok(read)) if read > 0 => {}
                other => bail!(
                    "{other:?} while waiting for {}, after {}",
                    String::from_utf8_lossy(wanted),
                    String::from_utf8_lossy(&self.unread)
                ),
            }
        }
    }

    /// As [`Held::wait_for`], of what comes from now on.
    pub(crate) async fn wait_for_next(&mut self, wanted: &[u8]) -> anyhow::Result<Instant> {
        self.unread.clear();
        self.unread.shrink_to(256);
        self.wait_for(wanted).await
    }

    /// How long it takes from one piece to the next until these bytes come; pieces are told by a mark in each.
    pub(crate) async fn gaps(&mut self, mark: &[u8], end: &[u8]) -> anyhow::Result<Vec<Duration>> {
        let (mut gaps, mut last) = (Vec::new(), None::<Instant>);
        self.unread.clear();
        loop {
            let read = timeout(PATIENCE, self.socket.read_buf(&mut self.unread)).await??;
            ensure!(read > 0, "the stream ended");
            let now = Instant::now();
            let marks = self.unread.windows(mark.len()).filter(|window| *window == mark).count();
            let is_over = self.has(end);
            for _ in 0..marks {
                gaps.extend(last.map(|last| now - last));
                last = Some(now);
            }
            if is_over {
                return Ok(gaps);
            }
            // What was counted is not counted again; a mark that is not complete stays.
            let kept = self
                .unread
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |end| end + 1);
            self.unread.drain(..kept);
        }
    }
}

/// Opens streams with these requests, numbered from `first`.
pub(crate) async fn open_all(
    address: SocketAddr,
    first: usize,
    requests: Vec<Vec<u8>>,
    beginning: &'static [u8],
) -> anyhow::Result<Vec<Held>> {
    let (mut opening, mut open) = (JoinSet::new(), Vec::with_capacity(requests.len()));
    for (index, request) in requests.into_iter().enumerate() {
        if opening.len() >= OPENING {
            let (index, held): (usize, Held) = opening.join_next().await.context("nothing is being opened")???;
            open.push((index, held));
        }
        opening.spawn(async move {
            let held = Held::open(address, first + index, &request, beginning, None).await?;
            anyhow::Ok((index, held))
        });
    }
    while let Some(opened) = opening.join_next().await {
        open.push(opened??);
    }
    open.sort_by_key(|(index, _)| *index);
    Ok(open.into_iter().map(|(_, held)| held).collect())
}
