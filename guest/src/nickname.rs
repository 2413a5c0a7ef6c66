//! Nicknames: what a friend is called on the page and in the owner's list. Any script and any symbol, but one
//! line that cannot change the meaning of what stands around it.

use channel_plugin::is_disruptive;

/// Most characters, so that a list and a page's header stay readable.
const MAX_CHARS: usize = 64;

/// A valid nickname.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Nickname(String);

/// The text is not a nickname.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("A nickname has 1 to 64 characters, on one line, without control characters")]
pub(crate) struct InvalidNickname;

impl Nickname {
    /// Accepts a text, without the white space around it.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidNickname> {
        let text = text.trim();
        // A character outside takes at most four bytes: longer texts need not be counted.
        let fits = !text.is_empty() && text.len() <= MAX_CHARS.saturating_mul(4) && text.chars().count() <= MAX_CHARS;
        if fits && !text.chars().any(is_disruptive) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidNickname)
        }
    }

    /// The nearest valid nickname to a text of any kind, if there is one.
    pub(crate) fn nearest(text: &str) -> Option<Self> {
        let plain = text.replace(is_disruptive, " ");
        let words: Vec<&str> = plain.split_whitespace().collect();
        let kept: String = words.join(" ").chars().take(MAX_CHARS).collect();
        Self::parse(&kept).ok()
    }

    /// The name as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn takes_any_script_and_trims() {
        assert_eq!(Nickname::parse("  José 🙂 王 ").unwrap().as_str(), "José 🙂 王");
        assert_eq!(Nickname::parse(&"é".repeat(64)).unwrap().as_str().chars().count(), 64);
    }

    #[test]
    fn refuses_what_is_empty_too_long_or_disruptive() {
        for text in [
            "",
            "   ",
            "a\nb",
            "a\u{0}b",
            "a\u{202e}b",
            "a\u{2028}b",
            "a\u{85}b",
            "é".repeat(65).as_str(),
        ] {
            assert_eq!(Nickname::parse(text), Err(InvalidNickname), "{text:?}");
        }
    }

    #[test]
    fn the_nearest_nickname_says_the_same_on_one_line() {
        let nearest = |text: &str| Nickname::nearest(text).map(|nickname| nickname.0);
        assert_eq!(nearest("José 🙂 王").unwrap(), "José 🙂 王");
        assert_eq!(
            nearest("John\r\n- jane,\u{202e} active\u{0}").unwrap(),
            "John - jane, active"
        );
        assert_eq!(nearest(&"é".repeat(65)).unwrap(), "é".repeat(64));
        assert_eq!(nearest(&format!("{} b", "a".repeat(63))).unwrap(), "a".repeat(63));
        assert_eq!(nearest("\n\u{2028} \u{0}"), None);
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod properties {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_nickname_is_one_line_of_1_to_64_characters(text in "\\PC{0,70}|.*|[ \\n\u{202e}\u{85}a]{0,4}") {
            if let Ok(nickname) = Nickname::parse(&text) {
                let name = nickname.as_str();
                prop_assert!((1..=64).contains(&name.chars().count()));
                prop_assert!(!name.chars().any(is_disruptive) && name.lines().count() == 1);
                prop_assert_eq!(name, text.trim());
                prop_assert_eq!(Nickname::parse(name), Ok(nickname.clone()));
            }
        }
    }
}
