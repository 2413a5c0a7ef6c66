//! Ids of a channel's users: its prefix, a colon, and a name.

use std::ops::RangeInclusive;

use crate::Error;

/// The name in a user id of the channel with this prefix.
///
/// # Errors
/// [`Error::MalformedUserId`] where it is an id of another channel, or names nobody.
pub fn user_name<'a>(user_id: &'a str, prefix: &str) -> Result<&'a str, Error> {
    user_id
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix(':'))
        .filter(|name| !name.is_empty())
        .ok_or_else(|| Error::MalformedUserId(format!("a user id of this channel reads {prefix}:NAME")))
}

/// Whether a text is of so many characters, all of `a-z`, `0-9` and `_`: a name that looks the same wherever it stands.
pub fn is_plain_name(text: &str, chars: RangeInclusive<usize>) -> bool {
    chars.contains(&text.len())
        && text
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_id_has_the_prefix_and_a_name() {
        assert_eq!(user_name("hook:a:b", "hook"), Ok("a:b"));
        for id in ["", "hook", "hook:", "hooks:a", ":a", "web:a"] {
            let refused = user_name(id, "hook");
            assert!(matches!(refused, Err(Error::MalformedUserId(rule)) if rule.ends_with("hook:NAME")));
        }
    }

    #[test]
    fn a_plain_name_keeps_its_length_and_letters() {
        for (text, is_plain) in [
            ("a_1", true),
            ("", false),
            ("a1b2", false),
            ("A", false),
            ("é", false),
            ("a ", false),
        ] {
            assert_eq!(is_plain_name(text, 1..=3), is_plain, "{text:?}");
        }
    }
}
