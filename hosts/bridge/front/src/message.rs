//! What the agent and the owner send, as JSON.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What the agent does about a message: one event or several, in order.
#[derive(Debug, Deserialize)]
pub(crate) struct Events {
    pub(crate) ticket: u64,
    pub(crate) events: Vec<Event>,
}

/// As `agent-event` in the contract.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(tag = "type", content = "text", rename_all = "lowercase")]
pub(crate) enum Event {
    Started,
    Status(String),
    Delta(String),
    Restarted,
    Done,
    Failed(String),
}

/// A message that the agent sends on its own account.
#[derive(Debug, Deserialize)]
pub(crate) struct Nudge {
    pub(crate) user: String,
    pub(crate) content: String,
    #[serde(default = "owner")]
    pub(crate) source: String,
    #[serde(default)]
    pub(crate) priority: Priority,
}

/// How much it matters.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Priority {
    Low,
    #[default]
    Normal,
    High,
    Urgent,
}

/// One of the owner's tools.
#[derive(Debug, Deserialize)]
pub(crate) struct Tool {
    pub(crate) name: String,
    /// The plugin reads them.
    pub(crate) arguments: Box<RawValue>,
}

/// What became of a nudge.
#[derive(Debug, Serialize)]
pub(crate) struct Delivered {
    pub(crate) id: u64,
}

/// What a tool says.
#[derive(Debug, Serialize)]
pub(crate) struct Said {
    pub(crate) text: String,
}

/// What a tool is for.
#[derive(Debug, Serialize)]
pub(crate) struct Described {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) parameters: Box<RawValue>,
}

/// What is wrong.
#[derive(Debug, Serialize)]
pub(crate) struct Problem<'a> {
    pub(crate) error: &'a str,
}

fn owner() -> String {
    "owner".to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn events_are_named_as_in_the_contract() {
        let events: Events = serde_json::from_str(
            r#"{"ticket":7,"events":[{"type":"started"},{"type":"status","text":"looking"},{"type":"delta","text":"a"},
                {"type":"restarted"},{"type":"done"},{"type":"failed","text":"why"}]}"#,
        )
        .unwrap();
        assert_eq!(events.ticket, 7);
        let expected = [
            Event::Started,
            Event::Status("looking".to_owned()),
            Event::Delta("a".to_owned()),
            Event::Restarted,
            Event::Done,
            Event::Failed("why".to_owned()),
        ];
        assert_eq!(events.events, expected);
    }

    #[test]
    fn a_nudge_needs_a_user_and_words() {
        let nudge: Nudge = serde_json::from_str(r#"{"user":"friend:john","content":"hi"}"#).unwrap();
        assert_eq!((nudge.source.as_str(), nudge.priority), ("owner", Priority::Normal));
        assert!(serde_json::from_str::<Nudge>(r#"{"user":"friend:john"}"#).is_err());
    }

    #[test]
    fn arguments_stay_as_they_are() {
        let tool: Tool = serde_json::from_str(r#"{"name":"a","arguments":{"x": 1.0}}"#).unwrap();
        assert_eq!((tool.name.as_str(), tool.arguments.get()), ("a", r#"{"x": 1.0}"#));
    }
}
