//! The languages of the page, and which of them a request gets: the one chosen in this browser, else the one its
//! `Accept-Language` asks for most (RFC 9110, section 12.5.4), else English.

use channel_plugin::Request;

use crate::assets::{Asset, Stored};
use crate::cookie;

/// A language with what the server itself says in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Language {
    /// As in the attribute `lang`.
    pub(crate) tag: &'static str,
    /// The page.
    pub(crate) page: Asset,
    /// What messengers show of an invite link.
    pub(crate) card: &'static str,
    /// What an agent is called whose owner gave it no name.
    pub(crate) unnamed_agent: &'static str,
    /// For a link whose code does not work.
    pub(crate) bad_invite: &'static str,
    /// For a link whose code is not looked at for the moment.
    pub(crate) too_many_codes: &'static str,
}

// `ALL`, in the order of the tags, and of them `ENGLISH`, for whoever asks for none of them.
include!(concat!(env!("OUT_DIR"), "/languages.in"));

/// The weight of a language that is named without one, in thousandths.
const FULL_WEIGHT: u16 = 1_000;

/// The language of a tag.
pub(crate) fn find(tag: &str) -> Option<&'static Language> {
    ALL.iter().find(|language| language.tag == tag)
}

/// The language that the answer to a request is in.
pub(crate) fn of(request: &Request) -> &'static Language {
    cookie::read_language(request)
        .or_else(|| most_wanted(request))
        .unwrap_or(ENGLISH)
}

/// The language with the greatest weight; of several, the one that is named first.
fn most_wanted(request: &Request) -> Option<&'static Language> {
    let mut best = (0, None);
    for range in request
        .headers_named("accept-language")
        .flat_map(|line| line.split(','))
    {
        let (range, parameter) = range.split_once(';').unwrap_or((range, "q=1"));
        let weight = weight(parameter).unwrap_or(0);
        if weight > best.0
            && let Some(language) = look_up(range.trim())
        {
            best = (weight, Some(language));
        }
    }
    best.1
}

/// What RFC 4647 (section 3.4) finds by shortening a range until it fits. There is one language of each primary subtag,
/// so that the shortest form decides. Readers of traditional Chinese get the simplified: nearer to them than English.
fn look_up(range: &str) -> Option<&'static Language> {
    let primary = primary(range);
    ALL.iter()
        .find(|language| self::primary(language.tag).eq_ignore_ascii_case(primary))
}

fn primary(tag: &str) -> &str {
    tag.split_once('-').map_or(tag, |(primary, _)| primary)
}

/// A weight such as `q=0.75` in thousandths, if it is well formed.
fn weight(parameter: &str) -> Option<u16> {
    let value = parameter.trim().strip_prefix(['q', 'Q'])?.strip_prefix('=')?;
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let is_number = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    match whole {
        "1" if is_number && fraction.trim_end_matches('0').is_empty() => Some(FULL_WEIGHT),
        "0" if is_number => format!("{fraction:0<3}").parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn chosen(headers: &[(&str, &str)]) -> &'static str {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
            .collect();
        of(&Request::new("GET".to_owned(), "/", headers, Vec::new(), String::new())).tag
    }

    #[test]
    fn accept_language_is_followed() {
        for (accepted, tag) in [
            ("de", "de"),
            ("de-AT, en;q=0.9", "de"),
            ("PT-br", "pt"),
            ("en-US,en;q=0.5", "en"),
            ("fr-FR,fr;q=0.9,es;q=0.8,en;q=0.7", "es"),
            ("en;q=0.7, ja;q=0.8 , hi;q=0.799", "ja"),
            ("hi;q=0.8,ar;q=0.8", "hi"),
            ("ar-EG", "ar"),
            ("zh-CN,zh;q=0.9", "zh-Hans"),
            ("zh-TW,zh;q=0.9,en;q=0.8", "zh-Hans"),
            ("zh-Hant-HK", "zh-Hans"),
            ("de;q=0,es;q=0.001", "es"),
            ("de;q=0.000", "en"),
            ("de;q=1.000,es", "de"),
            ("fr, *;q=0.5", "en"),
            ("den, deu, e", "en"),
            ("de;q=2, es;q=0.1", "es"),
            ("de;q=0.1234, es;level=1, ja;q=, hi;q=0.1", "hi"),
            ("", "en"),
            (",;,-;q=,", "en"),
        ] {
            assert_eq!(chosen(&[("accept-language", accepted)]), tag, "{accepted}");
        }
        assert_eq!(chosen(&[]), "en");
        assert_eq!(chosen(&[("accept-language", "fr"), ("accept-language", "ja")]), "ja");
    }

    #[test]
    fn a_choice_goes_before() {
        let german = ("accept-language", "de");
        assert_eq!(
            chosen(&[german, ("cookie", "a=b; tc_friend_language=zh-Hans")]),
            "zh-Hans"
        );
        assert_eq!(chosen(&[german, ("cookie", "tc_friend_language=tlh")]), "de");
    }

    #[test]
    fn each_page_says_its_language_and_what_it_names_is_there() {
        for language in &ALL {
            let page = String::from_utf8(language.page.content().into_owned()).unwrap();
            assert!(page.contains(&format!("<html lang=\"{}\" dir=", language.tag)));
            let named: Vec<&str> = page
                .split('"')
                .filter_map(|part| part.strip_prefix("assets/"))
                .collect();
            let catalogue = format!("{}/texts.{}.js", crate::assets::VERSION, language.tag);
            assert!(named.contains(&catalogue.as_str()));
            for name in named {
                assert!(crate::assets::find(name).is_some(), "{name}");
            }
            assert!(
                page.contains("<!--notice-->") && !page.contains("<!--text"),
                "{}",
                language.tag
            );
            assert!(language.card.contains("{agent}"), "{}", language.tag);
        }
    }
}

/// The catalogues say the same in every language.
#[cfg(all(test, not(target_family = "wasm")))]
mod catalogues {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs;

    use super::*;

    /// The forms of CLDR's plural rules.
    const FORMS: [&str; 6] = ["zero", "one", "two", "few", "many", "other"];

    type Catalogue = BTreeMap<String, String>;

    fn catalogue(tag: &str) -> Catalogue {
        let path = format!("{}/page/texts/{tag}.json", env!("CARGO_MANIFEST_DIR"));
        let json = fs::read_to_string(path).unwrap();
        let lines = json.lines().filter(|line| line.contains("\": \"")).count();
        let catalogue: Catalogue = serde_json::from_str(&json).unwrap();
        assert_eq!(catalogue.len(), lines, "{tag}: a key stands twice, or two in one line");
        catalogue
    }

    /// The forms that numbers take in a language, those of millions and of fractions aside.
    fn forms(tag: &str) -> &'static [&'static str] {
        match tag {
            "ar" => &FORMS,
            "ja" | "zh-Hans" => &["other"],
            _ => &["one", "other"],
        }
    }

    /// A key without its plural form, and the form.
    fn split(key: &str) -> (&str, Option<&str>) {
        match key.rsplit_once('.') {
            Some((stem, form)) if FORMS.contains(&form) => (stem, Some(form)),
            _ => (key, None),
        }
    }

    fn placeholders(text: &str) -> BTreeSet<&str> {
        let begun = text.split('{').skip(1);
        begun.map(|rest| rest.split_once('}').unwrap().0).collect()
    }

    #[test]
    fn no_key_is_missing_or_superfluous() {
        let english = catalogue("en");
        for tag in ALL.iter().map(|language| language.tag) {
            let mut wanted = BTreeSet::new();
            for key in english.keys() {
                match split(key) {
                    (stem, Some(_)) => wanted.extend(forms(tag).iter().map(|form| format!("{stem}.{form}"))),
                    (key, None) => drop(wanted.insert(key.to_owned())),
                }
            }
            let there: BTreeSet<String> = catalogue(tag).into_keys().collect();
            let missing: Vec<_> = wanted.difference(&there).collect();
            let superfluous: Vec<_> = there.difference(&wanted).collect();
            assert!(
                missing.is_empty() && superfluous.is_empty(),
                "{tag}.json: missing {missing:?}, superfluous {superfluous:?}"
            );
        }
    }

    #[test]
    fn each_text_has_the_placeholders_of_the_english_one() {
        let english = catalogue("en");
        for tag in ALL.iter().map(|language| language.tag) {
            for (key, text) in catalogue(tag) {
                assert!(!text.trim().is_empty(), "{tag}: {key}");
                let (stem, form) = split(&key);
                let other = format!("{stem}.other");
                let model = english.get(if form.is_some() { &other } else { &key }).unwrap();
                let (has, wanted) = (placeholders(&text), placeholders(model));
                // "One letter" and "two letters" may need no figure.
                let may_be_words = form.is_some_and(|form| matches!(form, "zero" | "one" | "two"));
                assert!(
                    has == wanted || (may_be_words && has.is_subset(&wanted)),
                    "{tag}: {key} has {has:?}, the English one {wanted:?}"
                );
            }
        }
    }
}
