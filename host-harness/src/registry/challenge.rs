//! What a registry asks for before it answers (RFC 9110, section 11.6.1, and the token authentication of registries).

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;
use http_auth::{ChallengeRef, parse_challenges};
use serde::Deserialize;

/// What a registry wants to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A token, which is given out at this address.
    Token {
        /// Where.
        realm: String,
        /// For which service, if that is said.
        service: Option<String>,
    },
    /// A name and a password.
    Password,
}

/// What is given out.
#[derive(Deserialize)]
pub(super) struct Token {
    token: Option<String>,
    /// The same under the name that OAuth has for it.
    access_token: Option<String>,
}

impl Token {
    pub(super) fn text(self) -> Option<String> {
        self.token.or(self.access_token)
    }
}

/// The first challenge that can be met.
pub(super) fn challenge(headers: &HeaderMap) -> Option<Challenge> {
    let values = headers.get_all(WWW_AUTHENTICATE).iter();
    values
        .filter_map(|value| parse_challenges(value.to_str().ok()?).ok())
        .flatten()
        .find_map(|challenge| understood(&challenge))
}

fn understood(challenge: &ChallengeRef<'_>) -> Option<Challenge> {
    let parameter = |name: &str| {
        let found = challenge
            .params
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_unescaped())
    };
    if challenge.scheme.eq_ignore_ascii_case("bearer") {
        return Some(Challenge::Token {
            realm: parameter("realm")?,
            service: parameter("service"),
        });
    }
    challenge
        .scheme
        .eq_ignore_ascii_case("basic")
        .then_some(Challenge::Password)
}
