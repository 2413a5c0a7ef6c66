//! What the agent keeps about a user, as a plugin may see and change it. A change is written beside the thread of the
//! sockets, and the answer to the call that asked for it waits for that.

use std::io;

use tokio::task::JoinHandle;

use super::CallError;
use super::bindings::tinyclaw::plugin::memory::{Error, Host};
use super::effects::Effect;
use super::imports::{State, USER_ID_BYTES};
use crate::agent::{Introduction, Notes, NotesError};

/// Bytes of what a user is called, as the contract says.
const NAME_BYTES: usize = 256;

/// A note that is to be removed.
#[derive(Debug)]
pub(crate) struct Forgotten {
    pub(super) name: String,
    pub(super) note: String,
}

/// What is being written.
#[derive(Debug)]
pub(super) struct Writing(JoinHandle<Result<(), NotesError>>);

impl Writing {
    /// Begins to write what a call asked for; none where that is nothing.
    pub(super) fn begin(
        notes: Option<&Notes>,
        introduced: Vec<Introduction>,
        forgotten: Vec<Forgotten>,
    ) -> Option<Self> {
        let notes = notes
            .filter(|_| !introduced.is_empty() || !forgotten.is_empty())?
            .clone();
        Some(Self(tokio::task::spawn_blocking(move || {
            if let Err(error) = notes.introduce(&introduced) {
                tracing::error!(%error, "a user has no section in what the agent keeps");
            }
            for Forgotten { name, note } in forgotten {
                match notes.remove(&name, &note) {
                    // Somebody else was faster.
                    Ok(()) | Err(NotesError::Unknown) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        })))
    }

    /// Waits until it is written.
    pub(super) async fn done(self) -> Result<(), CallError> {
        let written = self.0.await.unwrap_or_else(|error| Err(io::Error::other(error).into()));
        written.map_err(|error| {
            tracing::error!(%error, "a note is not removed");
            CallError::Memory(error)
        })
    }
}

impl Host for State {
    fn introduce(&mut self, user_id: String, name: String) -> Result<(), Error> {
        let section = section(&user_id)?;
        let is_line = !name.trim().is_empty() && !name.chars().any(char::is_control);
        if !is_line || name.len() > NAME_BYTES {
            return Err(Error::InvalidName);
        }
        self.effects.push(Effect::Introduce(Introduction {
            name: section.to_owned(),
            called: name,
        }));
        Ok(())
    }

    fn notes(&mut self, user_id: String) -> Result<Vec<String>, Error> {
        let section = section(&user_id)?;
        match &self.notes {
            Some(notes) => notes.noted(section).map_err(|error| Error::Storage(error.to_string())),
            None => Ok(Vec::new()),
        }
    }

    fn forget(&mut self, user_id: String, note: String) -> Result<(), Error> {
        let section = section(&user_id)?.to_owned();
        if !self.notes(user_id)?.contains(&note) {
            return Err(Error::UnknownNote);
        }
        self.effects.push(Effect::Forget(Forgotten { name: section, note }));
        Ok(())
    }
}

/// The name of a user's section: the user id without its channel, as one word.
fn section(user_id: &str) -> Result<&str, Error> {
    let name = user_id.split_once(':').map_or("", |(_, name)| name);
    let is_word = !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control());
    if is_word && user_id.len() <= USER_ID_BYTES {
        Ok(name)
    } else {
        Err(Error::InvalidUserId)
    }
}
