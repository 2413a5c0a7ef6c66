//! JSON to an address, and nothing but success or failure back.

use serde::Serialize;

use crate::bindings::wasi::http::outgoing_handler::{ErrorCode, RequestOptions, handle};
use crate::bindings::wasi::http::types::{Fields, Method, OutgoingBody, OutgoingRequest, Scheme};
use crate::settings;

/// What `blocking-write-and-flush` takes at most.
const MAX_WRITE_BYTES: usize = 4_096;
/// Nanoseconds to reach an address, and to get an answer there: no request to the plugin is answered meanwhile.
const PATIENCE_NS: u64 = 5_000_000_000;

/// The other side did not take it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotTaken {
    #[error("the environment variable {0} is not set")]
    Unset(&'static str),
    #[error("{0} is no http address")]
    Address(&'static str),
    #[error("{0:?}")]
    Unreachable(ErrorCode),
    #[error("it answered {0}")]
    Status(u16),
    #[error("the request could not be written")]
    Request,
}

/// Posts to the address that is in an environment variable, with the bridge's token.
pub(crate) fn post(variable: &'static str, body: &impl Serialize) -> Result<(), NotTaken> {
    let address = settings::own(variable).ok_or(NotTaken::Unset(variable))?;
    let body = serde_json::to_vec(body).map_err(|_| NotTaken::Request)?;
    let (scheme, rest) = address.split_once("://").ok_or(NotTaken::Address(variable))?;
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => return Err(NotTaken::Address(variable)),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let mut fields = vec![
        ("content-type".to_owned(), b"application/json".to_vec()),
        ("content-length".to_owned(), body.len().to_string().into_bytes()),
    ];
    if let Some(token) = settings::own("BRIDGE_TOKEN") {
        fields.push(("authorization".to_owned(), format!("Bearer {token}").into_bytes()));
    }
    let fields = Fields::from_list(&fields).map_err(|_| NotTaken::Request)?;
    let request = OutgoingRequest::new(fields);
    request
        .set_method(&Method::Post)
        .and_then(|()| request.set_scheme(Some(&scheme)))
        .and_then(|()| request.set_authority(Some(authority)))
        .and_then(|()| request.set_path_with_query(Some(if path.is_empty() { "/" } else { path })))
        .map_err(|()| NotTaken::Address(variable))?;
    let outgoing = request.body().map_err(|()| NotTaken::Request)?;
    let options = RequestOptions::new();
    // A host that knows no such limit has one of its own.
    let _ = options.set_connect_timeout(Some(PATIENCE_NS));
    let _ = options.set_first_byte_timeout(Some(PATIENCE_NS));
    let response = handle(request, Some(options)).map_err(NotTaken::Unreachable)?;
    write(&outgoing, &body)?;
    OutgoingBody::finish(outgoing, None).map_err(NotTaken::Unreachable)?;
    response.subscribe().block();
    let response = response
        .get()
        .ok_or(NotTaken::Request)?
        .map_err(|()| NotTaken::Request)?
        .map_err(NotTaken::Unreachable)?;
    match response.status() {
        200..=299 => Ok(()),
        status => Err(NotTaken::Status(status)),
    }
}

fn write(body: &OutgoingBody, bytes: &[u8]) -> Result<(), NotTaken> {
    let stream = body.write().map_err(|()| NotTaken::Request)?;
    for chunk in bytes.chunks(MAX_WRITE_BYTES) {
        stream.blocking_write_and_flush(chunk).map_err(|_| NotTaken::Request)?;
    }
    Ok(())
}
