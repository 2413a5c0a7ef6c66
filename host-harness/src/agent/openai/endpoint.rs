//! Where a model is asked, and with which key.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

/// The base of a server's addresses, as `http://localhost:11434/v1`, and the model to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    base: String,
    /// Without one, the first that the server lists is asked.
    pub model: Option<String>,
}

/// The text is no endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoEndpoint;

impl FromStr for Endpoint {
    type Err = NoEndpoint;

    fn from_str(text: &str) -> Result<Self, NoEndpoint> {
        let (base, model) = match text.split_once('#') {
            Some((_, "")) => return Err(NoEndpoint),
            Some((base, model)) => (base, Some(model.to_owned())),
            None => (text, None),
        };
        let url: Url = base.parse().map_err(|_| NoEndpoint)?;
        // A key belongs into the environment or a file: an address is shown and logged.
        let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !is_plain {
            return Err(NoEndpoint);
        }
        Ok(Self {
            base: base.trim_end_matches('/').to_owned(),
            model,
        })
    }
}

impl Endpoint {
    /// The address of something below the base.
    pub(super) fn path(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }
}

/// As it was given.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)?;
        self.model.iter().try_for_each(|model| write!(f, "#{model}"))
    }
}

/// A key for the server. Shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// A key, without the white space that a file ends with; none if nothing is left.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn an_address_with_or_without_a_model() {
        let endpoint: Endpoint = "http://localhost:11434/v1/#llama3.2:3b".parse().unwrap();
        assert_eq!(endpoint.path("models"), "http://localhost:11434/v1/models");
        assert_eq!(endpoint.model.as_deref(), Some("llama3.2:3b"));
        assert_eq!(endpoint.to_string(), "http://localhost:11434/v1#llama3.2:3b");
        let endpoint: Endpoint = "https://openrouter.ai/api/v1".parse().unwrap();
        assert_eq!(endpoint.model, None);
        for text in [
            "localhost:11434/v1",
            "ftp://a/v1",
            "http://",
            "http://a/v1#",
            "https://key@a/v1",
            "https://a/v1?key=b",
        ] {
            assert_eq!(text.parse::<Endpoint>(), Err(NoEndpoint), "{text}");
        }
    }

    #[test]
    fn a_key_is_trimmed_and_not_shown() {
        let key = Key::new(" sk-1\n").unwrap();
        assert_eq!((key.reveal(), format!("{key:?}").as_str()), ("sk-1", "Key(…)"));
        assert_eq!(Key::new(" \n"), None);
    }
}
