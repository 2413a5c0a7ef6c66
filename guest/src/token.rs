//! Session tokens: what a browser keeps in its cookie. The store keeps a hash only; 256 random bits need no
//! key and no slow hash.

use std::fmt;

use channel_plugin::Random;
use sha2::{Digest as _, Sha256};

/// Lengths in hex characters that are looked up at all: ours, and the original plugin's.
const KNOWN_CHARS: [usize; 2] = [64, 32];

/// A token in plain text.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(String);

/// What the store keeps of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokenHash(pub(crate) [u8; 32]);

impl Token {
    /// Draws a token.
    pub(crate) fn generate(random: &mut Random) -> Self {
        Self(random.token())
    }

    /// Accepts the text of a cookie if it has the form of a token.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (KNOWN_CHARS.contains(&text.len()) && is_hex).then(|| Self(text.to_owned()))
    }

    /// The hash under which the store knows this token.
    pub(crate) fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0.as_bytes()).into())
    }

    /// The token as it stands in the cookie.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_token_is_64_hex_characters_and_parses_back() {
        let mut random = Random::new(|bytes| bytes.fill(0xa7));
        let token = Token::generate(&mut random);
        assert_eq!(token.as_str(), "a7".repeat(32));
        assert_eq!(Token::parse(token.as_str()).unwrap(), token);
    }

    #[test]
    fn what_has_not_the_form_of_a_token_is_none() {
        for text in [
            "",
            "a7",
            "A7".repeat(32).as_str(),
            "g7".repeat(32).as_str(),
            "a7".repeat(33).as_str(),
        ] {
            assert_eq!(Token::parse(text), None);
        }
        assert!(Token::parse(&"0f".repeat(16)).is_some());
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod properties {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn exactly_64_or_32_hex_characters_are_a_token(text in "[0-9a-f]{31,33}|[0-9a-f]{63,65}|[0-9a-fA-Fg]{64}|.*") {
            let is_token = matches!(text.len(), 32 | 64) && text.chars().all(|c| "0123456789abcdef".contains(c));
            prop_assert_eq!(Token::parse(&text).map(|token| token.0), is_token.then_some(text));
        }

        #[test]
        fn different_tokens_have_different_hashes(one in "[0-9a-f]{64}", other in "[0-9a-f]{64}") {
            let hash = |text: &str| Token::parse(text).unwrap().hash();
            prop_assert_eq!(hash(&one), hash(&one));
            prop_assert_eq!(hash(&one) == hash(&other), one == other);
        }
    }
}
