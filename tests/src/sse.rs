//! Reads Server-Sent Events as the WHATWG text says: HTML, section 9.2.6, "Interpreting an event stream".

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The last id that was set when it was dispatched; empty if none was.
    pub id: String,
    /// Its type; `message` if it has none.
    pub name: String,
    /// Its data, without the line break at the end.
    pub data: String,
}

/// The state of a reader between two pieces of a stream.
#[derive(Debug, Default)]
pub struct Parser {
    line: Vec<u8>,
    /// The last line ended in CR: an LF that follows belongs to it.
    after_cr: bool,
    begun: bool,
    data: String,
    name: String,
    id: String,
    /// The time to wait before coming back, in milliseconds, if the stream has set it.
    pub retry_ms: Option<u64>,
}

impl Parser {
    /// Takes the next bytes and gives the events that they complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for &byte in bytes {
            let ends_crlf = std::mem::take(&mut self.after_cr) && byte == b'\n';
            match byte {
                _ if ends_crlf => {}
                b'\r' | b'\n' => {
                    self.after_cr = byte == b'\r';
                    let line = std::mem::take(&mut self.line);
                    events.extend(self.take_line(&String::from_utf8_lossy(&line)));
                }
                _ => self.line.push(byte),
            }
        }
        events
    }

    fn take_line(&mut self, line: &str) -> Option<Event> {
        let line = if std::mem::replace(&mut self.begun, true) {
            line
        } else {
            line.strip_prefix('\u{feff}').unwrap_or(line)
        };
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.name = value.to_owned(),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => self.id = value.to_owned(),
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                // Empty, or more than anybody waits, it says nothing.
                self.retry_ms = value.parse().ok().or(self.retry_ms);
            }
            // A comment has no field; an unknown field is ignored.
            _ => {}
        }
        None
    }

    fn dispatch(&mut self) -> Option<Event> {
        let (data, name) = (std::mem::take(&mut self.data), std::mem::take(&mut self.name));
        let data = data.strip_suffix('\n')?.to_owned();
        let name = if name.is_empty() { "message".to_owned() } else { name };
        Some(Event {
            id: self.id.clone(),
            name,
            data,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(stream: &str) -> Vec<String> {
        Parser::default()
            .feed(stream.as_bytes())
            .into_iter()
            .map(|event| event.data)
            .collect()
    }

    #[test]
    fn the_examples_of_the_standard() {
        assert_eq!(data("data: YHOO\ndata: +2\ndata: 10\n\n"), ["YHOO\n+2\n10"]);
        assert_eq!(data("data\n\ndata\ndata\n\ndata:"), ["", "\n"]);
        assert_eq!(data("data:test\n\ndata: test\n\n"), ["test", "test"]);
    }

    #[test]
    fn an_id_stays_until_another_is_set() {
        let events =
            Parser::default().feed(b": note\n\ndata: a\nid: 1\n\ndata:b\nid\n\ndata:  c\nid: 7\n\ndata: d\n\n");
        let ids: Vec<_> = events
            .iter()
            .map(|event| (event.id.as_str(), event.data.as_str()))
            .collect();
        assert_eq!(ids, [("1", "a"), ("", "b"), ("7", " c"), ("7", "d")]);
    }

    /// What a stream gives when it comes in pieces of this many bytes: names, ids and data.
    fn in_pieces(stream: &[u8], size: usize) -> (Vec<(String, String, String)>, Option<u64>) {
        let mut parser = Parser::default();
        let events = stream.chunks(size).flat_map(|piece| parser.feed(piece));
        let events = events.map(|event| (event.name, event.id, event.data)).collect();
        (events, parser.retry_ms)
    }

    #[test]
    fn every_line_end_in_any_pieces() {
        // Mixed as well: an empty line is an empty line, whatever ends it and whatever ended the one before.
        for stream in [
            "\u{feff}retry: 5\nevent: x\nid: 1\ndata: a\ndata: \u{e9}\n\ndata: \u{1f642}\n\n",
            "\u{feff}retry: 5\revent: x\rid: 1\rdata: a\rdata: \u{e9}\r\rdata: \u{1f642}\r\r",
            "\u{feff}retry: 5\r\nevent: x\r\nid: 1\r\ndata: a\r\ndata: \u{e9}\r\n\r\ndata: \u{1f642}\r\n\r\n",
            "\u{feff}retry: 5\r\nevent: x\rid: 1\ndata: a\r\ndata: \u{e9}\n\r\ndata: \u{1f642}\r\n\n\r",
        ] {
            let expected = [("x", "1", "a\n\u{e9}"), ("message", "1", "\u{1f642}")]
                .map(|(name, id, data)| (name.to_owned(), id.to_owned(), data.to_owned()));
            for size in 1..=stream.len() {
                let (events, retry_ms) = in_pieces(stream.as_bytes(), size);
                assert_eq!(
                    (events.as_slice(), retry_ms),
                    (expected.as_slice(), Some(5)),
                    "{stream:?} in pieces of {size}"
                );
            }
        }
    }

    #[test]
    fn only_one_byte_order_mark_at_the_very_beginning_is_none_of_the_text() {
        assert_eq!(data("\u{feff}data: a\n\n"), ["a"]);
        assert_eq!(
            data("\u{feff}\u{feff}data: a\n\n"),
            [""; 0],
            "the field has another name"
        );
        assert_eq!(data("\n\u{feff}data: a\n\ndata: \u{feff}b\n\n"), ["\u{feff}b"]);
    }

    #[test]
    fn a_field_has_one_colon_and_one_space() {
        assert_eq!(data("data:  a: b\n\n"), [" a: b"]);
        assert_eq!(data("data :a\nDATA: b\n data: c\n\n"), [""; 0], "other names");
        assert_eq!(data("data\n\n"), [""], "a name without a colon has an empty value");
        assert_eq!(data("data:\ta\n\n"), ["\ta"]);
        assert_eq!(data("whatever: a\nwhatever\ndata: b\n\n"), ["b"]);
    }

    #[test]
    fn comments_say_nothing() {
        assert_eq!(data(":\n\n: data: a\n:data: a\n\n"), [""; 0]);
        assert_eq!(data("data: a\n: in between\ndata: b\n\n"), ["a\nb"]);
    }

    #[test]
    fn without_data_there_is_no_event_and_its_name_is_forgotten() {
        assert_eq!(
            in_pieces(b"event: x\nid: 4\n\ndata: a\n\n", 1).0,
            [("message".to_owned(), "4".to_owned(), "a".to_owned())]
        );
    }

    #[test]
    fn the_end_of_the_stream_completes_nothing() {
        assert_eq!(data("data: a\n\ndata: b\n"), ["a"]);
        assert_eq!(data("data: a\n\ndata: b"), ["a"]);
    }

    #[test]
    fn an_id_with_a_nul_is_none() {
        let events = in_pieces(b"id: 3\ndata: a\n\nid: 4\x005\ndata: b\n\n", 1).0;
        assert!(events.iter().all(|(_, id, _)| id == "3"), "{events:?}");
    }

    #[test]
    fn only_digits_set_the_time_to_come_back() {
        let retry_ms = |field: &str| in_pieces(format!("retry: 7\n{field}\n").as_bytes(), 1).1;
        assert_eq!(retry_ms("retry:0800"), Some(800));
        for field in [
            "retry: 1s",
            "retry: -1",
            "retry: +1",
            "retry: 1.5",
            "retry: 0x1",
            "retry:  1",
            "retry: \u{0661}",
            "retry:",
            "retry",
            "retry: 99999999999999999999",
        ] {
            assert_eq!(retry_ms(field), Some(7), "{field:?}");
        }
    }

    #[test]
    fn what_is_no_utf_8_becomes_a_replacement_character() {
        let events = in_pieces(b"data: a\xffb\xc3\ndata: c\n\n", 1).0;
        assert_eq!(events[0].2, "a\u{fffd}b\u{fffd}\nc");
    }
}
