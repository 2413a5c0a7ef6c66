//! Invite codes: short enough to type or read out, long enough not to be guessed. Only a keyed hash of a code is
//! ever stored, and the key is not in the database.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use rand_core::CryptoRng;
use sha2::Sha256;

/// Crockford's base 32: no letter looks like a digit or like another letter.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters of a code, five bits each: 60 bits.
const CODE_CHARS: usize = 12;
/// Characters between two dashes.
const GROUP_CHARS: usize = 4;
/// Longer input than this is no code, however it is read; it is hashed all the same, cut off, so that it
/// takes the same time.
const MAX_TYPED_CHARS: usize = 64;

/// A new code in plain text: shown once to the owner, stored nowhere.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Code(String);

/// What the store keeps of a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CodeHash(pub(crate) [u8; 32]);

/// The key of the hashes. Its bytes show up nowhere.
pub(crate) struct CodeKey(Hmac<Sha256>);

impl Code {
    /// Draws a code. Every value is equally likely: 32 divides 256.
    pub(crate) fn generate(random: &mut impl CryptoRng) -> Self {
        let mut bytes = [0_u8; CODE_CHARS];
        random.fill_bytes(&mut bytes);
        let characters = bytes.map(|byte| ALPHABET.get(usize::from(byte & 31)).copied().unwrap_or(b'0'));
        let groups: Vec<String> = characters
            .chunks(GROUP_CHARS)
            .map(|group| group.iter().copied().map(char::from).collect())
            .collect();
        Self(groups.join("-"))
    }

    /// The code as shown, `XXXX-XXXX-XXXX`.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Code(…)")
    }
}

impl CodeKey {
    /// A key of the host's bytes, of any length.
    pub(crate) fn new(bytes: &[u8]) -> Option<Self> {
        Hmac::new_from_slice(bytes).ok().map(Self)
    }

    /// The hash of a code as a person typed it: case, dashes, spaces and look-alikes do not matter.
    pub(crate) fn hash(&self, typed: &str) -> CodeHash {
        let mut mac = self.0.clone();
        for character in typed.chars().filter(char::is_ascii_alphanumeric).take(MAX_TYPED_CHARS) {
            let plain = match character.to_ascii_uppercase() {
                'I' | 'L' => '1',
                'O' => '0',
                other => other,
            };
            mac.update(&[u8::try_from(plain).unwrap_or_default()]);
        }
        CodeHash(mac.finalize().into_bytes().into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::random::Random;

    #[test]
    fn a_code_reads_well_and_uses_the_whole_alphabet() {
        let mut random = Random::new(|bytes| bytes.copy_from_slice(&[0, 31, 32, 255, 1, 2, 3, 4, 5, 6, 7, 8]));
        assert_eq!(Code::generate(&mut random).as_str(), "0Z0Z-1234-5678");
    }

    #[test]
    fn typing_is_forgiven() {
        let key = CodeKey::new(b"0123456789abcdef").unwrap();
        let code = key.hash("0Z1Z-1234-567K");
        for typed in [
            "0z1z1234567k",
            " oZlZ 1234 567k ",
            "0ZIZ–1234–567K",
            "0-Z-i-z-1-2-3-4-5-6-7-k",
        ] {
            assert_eq!(key.hash(typed), code, "{typed}");
        }
        assert_ne!(key.hash("0Z1Z-1234-567J"), code);
        assert_ne!(key.hash(""), code);
    }

    #[test]
    fn another_key_gives_another_hash() {
        let one = CodeKey::new(b"0123456789abcdef").unwrap();
        let two = CodeKey::new(b"0123456789abcdeF").unwrap();
        assert_ne!(one.hash("0Z1Z-1234-567K"), two.hash("0Z1Z-1234-567K"));
    }
}
