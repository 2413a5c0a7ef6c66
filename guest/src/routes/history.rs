//! What was said before, in pages, and the mark of what was seen.

use channel_plugin::{Host, Request, Response};
use serde::{Deserialize, Serialize};

use super::{Done, Problem, body, number, signed_in};
use crate::entry::{Entry, Role, State};
use crate::markdown;
use crate::service::Service;

const DEFAULT_LIMIT: u32 = 50;
/// Entries of one page at most; each may be a long text.
const MAX_LIMIT: u32 = 200;

#[derive(Serialize)]
struct Page<'a> {
    entries: Vec<Shown<'a>>,
    more: bool,
}

#[derive(Serialize)]
struct Shown<'a> {
    id: i64,
    role: Role,
    text: &'a str,
    html: String,
    at: i64,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<&'a str>,
    /// The message that an answer answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<i64>,
}

#[derive(Deserialize)]
struct SeenBody {
    id: i64,
}

/// `GET /api/history`.
pub(super) fn history(service: &mut Service, host: &mut dyn Host, request: &Request) -> Result<Response, Problem> {
    let session = signed_in(service, host, request)?;
    let before = number(request, "before")?;
    let limit = match number(request, "limit")? {
        None => DEFAULT_LIMIT,
        Some(limit) => u32::try_from(limit)
            .ok()
            .filter(|limit| (1..=MAX_LIMIT).contains(limit))
            .ok_or_else(|| Problem::Shape("limit must be a whole number from 1 to 200".to_owned()))?,
    };
    let page = service.store.entries_before(session.friend_id, before, limit)?;
    let now_ms = host.now_ms();
    let entries = page.entries.iter().map(|entry| shown(service, entry, now_ms)).collect();
    Ok(Response::json(
        200,
        &Page {
            entries,
            more: page.more,
        },
    ))
}

/// `POST /api/seen`.
pub(super) fn seen(service: &mut Service, host: &mut dyn Host, request: &Request) -> Result<Response, Problem> {
    let session = signed_in(service, host, request)?;
    let SeenBody { id } = body(request)?;
    if id < 0 {
        return Err(Problem::Shape("id must be a whole number".to_owned()));
    }
    service.mark_seen(host, session.friend_id, id)?;
    Ok(Response::json(200, &Done { ok: true }))
}

fn shown<'a>(service: &Service, entry: &'a Entry, now_ms: i64) -> Shown<'a> {
    Shown {
        id: entry.id,
        role: entry.role,
        text: &entry.text,
        html: match entry.role {
            Role::Friend => markdown::plain(&entry.text),
            Role::Agent | Role::Nudge => markdown::render(&entry.text),
        },
        at: entry.at_ms,
        state: if entry.has_expired(now_ms) {
            State::Expired
        } else {
            service.state_of(entry)
        },
        client_id: entry.client_id.as_deref(),
        source: entry.source.as_deref(),
        priority: entry.priority.as_deref(),
        message: entry.in_reply_to,
    }
}
