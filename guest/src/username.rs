//! Usernames: the permanent name of a friend, part of the user id `friend:<username>` and the key to the
//! agent's own notes. A value of this type always keeps the rule.

use std::fmt;

use channel_plugin::{is_plain_name, user_name};

use crate::latin::latin;

/// Prefix of this channel's user ids.
pub(crate) const CHANNEL_PREFIX: &str = "friend";

/// Fewest characters; one letter is too easily mistyped into somebody else's name.
const MIN_CHARS: usize = 2;
/// Most characters; a name must fit a line of the owner's list.
const MAX_CHARS: usize = 32;

/// The rule, as said to people.
pub(crate) const RULE: &str = "A username has 2 to 32 characters of a-z, 0-9 and _";

/// The id under which the host knows the friend of a username.
pub(crate) fn user_id(username: &str) -> String {
    format!("{CHANNEL_PREFIX}:{username}")
}

/// A valid username.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Username(String);

/// The text is not a username.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{RULE}; the nearest valid one is \"{suggestion}\".")]
pub(crate) struct InvalidUsername {
    /// The nearest valid username; it may be taken.
    pub(crate) suggestion: Username,
}

/// The text is not a user id of this channel.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a user id of this channel reads friend:<username>, where the username has 2 to 32 characters of a-z, 0-9 and _"
)]
pub(crate) struct MalformedUserId;

impl Username {
    /// Accepts a text that keeps the rule as it stands.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidUsername> {
        if follows_rule(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidUsername {
                suggestion: Self::nearest(text),
            })
        }
    }

    /// Takes the username out of `friend:<username>`.
    pub(crate) fn from_user_id(user_id: &str) -> Result<Self, MalformedUserId> {
        match user_name(user_id, CHANNEL_PREFIX) {
            Ok(name) if follows_rule(name) => Ok(Self(name.to_owned())),
            _ => Err(MalformedUserId),
        }
    }

    /// This name with a number behind it, shortened where both would be too long.
    pub(crate) fn numbered(&self, number: u32) -> Self {
        let digits = number.to_string();
        let kept: String = self.0.chars().take(MAX_CHARS.saturating_sub(digits.len())).collect();
        Self(kept + &digits)
    }

    /// The name as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    fn nearest(text: &str) -> Self {
        Self::from_latin(&latin(text.trim()))
    }

    /// The nearest to what is in small letters of ASCII already.
    pub(crate) fn from_latin(latin: &str) -> Self {
        let mut name = String::with_capacity(MAX_CHARS);
        for character in latin.chars() {
            if character.is_ascii_alphanumeric() {
                name.push(character);
            } else if character != '\'' && !name.is_empty() && !name.ends_with('_') {
                name.push('_');
            }
            if name.len() == MAX_CHARS {
                break;
            }
        }
        let name = name.trim_end_matches('_');
        match name.len() {
            0 => Self("friend".to_owned()),
            1 => Self(format!("{name}1")),
            _ => Self(name.to_owned()),
        }
    }
}

impl fmt::Display for Username {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn follows_rule(text: &str) -> bool {
    is_plain_name(text, MIN_CHARS..=MAX_CHARS)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn suggestion(text: &str) -> String {
        Username::parse(text).unwrap_err().suggestion.to_string()
    }

    #[test]
    fn takes_what_keeps_the_rule() {
        for name in ["jo", "john_2", "a".repeat(32).as_str(), "__", "42"] {
            assert_eq!(Username::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn offers_the_nearest_valid_name() {
        assert_eq!(suggestion("José"), "jose");
        assert_eq!(suggestion("John Smith"), "john_smith");
        assert_eq!(suggestion("O'Brien"), "obrien");
        assert_eq!(suggestion("  Zoë-- "), "zoe");
        assert_eq!(suggestion("x"), "x1");
        assert_eq!(suggestion(""), "friend");
        assert_eq!(suggestion("!!!"), "friend");
        assert_eq!(suggestion(&"B".repeat(40)), "b".repeat(32));
        assert_eq!(suggestion("王伟"), "wang_wei");
        assert_eq!(suggestion("Юлия"), "iuliia");
        assert_eq!(suggestion("김민준"), "gimminjun");
    }

    #[test]
    fn a_suggestion_is_always_valid() {
        for text in [
            "\u{202e}abc",
            "a\nb",
            "ß",
            "Ωμέγα",
            "🙂",
            "_é_",
            "Jürgen Müller-Lüdenscheidt von und zu Hause",
        ] {
            assert!(follows_rule(&suggestion(text)), "{text:?}");
        }
    }

    #[test]
    fn a_number_fits_behind_the_longest_name() {
        let name = Username::parse(&"b".repeat(32)).unwrap();
        assert_eq!(name.numbered(12).as_str(), format!("{}12", "b".repeat(30)));
    }

    #[test]
    fn user_ids_of_other_channels_are_not_ours() {
        assert_eq!(Username::from_user_id("friend:john").unwrap().as_str(), "john");
        for id in [
            "",
            "john",
            "friend:",
            "friend:J",
            "web:john",
            "friend:john ",
            "friends:john",
            "friend:jo\nhn",
        ] {
            assert_eq!(Username::from_user_id(id), Err(MalformedUserId), "{id:?}");
        }
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod properties {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn exactly_what_keeps_the_rule_is_taken(text in "[a-z0-9_]{0,40}|[0-z{]{2}|\\PC{0,40}|.*") {
            let keeps = (2..=32).contains(&text.chars().count())
                && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            prop_assert_eq!(Username::parse(&text).is_ok(), keeps);
            prop_assert_eq!(Username::from_user_id(&user_id(&text)).is_ok(), keeps);
        }

        #[test]
        fn what_is_suggested_is_valid_and_suggests_itself(text in ".*", number in any::<u32>()) {
            let suggestion = match Username::parse(&text) {
                Ok(name) => name,
                Err(InvalidUsername { suggestion }) => suggestion,
            };
            prop_assert_eq!(Username::parse(suggestion.as_str()), Ok(suggestion.clone()));
            let numbered = suggestion.numbered(number);
            prop_assert!(numbered.as_str().ends_with(&number.to_string()));
            prop_assert_eq!(Username::parse(numbered.as_str()), Ok(numbered.clone()));
        }
    }
}
