//! What a log may hold of an agent's own words: an agent, or the server that it asks, may repeat what it was told, and a friend
//! may have told it a link or a code.

/// Characters that are kept: enough for a reason.
const MOST: usize = 300;

/// Characters of a part that is a code's, as in `KT3P-0000-WXYZ`, and how many of them make one.
const CODE_PART: usize = 4;
const CODE_PARTS: usize = 3;

/// Letters and digits in one piece from which they are taken for a key or a token.
const TOKEN: usize = 12;

/// The words without what could open something: of a link its host is left, and codes and keys are not.
pub(crate) fn discreet(words: &str) -> String {
    let mut kept = String::new();
    for (at, word) in words.split_whitespace().enumerate() {
        if at > 0 {
            kept.push(' ');
        }
        match word.split_once("://") {
            Some((before, rest)) => {
                hide(before, &mut kept);
                kept.push_str("://");
                let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
                // What stands before an `@` may be a password.
                let host = authority.rsplit('@').next().unwrap_or_default();
                let (host, after) = host.split_at(host.find(|c| !is_of_host(c)).unwrap_or(host.len()));
                kept.push_str(host);
                kept.push_str(if path.is_empty() && after.is_empty() {
                    ""
                } else {
                    "/…"
                });
            }
            None => hide(word, &mut kept),
        }
    }
    match kept.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", kept.get(..end).unwrap_or_default()),
        None => kept,
    }
}

/// Of a name or an address, with its port.
fn is_of_host(character: char) -> bool {
    character.is_alphanumeric() || "-._:[]".contains(character)
}

/// Adds a word with `…` for each run of letters, digits and hyphens that looks like a secret.
fn hide(word: &str, kept: &mut String) {
    let is_of_run = |character: char| character.is_alphanumeric() || character == '-' || character == '_';
    let mut rest = word;
    while let Some(begin) = rest.find(is_of_run) {
        let (between, behind) = rest.split_at(begin);
        let (run, after) = behind.split_at(behind.find(|c| !is_of_run(c)).unwrap_or(behind.len()));
        kept.push_str(between);
        kept.push_str(if looks_secret(run) { "…" } else { run });
        rest = after;
    }
    kept.push_str(rest);
}

fn looks_secret(run: &str) -> bool {
    let parts = || run.split(['-', '_']);
    let is_code = parts().count() >= CODE_PARTS && parts().all(|part| part.chars().count() == CODE_PART);
    let is_token = |part: &str| {
        part.chars().count() >= TOKEN
            && part.contains(|c: char| c.is_ascii_digit())
            && part.contains(|c: char| c.is_ascii_alphabetic())
    };
    is_code || parts().any(is_token)
}

#[cfg(test)]
mod tests {
    use super::discreet;

    #[test]
    fn what_could_open_something_is_left_out() {
        for (words, kept) in [
            (
                "use https://chat.example.org/chat?invite=KT3P-0000-WXYZ now",
                "use https://chat.example.org/… now",
            ),
            ("at http://[::1]:3001/a", "at http://[::1]:3001/…"),
            ("http://name:word@host/", "http://host/…"),
            ("no code `KT3P-0000-WXYZ`, or kt3p0000wxyz?", "no code `…`, or …?"),
            (
                "Incorrect API key provided: sk-proj-abcdEFGH1234567890.",
                "Incorrect API key provided: ….",
            ),
            ("session=0123456789abcdef0123456789abcdef", "session=…"),
        ] {
            assert_eq!(discreet(words), kept);
        }
    }

    #[test]
    fn a_reason_can_still_be_read() {
        for words in [
            "the agent's server answers 503 Service Unavailable: model gpt-4o-mini-2024-07-18 is overloaded",
            "an error of sh -c: exit status: 3",
            "the agent's server cannot be reached: Connection refused (os error 111)",
            "context_length_exceeded: 128000 tokens",
        ] {
            assert_eq!(discreet(words), words);
        }
    }

    #[test]
    fn it_is_one_line_and_no_story() {
        assert_eq!(discreet("one\ntwo\tthree"), "one two three");
        assert_eq!(discreet(&"ä ".repeat(1_000)).chars().count(), super::MOST + 1);
    }
}
