//! The agent's Markdown as HTML that a page may insert as it is: no script, no style, no remote image, and
//! links that take nothing along.

use pulldown_cmark::{Event, Options, Parser, TagEnd};

use crate::text::html_escaped;

mod link;
mod writer;

/// Most bytes that are rendered. The worst text there is takes 1.5 µs a byte, and a call has a deadline.
const MAX_RENDERED_BYTES: usize = 128 * 1024;

/// What agents write beyond CommonMark.
const OPTIONS: Options = Options::ENABLE_TABLES.union(Options::ENABLE_STRIKETHROUGH);

/// Characters of Markdown that are read for an excerpt of it, marks and addresses included.
const MAX_EXCERPT_READ: usize = 2_000;

/// Characters of an excerpt; what notifies shows fewer.
const MAX_EXCERPT: usize = 300;

/// Renders Markdown. Raw HTML in it is shown as text, an image as a link to it. A text that is longer than a book's chapter
/// is shown as it was written.
pub(crate) fn render(markdown: &str) -> String {
    if markdown.len() > MAX_RENDERED_BYTES {
        return plain(markdown);
    }
    writer::written(markdown.len(), Parser::new_ext(markdown, OPTIONS))
}

/// How Markdown begins: its words in one line, without its marks.
pub(crate) fn excerpt(markdown: &str) -> String {
    let beginning: String = markdown.chars().take(MAX_EXCERPT_READ).collect();
    let mut words = String::new();
    for event in Parser::new_ext(&beginning, OPTIONS) {
        match event {
            Event::Text(text) | Event::Code(text) | Event::Html(text) | Event::InlineHtml(text) => {
                words.push_str(&text)
            }
            Event::Start(_)
            | Event::End(TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link | TagEnd::Image) => {}
            _ => words.push(' '),
        }
    }
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_EXCERPT) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// A friend's own words as HTML: what was typed, with its line breaks.
pub(crate) fn plain(text: &str) -> String {
    html_escaped(text).replace('\n', "<br>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_what_agents_write() {
        assert_eq!(
            render("**hi** `x<y`"),
            "<p><strong>hi</strong> <code>x&lt;y</code></p>\n"
        );
        assert_eq!(render("a\nb"), "<p>a<br>\nb</p>\n");
        assert!(render("|a|b|\n|-|-|\n|1|2|").contains("<td>2</td>"));
        assert!(render("```rust\nlet a;\n```").contains("<pre><code>let a;\n</code></pre>"));
    }

    #[test]
    fn an_excerpt_is_words_in_one_line() {
        assert_eq!(
            excerpt("# Bread\n\n1. *m*ix\n2. [bake](https://example.com) ~~it~~\n\n|a|b|\n|-|-|\n|1|`2`|"),
            "Bread mix bake it a b 1 2"
        );
        assert_eq!(excerpt("a <b>c</b> &amp;\nd\n\n---"), "a <b>c</b> & d");
        assert_eq!(excerpt(&"ä".repeat(MAX_EXCERPT)), "ä".repeat(MAX_EXCERPT));
        assert_eq!(excerpt(&"ä".repeat(5_000)), format!("{}…", "ä".repeat(MAX_EXCERPT)));
    }

    #[test]
    fn links_take_nothing_along() {
        let html = render("[x](https://example.com \"t\")");
        assert!(
            html.contains("href=\"https://example.com\"") && html.contains("target=\"_blank\""),
            "{html}"
        );
        assert!(html.contains("rel=\"noopener noreferrer nofollow\""), "{html}");
    }

    #[test]
    fn nothing_that_runs_or_loads_gets_through() {
        for markdown in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](data:text/html,<script>)",
            "![x](https://example.com/a.png)",
            "<a href=\"javascript:alert(1)\">x</a>",
            "a <svg/onload=alert(1)> b",
            "[x](/api/auth/logout)",
            "<https://example.com/\"onclick=alert(1)>",
        ] {
            let html = render(markdown);
            for bad in [
                "<script",
                "<img",
                "<svg",
                "<a href=\"javascript",
                "<a href=\"data",
                "<a href=\"/",
                "\" onclick",
            ] {
                assert!(!html.to_ascii_lowercase().contains(bad), "{markdown} -> {html}");
            }
        }
        assert!(render("![cat](https://example.com/a.png)").contains(">cat</a>"));
    }

    #[test]
    fn what_is_too_long_to_be_rendered_is_shown_as_it_was_written() {
        let fits = "*a*\n".repeat(MAX_RENDERED_BYTES / 4);
        assert!(render(&fits).contains("<em>a</em>"));
        let long = format!("{fits}<b>");
        assert_eq!(render(&long), plain(&long));
    }

    #[test]
    fn a_friends_words_are_text() {
        assert_eq!(plain("<b>\n&"), "&lt;b&gt;<br>&amp;");
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod properties;
