//! What the owner types: words for the agent, or a command behind a slash.

use serde_json::{Value, json};

use super::{Command, Urgency};

/// The commands there are.
pub(super) const HELP: &str = "\
/invite NAME [NICKNAME]   invite a new friend
/reinvite NAME            make a new code for a friend; earlier sessions and codes end
/revoke NAME              end a friend's access at once
/list                     list the friends
/nudge NAME TEXT          send a friend a message from the agent
/tool NAME [JSON]         call one of the plugin's tools
/status                   tell how the running harness is doing
/help                     show this
/quit                     end, as Ctrl-D does
Anything else is said to the agent. Ctrl-C stops its answer.";

/// Who a message that the owner sends says that it is from.
const SOURCE: &str = "owner";

/// One line of the owner.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Blank.
    Nothing,
    /// For the agent.
    Message(String),
    /// For the plugin.
    Command(Command),
    Status,
    Help,
    Quit,
}

/// A command that is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoCommand {
    #[error("there is no {0}: /help lists the commands; put a space before it to say it to the agent")]
    Unknown(String),
    #[error("write it as {0}")]
    Form(&'static str),
}

impl Line {
    pub(super) fn parse(line: &str) -> Result<Self, NoCommand> {
        let text = line.trim();
        if text.is_empty() {
            return Ok(Self::Nothing);
        }
        if !line.starts_with('/') {
            return Ok(Self::Message(text.to_owned()));
        }
        let (command, rest) = two(text);
        let name_only = |form, suffix| match two(rest) {
            (name, "") if !name.is_empty() => Ok(tool(suffix, json!({ "username": name }))),
            _ => Err(NoCommand::Form(form)),
        };
        match command {
            "/invite" => match two(rest) {
                ("", _) => Err(NoCommand::Form("/invite NAME [NICKNAME]")),
                (name, "") => Ok(tool("_invite", json!({ "username": name }))),
                (name, nickname) => Ok(tool("_invite", json!({ "username": name, "nickname": nickname }))),
            },
            "/reinvite" => name_only("/reinvite NAME", "_reinvite"),
            "/revoke" => name_only("/revoke NAME", "_revoke"),
            "/list" => Ok(tool("_list", json!({}))),
            "/nudge" => match two(rest) {
                (_, "") => Err(NoCommand::Form("/nudge NAME TEXT")),
                (user, text) => Ok(Self::Command(Command::Nudge {
                    user: user.to_owned(),
                    text: text.to_owned(),
                    source: SOURCE.to_owned(),
                    priority: Urgency::default(),
                })),
            },
            "/tool" => match two(rest) {
                ("", _) => Err(NoCommand::Form("/tool NAME [JSON]")),
                (name, arguments) => Ok(Self::Command(Command::Tool {
                    name: name.to_owned(),
                    arguments: Some(arguments)
                        .filter(|text| !text.is_empty())
                        .unwrap_or("{}")
                        .to_owned(),
                })),
            },
            "/status" => Ok(Self::Status),
            "/help" => Ok(Self::Help),
            "/quit" => Ok(Self::Quit),
            other => Err(NoCommand::Unknown(other.to_owned())),
        }
    }
}

fn tool(suffix: &str, arguments: Value) -> Line {
    Line::Command(Command::ToolEnding {
        suffix: suffix.to_owned(),
        arguments: arguments.to_string(),
    })
}

/// The first word, and what follows it.
fn two(text: &str) -> (&str, &str) {
    let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (first, rest.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_commands() {
        let form = |form| Err(NoCommand::Form(form));
        let list = [
            ("  ", Ok(Line::Nothing)),
            (" invite John ", Ok(Line::Message("invite John".to_owned()))),
            (" /list", Ok(Line::Message("/list".to_owned()))),
            ("/list", Ok(tool("_list", json!({})))),
            ("/invite john", Ok(tool("_invite", json!({ "username": "john" })))),
            (
                "/invite john  John Doe ",
                Ok(tool("_invite", json!({ "username": "john", "nickname": "John Doe" }))),
            ),
            ("/revoke john", Ok(tool("_revoke", json!({ "username": "john" })))),
            ("/revoke", form("/revoke NAME")),
            ("/revoke john doe", form("/revoke NAME")),
            ("/nudge john", form("/nudge NAME TEXT")),
            ("/frobnicate", Err(NoCommand::Unknown("/frobnicate".to_owned()))),
            ("/help", Ok(Line::Help)),
            ("/quit", Ok(Line::Quit)),
        ];
        for (text, line) in list {
            assert_eq!(Line::parse(text), line, "{text:?}");
        }
    }
}
