//! Requests and responses, between the standard's streams and the plugin's records.

use crate::bindings::exports::wasi::http::incoming_handler::{IncomingRequest, ResponseOutparam};
use crate::bindings::tinyclaw::plugin::http::{Request, Response};
use crate::bindings::wasi::http::types::{ErrorCode, Fields, Method, OutgoingBody, OutgoingResponse};
use crate::bindings::wasi::io::streams::{OutputStream, StreamError};

/// More than the plugin takes, so that it is the plugin who says that a body is too long.
const MAX_BODY_BYTES: usize = 512 * 1024;
/// Bytes read at a time.
const CHUNK_BYTES: u64 = 64 * 1024;

/// The request came or the answer went only in part.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("the request's body was cut short")]
    Request,
    #[error("the host takes no such response")]
    Response,
    #[error("the client did not take the response")]
    Client,
}

/// Reads a request in full; of a body that is too long the beginning.
pub(crate) fn read(request: &IncomingRequest) -> Result<Request, Broken> {
    let mut headers = request.headers().entries();
    headers.iter_mut().for_each(|(name, _)| name.make_ascii_lowercase());
    if let Some(authority) = request.authority()
        && !headers.iter().any(|(name, _)| name == "host")
    {
        headers.push(("host".to_owned(), authority.into_bytes()));
    }
    let client = client(&headers);
    Ok(Request {
        method: method(request.method()),
        target: request.path_with_query().unwrap_or_else(|| "/".to_owned()),
        body: read_body(request)?,
        headers,
        client,
    })
}

fn method(method: Method) -> String {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(name) => return name,
    }
    .to_owned()
}

/// Who the client is, says the proxy, which adds it at the end of what a client may have written.
fn client(headers: &[(String, Vec<u8>)]) -> String {
    let forwarded = headers.iter().rev().find(|(name, _)| name == "x-forwarded-for");
    let value = forwarded.map(|(_, value)| String::from_utf8_lossy(value));
    let latest = value.as_deref().and_then(|value| value.rsplit(',').next());
    latest.unwrap_or_default().trim().to_owned()
}

fn read_body(request: &IncomingRequest) -> Result<Vec<u8>, Broken> {
    let incoming = request.consume().map_err(|()| Broken::Request)?;
    let stream = incoming.stream().map_err(|()| Broken::Request)?;
    let mut body = Vec::new();
    while body.len() < MAX_BODY_BYTES {
        match stream.blocking_read(CHUNK_BYTES) {
            Ok(chunk) => body.extend_from_slice(&chunk),
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(_)) => return Err(Broken::Request),
        }
    }
    Ok(body)
}

/// Says that a request could not be read.
pub(crate) fn refuse(out: ResponseOutparam) {
    ResponseOutparam::set(out, Err(ErrorCode::HttpProtocolError));
}

/// Writes a response with more headers than its own.
pub(crate) fn write(
    response: Response,
    more: Vec<(&'static str, String)>,
    out: ResponseOutparam,
) -> Result<(), Broken> {
    let mut entries = response.headers;
    entries.retain(|(name, _)| name != "host-cache-control");
    entries.extend(
        more.into_iter()
            .map(|(name, value)| (name.to_owned(), value.into_bytes())),
    );
    let made = Fields::from_list(&entries).ok().and_then(|fields| {
        let outgoing = OutgoingResponse::new(fields);
        outgoing.set_status_code(response.status).ok()?;
        let body = outgoing.body().ok()?;
        Some((outgoing, body))
    });
    let Some((outgoing, body)) = made else {
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

/// Waits for nothing as long as the host takes something at once, as hosts take a megabyte: while a call waits that has
/// given its response, a host takes its next request to another instance.
fn write_body(stream: &OutputStream, mut rest: &[u8]) -> Result<(), Broken> {
    while !rest.is_empty() {
        let room = stream.check_write().map_err(|_| Broken::Client)?;
        if room == 0 {
            stream.subscribe().block();
            continue;
        }
        let (now, later) = rest.split_at(rest.len().min(usize::try_from(room).unwrap_or(usize::MAX)));
        stream.write(now).map_err(|_| Broken::Client)?;
        rest = later;
    }
    Ok(())
}
