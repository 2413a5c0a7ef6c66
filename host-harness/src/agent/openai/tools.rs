//! What a model may do in a friend's turn: take a note about that friend, and nothing else. The user id decides, here and not in
//! a prompt.

use serde_json::{Value, json};

use crate::agent::Notes;

const NOTE: &str = "friends_note";

/// The tools of a turn, and whose turn it is.
#[derive(Debug)]
pub(super) struct Tools<'a> {
    notes: &'a Notes,
    user_id: &'a str,
}

/// A call that a model has made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) id: String,
    pub(super) name: String,
    /// JSON in text, as the protocol has it.
    pub(super) arguments: String,
}

impl<'a> Tools<'a> {
    pub(super) fn new(notes: &'a Notes, user_id: &'a str) -> Self {
        Self { notes, user_id }
    }

    /// What is offered.
    pub(super) fn offered() -> Value {
        json!([{ "type": "function", "function": {
            "name": NOTE,
            "description": "Remember a fact about the friend you are talking to, for later conversations; or forget one, when \
                the friend asks for that. Only for what the friend would expect you to remember.",
            "parameters": {
                "type": "object",
                "properties": {
                    "note": { "type": "string", "description": "One short sentence, at most 300 characters" },
                    "forget": { "type": "boolean", "description": "Remove the note that reads like this instead of adding it" }
                },
                "required": ["note"],
                "additionalProperties": false
            }
        } }])
    }

    /// What is remembered of the friend.
    pub(super) fn remembered(&self) -> Option<String> {
        self.notes.about(self.name()).unwrap_or_else(|error| {
            tracing::warn!(%error, "the notes cannot be read");
            None
        })
    }

    /// Carries a call out, or refuses it; says to the model what came of it.
    pub(super) fn carry_out(&self, call: &Call) -> String {
        if call.name != NOTE {
            tracing::warn!(
                user = self.user_id,
                tool = %call.name.escape_debug(),
                "a tool that is not offered in a user's turn was called, and refused"
            );
            return "Refused: there is no such tool in this conversation. What is the owner's to do, only the owner can ask for."
                .to_owned();
        }
        let arguments: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
        let Some(note) = arguments.get("note").and_then(Value::as_str) else {
            return "Not done: give a note, as in {\"note\":\"Likes tea.\"}.".to_owned();
        };
        let forget = arguments.get("forget").and_then(Value::as_bool).unwrap_or_default();
        let done = if forget {
            self.notes.remove(self.name(), note)
        } else {
            self.notes.add(self.name(), note)
        };
        match done {
            Ok(()) => "Done.".to_owned(),
            Err(error) => {
                tracing::info!(user = self.user_id, %error, "a note was not taken");
                format!("Not done: {error}.")
            }
        }
    }

    /// The user's name without the channel.
    fn name(&self) -> &str {
        self.user_id.split_once(':').map_or(self.user_id, |(_, name)| name)
    }
}
