//! What the agent has noted about a friend, and the friend's say in it. The host keeps it.

use channel_plugin::{Host, MemoryError, Request, Response};
use serde::{Deserialize, Serialize};

use super::{Done, Problem, body, signed_in};
use crate::rates::Act;
use crate::service::Service;
use crate::username::user_id;

#[derive(Serialize)]
struct Noted {
    notes: Vec<String>,
}

#[derive(Deserialize)]
struct ForgetBody {
    note: String,
}

/// `GET /api/notes`.
pub(super) fn notes(service: &mut Service, host: &mut dyn Host, request: &Request) -> Result<Response, Problem> {
    let session = signed_in(service, host, request)?;
    let notes = host.notes(&user_id(&session.username))?;
    Ok(Response::json(200, &Noted { notes }))
}

/// `POST /api/notes/forget`.
pub(super) fn forget(service: &mut Service, host: &mut dyn Host, request: &Request) -> Result<Response, Problem> {
    let session = signed_in(service, host, request)?;
    let ForgetBody { note } = body(request)?;
    service.rates.take(session.friend_id, Act::Change, host.now_ms())?;
    host.forget(&user_id(&session.username), &note)?;
    tracing::info!(username = session.username, "a friend had a note removed");
    Ok(Response::json(200, &Done { ok: true }))
}

impl From<MemoryError> for Problem {
    fn from(error: MemoryError) -> Self {
        match error {
            MemoryError::UnknownNote => Self::UnknownNote,
            MemoryError::Other(reason) => Self::Memory(reason),
        }
    }
}
