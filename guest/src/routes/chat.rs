//! Saying something to the agent, and stopping its answer.

use channel_plugin::{Host, Request, Response, sse};
use serde::{Deserialize, Serialize};

use super::auth::Nothing;
use super::{Done, Problem, body, signed_in};
use crate::answers::Question;
use crate::broadcast;
use crate::conversation::{AGENT_FAILED, Said};
use crate::entry::State;
use crate::event::Event;
use crate::service::Service;
use crate::store::Session;
use crate::topic::{self, Topic, Wire};

/// Milliseconds between comments on a silent stream: below every proxy's idle limit.
const KEEP_ALIVE_MS: u32 = 10_000;
/// Milliseconds an answer's connection lives. A longer answer reaches the page by its feed.
const LIFE_MS: u32 = 15 * 60 * 1000;
/// Most characters of a page's own name for a message.
pub(crate) const MAX_CLIENT_ID_CHARS: usize = 64;

const ENDED_EARLY: &str = "The answer is not ready yet. It will be in the history.";

#[derive(Deserialize)]
struct SayBody {
    message: String,
    #[serde(default = "yes")]
    stream: bool,
    id: Option<String>,
}

#[derive(Serialize)]
struct WholeAnswer<'a> {
    content: &'a str,
}

/// `POST /api/chat`.
pub(super) fn say(service: &mut Service, host: &mut dyn Host, request: &Request) -> Result<Response, Problem> {
    let session = signed_in(service, host, request)?;
    let SayBody { message, stream, id } = body(request)?;
    let said = take(service, host, &session, &message, id.as_deref())?;
    if stream {
        streamed(service, &session, &said)
    } else {
        whole(service, &session, &said)
    }
}

/// Takes a message, by whichever transport it came.
pub(crate) fn take(
    service: &mut Service,
    host: &mut dyn Host,
    session: &Session,
    message: &str,
    client_id: Option<&str>,
) -> Result<Said, Problem> {
    if message.trim().is_empty() {
        return Err(Problem::Shape("The message is empty".to_owned()));
    }
    if client_id.is_some_and(|id| id.is_empty() || id.chars().count() > MAX_CLIENT_ID_CHARS) {
        return Err(Problem::Shape("id must have 1 to 64 characters".to_owned()));
    }
    Ok(service.say(host, session, message, client_id)?)
}

/// `POST /api/chat/stop`.
pub(super) fn stop(service: &mut Service, host: &mut dyn Host, request: &Request) -> Result<Response, Problem> {
    let session = signed_in(service, host, request)?;
    let Nothing {} = body(request)?;
    service.stop_answer(host, session.friend_id)?;
    Ok(Response::json(200, &Done { ok: true }))
}

/// A complete answer as one JSON object.
pub(crate) fn whole_answer(content: &str) -> Response {
    Response::json(200, &WholeAnswer { content })
}

/// The answer as a stream: what there is of it now, then the rest as it comes.
fn streamed(service: &Service, session: &Session, said: &Said) -> Result<Response, Problem> {
    let message_id = said.message_id;
    let mut body = sse::frame(
        None,
        &Event::Accepted {
            id: message_id,
            client_id: None,
        }
        .json(),
    );
    let mut push = |event: Event<'_>| body.push_str(&sse::frame(None, &event.json()));
    if said.state.is_open() {
        let text = service
            .answers
            .get(&Question::new(session.friend_id, message_id))
            .map_or("", |answer| answer.text.as_str());
        for content in broadcast::pieces(text) {
            push(Event::Text { message: None, content });
        }
        let keep_alive = Some((sse::COMMENT, KEEP_ALIVE_MS));
        let hold = topic::hold(Wire::Stream, &topics(session, message_id), keep_alive, LIFE_MS);
        return Ok(sse::response(body).held(hold));
    }
    if said.state == State::Failed {
        push(Event::Error {
            message: None,
            client_id: None,
            error: AGENT_FAILED,
        });
    } else {
        if let Some(reply) = service.store.reply_to(message_id)? {
            for content in broadcast::pieces(&reply.text) {
                push(Event::Text { message: None, content });
            }
        }
        push(Event::Done { message: None });
    }
    Ok(sse::response(body))
}

/// The answer as one object, given when it is complete.
fn whole(service: &Service, session: &Session, said: &Said) -> Result<Response, Problem> {
    if said.state.is_open() {
        let hold = topic::hold(Wire::Json, &topics(session, said.message_id), None, LIFE_MS);
        return Ok(Response::error(503, ENDED_EARLY).held(hold));
    }
    if said.state == State::Failed {
        return Ok(Response::error(502, AGENT_FAILED));
    }
    let reply = service.store.reply_to(said.message_id)?;
    Ok(whole_answer(reply.as_ref().map_or("", |reply| &reply.text)))
}

fn topics(session: &Session, message_id: i64) -> [Topic; 3] {
    [Topic::Answer(message_id), Topic::Session(session.id), Topic::All]
}

const fn yes() -> bool {
    true
}
