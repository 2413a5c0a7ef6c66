//! The feed as Server-Sent Events.

use channel_plugin::{Host, Request, Response, sse};

use super::{Problem, signed_in};
use crate::service::Service;
use crate::topic::{self, Topic, Wire};

/// Milliseconds a browser waits before it comes back; short, because streams end regularly by design.
const RETRY_MS: u32 = 2_000;
/// What keeps the feed alive: a named event, so that a page can notice its absence.
const HEARTBEAT: &str = "event: heartbeat\ndata: {\"type\":\"heartbeat\"}\n\n";
/// Milliseconds between heartbeats: below every proxy's idle limit.
pub(crate) const HEARTBEAT_MS: u32 = 10_000;
/// Milliseconds a feed lives, so that its credentials are checked again; the page comes back by itself.
pub(crate) const LIFE_MS: u32 = 60 * 60 * 1000;

/// `GET /api/stream`. `Last-Event-ID` is what a browser that comes back sends, `?after=` what a page starts from.
pub(super) fn stream(service: &mut Service, host: &mut dyn Host, request: &Request) -> Result<Response, Problem> {
    let session = signed_in(service, host, request)?;
    service.admit_feed(host, &session)?;
    let mut body = sse::retry(RETRY_MS);
    let greeting = service.greeting(&session, sse::resume_point(request), host.now_ms())?;
    for line in greeting.lines {
        body.push_str(&sse::frame(line.log_id, &line.json));
    }
    body.push_str(&sse::position(greeting.up_to));
    let topics = [Topic::Friend(session.friend_id), Topic::Session(session.id), Topic::All];
    let keep_alive = Some((HEARTBEAT, HEARTBEAT_MS));
    let hold = topic::hold(Wire::Stream, &topics, keep_alive, LIFE_MS);
    Ok(sse::response(body).held(hold))
}
