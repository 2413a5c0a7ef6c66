//! A complete response.

use std::io::{self, Read};

use serde_json::Value;

use crate::Incoming;

/// A complete response.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Reads a response to its end.
    pub fn read(incoming: Incoming) -> Self {
        Self::try_read(incoming).unwrap()
    }

    /// As [`Answer::read`], from a harness that may end at any moment.
    ///
    /// # Errors
    /// When the connection ends before the response does.
    pub fn try_read(mut incoming: Incoming) -> io::Result<Self> {
        let mut body = Vec::new();
        incoming.body.read_to_end(&mut body)?;
        Ok(Self {
            status: incoming.status,
            headers: incoming.headers,
            body,
        })
    }

    /// The only header of this name, if there is one.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self
            .headers
            .iter()
            .filter(|(other, _)| other == name)
            .map(|(_, value)| value.as_str());
        let first = values.next();
        assert_eq!(values.next(), None, "{name} stands twice");
        first
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Asserts that this is an error in the form that all have: this status, and one sentence for a friend.
    #[track_caller]
    pub fn assert_error(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        let json = self.json();
        let object = json.as_object().unwrap();
        assert_eq!(object.len(), 1, "{json}");
        let sentence = object["error"].as_str().unwrap();
        assert!(!sentence.is_empty());
        for internal in [
            "wasm", "sqlite", "panicked", ".rs", "/plugin", "os error", "serde", "line 1",
        ] {
            assert!(
                !sentence.to_lowercase().contains(internal),
                "{sentence:?} tells of {internal:?}"
            );
        }
        sentence.to_owned()
    }
}
