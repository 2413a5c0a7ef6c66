//! The cookies of the session and of the language: reading them from a request and writing them to a response.

use channel_plugin::Request;

use crate::base_url::BaseUrl;
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
pub(crate) fn set_language(language: &Language, base_url: &BaseUrl) -> String {
    format!("{LANGUAGE}={}; {}", language.tag, attributes(base_url, MAX_AGE_S))
}

/// The `set-cookie` value that signs a browser in.
pub(crate) fn set(token: &Token, base_url: &BaseUrl) -> String {
    format!("{NAME}={}; {}", token.as_str(), attributes(base_url, MAX_AGE_S))
}

/// The `set-cookie` value that signs a browser out.
pub(crate) fn clear(base_url: &BaseUrl) -> String {
    format!("{NAME}=; {}", attributes(base_url, 0))
}

/// What stands behind the value. A chat below a path gets its own cookies only, as far as browsers are concerned; of the chat
/// at the root of the same host they send the cookies too, behind those of the longer path.
fn attributes(base_url: &BaseUrl, max_age_s: u32) -> String {
    let path = if base_url.path().is_empty() {
        "/"
    } else {
        base_url.path()
    };
    let secure = if base_url.is_https() { "; Secure" } else { "" };
    format!("HttpOnly; SameSite=Lax; Path={path}; Max-Age={max_age_s}{secure}")
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
    fn path_and_secure_follow_the_base_url() {
        let token = "0a".repeat(32);
        let german = languages::find("de").unwrap();
        for (url, path, secure) in [
            ("http://localhost:3001", "/", ""),
            ("https://chat.example.org", "/", "; Secure"),
            ("http://chat.example.org/Anna/", "/Anna", ""),
            ("https://chat.example.org/chats/anna", "/chats/anna", "; Secure"),
        ] {
            let base_url = BaseUrl::parse(url).unwrap();
            let attributes = |max_age_s| format!("; HttpOnly; SameSite=Lax; Path={path}; Max-Age={max_age_s}{secure}");
            assert_eq!(
                set(&Token::parse(&token).unwrap(), &base_url),
                format!("tc_friend_session={token}{}", attributes(31_536_000))
            );
            assert_eq!(clear(&base_url), format!("tc_friend_session={}", attributes(0)));
            assert_eq!(
                set_language(german, &base_url),
                format!("tc_friend_language=de{}", attributes(31_536_000))
            );
        }
    }

    #[test]
    fn of_two_sessions_the_one_of_the_longer_path_counts() {
        let (own, of_the_root) = ("0a".repeat(32), "0b".repeat(32));
        let line = format!("tc_friend_session={own}; tc_friend_session={of_the_root}");
        assert_eq!(
            read(&request(&[&line])).unwrap().as_str(),
            own,
            "browsers send it first"
        );
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
            path in "(/[A-Za-z0-9_~-]{1,5}){0,3}",
        ) {
            let base_url = BaseUrl::parse(&format!("https://chat.example.org{path}")).unwrap();
            let set = set(&Token::parse(&token).unwrap(), &base_url);
            let pair = set.split(';').next().unwrap();
            let line = format!("{before}{pair}{after}");
            let headers = vec![("cookie".to_owned(), line.into_bytes())];
            let request = Request::new("GET".to_owned(), "/", headers, Vec::new(), String::new());
            let read = read(&request).unwrap();
            prop_assert_eq!(read.as_str(), token);
        }
    }
}
