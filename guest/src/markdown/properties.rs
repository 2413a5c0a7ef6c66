//! The judge of what is written: a cleaner that reads HTML as browsers do, with a list of what is allowed. It finds nothing
//! to take out, and what it makes of another renderer's HTML, of the same Markdown, is the same.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::sync::LazyLock;

use proptest::prelude::*;
use pulldown_cmark::{CodeBlockKind, CowStr, LinkType, Tag, html};

use super::*;

static CLEANER: LazyLock<ammonia::Builder<'static>> = LazyLock::new(|| {
    let mut cleaner = ammonia::Builder::default();
    cleaner
        .tags(TAGS.split(' ').collect())
        .tag_attributes([("a", ["href", "title"].into()), ("ol", ["start"].into())].into())
        .set_tag_attribute_value("a", "target", "_blank")
        .link_rel(Some("noopener noreferrer nofollow"))
        .url_schemes(["http", "https", "mailto", "tel"].into())
        .url_relative(ammonia::UrlRelative::Deny)
        .generic_attributes(["lang"].into());
    cleaner
});

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
    "&#0;",
    "&#13;",
    "&#13;\n",
    "\r\n",
    "&nbsp;",
    "&#60;b&#62; &quot;",
    "<a@e.example>",
    "[x](tel:1 't&nbsp;\"<b>&amp;')",
    "[x](<mailto:a@e.example?subject='a b'&body=c> \"t\")",
    "[![x](https://e.example/a.png)](https://e.example/)",
    "[a **b ![x](https://e.example/a.png \"t\") c** d](https://e.example/ 'u')",
    "![a [b](https://e.example/b) ![c](/c) d](https://e.example/d)",
    "# ",
    "\n===\n",
    "\n---\n",
    "0. ",
    "\n7) ",
    "    ",
    "\n|a|b|c|\n|:-|:-:|-:|\n|1|`2`|\n|<b>|&lt;|3|4|\n",
    "_",
    "  \n",
    "é 王 🙂",
];

/// What agents write.
const TAGS: &str = "a blockquote br code del em h1 h2 h3 h4 h5 h6 hr li ol p pre strong table tbody td th thead tr ul";

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

/// What the judge makes of another renderer's HTML, with raw HTML as text and images as links.
fn judged(markdown: &str) -> String {
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
        Event::Start(Tag::CodeBlock(_)) => Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(CowStr::Borrowed("")))),
        other => other,
    });
    let mut rendered = String::new();
    html::push_html(&mut rendered, events);
    CLEANER.clean(&rendered).to_string()
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
        prop_assert_eq!(CLEANER.clean(&html).to_string(), html.as_str(), "cleaning changes something");
        prop_assert_eq!(judged(&parts.concat()), html, "something is missing, or looks otherwise");
    }
}
