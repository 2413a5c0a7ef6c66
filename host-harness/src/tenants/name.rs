//! What tenants are called.

use std::fmt;
use std::str::FromStr;

/// Most characters of a name: those of a label of a host name (RFC 1035, section 2.3.4).
const CHARACTERS: usize = 63;

/// The name of a tenant: that of its directory, and what stands in the log and with the metrics.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(String);

/// The text is no name of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no name for a tenant: use 1 to 63 of a-z, 0-9 and -, and none of - at its ends")]
pub struct NoName(String);

impl FromStr for Name {
    type Err = NoName;

    fn from_str(text: &str) -> Result<Self, NoName> {
        let is_of_names = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fits = (1..=CHARACTERS).contains(&text.len())
            && text.bytes().all(is_of_names)
            && !text.starts_with('-')
            && !text.ends_with('-');
        match fits {
            true => Ok(Self(text.to_owned())),
            false => Err(NoName(text.to_owned())),
        }
    }
}

impl Name {
    /// In text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_safe_in_a_path_and_in_a_host_name() {
        for text in ["a", "anna", "anna-2", &"a".repeat(63)] {
            assert_eq!(text.parse(), Ok(Name(text.to_owned())));
        }
        for text in ["", ".", "..", "a/b", "Anna", "-a", "a-", "ä", "a b", &"a".repeat(64)] {
            assert_eq!(text.parse::<Name>(), Err(NoName(text.to_owned())));
        }
    }
}
