//! Where a link may lead: to another site, a mailbox or a telephone, named in full. What names no scheme, and so would lead
//! to the chat's own server, leads nowhere.

use std::fmt::Write as _;

/// Schemes whose addresses name a host, so that a browser cannot take what follows for a path on this one.
const WITH_HOST: [&str; 2] = ["http", "https"];

/// Schemes whose addresses another program opens.
const WITHOUT_HOST: [&str; 2] = ["mailto", "tel"];

/// An address as it may stand between the quotation marks of an attribute, if a link may lead there. Whatever could end the
/// attribute, and whatever a browser would leave out before it looks for the scheme, is percent-encoded.
pub(super) fn address(written: &str) -> Option<String> {
    let (scheme, rest) = written.split_once(':')?;
    let is_one_of = |schemes: [&str; 2]| schemes.iter().any(|known| known.eq_ignore_ascii_case(scheme));
    let names_host = || {
        rest.strip_prefix("//")
            .is_some_and(|host| !host.is_empty() && !host.starts_with(['/', '\\', '?', '#', ':']))
    };
    (is_one_of(WITHOUT_HOST) || (is_one_of(WITH_HOST) && names_host())).then(|| encoded(written))
}

fn encoded(address: &str) -> String {
    let mut out = String::with_capacity(address.len());
    for byte in address.bytes() {
        match byte {
            b'&' => out.push_str("&amp;"),
            b'"' | b'<' | b'>' | b'[' | b'\\' | b']' | b'`' | b'{' | b'|' | b'}' => push_encoded(&mut out, byte),
            _ if byte.is_ascii_graphic() => out.push(char::from(byte)),
            _ => push_encoded(&mut out, byte),
        }
    }
    out
}

fn push_encoded(out: &mut String, byte: u8) {
    // Writing to a `String` cannot fail.
    let _ = write!(out, "%{byte:02X}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_what_is_named_in_full() {
        for written in [
            "https://example.com",
            "HTTP://example.com:8080/a?b=c#d",
            "mailto:a@example.com",
            "tel:+49-30-123",
            "https://user@example.com/%20'()*",
        ] {
            assert_eq!(address(written).as_deref(), Some(written));
        }
    }

    #[test]
    fn a_link_leads_nowhere_else() {
        for written in [
            "",
            "/api/auth/logout",
            "//example.com",
            "chat",
            "?a",
            "#a:b",
            "javascript:a()",
            "java\nscript:a()",
            " https://example.com",
            "\u{1}https://example.com",
            "data:text/html,a",
            "blob:https://example.com/a",
            "https",
            // On a page of the same scheme a browser takes these for paths of its own server.
            "https:",
            "https:/api/auth/logout",
            "http:chat",
            "https:///api",
            "https://\\api",
            "https://",
            "https://?a",
        ] {
            assert_eq!(address(written), None, "{written:?}");
        }
    }

    #[test]
    fn an_address_cannot_end_its_attribute() {
        assert_eq!(
            address("https://é.example/\" onclick='a&b' <\n\u{0}>[]`{|}\\").as_deref(),
            Some("https://%C3%A9.example/%22%20onclick='a&amp;b'%20%3C%0A%00%3E%5B%5D%60%7B%7C%7D%5C")
        );
    }
}
