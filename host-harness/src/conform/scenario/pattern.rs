//! What a step expects to be said, and what earlier steps have found.
//!
//! `says` is a regular expression, of which this host knows what scenarios need: words that are said somewhere, and behind them a
//! group with a name, for the word there or for all the rest.

use std::collections::BTreeMap;

use serde_json::Value;

/// What has been found, by name.
#[derive(Debug, Default)]
pub(super) struct Found(BTreeMap<String, String>);

impl Found {
    /// The value with `{name}` replaced by what was found.
    pub(super) fn fill(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.named(text).unwrap_or(text).to_owned()),
            Value::Array(values) => values.iter().map(|value| self.fill(value)).collect(),
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| (name.clone(), self.fill(value)))
                .collect(),
            other => other.clone(),
        }
    }

    /// What a text stands for, if it is a name in braces.
    fn named(&self, text: &str) -> Option<&str> {
        let name = text.strip_prefix('{')?.strip_suffix('}')?;
        self.0.get(name).map(String::as_str)
    }

    /// Looks for what is expected in what was said, and keeps what has a name.
    ///
    /// # Errors
    /// When it is not there, or is expected in a way that this host does not know.
    pub(super) fn look(&mut self, expected: &str, said: &str) -> Result<(), String> {
        if let Some(known) = self.named(expected) {
            return match known == said {
                true => Ok(()),
                false => Err(format!("{said:?} is said in place of {known:?}")),
            };
        }
        let (words, group) = match expected.split_once("(?<") {
            Some((words, group)) => (words, Some(group)),
            None => (expected, None),
        };
        if words.contains(|c: char| "\\^$.|?*+()[]{}".contains(c)) {
            return Err(format!(
                "{expected:?} is more than this host knows of regular expressions"
            ));
        }
        let not_said = || format!("{words:?} is not in {said:?}");
        let (_, rest) = said.split_once(words).ok_or_else(not_said)?;
        let Some(group) = group else { return Ok(()) };
        let (name, text) = match group.split_once('>') {
            Some((name, r"\S+)")) => (name, rest.split(char::is_whitespace).next().unwrap_or_default()),
            Some((name, ".*)")) => (name, rest),
            _ => {
                return Err(format!(
                    "{expected:?} is more than this host knows of regular expressions"
                ));
            }
        };
        if text.is_empty() {
            return Err(format!("nothing comes behind {words:?}"));
        }
        self.0.insert(name.to_owned(), text.to_owned());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn what_is_found_can_be_named_later() {
        let mut found = Found::default();
        found.look(r"code: (?<code>\S+)", "the code: 12-34\nand more").unwrap();
        found.look("(?<all>.*)", "a\nb").unwrap();
        let value = serde_json::json!({ "code": "{code}", "list": ["{all}", "{none}", 1] });
        let filled = serde_json::json!({ "code": "12-34", "list": ["a\nb", "{none}", 1] });
        assert_eq!(found.fill(&value), filled);
        found.look("{code}", "12-34").unwrap();
        found.look("{code}", "12-35").unwrap_err();
    }

    #[test]
    fn what_is_not_said_or_not_understood_is_an_error() {
        let mut found = Found::default();
        found.look("hello", "say hello!").unwrap();
        for expected in ["goodbye", "h.llo", r"hello (?<word>\S+)", "(?<word>[a-z]+)"] {
            found.look(expected, "hello").unwrap_err();
        }
    }
}
