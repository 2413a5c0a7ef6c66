//! The least that a server can do: hyper on one thread, which answers every request with the same bytes, and, where the
//! case is about what must not be lost, writes the request down first: one `fdatasync` for all that wait at the time.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::task::{Context, Poll};

use anyhow::Context as _;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};

use crate::client::Reply;
use crate::data::workshop;
use crate::meter::Meter;

/// What every request is answered with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    pieces: Vec<Vec<u8>>,
    is_stream: bool,
}

impl Answer {
    /// The same as another server's.
    pub(crate) fn like(reply: &Reply<'_>) -> anyhow::Result<Self> {
        Ok(Self {
            status: reply.status,
            headers: reply.headers()?,
            pieces: reply.pieces()?,
            is_stream: reply.is_chunked,
        })
    }
}

/// The server as a process of its own. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Limit {
    _child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) meter: Meter,
}

impl Limit {
    /// Starts it. `is_durable` has it write requests down.
    pub(crate) async fn start(answer: &Answer, is_durable: bool) -> anyhow::Result<Self> {
        let directory = workshop()?;
        let file = directory.join("limit-answer.json");
        fs::write(&file, serde_json::to_vec(answer)?)?;
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("limit")
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        if is_durable {
            command.arg("--log").arg(directory.join("limit-log"));
        }
        let mut child = command.kill_on_drop(true).spawn()?;
        let stdout = child.stdout.take().context("reading the limit's output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).await?;
        Ok(Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, line.trim().parse()?)),
            meter: Meter::new(&[child.id().context("the limit ended at once")?]),
            _child: child,
        })
    }
}

/// Serves until it is killed.
pub(crate) async fn serve(answer: PathBuf, log: Option<PathBuf>) -> anyhow::Result<()> {
    let answer: Answer = serde_json::from_slice(&fs::read(answer)?)?;
    let pieces: Vec<Bytes> = answer.pieces.iter().cloned().map(Bytes::from).collect();
    let shared = Arc::new((answer, pieces, log.as_deref().map(keep_log).transpose()?));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?.port());
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(converse(stream, Arc::clone(&shared)));
    }
}

type Shared = Arc<(Answer, Vec<Bytes>, Option<mpsc::UnboundedSender<Entry>>)>;

async fn converse(stream: TcpStream, shared: Shared) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let service = service_fn(|request| respond(Arc::clone(&shared), request));
    let http = hyper::server::conn::http1::Builder::new();
    http.serve_connection(TokioIo::new(stream), service).await?;
    Ok(())
}

async fn respond(shared: Shared, request: Request<Incoming>) -> anyhow::Result<Response<Pieces>> {
    let body = request.into_body().collect().await?.to_bytes();
    let (answer, pieces, log) = &*shared;
    if let Some(log) = log {
        let (kept, waits) = oneshot::channel();
        log.send(Entry { text: body, kept }).context("the log has ended")?;
        waits.await?;
    }
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    Ok(response.body(Pieces {
        left: pieces.iter().cloned().collect(),
        is_stream: answer.is_stream,
    })?)
}

/// What is written down, and who waits for it.
struct Entry {
    text: Bytes,
    kept: oneshot::Sender<()>,
}

fn keep_log(path: &Path) -> anyhow::Result<mpsc::UnboundedSender<Entry>> {
    let file = Arc::new(OpenOptions::new().create(true).append(true).open(path)?);
    let (sender, mut entries) = mpsc::unbounded_channel::<Entry>();
    tokio::spawn(async move {
        let mut group = Vec::new();
        while entries.recv_many(&mut group, usize::MAX).await > 0 {
            let text: Vec<u8> = group.iter().flat_map(|entry| entry.text.iter().copied()).collect();
            let file = Arc::clone(&file);
            let written = tokio::task::spawn_blocking(move || append(&file, &text)).await;
            if !matches!(written, Ok(Ok(()))) {
                return;
            }
            for entry in group.drain(..) {
                // Whoever has gone waits for nothing.
                let _ = entry.kept.send(());
            }
        }
    });
    Ok(sender)
}

fn append(mut file: &File, text: &[u8]) -> std::io::Result<()> {
    file.write_all(text)?;
    file.sync_data()
}

/// A body of known pieces.
struct Pieces {
    left: VecDeque<Bytes>,
    is_stream: bool,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.get_mut().left.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_stream {
            return SizeHint::default();
        }
        SizeHint::with_exact(self.left.iter().map(|piece| piece.len() as u64).sum())
    }
}
