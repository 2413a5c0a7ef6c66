//! The component's export: one request after the other.

use std::cell::Cell;

use crate::bindings::exports::wasi::http::incoming_handler::{Guest, IncomingRequest, ResponseOutparam};
use crate::bindings::tinyclaw::bridge::effects;
use crate::bindings::tinyclaw::plugin::channel::{self, AgentEvent};
use crate::bindings::tinyclaw::plugin::http::{self, Request, Response};
use crate::bindings::tinyclaw::plugin::http_types::{Hold, HoldMode};
use crate::bindings::wasi::cli::environment::get_environment;
use crate::bindings::wasi::clocks::wall_clock;
use crate::bindings::wasi::logging::logging::{Level, log};
use crate::exchange;
use crate::grip::{self, Beat, Mark, Stream};
use crate::internal::{self, problem};
use crate::lease::{Lease, NotGiven};

const BUSY: &str = "The chat is busy. Please try again.";

/// Seconds for which a response is withheld that had been withheld before; the plugin's own terms are not known any more.
const HELD_AGAIN_S: u64 = 15 * 60;

/// What the export is implemented on.
pub(crate) struct Component;

/// A response, and what the proxy is told besides.
type Answer = (Response, Vec<(&'static str, String)>);

thread_local! {
    static STARTED: Cell<bool> = const { Cell::new(false) };
    static TOKEN: Option<String> = token();
}

impl Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let request = match exchange::read(&request) {
            Ok(request) => request,
            Err(error) => {
                say(Level::Debug, &error);
                return exchange::refuse(out);
            }
        };
        let (superseded, (response, more)) = match Lease::take(!STARTED.get()) {
            Ok(_lease) => (false, answer(request)),
            Err(error) => {
                say(Level::Warn, &error);
                let superseded = matches!(error, NotGiven::Superseded);
                (superseded, (retried(problem(503, BUSY)), Vec::new()))
            }
        };
        // From here on nothing may wait: the host takes who comes meanwhile to another instance.
        if let Err(error) = exchange::write(response, more, out) {
            say(Level::Debug, &error);
        }
        if superseded {
            // What this instance has in memory is not what is on disk: its host makes another one.
            std::process::abort();
        }
    }
}

fn answer(request: Request) -> Answer {
    if let Err(error) = start() {
        say(Level::Error, &error);
        return (
            retried(problem(
                503,
                "The chat is not running at the moment. Please try again later.",
            )),
            Vec::new(),
        );
    }
    let last = last(&request);
    if let Some(stream) = Stream::from_link(&request.target) {
        return missed(stream.at(&last));
    }
    if !last.is_empty() {
        return asked_again(&last);
    }
    let internal = TOKEN.with(|token| internal::answer(&request, token.as_deref()));
    let response = internal.unwrap_or_else(|| http::handle(&request));
    effects::publish();
    // What the agent says now comes before the connection is held. The proxy sees that by the ids, and asks for it.
    let more = response.hold.as_ref().map_or_else(Vec::new, held);
    hand_over();
    (response, more)
}

fn start() -> Result<(), channel::Error> {
    if !STARTED.get() {
        channel::start()?;
        STARTED.set(true);
        effects::publish();
    }
    Ok(())
}

/// Tells the agent, and the plugin what the agent did not take.
fn hand_over() {
    for lost in effects::hand_over() {
        if let Err(error) = channel::on_agent_event(lost.ticket, &AgentEvent::Failed(lost.reason)) {
            say(Level::Debug, &error);
        }
    }
    effects::publish();
}

/// How the proxy is asked to hold a connection.
fn held(hold: &Hold) -> Vec<(&'static str, String)> {
    let marks = marks(&hold.topics);
    let life_s = u64::from(hold.life_ms).div_ceil(1_000);
    if hold.mode == HoldMode::Response {
        return grip::withheld(&marks, life_s);
    }
    let now_s = wall_clock::now().seconds;
    let beat = hold.keep_alive.as_ref().map(|keep_alive| Beat {
        frame: String::from_utf8_lossy(&keep_alive.frame).into_owned(),
        every_s: keep_alive.every_ms.div_ceil(1_000),
    });
    let stream = Stream {
        marks,
        beat,
        until_s: now_s.saturating_add(life_s),
    };
    stream.headers(now_s)
}

/// What a stream has missed; it ends where that is not known, and its client comes back.
fn missed(stream: Stream) -> Answer {
    let since: Vec<effects::Mark> = stream.marks.iter().map(effects::Mark::from).collect();
    let now_s = wall_clock::now().seconds;
    let gap = effects::missed(&since).unwrap_or(effects::Gap {
        frames: Vec::new(),
        ended: true,
    });
    let topics: Vec<String> = stream.marks.iter().map(|mark| mark.topic.clone()).collect();
    let more = if gap.ended || now_s >= stream.until_s {
        Vec::new()
    } else {
        let marks = marks(&topics);
        Stream { marks, ..stream }.headers(now_s)
    };
    let response = Response {
        status: 200,
        headers: vec![("content-type".to_owned(), b"text/event-stream".to_vec())],
        body: gap.frames,
        hold: None,
    };
    (response, more)
}

/// What a request gets that the proxy makes again, because it does not know whether it holds the first response in time: the
/// answer, or the same terms again as long as there is none.
fn asked_again(last: &[Mark]) -> Answer {
    let at: Vec<effects::Mark> = last.iter().map(effects::Mark::from).collect();
    if let Some(answer) = effects::answered(&at) {
        return (answer, Vec::new());
    }
    let more = match effects::missed(&at) {
        Some(gap) if !gap.ended => grip::withheld(last, HELD_AGAIN_S),
        _ => Vec::new(),
    };
    (retried(problem(503, BUSY)), more)
}

/// What the proxy has sent to a connection last, of each topic, if it says so.
fn last(request: &Request) -> Vec<Mark> {
    let headers = request.headers.iter().filter(|(name, _)| name == "grip-last");
    headers
        .flat_map(|(_, value)| grip::last(&String::from_utf8_lossy(value)))
        .collect()
}

fn marks(topics: &[String]) -> Vec<Mark> {
    effects::marks(topics)
        .into_iter()
        .map(|mark| Mark {
            topic: mark.topic,
            id: mark.id,
        })
        .collect()
}

fn retried(mut response: Response) -> Response {
    response.headers.push(("retry-after".to_owned(), b"1".to_vec()));
    response
}

fn token() -> Option<String> {
    let mut environment = get_environment().into_iter();
    let (_, token) = environment.find(|(name, _)| name == "BRIDGE_TOKEN")?;
    Some(token).filter(|token| !token.is_empty())
}

fn say(level: Level, error: &dyn std::fmt::Display) {
    log(level, "bridge", &error.to_string());
}

impl From<&Mark> for effects::Mark {
    fn from(mark: &Mark) -> Self {
        Self {
            topic: mark.topic.clone(),
            id: mark.id.clone(),
        }
    }
}
