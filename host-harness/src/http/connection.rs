//! One connection: TLS or not, HTTP/1.1 or HTTP/2, each wait of it bounded.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{Instant, interval_at, timeout};

use super::begun::Begun;
use super::client_address::Proxies;
use super::counts::Counts;
use super::held::HeldBody;
use super::patience::Patient;
use super::respond::{Left, Line, going_away, respond};
use super::response::Content;
use super::server::Phase;
use super::site::Sites;
use super::stream::{self, Form, Stream};
use super::tls::{H2, Tls};
use crate::limits::Limits;
use crate::request_id::RequestId;

/// Time between two pings of an HTTP/2 connection, and for the answer of each: below what routers forget a silent
/// connection after.
const PING: Duration = Duration::from_secs(20);

/// Bytes that an HTTP/2 client may send ahead on one stream, and on all of a connection.
const STREAM_WINDOW_BYTES: u32 = 64 << 10;
const CONNECTION_WINDOW_BYTES: u32 = 256 << 10;

/// Fewest bytes of a request's head that the server of HTTP/1.1 takes as a bound.
const LEAST_HEAD_BYTES: usize = 8 << 10;
/// Names a request: from a proxy that is trusted, and to a client whose request failed.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the connections of a server have in common.
#[derive(Debug)]
pub(super) struct Front {
    pub(super) sites: Arc<Sites>,
    pub(super) limits: Limits,
    pub(super) proxies: Arc<Proxies>,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) counts: Arc<Counts>,
    pub(super) phase: watch::Receiver<Phase>,
}

impl Front {
    fn is_closing(&self) -> bool {
        *self.phase.borrow() == Phase::Closing
    }

    async fn closing(&self) {
        // An error means that the server is gone.
        let _ = self.phase.clone().wait_for(|phase| *phase == Phase::Closing).await;
    }
}

impl Front {
    /// The id of a request: its proxy's, else a new one.
    fn request_id(&self, peer: IpAddr, headers: &HeaderMap) -> RequestId {
        let given = headers.get(X_REQUEST_ID).filter(|_| self.proxies.trusts(peer));
        given
            .and_then(|value| RequestId::given(value.as_bytes()))
            .unwrap_or_default()
    }

    /// Has a request answered and counted. One that failed is told its id, for whoever looks into the log; others have
    /// nothing to look for, and are spared the bytes.
    async fn answer(&self, id: RequestId, answering: impl Future<Output = Response<Content>>) -> Response<Content> {
        let answering = async {
            let response = answering.await;
            tracing::debug!(status = response.status().as_u16(), "answered");
            response
        };
        let mut response = id.clone().scope(answering).await;
        self.counts.answered(response.status());
        if response.status().is_server_error()
            && let Ok(id) = HeaderValue::try_from(id.to_string())
        {
            response.headers_mut().insert(X_REQUEST_ID, id);
        }
        response
    }
}

/// What happens on a connection until something else does. What one step needs is gone with it, and the connection's task
/// keeps a pointer: most of them hold a stream most of the time.
struct Step(Pin<Box<dyn Future<Output = Option<Step>> + Send>>);

impl Step {
    fn new(step: impl Future<Output = Option<Self>> + Send + 'static) -> Self {
        Self(Box::pin(step))
    }
}

/// Serves a connection to its end.
pub(super) fn serve<I>(front: Arc<Front>, stream: I, peer: IpAddr) -> impl Future<Output = ()> + Send
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut step = begin(front, stream, peer);
    async move {
        while let Some(next) = (&mut step.0).await {
            step = next;
        }
    }
}

/// Finds out what is spoken.
fn begin<I>(front: Arc<Front>, stream: I, peer: IpAddr) -> Step
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    Step::new(async move {
        let stream = Patient::new(stream, front.limits.write);
        if let Some(tls) = front.tls.clone() {
            return secure(front, &tls, stream, peer).await;
        }
        let begun = begun(&front, stream).await?;
        if begun.is_http2() {
            http2(&front, begun, peer).await;
            return None;
        }
        let (came, stream) = begun.into_parts();
        Some(http1(front, stream, came, peer))
    })
}

/// Waits for the first bytes of a connection.
async fn begun<I>(front: &Front, stream: I) -> Option<Begun<I>>
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    let begun = tokio::select! {
        begun = timeout(front.limits.head, Begun::on(stream)) => begun,
        () = front.closing() => return None,
    };
    match begun {
        Ok(Ok(begun)) => return Some(begun),
        Ok(Err(error)) => tracing::debug!(%error, "a connection"),
        Err(_) => tracing::debug!("a connection on which nothing came"),
    }
    None
}

async fn secure<I>(front: Arc<Front>, tls: &Tls, stream: I, peer: IpAddr) -> Option<Step>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let shaken = tokio::select! {
        shaken = timeout(front.limits.handshake, tls.accept(stream)) => shaken,
        () = front.closing() => return None,
    };
    match shaken {
        Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(H2) => http2(&front, stream, peer).await,
        Ok(Ok(stream)) => return Some(http1(front, stream, Bytes::new(), peer)),
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
    None
}

/// Answers requests, and then carries what one of them was answered with; after a stream it begins again.
fn http1<I>(front: Arc<Front>, stream: I, came: Bytes, peer: IpAddr) -> Step
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    Step::new(async move {
        let (left, rest, connection) = requests(&front, Begun::new(came, stream), peer).await?;
        match left {
            Left::Stream(held) => {
                let after = move |stream, came| http1(front, stream, came, peer);
                Some(Step::new(held.run(connection, rest, after)))
            }
            Left::Socket(head, socket, cut) => {
                socket.run(connection, &head, rest, &cut).await;
                None
            }
        }
    })
}

/// Answers one request after another, until the connection ends or is left to what a request was answered with; that, what
/// has come of the next request, and the connection are given then.
async fn requests<I>(front: &Arc<Front>, stream: Begun<I>, peer: IpAddr) -> Option<(Left, Bytes, I)>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let line = Arc::new(Line::default());
    let service = service_fn(|request: Request<Incoming>| {
        let (front, line) = (Arc::clone(front), Arc::clone(&line));
        async move {
            let id = front.request_id(peer, request.headers());
            let (form, has_body) = (Form::of(&request), request.method() != Method::HEAD);
            let answering = async {
                if front.is_closing() {
                    return going_away();
                }
                let client = front.proxies.client(peer, request.headers());
                respond(&front.sites, request, client, &line).await
            };
            let (head, content) = front.answer(id, answering).await.into_parts();
            let left = match content {
                Content::Whole(body) => return Ok(Response::from_parts(head, Full::new(body))),
                Content::Stream(beginning, held) if has_body => {
                    let beginning = Response::from_parts(head, beginning);
                    Left::Stream(Box::new(Stream::new(beginning, held, form)))
                }
                Content::Stream(..) => return Ok(Response::from_parts(head, Full::default())),
                Content::Socket(socket) => {
                    let head = stream::head(form, &Response::from_parts(head, ()));
                    Left::Socket(head, socket, Arc::clone(&line.cut))
                }
            };
            line.leave(left);
            std::future::pending::<Result<_, Infallible>>().await
        }
    });
    let limits = &front.limits;
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(limits.head_bytes.max(LEAST_HEAD_BYTES));
    let mut connection = http.serve_connection(TokioIo::new(stream), service);
    let mut is_ending = false;
    let left = loop {
        let answered = poll_fn(|cx| {
            if let Poll::Ready(result) = Pin::new(&mut connection).poll(cx) {
                if let Err(error) = result {
                    tracing::debug!(%error, "a connection");
                }
                return Poll::Ready(None);
            }
            // Nothing of an earlier answer is lost with the server's buffers: a request that was read in full is followed by
            // the next only when its answer has been written.
            line.left().map_or(Poll::Pending, |left| Poll::Ready(Some(left)))
        });
        tokio::select! {
            left = answered => break left,
            () = line.cut.notified() => break None,
            () = front.closing(), if !is_ending => {
                is_ending = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
        }
    };
    let Some(left) = left else {
        if let Some(Left::Socket(_, socket, _)) = line.left() {
            socket.closed().await;
        }
        return None;
    };
    let parts = connection.into_parts();
    let (rest, stream) = parts.io.into_inner().into_parts();
    // The server's buffer is not kept.
    let mut came = BytesMut::from(&parts.read_buf[..]);
    came.extend_from_slice(&rest);
    Some((left, came.freeze(), stream))
}

/// What happens on an HTTP/2 connection; shared by its requests and held streams.
#[derive(Debug, Default)]
struct Activity {
    requests: AtomicUsize,
}

/// Only HTTP/1.1 is upgraded to WebSockets: browsers open one for each, and RFC 8441 is not announced.
async fn http2<I>(front: &Arc<Front>, stream: I, peer: IpAddr)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let unread = Arc::new(Notify::new());
    let activity = Arc::new(Activity::default());
    let service = service_fn(|request: Request<Incoming>| {
        let (front, unread, activity) = (Arc::clone(front), Arc::clone(&unread), Arc::clone(&activity));
        activity.requests.fetch_add(1, Ordering::Relaxed);
        async move {
            let id = front.request_id(peer, request.headers());
            let line = Line::default();
            let answering = async {
                if front.is_closing() {
                    return going_away();
                }
                let client = front.proxies.client(peer, request.headers());
                respond(&front.sites, request, client, &line).await
            };
            let response = front.answer(id, answering).await;
            Ok::<_, Infallible>(response.map(|content| match content {
                Content::Whole(body) => Either::Left(Full::new(body)),
                Content::Stream(beginning, held) => {
                    let (alive, gone) = oneshot::channel();
                    let patience = front.limits.write;
                    tokio::spawn(end_unread(gone, line.cut, patience, unread, activity));
                    Either::Right(HeldBody::new(beginning, held, alive))
                }
                // Nothing is upgraded on HTTP/2.
                Content::Socket(_) => Either::Left(Full::default()),
            }))
        }
    });
    let limits = &front.limits;
    let mut http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        .max_concurrent_streams(u32::try_from(limits.streams_per_connection).unwrap_or(u32::MAX))
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(limits.head_bytes)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    let connection = http.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let mut ticks = interval_at(Instant::now() + limits.head, limits.idle);
    let (mut is_ending, mut requests) = (false, 0);
    loop {
        tokio::select! {
            result = connection.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(%error, "a connection");
                }
                return;
            }
            () = unread.notified() => return,
            _ = ticks.tick() => {
                let before = std::mem::replace(&mut requests, activity.requests.load(Ordering::Relaxed));
                let is_idle = requests == before && Arc::strong_count(&activity) == 1;
                if is_idle && (is_ending || requests == 0) {
                    return;
                }
                if is_idle {
                    is_ending = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
            () = front.closing(), if !is_ending => {
                is_ending = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Ends the connection of a held stream that was cut and that its client does not even let end: its body is not asked
/// for its end while there is no window to send in.
async fn end_unread(
    mut gone: oneshot::Receiver<Infallible>,
    cut: Arc<Notify>,
    patience: Duration,
    connection: Arc<Notify>,
    _activity: Arc<Activity>,
) {
    tokio::select! {
        _ = &mut gone => return,
        () = cut.notified() => {}
    }
    if timeout(patience, gone).await.is_err() {
        connection.notify_one();
    }
}
