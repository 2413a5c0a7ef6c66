//! Which characters a line of text may hold, and how text of unknown origin is quoted so that it stays one
//! piece of one line: no control, line separator or direction change gets through.

use std::fmt::Write as _;

use channel_plugin::is_disruptive;

/// The text in quotation marks, as a JSON string that holds no disruptive character and means nothing to Markdown,
/// so that it looks the same where it is rendered.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    out.push('"');
    let mut before = None;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let is_inside = [before, characters.peek().copied()]
            .iter()
            .all(|beside| beside.is_some_and(char::is_alphanumeric));
        if is_disruptive(character) || is_markup(character, is_inside) {
            let mut units = [0_u16; 2];
            for unit in character.encode_utf16(&mut units) {
                // Writing to a `String` cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(character);
        }
        before = Some(character);
    }
    out.push('"');
    out
}

/// Whether a character could mean something to Markdown in the middle of a line, between letters or not. All that
/// ever does is punctuation of ASCII; what names are written with and means nothing is left.
fn is_markup(character: char, is_inside: bool) -> bool {
    match character {
        '!' | '\'' | '(' | ')' | '+' | ',' | '-' | '?' => false,
        // Emphasis, unless it joins two words.
        '_' => !is_inside,
        // Makes a link of two words that it joins.
        '.' => is_inside,
        _ => character.is_ascii_punctuation(),
    }
}

/// The text with the characters that mean something to HTML replaced.
pub(crate) fn html_escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => push_html(&mut out, character),
        }
    }
    out
}

/// Appends a character of a text, or what stands for it where it would begin or end a tag or begin a reference.
pub(crate) fn push_html(out: &mut String, character: char) {
    match character {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        _ => out.push(character),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_quoted_text_is_one_line_and_reads_back() {
        for text in [
            "John",
            "a\"b\\c",
            "x\ny\r\t\u{85}",
            "\u{202e}evil\u{2066}",
            "\u{2028}|\u{e0041}",
            "日本 🙂",
        ] {
            let quoted = quoted(text);
            assert!(!quoted.chars().any(is_disruptive), "{quoted:?}");
            assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), text);
        }
    }

    #[test]
    fn a_quoted_text_means_nothing_to_markdown() {
        for (text, written) in [
            (
                "![x](http://evil/?q)",
                r#""!\u005bx\u005d(http\u003a\u002f\u002fevil\u002f?q)""#,
            ),
            ("</details>", r#""\u003c\u002fdetails\u003e""#),
            (
                "*a* `b` ~c~ |d| &lt;",
                r#""\u002aa\u002a \u0060b\u0060 \u007ec\u007e \u007cd\u007c \u0026lt\u003b""#,
            ),
            (r#"a\"b"#, r#""a\u005c\u0022b""#),
            ("john_2 _x_", r#""john_2 \u005fx\u005f""#),
            (
                "www.evil.example Dr. O'Neil (Jo-Jo)!",
                r#""www\u002eevil\u002eexample Dr. O'Neil (Jo-Jo)!""#,
            ),
            ("a@b $c$ #d", r#""a\u0040b \u0024c\u0024 \u0023d""#),
        ] {
            assert_eq!(quoted(text), written);
            assert_eq!(serde_json::from_str::<String>(written).unwrap(), text);
        }
    }

    #[test]
    fn html_has_no_meaning_left() {
        assert_eq!(html_escaped("<b a='\"'>&"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;");
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod properties {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use proptest::prelude::*;

    use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

    use super::*;

    fn part() -> impl Strategy<Value = String> {
        let markup =
            "![x](http://e) [x](y) [x] <b> </details> <http://e> **x** _x_ `x` ~~x~~ | &lt; $x$ [^1] \\ \" ^x^";
        prop_oneof![
            prop::sample::select(markup.split(' ').collect::<Vec<_>>()).prop_map(str::to_owned),
            r"[!-~ é王]{0,9}|\PC{0,9}|.{0,9}",
        ]
    }

    proptest! {
        #[test]
        fn a_quoted_text_is_itself_to_json_and_to_markdown(parts in prop::collection::vec(part(), 0..6)) {
            let text = parts.concat();
            let quoted = quoted(&text);
            prop_assert!(!quoted.chars().any(is_disruptive));
            prop_assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), text);
            // In the middle of a line, as it stands in the owner's list.
            let line = format!("x {quoted} x");
            let events: Vec<Event<'_>> = Parser::new_ext(&line, Options::all()).collect();
            prop_assert_eq!(events.first(), Some(&Event::Start(Tag::Paragraph)));
            prop_assert_eq!(events.last(), Some(&Event::End(TagEnd::Paragraph)));
            let inner = events.get(1..events.len() - 1).unwrap();
            prop_assert!(inner.iter().all(|event| matches!(event, Event::Text(_))), "{:?}", events);
        }

        #[test]
        fn escaped_html_has_no_markup_and_reads_back(text in ".*") {
            let escaped = html_escaped(&text);
            prop_assert!(!escaped.contains(['<', '>', '"', '\'']));
            let mut read = escaped;
            for (written, meant) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")] {
                read = read.replace(written, meant);
            }
            prop_assert_eq!(read, text);
        }
    }
}
