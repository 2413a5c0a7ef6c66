//! Other scripts in Latin letters, as far as a username needs them. The table is made at build time (`build/letters.rs`).

// `RANGES`, the characters of the table; `FORMS`, a line each; and Hangul's `INITIALS`, `VOWELS` and `FINALS`.
include!(concat!(env!("OUT_DIR"), "/letters.in"));

/// The number of each character's form, in the order of the ranges; apart, since the upper half compresses to nearly nothing.
static LOW: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/letters.low"));
static HIGH: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/letters.high"));

/// The first of Hangul's syllables, which are in the order of their letters.
const SYLLABLES: u32 = 0xac00;

/// A text in small Latin letters, digits and signs of ASCII, with spaces for what cannot be written so.
pub(crate) fn latin(text: &str) -> String {
    let mut latin = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() {
            latin.push(character.to_ascii_lowercase());
        } else if let Some(letters) = syllable(character) {
            latin.extend(letters);
        } else {
            latin.push_str(form(character).unwrap_or(" "));
        }
    }
    latin
}

fn form(character: char) -> Option<&'static str> {
    let code = u32::from(character);
    let mut before = 0_u32;
    for &(start, end) in &RANGES {
        if (start..end).contains(&code) {
            let place = usize::try_from(before.checked_add(code.checked_sub(start)?)?).ok()?;
            let number = u16::from_le_bytes([*LOW.get(place)?, *HIGH.get(place)?]);
            return FORMS.split('\n').nth(usize::from(number));
        }
        before = before.checked_add(end.checked_sub(start)?)?;
    }
    None
}

fn syllable(character: char) -> Option<[&'static str; 3]> {
    let place = usize::try_from(u32::from(character).checked_sub(SYLLABLES)?).ok()?;
    let (row, last) = (place / FINALS.len(), place % FINALS.len());
    let (initial, vowel) = (row / VOWELS.len(), row % VOWELS.len());
    Some([INITIALS.get(initial)?, VOWELS.get(vowel)?, FINALS.get(last)?])
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use deunicode::deunicode_with_tofu;
    use proptest::prelude::*;

    use super::*;
    use crate::username::Username;

    /// The scripts of names: Latin to Ethiopic and Mongolian, Georgian and Vietnamese with their additions, old Greek, kana, Bopomofo, Han
    /// with its rare characters, Yi, the additions after it, Hangul, shapes of Arabic and half and full width letters, Osage,
    /// Rohingya, Chakma, Adlam, and Latin in mathematics and in boxes.
    const SCRIPTS: [(u32, u32); 9] = [
        (0x0080, 0xd7ff),
        (0xf900, 0xffff),
        (0x1_04b0, 0x1_04ff),
        (0x1_0d00, 0x1_0d3f),
        (0x1_1100, 0x1_114f),
        (0x1_d400, 0x1_d7ff),
        (0x1_e900, 0x1_e95f),
        (0x1_f100, 0x1_f1ff),
        (0x2_0000, 0x2_22df),
    ];

    fn by_deunicode(text: &str) -> Username {
        Username::from_latin(&deunicode_with_tofu(text, " ").to_ascii_lowercase())
    }

    #[test]
    fn each_letter_of_each_script_is_written_as_deunicode_does() {
        for character in SCRIPTS
            .iter()
            .flat_map(|&(first, last)| first..=last)
            .filter_map(char::from_u32)
        {
            for text in [
                character.to_string(),
                format!("a{character}b"),
                format!("{character}{character}"),
            ] {
                assert_eq!(Username::from_latin(&latin(&text)), by_deunicode(&text), "{text:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn words_are_written_as_deunicode_does(text in "[ -~\\u{a0}-\\u{d7ff}\\u{f900}-\\u{ffff}]{0,40}") {
            prop_assert_eq!(Username::from_latin(&latin(&text)), by_deunicode(&text));
        }
    }
}
