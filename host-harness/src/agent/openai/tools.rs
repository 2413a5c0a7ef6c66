//! What a model may do in a turn. The user id decides, here and not in a prompt: in a user's turn it may take a note about that
//! user, in the owner's it has the owner's tools and the notes about everybody.

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::agent::{Notes, NotesError, OWNER, Turn};
use crate::owner::Hands;

const NOTE: &str = "friends_note";

/// Times that a model may call tools before it has to answer. The owner may ask for several things at once.
const ROUNDS: u32 = 4;
const OWNER_ROUNDS: u32 = 12;

/// The tools of a turn.
#[derive(Debug)]
pub(super) struct Tools<'a> {
    notes: &'a Notes,
    whose: Whose<'a>,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy)]
enum Whose<'a> {
    User { user_id: &'a str },
    Owner { hands: &'a Hands },
}

/// A call that a model has made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) id: String,
    pub(super) name: String,
    /// JSON in text, as the protocol has it.
    pub(super) arguments: String,
}

/// What came of a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// In the harness's words.
    Ours(String),
    /// In words that may be somebody else's: nicknames, notes.
    Foreign(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoteArguments {
    /// Only in the owner's turn; in a user's the notes are that user's.
    username: Option<String>,
    note: Option<String>,
    #[serde(default)]
    forget: bool,
}

impl<'a> Tools<'a> {
    pub(super) fn new(notes: &'a Notes, turn: &'a Turn) -> Self {
        let whose = match &turn.hands {
            Some(hands) if turn.user_id == OWNER => Whose::Owner { hands },
            _ => Whose::User { user_id: &turn.user_id },
        };
        Self { notes, whose }
    }

    pub(super) fn is_owners(&self) -> bool {
        matches!(self.whose, Whose::Owner { .. })
    }

    pub(super) fn rounds(&self) -> u32 {
        match self.whose {
            Whose::User { .. } => ROUNDS,
            Whose::Owner { .. } => OWNER_ROUNDS,
        }
    }

    /// What is offered.
    pub(super) fn offered(&self) -> Value {
        match self.whose {
            Whose::User { .. } => [users_note()].into_iter().collect(),
            Whose::Owner { hands } => {
                let tools = hands.tools().iter();
                let theirs = tools.map(|tool| function(&tool.name, &tool.description, tool.parameters.clone()));
                theirs.chain([owners_note()]).collect()
            }
        }
    }

    /// What is remembered of the user.
    pub(super) async fn remembered(&self) -> Option<String> {
        let Whose::User { user_id } = self.whose else {
            return None;
        };
        self.about(name_in(user_id)).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the notes cannot be read");
            None
        })
    }

    /// Carries a call out, or refuses it.
    pub(super) async fn carry_out(&self, call: &Call) -> Outcome {
        match self.whose {
            _ if call.name == NOTE => self.note(&call.arguments).await,
            Whose::Owner { hands } => match hands.carry_out(&call.name, &call.arguments).await {
                Ok(text) => Outcome::Foreign(text),
                Err(why) => Outcome::Foreign(format!("Not done: {why}")),
            },
            Whose::User { user_id } => {
                tracing::warn!(
                    user = user_id,
                    tool = %call.name.escape_debug(),
                    "a tool that is not offered in a user's turn was called, and refused"
                );
                Outcome::Ours(
                    "Refused: there is no such tool in this conversation. What is the owner's to do, only the owner can ask for."
                        .to_owned(),
                )
            }
        }
    }

    async fn note(&self, arguments: &str) -> Outcome {
        let Ok(NoteArguments { username, note, forget }) = serde_json::from_str(arguments) else {
            return Outcome::Ours("Not done: give a note, as in {\"note\":\"Likes tea.\"}.".to_owned());
        };
        let name = match (self.whose, username) {
            (Whose::User { user_id }, None) => name_in(user_id).to_owned(),
            (Whose::User { .. }, Some(_)) => {
                return Outcome::Ours("Refused: only notes about this friend can be taken here.".to_owned());
            }
            (Whose::Owner { .. }, None) => {
                return Outcome::Ours("Not done: say whom it is about, as in {\"username\":\"john\"}.".to_owned());
            }
            (Whose::Owner { hands }, Some(name)) => {
                hands.show(NOTE, arguments).await;
                match hands.user_id(&name).await {
                    Ok(_) => name,
                    Err(why) => return Outcome::Foreign(format!("Not done: {why}.")),
                }
            }
        };
        let done = match (note, self.is_owners()) {
            (Some(note), _) => self.change(name, note, forget).await,
            (None, true) => match self.about(&name).await {
                Ok(notes) => return Outcome::Foreign(notes.unwrap_or_else(|| "There are no notes.".to_owned())),
                Err(error) => Err(error),
            },
            (None, false) => {
                return Outcome::Ours("Not done: give a note, as in {\"note\":\"Likes tea.\"}.".to_owned());
            }
        };
        match done {
            Ok(()) => Outcome::Ours("Done.".to_owned()),
            Err(error) => {
                tracing::info!(%error, "a note was not taken");
                Outcome::Ours(format!("Not done: {error}."))
            }
        }
    }

    async fn about(&self, name: &str) -> Result<Option<String>, NotesError> {
        let (notes, name) = (self.notes.clone(), name.to_owned());
        beside(move || Ok(notes.about(&name)?)).await
    }

    async fn change(&self, name: String, note: String, forget: bool) -> Result<(), NotesError> {
        let notes = self.notes.clone();
        beside(move || match forget {
            true => notes.remove(&name, &note),
            false => notes.add(&name, &note),
        })
        .await
    }
}

/// Works on files beside the thread of sockets and instance, which must not wait for a disk.
async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, NotesError> + Send + 'static,
) -> Result<T, NotesError> {
    let done = spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(std::io::Error::other(error).into()))
}

/// A user's name without the channel.
fn name_in(user_id: &str) -> &str {
    user_id.split_once(':').map_or(user_id, |(_, name)| name)
}

fn function(name: &str, description: &str, parameters: Value) -> Value {
    json!({ "type": "function", "function": { "name": name, "description": description, "parameters": parameters } })
}

fn users_note() -> Value {
    let parameters = json!({
        "type": "object",
        "properties": {
            "note": { "type": "string", "description": "One short sentence, at most 300 characters" },
            "forget": { "type": "boolean", "description": "Remove the note that reads like this instead of adding it" }
        },
        "required": ["note"],
        "additionalProperties": false
    });
    function(
        NOTE,
        "Remember a fact about the friend you are talking to, for later conversations; or forget one, when the friend asks \
         for that. Only for what the friend would expect you to remember.",
        parameters,
    )
}

fn owners_note() -> Value {
    let parameters = json!({
        "type": "object",
        "properties": {
            "username": { "type": "string", "description": "The friend's username" },
            "note": { "type": "string", "description": "One short sentence, at most 300 characters" },
            "forget": { "type": "boolean", "description": "Remove the note that reads like this instead of adding it" }
        },
        "required": ["username"],
        "additionalProperties": false
    });
    function(
        NOTE,
        "Remember a fact about a friend, for conversations with that friend; without a note, read what you remember.",
        parameters,
    )
}
