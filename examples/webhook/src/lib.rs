//! A channel by webhook: a program posts a text to a secret address, and reads there what was said, by asking now and then or
//! as a stream. The owner's agent opens an address with the tool `hook_open`.
#![cfg(target_family = "wasm")]

mod store;

use std::collections::BTreeMap;

use channel_plugin::rand_core::Rng as _;
use channel_plugin::{
    AgentEvent, ChannelPlugin, CloseReason, Condition, Delivery, EnqueueError, Entry, Error, Hold, HoldMode, Host,
    Metadata, OutboundMessage, Request, Response, Role, Ticket, Tool, ToolError, sse,
};
use serde_json::{Value, json};
use store::Store;

const HOOK_OPEN: &str = "hook_open";
const PARAMETERS: &str = r#"{"type": "object", "required": ["name"], "additionalProperties": false,
    "properties": {"name": {"type": "string", "pattern": "^[a-z0-9_]{1,32}$"}}}"#;
const MAX_TEXT_BYTES: usize = 16_384;
/// What every stream listens to besides its own hook; no hook has this name.
const ALL: &str = "*";

channel_plugin::export!(Webhook);

#[derive(Default)]
struct Webhook {
    store: Option<Store>,
    /// Answers that are being given: to which entry of which hook, and what was said so far.
    answers: BTreeMap<Ticket, (u64, String, String)>,
}

impl ChannelPlugin for Webhook {
    fn describe() -> Metadata {
        Metadata {
            id: env!("CARGO_PKG_NAME").to_owned(),
            name: "Webhook".to_owned(),
            description: env!("CARGO_PKG_DESCRIPTION").to_owned(),
            kind: "channel".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            channel_prefix: "hook".to_owned(),
        }
    }

    fn start(&mut self, host: &mut dyn Host) -> Result<(), Error> {
        if self.store.is_some() {
            return Err(Error::AlreadyStarted);
        }
        self.store = Some(Store::open()?);
        self.ask(host)
    }

    fn stop(&mut self, host: &mut dyn Host) -> Result<(), Error> {
        *self = Self::default();
        end(host, ALL, "stopping")
    }

    fn handle(&mut self, host: &mut dyn Host, request: &Request) -> Response {
        self.answer(host, request).unwrap_or_else(|error| {
            if error != Error::NotStarted {
                tracing::error!(%error, "a request was not answered");
            }
            Response::error(503, "Not available at the moment. Please try again.")
        })
    }

    fn on_agent_event(&mut self, host: &mut dyn Host, ticket: Ticket, event: AgentEvent) -> Result<(), Error> {
        let (_, _, said) = self.answers.get_mut(&ticket).ok_or(Error::UnknownTicket)?;
        match event {
            AgentEvent::Started | AgentEvent::Status(_) => {}
            AgentEvent::Delta(piece) => said.push_str(&piece),
            AgentEvent::Restarted => said.clear(),
            AgentEvent::Done => return self.finish(host, ticket),
            AgentEvent::Failed(reason) => {
                tracing::warn!(reason, "the agent did not answer");
                "The agent could not answer.".clone_into(said);
                return self.finish(host, ticket);
            }
        }
        Ok(())
    }

    fn send_to_user(&mut self, host: &mut dyn Host, user: &str, message: &OutboundMessage) -> Result<Delivery, Error> {
        let (store, hook) = self.user(user)?;
        if !is_text(&message.content) {
            return Err(Error::Invalid(
                "content must have 1 to 16384 bytes, not all blank".into(),
            ));
        }
        let entry = store.keep(hook, Role::Nudge, &message.content, host.now_ms())?;
        let (id, connections) = (entry.id, publish(host, hook, &entry)?);
        Ok(Delivery { connections, id })
    }

    fn history(&mut self, user: &str, limit: u32) -> Result<Vec<Entry>, Error> {
        let (store, hook) = self.user(user)?;
        store.latest(hook, limit)
    }

    fn verify(&mut self) -> Result<Condition, Error> {
        self.with_store(Store::condition)
    }

    fn tools() -> Vec<Tool> {
        vec![Tool {
            name: HOOK_OPEN.to_owned(),
            description:
                "Open an address for a program: what it posts there comes to you, and it reads there what you \
                say. Answers with the path, which is secret. An earlier one of the same name ends."
                    .to_owned(),
            parameters: PARAMETERS.to_owned(),
            owner_only: true,
        }]
    }

    fn call_tool(&mut self, host: &mut dyn Host, tool: &str, arguments: &str) -> Result<String, ToolError> {
        if tool != HOOK_OPEN {
            return Err(ToolError::UnknownTool(tool.to_owned()));
        }
        let arguments: Value = channel_plugin::arguments(tool, arguments)?;
        let Some(name) = arguments
            .get("name")
            .and_then(Value::as_str)
            .filter(|name| is_name(name))
        else {
            return Err(ToolError::InvalidArguments(
                "Give a name of 1 to 32 of a-z, 0-9 and _.".into(),
            ));
        };
        let mut random = host.random();
        let secret = format!("{:016x}{:016x}", random.next_u64(), random.next_u64());
        self.with_store(|store| store.open_hook(name, &secret))?;
        end(host, name, "opened anew")?;
        Ok(format!(
            "The address is open: POST a text to /hook/{secret}, and GET what was said."
        ))
    }
}

impl Webhook {
    /// The store of a plugin that runs, and else one for the length of the call.
    fn with_store<T>(&self, work: impl FnOnce(&Store) -> Result<T, Error>) -> Result<T, Error> {
        match &self.store {
            Some(store) => work(store),
            None => work(&Store::open()?),
        }
    }

    /// The store, and the hook that a user is.
    fn user<'a>(&self, user: &'a str) -> Result<(&Store, &'a str), Error> {
        let store = self.store.as_ref().ok_or(Error::NotStarted)?;
        match user.strip_prefix("hook:").filter(|name| is_name(name)) {
            None => Err(Error::MalformedUserId("a user is hook:NAME, of a-z, 0-9 and _".into())),
            Some(hook) if store.has(hook)? => Ok((store, hook)),
            Some(_) => Err(Error::UnknownUser(user.to_owned())),
        }
    }

    fn answer(&mut self, host: &mut dyn Host, request: &Request) -> Result<Response, Error> {
        let store = self.store.as_ref().ok_or(Error::NotStarted)?;
        let secret = request.path.strip_prefix("/hook/").unwrap_or_default();
        let Some(hook) = store.hook(secret)? else {
            return Ok(Response::error(404, "There is nothing here"));
        };
        match (request.method.as_str(), std::str::from_utf8(&request.body)) {
            ("POST", Ok(text)) if is_text(text) => {
                let entry = store.keep(&hook, Role::User, text, host.now_ms())?;
                publish(host, &hook, &entry)?;
                self.ask(host)?;
                Ok(Response::json(202, &json!({ "id": entry.id })))
            }
            ("POST", _) => Ok(Response::error(400, "Post a text of 1 to 16384 bytes")),
            ("GET", _) => read(store, &hook, request),
            _ => Ok(Response::error(405, "Post a text, or get what was said").with("allow", "GET, POST")),
        }
    }

    /// Keeps an answer that is complete, and gives it to who reads.
    fn finish(&mut self, host: &mut dyn Host, ticket: Ticket) -> Result<(), Error> {
        let (message, hook, said) = self.answers.get(&ticket).ok_or(Error::UnknownTicket)?;
        let store = self.store.as_ref().ok_or(Error::NotStarted)?;
        let reply = store.reply(*message, hook, said, host.now_ms())?;
        publish(host, hook, &reply)?;
        self.answers.remove(&ticket);
        self.ask(host)
    }

    /// Puts in the agent's queue what is not in it, as far as it has places; the rest waits for the next answer.
    fn ask(&mut self, host: &mut dyn Host) -> Result<(), Error> {
        let store = self.store.as_ref().ok_or(Error::NotStarted)?;
        for (hook, entry) in store.unanswered()? {
            if self.answers.values().any(|(message, ..)| *message == entry.id) {
                continue;
            }
            match host.enqueue(&format!("hook:{hook}"), &entry.text) {
                Ok(ticket) => drop(self.answers.insert(ticket, (entry.id, hook, String::new()))),
                Err(EnqueueError::Full { .. }) => break,
                Err(error) => return Err(other(error)),
            }
        }
        Ok(())
    }
}

/// What was said after what the reader knows; a stream goes on with what follows.
fn read(store: &Store, hook: &str, request: &Request) -> Result<Response, Error> {
    let known = request.header("last-event-id").map(str::to_owned);
    let known = known
        .or_else(|| request.query_value("after"))
        .and_then(|id| id.parse().ok());
    let entries = store.after(hook, known.unwrap_or_default())?;
    if request.header("accept") != Some("text/event-stream") {
        return Ok(Response::json(200, &entries.iter().map(said).collect::<Vec<_>>()));
    }
    let beginning: String = entries.iter().map(frame).collect();
    let topics = vec![hook.to_owned(), ALL.to_owned()];
    let hold = Hold::new(HoldMode::Stream, topics, Some((sse::COMMENT, 20_000)), 3_600_000);
    Ok(Response::new(200, "text/event-stream", beginning).held(hold))
}

fn publish(host: &mut dyn Host, hook: &str, entry: &Entry) -> Result<u32, Error> {
    host.publish(hook, frame(entry).as_bytes()).map_err(other)
}

fn end(host: &mut dyn Host, topic: &str, text: &'static str) -> Result<(), Error> {
    host.close(topic, CloseReason { code: 1001, text })
        .map(drop)
        .map_err(other)
}

fn frame(entry: &Entry) -> String {
    sse::frame(i64::try_from(entry.id).ok(), &said(entry).to_string())
}

fn said(entry: &Entry) -> Value {
    json!({ "id": entry.id, "role": store::name(entry.role), "text": entry.text, "at_ms": entry.at_ms })
}

fn is_text(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= MAX_TEXT_BYTES
}

fn is_name(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

fn other(error: impl ToString) -> Error {
    Error::Other(error.to_string())
}
