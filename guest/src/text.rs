//! Which characters a line of text may hold, and how text of unknown origin is quoted so that it stays one
//! piece of one line: no control, line separator or direction change gets through.

use std::fmt::Write as _;

/// Whether a character could end a line, hide, or turn the direction of what stands around it.
pub(crate) fn is_disruptive(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// The text in quotation marks, as a JSON string that holds no disruptive character.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            _ if is_disruptive(character) => {
                let mut units = [0_u16; 2];
                for unit in character.encode_utf16(&mut units) {
                    // Writing to a `String` cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}

/// The text with the characters that mean something to HTML replaced.
pub(crate) fn html_escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(character),
        }
    }
    out
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
    fn html_has_no_meaning_left() {
        assert_eq!(html_escaped("<b a='\"'>&"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;");
    }
}
