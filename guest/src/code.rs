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
    use channel_plugin::Random;

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

#[cfg(all(test, not(target_family = "wasm")))]
mod properties {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use proptest::prelude::*;

    use super::*;
    use channel_plugin::Random;

    /// What is drawn, by `every_code_drawn_is_well_formed`.
    const CODE: &str = "[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}";

    fn key() -> CodeKey {
        CodeKey::new(b"0123456789abcdef").unwrap()
    }

    /// How somebody types one character, and what they put behind it.
    #[derive(Clone, Debug)]
    struct Typing {
        small: bool,
        look_alike: usize,
        behind: String,
    }

    fn typing() -> impl Strategy<Value = Typing> {
        (
            any::<bool>(),
            0..3_usize,
            "[\\p{Pd}\\p{Zs}\\t\u{ad}\u{2212}\u{200b}._]{0,2}",
        )
            .prop_map(|(small, look_alike, behind)| Typing {
                small,
                look_alike,
                behind,
            })
    }

    impl Typing {
        fn write(&self, character: char) -> String {
            let look_alikes = match character {
                '0' => ['0', 'O', 'O'],
                '1' => ['1', 'I', 'L'],
                other => [other; 3],
            };
            let mut typed = *look_alikes.get(self.look_alike).unwrap();
            if self.small {
                typed = typed.to_ascii_lowercase();
            }
            format!("{typed}{}", self.behind)
        }
    }

    #[test]
    fn every_code_drawn_is_well_formed() {
        // Every byte at every place.
        for byte in 0..=255_u8 {
            DRAWN.set(byte);
            let code = Code::generate(&mut Random::new(|bytes| bytes.fill(DRAWN.get())));
            let groups: Vec<&str> = code.as_str().split('-').collect();
            assert!(
                groups.len() == 3 && groups.iter().all(|group| group.len() == 4),
                "{}",
                code.as_str()
            );
            let is_known = |c: u8| c == b'-' || ALPHABET.contains(&c);
            assert!(code.as_str().bytes().all(is_known), "{}", code.as_str());
        }
    }

    thread_local! {
        static DRAWN: std::cell::Cell<u8> = const { std::cell::Cell::new(0) };
    }

    proptest! {
        #[test]
        fn any_typing_of_a_code_means_the_code(code in CODE, ways in prop::collection::vec(typing(), 12)) {
            let characters = code.chars().filter(|character| *character != '-');
            let typed: String = characters.zip(&ways).map(|(character, way)| way.write(character)).collect();
            prop_assert_eq!(key().hash(&typed), key().hash(&code), "{}", typed);
        }

        #[test]
        fn one_other_character_is_another_code(code in CODE, at in 0..12_usize, other in "[0-9A-HJKMNP-TV-Z]") {
            let mut characters: Vec<char> = code.replace('-', "").chars().collect();
            let was = std::mem::replace(characters.get_mut(at).unwrap(), other.chars().next().unwrap());
            let changed: String = characters.into_iter().collect();
            prop_assert_eq!(key().hash(&changed) == key().hash(&code), other == was.to_string());
        }

        #[test]
        fn one_character_more_or_less_is_another_code(code in CODE, at in 0..12_usize, more in "[0-9A-Za-z]") {
            let mut short = code.replace('-', "");
            let mut long = short.clone();
            short.remove(at);
            long.insert_str(at, &more);
            prop_assert_ne!(key().hash(&short), key().hash(&code));
            prop_assert_ne!(key().hash(&long), key().hash(&code));
        }
    }
}
