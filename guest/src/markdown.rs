//! The agent's Markdown as HTML that a page may insert as it is: no script, no style, no remote image, and
//! links that take nothing along.

use std::sync::LazyLock;

use pulldown_cmark::{CowStr, Event, LinkType, Options, Parser, Tag, TagEnd, html};

use crate::text::html_escaped;

/// Second line of defence: what the renderer emits is cleaned by a parser that reads HTML as browsers do.
static CLEANER: LazyLock<ammonia::Builder<'static>> = LazyLock::new(|| {
    let mut cleaner = ammonia::Builder::default();
    cleaner
        .tags(
            [
                "a",
                "blockquote",
                "br",
                "code",
                "del",
                "em",
                "h1",
                "h2",
                "h3",
                "h4",
                "h5",
                "h6",
                "hr",
                "li",
                "ol",
                "p",
                "pre",
                "strong",
                "table",
                "tbody",
                "td",
                "th",
                "thead",
                "tr",
                "ul",
            ]
            .into(),
        )
        .tag_attributes([("a", ["href", "title"].into()), ("ol", ["start"].into())].into())
        .set_tag_attribute_value("a", "target", "_blank")
        .link_rel(Some("noopener noreferrer nofollow"))
        .url_schemes(["http", "https", "mailto", "tel"].into())
        .url_relative(ammonia::UrlRelative::Deny)
        .generic_attributes(["lang"].into());
    cleaner
});

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
    let events = Parser::new_ext(markdown, OPTIONS).map(|event| match event {
        Event::Html(raw) | Event::InlineHtml(raw) => Event::Text(raw),
        Event::SoftBreak => Event::HardBreak,
        Event::Start(Tag::Image {
            dest_url, title, id, ..
        }) => Event::Start(Tag::Link {
            link_type: LinkType::Inline,
            dest_url,
            title,
            id,
        }),
        Event::End(TagEnd::Image) => Event::End(TagEnd::Link),
        Event::Start(Tag::CodeBlock(_)) => Event::Start(Tag::CodeBlock(pulldown_cmark::CodeBlockKind::Fenced(
            CowStr::Borrowed(""),
        ))),
        other => other,
    });
    let mut rendered = String::with_capacity(markdown.len().saturating_mul(2));
    html::push_html(&mut rendered, events);
    CLEANER.clean(&rendered).to_string()
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
mod properties {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use proptest::prelude::*;

    use super::*;

    /// What attacks are made of.
    const PARTS: &[&str] = &[
        "<script>",
        "</script>",
        "<img src=x onerror=alert(1)>",
        "<svg/onload=alert(1)>",
        "<style>@import'//e'</style>",
        "<a href=\"javascript:alert(1)\">",
        "<iframe srcdoc=",
        "<a href=https://e.example onclick=a() style=x>",
        "<!--",
        "-->",
        "<![CDATA[",
        "<math><mi>",
        "</p>",
        "<p style=x>",
        "[x](",
        "![x](",
        "javascript:alert(1)",
        "jav\tascript:a()",
        "data:text/html,<b>",
        "vbscript:x",
        "https://e.example/\"x=y ",
        "&#106;avascript:a()",
        "//e.example/",
        "/api/auth/logout",
        ")",
        "\"onclick=\"a()",
        "'",
        "\"",
        "[x]: javascript:a()",
        "[x]",
        "<javascript:a()>",
        "<https://e.example/\"onclick=a()>",
        "`",
        "```",
        "\n",
        "\n\n",
        "|a|\n|-|\n",
        "> ",
        "- ",
        "1. ",
        "**",
        "~~",
        "\\",
        "&lt;script&gt;",
        "\u{0}",
        "<x-y onfocus=a() autofocus>",
        "<base href=//e>",
        "<form action=//e>",
    ];

    /// What agents write.
    const TAGS: &str =
        "a blockquote br code del em h1 h2 h3 h4 h5 h6 hr li ol p pre strong table tbody td th thead tr ul";

    fn part() -> impl Strategy<Value = String> {
        prop_oneof![prop::sample::select(PARTS).prop_map(str::to_owned), "\\PC{0,8}"]
    }

    /// The tags of rendered HTML, where `<` is nothing else.
    fn tags(html: &str) -> impl Iterator<Item = &str> {
        html.split('<')
            .skip(1)
            .map(|rest| rest.split_once('>').map_or(rest, |(tag, _)| tag))
    }

    /// Whether a tag is one of those that agents need, with none but a link's and a list's attributes.
    fn is_harmless(tag: &str) -> bool {
        let (name, attributes) = tag
            .trim_start_matches('/')
            .split_once(' ')
            .unwrap_or((tag.trim_start_matches('/'), ""));
        // Values are quoted, and a quotation mark in one is written otherwise: every other part is a name.
        let mut parts = attributes.split('"');
        let mut is_known = TAGS.split(' ').any(|tag| tag == name);
        while let (Some(key), Some(value)) = (parts.next(), parts.next()) {
            is_known &= match (name, key.trim()) {
                ("a", "href=") => ["http:", "https:", "mailto:", "tel:"]
                    .iter()
                    .any(|scheme| value.to_ascii_lowercase().starts_with(scheme)),
                ("a", "title=") | ("ol", "start=") => true,
                ("a", "rel=") => value == "noopener noreferrer nofollow",
                ("a", "target=") => value == "_blank",
                _ => false,
            };
        }
        is_known
    }

    proptest! {
        #[test]
        fn whatever_is_written_nothing_runs_loads_or_leaves_the_text(
            parts in prop::collection::vec(part(), 0..12),
        ) {
            let html = render(&parts.concat());
            for tag in tags(&html) {
                prop_assert!(is_harmless(tag), "{tag} in {html}");
            }
            prop_assert_eq!(CLEANER.clean(&html).to_string(), html.as_str(), "cleaning again changes something");
        }
    }
}
