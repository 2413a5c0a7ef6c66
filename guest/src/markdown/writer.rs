//! Writes the events of Markdown as HTML. Every tag and attribute that it can write stands here; all else is text, which is
//! escaped, so that nothing needs to be cleaned afterwards.

use pulldown_cmark::{Event, HeadingLevel, LinkType, Tag, TagEnd};

use super::link;
use crate::text::push_html;

/// The HTML of a text of so many bytes.
pub(super) fn written<'a>(length: usize, events: impl Iterator<Item = Event<'a>>) -> String {
    let mut writer = Writer {
        out: String::with_capacity(length.saturating_mul(2)),
        inlines: Vec::new(),
        cell: "th",
    };
    for event in events {
        writer.event(event);
    }
    writer.out
}

struct Writer {
    out: String,
    /// What has begun inside a line and not ended, the outermost first.
    inlines: Vec<Inline>,
    /// The tag of a table's cells: those of its head have another one.
    cell: &'static str,
}

/// Something inside a line.
#[derive(Clone, Copy)]
struct Inline {
    tag: &'static str,
    /// False once the tag had to be closed before the end of what it stood for.
    is_open: bool,
}

/// The tag of links.
const LINK: &str = "a";

impl Writer {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            // HTML in Markdown is shown as it was written.
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => self.text(&text),
            Event::Code(text) => {
                self.out.push_str("<code>");
                self.text(&text);
                self.out.push_str("</code>");
            }
            Event::SoftBreak | Event::HardBreak => self.out.push_str("<br>\n"),
            Event::Rule => self.block("<hr>\n"),
            // Of extensions that are not switched on.
            Event::InlineMath(_) | Event::DisplayMath(_) | Event::FootnoteReference(_) | Event::TaskListMarker(_) => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph => self.block("<p>"),
            Tag::Heading { level, .. } => {
                self.block("");
                self.open(heading(level));
            }
            Tag::BlockQuote(_) => self.block("<blockquote>\n"),
            Tag::CodeBlock(_) => self.block("<pre><code>"),
            Tag::List(None) => self.block("<ul>\n"),
            Tag::List(Some(1)) => self.block("<ol>\n"),
            Tag::List(Some(first)) => self.block(&format!("<ol start=\"{first}\">\n")),
            Tag::Item => self.block("<li>"),
            Tag::Table(_) => self.out.push_str("<table>"),
            Tag::TableHead => {
                self.cell = "th";
                self.out.push_str("<thead><tr>");
            }
            Tag::TableRow => self.out.push_str("<tr>"),
            Tag::TableCell => self.open(self.cell),
            Tag::Emphasis => self.start_inline("em"),
            Tag::Strong => self.start_inline("strong"),
            Tag::Strikethrough => self.start_inline("del"),
            Tag::Link {
                link_type: LinkType::Email,
                dest_url,
                title,
                ..
            } => self.start_link(&format!("mailto:{dest_url}"), &title),
            // An image is a link to it: the page loads nothing from elsewhere.
            Tag::Link { dest_url, title, .. } | Tag::Image { dest_url, title, .. } => {
                self.start_link(&dest_url, &title);
            }
            Tag::HtmlBlock => {}
            // Of extensions that are not switched on.
            Tag::FootnoteDefinition(_)
            | Tag::DefinitionList
            | Tag::DefinitionListTitle
            | Tag::DefinitionListDefinition
            | Tag::Superscript
            | Tag::Subscript
            | Tag::MetadataBlock(_) => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph => self.out.push_str("</p>\n"),
            TagEnd::Heading(level) => {
                self.close(heading(level));
                self.out.push('\n');
            }
            TagEnd::BlockQuote(_) => self.out.push_str("</blockquote>\n"),
            TagEnd::CodeBlock => self.out.push_str("</code></pre>\n"),
            TagEnd::List(true) => self.out.push_str("</ol>\n"),
            TagEnd::List(false) => self.out.push_str("</ul>\n"),
            TagEnd::Item => self.out.push_str("</li>\n"),
            TagEnd::Table => self.out.push_str("</tbody></table>\n"),
            TagEnd::TableHead => {
                self.cell = "td";
                self.out.push_str("</tr></thead><tbody>\n");
            }
            TagEnd::TableRow => self.out.push_str("</tr>\n"),
            TagEnd::TableCell => self.close(self.cell),
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link | TagEnd::Image => {
                self.end_inline();
            }
            TagEnd::HtmlBlock
            | TagEnd::FootnoteDefinition
            | TagEnd::DefinitionList
            | TagEnd::DefinitionListTitle
            | TagEnd::DefinitionListDefinition
            | TagEnd::Superscript
            | TagEnd::Subscript
            | TagEnd::MetadataBlock(_) => {}
        }
    }

    /// What begins a line of the HTML.
    fn block(&mut self, html: &str) {
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
        self.out.push_str(html);
    }

    fn open(&mut self, tag: &str) {
        self.out.push('<');
        self.out.push_str(tag);
        self.out.push('>');
    }

    fn close(&mut self, tag: &str) {
        self.out.push_str("</");
        self.out.push_str(tag);
        self.out.push('>');
    }

    fn start_inline(&mut self, tag: &'static str) {
        self.open(tag);
        self.inlines.push(Inline { tag, is_open: true });
    }

    fn end_inline(&mut self) {
        if let Some(Inline { tag, is_open: true }) = self.inlines.pop() {
            self.close(tag);
        }
    }

    fn start_link(&mut self, address: &str, title: &str) {
        self.end_outer_link();
        self.out.push_str("<a");
        if let Some(address) = link::address(address) {
            self.attribute("href", &address);
        }
        if !title.is_empty() {
            self.attribute("title", &escaped_value(title));
        }
        self.out
            .push_str(" target=\"_blank\" rel=\"noopener noreferrer nofollow\">");
        self.inlines.push(Inline {
            tag: LINK,
            is_open: true,
        });
    }

    /// HTML knows no link inside another, but an image may stand in one: the outer link ends where the inner one begins, and
    /// what the outer one held goes on.
    fn end_outer_link(&mut self) {
        let is_open_link = |inline: &Inline| inline.tag == LINK && inline.is_open;
        let Some(outer) = self.inlines.iter().rposition(is_open_link) else {
            return;
        };
        let held = self.inlines.split_off(outer);
        for inline in held.iter().rev().filter(|inline| inline.is_open) {
            self.close(inline.tag);
        }
        for inline in held {
            if inline.is_open && inline.tag != LINK {
                self.start_inline(inline.tag);
            } else {
                self.inlines.push(Inline {
                    is_open: false,
                    ..inline
                });
            }
        }
    }

    /// An attribute whose value is escaped already.
    fn attribute(&mut self, name: &str, value: &str) {
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("=\"");
        self.out.push_str(value);
        self.out.push('"');
    }

    fn text(&mut self, text: &str) {
        self.out.reserve(text.len());
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '\u{a0}' => self.out.push_str("&nbsp;"),
                // No HTML has these.
                '\0' => {}
                '\r' if characters.peek() == Some(&'\n') => {}
                '\r' => self.out.push('\n'),
                _ => push_html(&mut self.out, character),
            }
        }
    }
}

fn heading(level: HeadingLevel) -> &'static str {
    match level {
        HeadingLevel::H1 => "h1",
        HeadingLevel::H2 => "h2",
        HeadingLevel::H3 => "h3",
        HeadingLevel::H4 => "h4",
        HeadingLevel::H5 => "h5",
        HeadingLevel::H6 => "h6",
    }
}

fn escaped_value(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' => out.push_str("&quot;"),
            '\u{a0}' => out.push_str("&nbsp;"),
            '\0' => out.push('\u{fffd}'),
            _ => push_html(&mut out, character),
        }
    }
    out
}
