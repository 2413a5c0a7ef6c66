//! What the agent and its owner have to say, under `/internal/` with the bridge's token.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use subtle::ConstantTimeEq;

use crate::bindings::tinyclaw::bridge::effects;
use crate::bindings::tinyclaw::plugin::channel::{self, AgentEvent, OutboundMessage};
use crate::bindings::tinyclaw::plugin::http::{Request, Response};
use crate::bindings::tinyclaw::plugin::tools;
use crate::message::{Delivered, Described, Event, Events, Nudge, Priority, Problem, Said, Tool};

const PATH: &str = "/internal/";

/// A request that came to nothing: its status, and a sentence.
struct Refused(u16, String);

/// Answers a request of the agent or the owner; none if it is not one, or where no token is set.
pub(crate) fn answer(request: &Request, token: Option<&str>) -> Option<Response> {
    let name = request.target.strip_prefix(PATH)?;
    let token = token?;
    if !is_allowed(request, token) {
        return Some(problem(
            401,
            "This needs the token of the bridge, as Authorization: Bearer …",
        ));
    }
    let answered = match (request.method.as_str(), name) {
        ("POST", "events") => body(request).and_then(events),
        ("POST", "nudge") => body(request).and_then(nudge),
        ("POST", "tool") => body(request).and_then(tool),
        ("GET", "tools") => Ok(described()),
        _ => Err(Refused(
            404,
            "There are POST /internal/events, nudge and tool, and GET /internal/tools".to_owned(),
        )),
    };
    Some(answered.unwrap_or_else(|Refused(status, sentence)| problem(status, &sentence)))
}

/// `{"error": sentence}`.
pub(crate) fn problem(status: u16, sentence: &str) -> Response {
    json(status, &Problem { error: sentence })
}

fn is_allowed(request: &Request, token: &str) -> bool {
    let given = request.headers.iter().find(|(name, _)| name == "authorization");
    given
        .and_then(|(_, value)| value.strip_prefix(b"Bearer "))
        .is_some_and(|given| given.ct_eq(token.as_bytes()).into())
}

fn events(Events { ticket, events }: Events) -> Result<Response, Refused> {
    for event in events {
        let is_last = matches!(event, Event::Done | Event::Failed(_));
        let event = match event {
            Event::Started => AgentEvent::Started,
            Event::Status(text) => AgentEvent::Status(text),
            Event::Delta(text) => AgentEvent::Delta(text),
            Event::Restarted => AgentEvent::Restarted,
            Event::Done => AgentEvent::Done,
            Event::Failed(reason) => AgentEvent::Failed(reason),
        };
        channel::on_agent_event(ticket, &event)?;
        if is_last {
            effects::answered_by_agent(ticket);
        }
    }
    Ok(json(200, &serde_json::Map::new()))
}

fn nudge(nudge: Nudge) -> Result<Response, Refused> {
    let message = OutboundMessage {
        content: nudge.content,
        source: nudge.source,
        priority: match nudge.priority {
            Priority::Low => channel::Priority::Low,
            Priority::Normal => channel::Priority::Normal,
            Priority::High => channel::Priority::High,
            Priority::Urgent => channel::Priority::Urgent,
        },
    };
    let delivery = channel::send_to_user(&nudge.user, &message)?;
    Ok(json(200, &Delivered { id: delivery.id }))
}

fn tool(tool: Tool) -> Result<Response, Refused> {
    let text = tools::call_tool(&tool.name, tool.arguments.get())?;
    Ok(json(200, &Said { text }))
}

fn described() -> Response {
    let tools: Vec<Described> = tools::list_tools()
        .into_iter()
        .map(|tool| Described {
            name: tool.name,
            description: tool.description,
            parameters: RawValue::from_string(tool.parameters).unwrap_or_default(),
        })
        .collect();
    json(200, &tools)
}

fn body<T: DeserializeOwned>(request: &Request) -> Result<T, Refused> {
    serde_json::from_slice(&request.body).map_err(|error| Refused(400, format!("The body does not fit: {error}")))
}

fn json(status: u16, body: &impl Serialize) -> Response {
    let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    Response {
        status,
        headers: vec![
            header("content-type", "application/json"),
            header("cache-control", "no-store"),
        ],
        // What is sent has no keys but strings, so it can be written.
        body: serde_json::to_vec(body).unwrap_or_default(),
        hold: None,
    }
}

impl From<channel::Error> for Refused {
    fn from(error: channel::Error) -> Self {
        use channel::Error;
        match error {
            Error::UnknownTicket => Self(404, "Nobody waits for this answer any more".to_owned()),
            Error::UnknownUser(user) => Self(404, format!("There is no {user}")),
            Error::MalformedUserId(sentence) | Error::Invalid(sentence) => Self(400, sentence),
            Error::AlreadyStarted | Error::NotStarted => Self(503, "The plugin does not run".to_owned()),
            Error::Busy => Self(503, "The plugin is busy".to_owned()),
            Error::NewerData(sentence) | Error::Storage(sentence) | Error::Other(sentence) => Self(500, sentence),
        }
    }
}

impl From<tools::Error> for Refused {
    fn from(error: tools::Error) -> Self {
        use tools::Error;
        match error {
            Error::UnknownTool(name) => Self(404, format!("There is no tool {name}")),
            Error::InvalidArguments(sentence) => Self(400, sentence),
            Error::Refused(sentence) => Self(409, sentence),
            Error::Busy => Self(503, "The plugin is busy".to_owned()),
            Error::NewerData(sentence) | Error::Storage(sentence) | Error::Other(sentence) => Self(500, sentence),
        }
    }
}
