//! The table by which the component writes letters of other scripts in Latin ones (`src/latin.rs`): what `deunicode` says, for
//! the scripts that people's names are written in, and in a form that compresses to a third of its own.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use deunicode::deunicode_char;

/// All of the first plane but Hangul syllables, which are put together from their letters, and what is in private use; of
/// the others, scripts that are written today and letters in another shape. Scripts of the past and pictures are left out.
const RANGES: [(u32, u32); 10] = [
    (0x80, 0xac00),
    (0xd7a4, 0xd800),
    (0xf900, 0x1_0000),
    (0x1_04b0, 0x1_0500),
    (0x1_0d00, 0x1_0d40),
    (0x1_1100, 0x1_1150),
    (0x1_d400, 0x1_d800),
    (0x1_e900, 0x1_e960),
    (0x1_f100, 0x1_f200),
    (0x2_0000, 0x2_22e0),
];
const SYLLABLES: u32 = 0xac00;
const VOWELS: u32 = 21;
const FINALS: u32 = 28;

/// What is written as Rust, and the two halves of each character's number of its Latin form.
pub(crate) struct Table {
    pub(crate) source: String,
    pub(crate) low: Vec<u8>,
    pub(crate) high: Vec<u8>,
}

pub(crate) fn table() -> Table {
    let forms: Vec<String> = RANGES.iter().flat_map(|&(start, end)| start..end).map(form).collect();
    let mut counts = BTreeMap::new();
    for form in &forms {
        *counts.entry(form.as_str()).or_insert(0_u32) += 1;
    }
    // The most frequent first, so that the upper half of a number is nearly always the same.
    let mut distinct: Vec<(&str, u32)> = counts.into_iter().collect();
    distinct.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    let numbers: BTreeMap<&str, u16> = distinct.iter().map(|&(form, _)| form).zip(0..).collect();
    assert_eq!(numbers.len(), distinct.len(), "a number has two bytes");
    let (low, high) = forms
        .iter()
        .filter_map(|form| numbers.get(form.as_str()))
        .map(|number| {
            let [low, high] = number.to_le_bytes();
            (low, high)
        })
        .unzip();
    let distinct: Vec<&str> = distinct.into_iter().map(|(form, _)| form).collect();

    let mut source = String::new();
    let mut constant = |name: &str, kind: &str, value: &dyn std::fmt::Debug| {
        writeln!(source, "const {name}: {kind} = {value:?};").expect("a string can be written");
    };
    constant("RANGES", "[(u32, u32); 10]", &RANGES);
    constant("FORMS", "&str", &distinct.join("\n"));
    let [initials, vowels, finals] = hangul();
    constant("INITIALS", "[&str; 19]", &initials);
    constant("VOWELS", "[&str; 21]", &vowels);
    constant("FINALS", "[&str; 28]", &finals);
    Table { source, low, high }
}

/// A Latin form as far as a username tells it from others: in small letters, without apostrophes, and with a space for all else.
fn form(character: u32) -> String {
    let latin = char::from_u32(character).and_then(deunicode_char).unwrap_or(" ");
    let mut form = String::new();
    for character in latin.chars().filter(|&character| character != '\'') {
        if character.is_ascii_alphanumeric() {
            form.push(character.to_ascii_lowercase());
        } else if !form.ends_with(' ') {
            form.push(' ');
        }
    }
    form
}

/// The letters of which syllables are made: initials, vowels, finals.
fn hangul() -> [Vec<String>; 3] {
    let syllable = |initial, vowel, last| form(SYLLABLES + (initial * VOWELS + vowel) * FINALS + last);
    // The first syllable of each row is "ga": a letter and what follows it.
    let initials: Vec<String> = (0..19)
        .map(|initial| syllable(initial, 0, 0).trim_end_matches('a').to_owned())
        .collect();
    let vowels: Vec<String> = (0..VOWELS).map(|vowel| syllable(0, vowel, 0).split_off(1)).collect();
    let finals: Vec<String> = (0..FINALS).map(|last| syllable(0, 0, last).split_off(2)).collect();
    [initials, vowels, finals]
}
