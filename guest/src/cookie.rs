//! The cookies of the session and of the language: reading them from a request and writing them to a response.

use channel_plugin::Request;

use crate::languages::{self, Language};
use crate::token::Token;

const NAME: &str = "tc_friend_session";
const LANGUAGE: &str = "tc_friend_language";
/// A year: a friend who comes once a month stays signed in.
const MAX_AGE_S: u32 = 31_536_000;

/// The session token a request carries, if one has the form of a token.
pub(crate) fn read(request: &Request) -> Option<Token> {
    values(request, NAME).find_map(Token::parse)
}

/// The language that was chosen in this browser.
pub(crate) fn read_language(request: &Request) -> Option<&'static Language> {
    values(request, LANGUAGE).find_map(languages::find)
}

fn values<'a>(request: &'a Request, name: &'a str) -> impl Iterator<Item = &'a str> {
    request
        .headers_named("cookie")
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(move |(other, _)| *other == name)
        .map(|(_, value)| value)
}

/// The `set-cookie` value by which a browser remembers a choice of language. Set by the server, because some
/// browsers forget within days what a page's own script sets.
pub(crate) fn set_language(language: &Language, secure: bool) -> String {
    format!(
        "{LANGUAGE}={}; HttpOnly; SameSite=Lax; Path=/; Max-Age={MAX_AGE_S}{}",
        language.tag,
        attribute(secure)
    )
}

/// The `set-cookie` value that signs a browser in.
pub(crate) fn set(token: &Token, secure: bool) -> String {
    format!(
        "{NAME}={}; HttpOnly; SameSite=Lax; Path=/; Max-Age={MAX_AGE_S}{}",
        token.as_str(),
        attribute(secure)
    )
}

/// The `set-cookie` value that signs a browser out.
pub(crate) fn clear(secure: bool) -> String {
    format!(
        "{NAME}=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0{}",
        attribute(secure)
    )
}

const fn attribute(secure: bool) -> &'static str {
    if secure { "; Secure" } else { "" }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn request(cookies: &[&str]) -> Request {
        let headers = cookies
            .iter()
            .map(|line| ("cookie".to_owned(), line.as_bytes().to_vec()))
            .collect();
        Request::new("GET".to_owned(), "/", headers, Vec::new(), String::new())
    }

    #[test]
    fn finds_the_token_among_others() {
        let token = "0a".repeat(32);
        let ours = format!("tc_friend_session={token}");
        for lines in [
            vec![ours.as_str()],
            vec!["a=b", ours.as_str()],
            vec!["tc_friend_session=junk", ours.as_str()],
            vec![format!("theme=dark;{ours} ; x").as_str()],
        ] {
            assert_eq!(read(&request(&lines)).unwrap().as_str(), token);
        }
    }

    #[test]
    fn forged_and_foreign_cookies_are_none() {
        for line in [
            "",
            "tc_friend_session",
            "tc_friend_session=",
            "xtc_friend_session=00",
            "=;;=",
            "tc_friend_session=\"x\"",
        ] {
            assert_eq!(read(&request(&[line])), None, "{line}");
        }
    }

    #[test]
    fn secure_follows_the_base_url() {
        let token = Token::parse(&"0a".repeat(32)).unwrap();
        assert!(set(&token, true).ends_with("; HttpOnly; SameSite=Lax; Path=/; Max-Age=31536000; Secure"));
        assert!(set(&token, false).ends_with("; HttpOnly; SameSite=Lax; Path=/; Max-Age=31536000"));
        assert!(clear(false).contains("Max-Age=0"));
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod properties {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_read(line in prop::collection::vec(any::<u8>(), 0..80)) {
            let headers = vec![("cookie".to_owned(), line)];
            let request = Request::new("GET".to_owned(), "/", headers, Vec::new(), String::new());
            prop_assert_eq!(read(&request), None, "nobody draws a token by chance");
        }

        #[test]
        fn what_is_read_has_the_form_of_a_token(value in "[0-9a-f]{31,33}|[0-9a-f]{63,65}|[0-9a-fG]{32}") {
            let is_token = matches!(value.len(), 32 | 64) && !value.contains('G');
            let line = format!("{NAME}={value}");
            let headers = vec![("cookie".to_owned(), line.into_bytes())];
            let request = Request::new("GET".to_owned(), "/", headers, Vec::new(), String::new());
            prop_assert_eq!(read(&request).map(|token| token.as_str().to_owned()), is_token.then_some(value));
        }

        #[test]
        fn what_was_set_is_read_among_others(
            token in "[0-9a-f]{64}",
            before in "([!#-+--:<>-~]{0,9}=[!#-+--:<-~]{0,9}; ){0,3}",
            after in "(; ?[!#-+--:<>-~]{0,9}=?[!#-+--:<-~]{0,9}){0,3}",
            secure in any::<bool>(),
        ) {
            let set = set(&Token::parse(&token).unwrap(), secure);
            let pair = set.split(';').next().unwrap();
            let line = format!("{before}{pair}{after}");
            let headers = vec![("cookie".to_owned(), line.into_bytes())];
            let request = Request::new("GET".to_owned(), "/", headers, Vec::new(), String::new());
            let read = read(&request).unwrap();
            prop_assert_eq!(read.as_str(), token);
        }
    }
}
