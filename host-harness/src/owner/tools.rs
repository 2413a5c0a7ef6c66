//! What the owner can have done by talking: every tool of the plugin, and a message to one of its users.
//!
//! Who may have this list decides about everybody's access; it is made for the owner's turn and handed to nobody else.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracing::Instrument as _;

use super::{Answer, Command, Urgency};
use crate::plugin::{CallError, ChannelError, PluginActor};
use crate::request_id::RequestId;

/// The tool that is the harness's own.
pub(super) const NUDGE: &str = "nudge";

/// Who a message that the agent was asked to send says that it is from.
const SOURCE: &str = "agent";

/// Ends of the names of tools that take nothing from anybody. Whatever else a plugin offers may end somebody's access.
const HARMLESS: [&str; 2] = ["_invite", "_list"];

/// One tool, as a model is told of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OwnerTool {
    /// Letters, digits and `_`; unique in the list.
    pub name: String,
    /// What it does and when to use it.
    pub description: String,
    /// JSON Schema of the arguments, an object.
    pub parameters: Value,
    /// It may take something away that somebody has: the owner is asked before it is carried out.
    pub needs_consent: bool,
}

/// The owner's tools.
#[derive(Debug, Clone)]
pub struct OwnerTools {
    plugin: Arc<PluginActor>,
    prefix: String,
    list: Vec<OwnerTool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NudgeArguments {
    user: String,
    message: String,
    #[serde(default)]
    priority: Urgency,
}

impl OwnerTools {
    /// The tools of a plugin as it lists them, and `nudge`.
    ///
    /// # Errors
    /// When the plugin cannot be called.
    pub async fn of(plugin: &Arc<PluginActor>) -> Result<Self, CallError> {
        let prefix = plugin.describe().await?.channel_prefix;
        let of_plugin = plugin.list_tools().await?.into_iter().filter(|tool| tool.name != NUDGE);
        let list = of_plugin
            .map(|tool| OwnerTool {
                needs_consent: needs_consent(&tool.name),
                name: tool.name,
                description: tool.description,
                // A schema that cannot be read allows any object; the plugin checks what it is given.
                parameters: serde_json::from_str(&tool.parameters).unwrap_or_else(|_| json!({ "type": "object" })),
            })
            .chain([nudge(&prefix)])
            .collect();
        Ok(Self {
            plugin: Arc::clone(plugin),
            prefix,
            list,
        })
    }

    /// All of them, the plugin's first and in its order.
    pub fn list(&self) -> &[OwnerTool] {
        &self.list
    }

    /// A tool by its name.
    pub fn get(&self, name: &str) -> Option<&OwnerTool> {
        self.list.iter().find(|tool| tool.name == name)
    }

    /// The user id for a name.
    ///
    /// # Errors
    /// When the plugin knows no such user. Says so.
    pub async fn user_id(&self, name: &str) -> Answer {
        let user_id = format!("{}:{name}", self.prefix);
        match self.plugin.history(&user_id, 1).await {
            Err(CallError::Channel(error @ (ChannelError::MalformedUserId(_) | ChannelError::UnknownUser(_)))) => {
                Err(CallError::Channel(error).to_string())
            }
            // A plugin that is not started cannot tell; what is noted about nobody harms nobody.
            _ => Ok(user_id),
        }
    }

    /// Carries a tool out, without asking anybody. `arguments` is a JSON object in text.
    ///
    /// What has begun is carried out to its end, even when the answer is not waited for.
    pub async fn call(&self, name: &str, arguments: &str) -> Answer {
        let (plugin, name, arguments) = (Arc::clone(&self.plugin), name.to_owned(), arguments.to_owned());
        let call = async move {
            match name.as_str() {
                NUDGE => send(&plugin, &arguments).await,
                _ => Command::Tool { name, arguments }.run(&plugin).await,
            }
        };
        // A call of the plugin that is given up in the middle costs its instance.
        let called = tokio::spawn(RequestId::current_or_new().scope(call).in_current_span()).await;
        called.unwrap_or_else(|_| Err("the tool failed in the middle".to_owned()))
    }
}

/// Whether a tool of a plugin may take something away that somebody has.
pub(super) fn needs_consent(name: &str) -> bool {
    !HARMLESS.iter().any(|end| name.ends_with(end))
}

fn nudge(prefix: &str) -> OwnerTool {
    OwnerTool {
        name: NUDGE.to_owned(),
        description:
            "Send a user of the chat a message on your own account. It appears in the user's chat at once, or is \
            kept until the next visit. Use it when the owner wants somebody to be told or asked something."
                .to_owned(),
        parameters: json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "user": {
                    "type": "string",
                    "description": format!("Username, or whole user id as in {prefix}:name")
                },
                "message": { "type": "string", "minLength": 1, "description": "Markdown" },
                "priority": {
                    "type": "string",
                    "enum": ["low", "normal", "high", "urgent"],
                    "description": "How much it matters; normal if left out"
                }
            },
            "required": ["user", "message"],
            "additionalProperties": false
        }),
        needs_consent: false,
    }
}

async fn send(plugin: &Arc<PluginActor>, arguments: &str) -> Answer {
    let NudgeArguments {
        user,
        message,
        priority,
    } = serde_json::from_str(arguments).map_err(|error| format!("the arguments of {NUDGE} do not fit: {error}"))?;
    // Where no harness serves, the plugin is started for this and not before: a start goes on with what users wait for.
    match plugin.start().await {
        Ok(()) | Err(CallError::Channel(ChannelError::AlreadyStarted)) => {}
        Err(error) => return Err(error.to_string()),
    }
    let nudge = Command::Nudge {
        user,
        text: message,
        source: SOURCE.to_owned(),
        priority,
    };
    nudge.run(plugin).await
}
