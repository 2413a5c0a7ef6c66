//! The web side for hosts that know only the standard. A connection to be held is asked for with the headers of
//! GRIP, which proxies such as Pushpin understand.

use super::http::answer;
use super::{Component, Exported};
use crate::bindings::exports::wasi::http::incoming_handler::{Guest, IncomingRequest, ResponseOutparam};
use crate::bindings::wasi::http::types::{ErrorCode, Fields, Method, OutgoingBody, OutgoingResponse};
use crate::bindings::wasi::io::streams::{InputStream, OutputStream, StreamError};
use crate::{Hold, HoldMode, MAX_BODY_BYTES, Request, Response};

/// Bytes read at a time.
const CHUNK_BYTES: u64 = 16 * 1024;
/// What `blocking-write-and-flush` takes at most.
const MAX_WRITE_BYTES: usize = 4_096;

/// The request came or the answer went only in part.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the request's body was cut short")]
    Request,
    #[error("the host takes no such response")]
    Response,
    #[error("the client did not take the response")]
    Client,
}

impl<P: Exported> Guest for Component<P> {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        match read(&request) {
            Ok(request) => {
                if let Err(error) = write(answer::<P>(&request), out) {
                    tracing::debug!(%error, "a response was not written");
                }
            }
            Err(error) => {
                tracing::debug!(%error, "a request was not read");
                ResponseOutparam::set(out, Err(ErrorCode::HttpProtocolError));
            }
        }
    }
}

/// Reads a request in full; of a body that is too long one byte more than is allowed, which the router refuses.
fn read(request: &IncomingRequest) -> Result<Request, Broken> {
    let method = match request.method() {
        Method::Get => "GET".to_owned(),
        Method::Head => "HEAD".to_owned(),
        Method::Post => "POST".to_owned(),
        Method::Put => "PUT".to_owned(),
        Method::Delete => "DELETE".to_owned(),
        Method::Connect => "CONNECT".to_owned(),
        Method::Options => "OPTIONS".to_owned(),
        Method::Trace => "TRACE".to_owned(),
        Method::Patch => "PATCH".to_owned(),
        Method::Other(name) => name,
    };
    let target = request.path_with_query().unwrap_or_else(|| "/".to_owned());
    let mut headers = request.headers().entries();
    // This door gives the authority apart from the headers.
    if let Some(authority) = request.authority()
        && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host"))
    {
        headers.push(("host".to_owned(), authority.into_bytes()));
    }
    let incoming = request.consume().map_err(|()| Broken::Request)?;
    let stream = incoming.stream().map_err(|()| Broken::Request)?;
    let body = read_body(&stream)?;
    // The standard does not say who the client is.
    Ok(Request::new(method, &target, headers, body, String::new()))
}

fn read_body(stream: &InputStream) -> Result<Vec<u8>, Broken> {
    let mut body = Vec::new();
    while body.len() <= MAX_BODY_BYTES {
        match stream.blocking_read(CHUNK_BYTES) {
            Ok(chunk) => body.extend_from_slice(&chunk),
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(_)) => return Err(Broken::Request),
        }
    }
    body.truncate(MAX_BODY_BYTES.saturating_add(1));
    Ok(body)
}

fn write(response: Response, out: ResponseOutparam) -> Result<(), Broken> {
    let mut entries: Vec<(String, Vec<u8>)> = response
        .headers
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into_bytes()))
        .collect();
    if let Some(hold) = &response.hold {
        entries.extend(
            grip(hold)
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.into_bytes())),
        );
    }
    let Ok(fields) = Fields::from_list(&entries) else {
        ResponseOutparam::set(out, Err(ErrorCode::InternalError(None)));
        return Err(Broken::Response);
    };
    let outgoing = OutgoingResponse::new(fields);
    let parts = outgoing.set_status_code(response.status).and_then(|()| outgoing.body());
    let Ok(body) = parts else {
        ResponseOutparam::set(out, Err(ErrorCode::InternalError(None)));
        return Err(Broken::Response);
    };
    ResponseOutparam::set(out, Ok(outgoing));
    {
        let stream = body.write().map_err(|()| Broken::Response)?;
        write_body(&stream, &response.body)?;
    }
    OutgoingBody::finish(body, None).map_err(|_| Broken::Client)
}

fn write_body(stream: &OutputStream, body: &[u8]) -> Result<(), Broken> {
    for chunk in body.chunks(MAX_WRITE_BYTES) {
        stream.blocking_write_and_flush(chunk).map_err(|_| Broken::Client)?;
    }
    Ok(())
}

/// The terms of a held connection as headers.
fn grip(hold: &Hold) -> Vec<(&'static str, String)> {
    let mode = match hold.mode {
        HoldMode::Stream => "stream",
        HoldMode::Response => "response",
    };
    let mut headers = vec![("grip-hold", mode.to_owned()), ("grip-channel", hold.topics.join(", "))];
    if let Some(keep_alive) = &hold.keep_alive {
        let seconds = keep_alive.every_ms.div_ceil(1_000);
        let frame = String::from_utf8_lossy(&keep_alive.frame)
            .replace('\\', "\\\\")
            .replace('\n', "\\n");
        headers.push(("grip-keep-alive", format!("{frame}; format=cstring; timeout={seconds}")));
    }
    if hold.mode == HoldMode::Response {
        headers.push(("grip-timeout", hold.life_ms.div_ceil(1_000).to_string()));
    }
    headers
}
