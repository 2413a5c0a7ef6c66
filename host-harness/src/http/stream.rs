//! A held stream on a connection of HTTP/1.1, which has the connection to itself until it ends.
//!
//! Most connections of a chat do nothing most of the time. One that goes through a server's machinery keeps that and its
//! buffers meanwhile; this one keeps a socket, a timer and a queue, and has a buffer only while the client does not take what
//! is written. The head is written here too, so that the first answer is one write with what follows it.

use std::future::poll_fn;
use std::io::{self, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, DATE, TRANSFER_ENCODING};
use http::{HeaderValue, Request, Response, Version};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::shape;
use crate::push::{End, Held, KeepAlive, Next};

/// Most bytes that are gathered from several frames into one write; a frame is never divided.
const GATHERED_BYTES: usize = 64 << 10;

/// Most bytes that a client may send ahead of the end of what it gets.
const AHEAD_BYTES: usize = 16 << 10;

/// Time to say that the connection ends; a client that has gone does not hear it.
const CLOSING: Duration = Duration::from_secs(2);

/// What the request says about the form of its answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    version: Version,
    /// Whether another request may follow.
    keeps: bool,
}

/// A held stream that is left for its connection.
#[derive(Debug)]
pub(super) struct Stream {
    form: Form,
    held: Held,
    /// What is to be written.
    out: Vec<u8>,
}

impl Form {
    /// That of the answer to a request.
    pub(super) fn of<B>(request: &Request<B>) -> Self {
        let version = request.version();
        let keeps = version == Version::HTTP_11 && !shape::names(request.headers(), CONNECTION, "close");
        Self { version, keeps }
    }

    /// Appends a piece of the body: as a chunk (RFC 9112, section 7.1), or as it is where the body ends with the connection.
    fn put(self, out: &mut Vec<u8>, piece: &[u8]) {
        if piece.is_empty() {
            return;
        }
        out.reserve(piece.len() + 16);
        if self.version == Version::HTTP_11 {
            // Writing into memory does not fail.
            let _ = write!(out, "{:x}\r\n", piece.len());
            out.extend_from_slice(piece);
            out.extend_from_slice(b"\r\n");
        } else {
            out.extend_from_slice(piece);
        }
    }

    fn put_end(self, out: &mut Vec<u8>) {
        if self.version == Version::HTTP_11 {
            out.extend_from_slice(b"0\r\n\r\n");
        }
    }
}

impl Stream {
    /// A stream that begins with this.
    pub(super) fn new(response: Response<Bytes>, held: Held, form: Form) -> Self {
        let (mut head, beginning) = response.into_parts();
        if form.version == Version::HTTP_11 {
            let chunked = HeaderValue::from_static("chunked");
            head.headers.insert(TRANSFER_ENCODING, chunked);
        }
        if !form.keeps {
            head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let mut out = self::head(form, &Response::from_parts(head, ()));
        form.put(&mut out, &beginning);
        held.look_for_cuts();
        Self { form, held, out }
    }

    /// Carries it to its end, on a connection from which some bytes have come already. Where another request may follow, what is
    /// made of the connection and of all that came on it is given then.
    pub(super) fn run<S, T>(
        self,
        stream: S,
        came: Bytes,
        after: impl FnOnce(S, Bytes) -> T,
    ) -> impl Future<Output = Option<T>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Self { form, held, out } = self;
        let spoke = Instant::now();
        let mut running = Running {
            form,
            end: spoke + held.hold().life,
            held,
            out,
            written: 0,
            is_over: false,
            spoke,
            stream,
            came: came.into(),
        };
        // No part of this is there twice: there are thousands.
        async move {
            let timer = sleep_until(running.next());
            tokio::pin!(timer);
            if let Err(error) = poll_fn(|cx| running.poll(timer.as_mut(), cx)).await {
                tracing::debug!(%error, "a held stream");
                return None;
            }
            if running.form.keeps {
                return Some(after(running.stream, running.came.freeze()));
            }
            // Either way the connection goes.
            let _ = Box::pin(timeout(CLOSING, running.stream.shutdown())).await;
            None
        }
    }
}

struct Running<S> {
    form: Form,
    held: Held,
    out: Vec<u8>,
    written: usize,
    is_over: bool,
    /// When something was last written.
    spoke: Instant,
    /// When it ends by itself.
    end: Instant,
    stream: S,
    /// What the client sends ahead.
    came: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Running<S> {
    /// Does what there is to do, until its end.
    fn poll(&mut self, mut timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.poll_write(cx)?.is_pending() {
                // A client that does not take what is written cannot be asked whether it is still there.
                return self.held.poll_cut(cx.waker()).map(|()| Err(cut()));
            }
            if self.is_over {
                return Poll::Ready(Ok(()));
            }
            self.gather(cx)?;
            if !self.out.is_empty() {
                self.spoke = Instant::now();
                continue;
            }
            if timer.as_mut().poll(cx).is_ready() {
                self.tick();
                timer.as_mut().reset(self.next());
                continue;
            }
            ready!(self.poll_read(cx))?;
        }
    }

    /// Takes what was published.
    fn gather(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while self.out.len() < GATHERED_BYTES {
            match self.held.poll_next(cx.waker()) {
                Poll::Ready(Next::Frame(frame)) => self.form.put(&mut self.out, &frame),
                Poll::Ready(Next::End(End::Cut)) => return Err(cut()),
                Poll::Ready(Next::End(End::Closed(_) | End::Answered(_))) => {
                    self.finish();
                    break;
                }
                Poll::Pending => break,
            }
        }
        Ok(())
    }

    /// When something is to be said though nothing happens.
    fn next(&self) -> Instant {
        let keep_alive = self.held.hold().keep_alive.as_ref();
        keep_alive.map_or(self.end, |keep_alive| self.end.min(self.spoke + keep_alive.every))
    }

    /// Says what is to be said by now though nothing happens.
    fn tick(&mut self) {
        let now = Instant::now();
        if now >= self.end {
            self.finish();
        } else if let Some(KeepAlive { frame, every }) = &self.held.hold().keep_alive
            && now >= self.spoke + *every
        {
            self.form.put(&mut self.out, frame);
            self.spoke = now;
        }
    }

    fn finish(&mut self) {
        self.form.put_end(&mut self.out);
        self.is_over = true;
    }

    /// Writes all that is to be written.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.out.get(self.written..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.written += count,
            }
        }
        if self.written > 0 {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.out = Vec::new();
            self.written = 0;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads what the client sends ahead, up to a bound. Is ready, with an error, when the client has gone.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.came.len() < AHEAD_BYTES {
            let mut bytes = [0; 512];
            let mut buffer = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            self.came.extend_from_slice(buffer.filled());
        }
        Poll::Pending
    }
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "its client does not read")
}

/// The head of a response as it is written (RFC 9112, section 4).
pub(super) fn head(form: Form, response: &Response<()>) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    let status = response.status();
    // Writing into memory does not fail.
    let _ = write!(
        out,
        "{:?} {} {}\r\n",
        form.version,
        status.as_str(),
        status.canonical_reason().unwrap_or_default()
    );
    for (name, value) in response.headers() {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    if !response.headers().contains_key(DATE) {
        let _ = write!(out, "date: {}\r\n", httpdate::fmt_http_date(SystemTime::now()));
    }
    out.extend_from_slice(b"\r\n");
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use tokio::io::{AsyncReadExt, DuplexStream, duplex};
    use tokio::task::JoinHandle;

    use super::*;
    use crate::limits::Limits;
    use crate::push::{Hold, Moment, PushHub, Reason};

    struct Scene {
        hub: PushHub,
        client: DuplexStream,
        task: JoinHandle<Option<(DuplexStream, Bytes)>>,
    }

    const EVERY: Duration = Duration::from_secs(10);
    const LIFE: Duration = Duration::from_secs(25);

    fn form(version: Version, connection: Option<&'static str>) -> Form {
        let mut request = Request::new(());
        *request.version_mut() = version;
        if let Some(connection) = connection {
            let value = HeaderValue::from_static(connection);
            request.headers_mut().insert(CONNECTION, value);
        }
        Form::of(&request)
    }

    impl Scene {
        fn new(form: Form) -> Self {
            let hub = PushHub::new(&Limits {
                held_frames: 4,
                ..Limits::default()
            });
            let hold = Hold {
                topics: vec!["john".into()],
                keep_alive: Some(KeepAlive {
                    frame: Bytes::from_static(b":"),
                    every: EVERY,
                }),
                life: LIFE,
            };
            let held = hub.hold(hold, Default::default()).unwrap();
            let mut response = Response::new(Bytes::from_static(b"begin"));
            response.headers_mut().insert(DATE, HeaderValue::from_static("now"));
            let (client, server) = duplex(256);
            let task = tokio::spawn(
                Stream::new(response, held, form).run(server, Bytes::new(), |stream, came| (stream, came)),
            );
            Self { hub, client, task }
        }

        fn publish(&self, frame: &'static str) {
            let frame = Bytes::from_static(frame.as_bytes());
            self.hub.publish("john", &frame, Moment::default());
        }

        fn end(&self) {
            let reason = Reason {
                code: 1000,
                text: String::new(),
            };
            self.hub.end("john", &End::Closed(reason), Moment::default());
        }

        async fn expect(&mut self, text: &str) {
            let mut bytes = vec![0; text.len()];
            self.client.read_exact(&mut bytes).await.unwrap();
            assert_eq!(String::from_utf8_lossy(&bytes), text);
        }
    }

    const HEAD: &str = "HTTP/1.1 200 OK\r\ndate: now\r\ntransfer-encoding: chunked\r\n\r\n";

    #[tokio::test]
    async fn another_request_may_follow_a_stream_that_has_ended() {
        let mut scene = Scene::new(form(Version::HTTP_11, None));
        scene.expect(HEAD).await;
        scene.expect("5\r\nbegin\r\n").await;
        scene.client.write_all(b"GET /next").await.unwrap();
        scene.publish("hello");
        scene.publish("you");
        scene.expect("5\r\nhello\r\n3\r\nyou\r\n").await;
        scene.end();
        scene.expect("0\r\n\r\n").await;
        let (_stream, came) = scene.task.await.unwrap().unwrap();
        assert_eq!(came, "GET /next");
    }

    #[tokio::test]
    async fn where_none_may_follow_the_connection_ends() {
        for (form, head, piece) in [
            (
                form(Version::HTTP_11, Some("Close")),
                HEAD.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n"),
                "5\r\nbegin\r\n0\r\n\r\n",
            ),
            (
                form(Version::HTTP_10, Some("keep-alive")),
                "HTTP/1.0 200 OK\r\ndate: now\r\nconnection: close\r\n\r\n".to_owned(),
                "begin",
            ),
        ] {
            let mut scene = Scene::new(form);
            scene.expect(&head).await;
            scene.end();
            scene.expect(piece).await;
            assert_eq!(
                scene.client.read_u8().await.unwrap_err().kind(),
                io::ErrorKind::UnexpectedEof
            );
            assert!(scene.task.await.unwrap().is_none());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_says_something_now_and_then_until_its_time_is_over() {
        let mut scene = Scene::new(form(Version::HTTP_11, None));
        let begin = Instant::now();
        scene.expect(HEAD).await;
        scene.expect("5\r\nbegin\r\n").await;
        tokio::time::advance(EVERY / 2).await;
        scene.publish("hello");
        scene.expect("5\r\nhello\r\n").await;
        scene.expect("1\r\n:\r\n").await;
        assert_eq!(
            begin.elapsed().as_secs(),
            (EVERY + EVERY / 2).as_secs(),
            "after the last that was said"
        );
        scene.expect("0\r\n\r\n").await;
        assert_eq!(begin.elapsed().as_secs(), LIFE.as_secs());
        assert!(scene.task.await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_left_as_soon_as_too_much_waits() {
        let scene = Scene::new(form(Version::HTTP_11, None));
        while !scene.task.is_finished() {
            scene.publish("a piece of some length, of which the connection takes a few");
            tokio::task::yield_now().await;
        }
        assert!(scene.task.await.unwrap().is_none());
        assert_eq!(scene.hub.held(), 0);
    }

    #[tokio::test]
    async fn a_client_that_goes_is_noticed_while_nothing_happens() {
        let Scene { hub, client, task } = Scene::new(form(Version::HTTP_11, None));
        drop(client);
        assert!(task.await.unwrap().is_none());
        assert_eq!(hub.held(), 0);
    }
}
