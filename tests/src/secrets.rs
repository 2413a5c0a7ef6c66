//! The codes and cookies that this test process has seen: no harness may have logged one.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::Lines;

/// What leads to a code in a link.
const LINK: &str = "?invite=";

/// In lower case: a code is the same code however it is written.
static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Remembers a code or the value of a cookie.
pub fn remember(secret: &str) {
    let secret = secret.to_ascii_lowercase();
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    seen.insert(secret.replace('-', ""));
    seen.insert(secret);
}

/// The first line that holds something it must not.
fn find_in(log: &str) -> Option<String> {
    let seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let secrets: Vec<&str> = seen.iter().map(String::as_str).chain([LINK]).collect();
    log.to_ascii_lowercase()
        .lines()
        .find(|line| secrets.iter().any(|secret| line.contains(secret)))
        .map(str::to_owned)
}

/// A log that is searched when it goes. What its process wrote at the very end may be missed where nobody waited for
/// the end: a program that it started may hold the stream open.
#[derive(Debug)]
pub(crate) struct Searched(pub(crate) Lines);

impl Drop for Searched {
    fn drop(&mut self) {
        // A test that fails already has its own message.
        if !std::thread::panicking() {
            let found = find_in(&self.0.text());
            assert_eq!(found, None, "the log holds a code, a cookie or a link");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_however_it_is_written() {
        remember("KT3P-0000-WXYZ");
        assert_eq!(find_in("one\ntwo KT3P\nthree"), None);
        for line in [
            "at kt3p-0000-wxyz.",
            "code=\"KT3P0000WXYZ\"",
            "GET /chat?invite=whatever",
        ] {
            assert_eq!(find_in(&format!("one\n{line}\nthree")), Some(line.to_ascii_lowercase()));
        }
    }
}
