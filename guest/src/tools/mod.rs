//! The owner's tools: what they are called, what they take, and how what they say is put.

use channel_plugin::{Error, Host, ToolError};

mod invite;
mod list;
mod revoke;

use serde::Deserialize;

use crate::service::{OpenError, Service};
use crate::store::StoreError;
use crate::username::Username;

/// What the host is told of a tool.
pub(crate) struct Description {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    /// JSON Schema of the arguments.
    pub(crate) parameters: &'static str,
}

const INVITE: &str = "friends_chat_invite";
const REINVITE: &str = "friends_chat_reinvite";
const REVOKE: &str = "friends_chat_revoke";
const LIST: &str = "friends_chat_list";

/// Every tool, in a fixed order.
pub(crate) const DESCRIPTIONS: [Description; 4] = [
    Description {
        name: INVITE,
        description: "Invite a new friend to the web chat. Creates the friend and answers with an invite link and \
            code to pass on. Use it when the owner wants somebody to be able to chat with you. The username is \
            permanent and names the friend in FRIENDS.md; for somebody who is invited already use \
            friends_chat_reinvite.",
        parameters: r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "properties": {
    "username": {
      "type": "string",
      "pattern": "^[a-z0-9_]{2,32}$",
      "description": "Permanent name of the friend: 2 to 32 characters of a-z, 0-9 and _"
    },
    "nickname": {
      "type": "string",
      "minLength": 1,
      "maxLength": 64,
      "description": "What the friend is called on the page; the username if left out"
    }
  },
  "required": ["username"],
  "additionalProperties": false
}"#,
    },
    Description {
        name: REINVITE,
        description: "Make a new invite link and code for a friend who lost access or was revoked. Every earlier \
            session and code of that friend stops working at once.",
        parameters: USERNAME_ONLY,
    },
    Description {
        name: REVOKE,
        description: "Take a friend's access to the web chat away. Sessions, code and open pages end at once; \
            friends_chat_reinvite gives access back.",
        parameters: USERNAME_ONLY,
    },
    Description {
        name: LIST,
        description: "List every friend of the web chat: username, nickname, status (active, invite pending or \
            revoked) and when they were last seen.",
        parameters: r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "properties": {},
  "additionalProperties": false
}"#,
    },
];

const USERNAME_ONLY: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "properties": {
    "username": {
      "type": "string",
      "pattern": "^[a-z0-9_]{2,32}$",
      "description": "The friend's username"
    }
  },
  "required": ["username"],
  "additionalProperties": false
}"#;

impl From<StoreError> for ToolError {
    fn from(error: StoreError) -> Self {
        Error::from(error).into()
    }
}

impl From<OpenError> for ToolError {
    fn from(error: OpenError) -> Self {
        Error::from(error).into()
    }
}

/// A call with arguments that fit.
pub(crate) enum Call {
    Invite(InviteArguments),
    Reinvite(UsernameArgument),
    Revoke(UsernameArgument),
    List,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InviteArguments {
    username: String,
    nickname: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UsernameArgument {
    username: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoArguments {}

impl Call {
    /// Understands a call; touches nothing.
    pub(crate) fn parse(name: &str, arguments: &str) -> Result<Self, ToolError> {
        Ok(match name {
            INVITE => Self::Invite(channel_plugin::arguments(name, arguments)?),
            REINVITE => Self::Reinvite(channel_plugin::arguments(name, arguments)?),
            REVOKE => Self::Revoke(channel_plugin::arguments(name, arguments)?),
            LIST => {
                let NoArguments {} = channel_plugin::arguments(name, arguments)?;
                Self::List
            }
            _ => return Err(ToolError::UnknownTool(name.to_owned())),
        })
    }

    /// Carries the call out. What the answer says has happened is on disk and in force.
    pub(crate) fn run(self, service: &mut Service, host: &mut dyn Host) -> Result<String, ToolError> {
        match self {
            Self::Invite(arguments) => invite::invite(service, host, arguments),
            Self::Reinvite(arguments) => invite::reinvite(service, host, &arguments),
            Self::Revoke(arguments) => revoke::revoke(service, host, &arguments),
            Self::List => list::list(service, host),
        }
    }
}

/// The friend that a tool's argument names.
fn named(service: &Service, arguments: &UsernameArgument) -> Result<crate::store::Friend, ToolError> {
    let username =
        Username::parse(&arguments.username).map_err(|error| ToolError::InvalidArguments(error.to_string()))?;
    service.store.find_friend(&username)?.ok_or_else(|| {
        ToolError::Refused(format!(
            "No friend has the username {username}; {LIST} lists them, and {INVITE} invites somebody new."
        ))
    })
}
