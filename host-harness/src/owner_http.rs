//! HTTP for the owner: a port of its own, few connections, each wait bounded, one answer a request.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use subtle::ConstantTimeEq as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// Connections at a time. An owner has a handful of programs.
const CONNECTIONS: usize = 64;

/// Time for a request's head to arrive.
const HEAD: Duration = Duration::from_secs(10);

/// Time for a request, from its head to its answer. What is asked for takes milliseconds; the rest is for a body to arrive.
const REQUEST: Duration = Duration::from_secs(30);

/// Time for a connection in all: whoever reads no answer gives its place back.
const CONNECTION: Duration = Duration::from_secs(600);

/// What is answered.
pub(crate) type Answer = Response<BoxBody<Bytes, Infallible>>;

/// Answers every request, for ever. `whose` says in the log who comes.
pub(crate) async fn run<F>(listener: &TcpListener, whose: &'static str, answer: impl Answers<F>)
where
    F: Future<Output = Answer> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = listener.accept().await;
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match accepted {
            Ok((stream, _)) => {
                let answer = answer.clone();
                tokio::spawn(async move {
                    serve(stream, whose, answer).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, whose, "accepting a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// What answers requests.
pub(crate) trait Answers<F>: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static {}

impl<F, A: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static> Answers<F> for A {}

async fn serve<F>(stream: TcpStream, whose: &'static str, answer: impl Answers<F>)
where
    F: Future<Output = Answer> + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer(request);
        async move {
            let answered = tokio::time::timeout(REQUEST, answer).await;
            Ok::<_, Infallible>(
                answered.unwrap_or_else(|_| plain(StatusCode::REQUEST_TIMEOUT, "The request took too long")),
            )
        }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let connection = http.serve_connection(TokioIo::new(stream), service);
    if let Ok(Err(error)) = tokio::time::timeout(CONNECTION, connection).await {
        tracing::debug!(%error, whose, "a connection");
    }
}

/// Whether a request carries the token (RFC 6750, section 2.1). How long it takes to see that it does not says nothing of it.
pub(crate) fn carries<B>(request: &Request<B>, token: &str) -> bool {
    let given = request.headers().get(AUTHORIZATION).and_then(|value| {
        let (scheme, given) = value.as_bytes().split_at_checked("Bearer ".len())?;
        scheme.eq_ignore_ascii_case(b"Bearer ").then_some(given)
    });
    given.is_some_and(|given| given.ct_eq(token.as_bytes()).into())
}

/// What is said to who does not carry the token.
pub(crate) fn unauthorized(sentence: &'static str) -> Answer {
    let mut answer = plain(StatusCode::UNAUTHORIZED, sentence);
    answer
        .headers_mut()
        .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    answer
}

/// An answer in text.
pub(crate) fn plain(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(text.into()).boxed());
    *answer.status_mut() = status;
    answer
}
