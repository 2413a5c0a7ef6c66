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
            line.trim_start_matches('\u{feff}')
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
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => self.retry_ms = value.parse().ok(),
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

    #[test]
    fn every_line_end_in_any_pieces() {
        let stream = b"\xef\xbb\xbfretry: 5\r\nevent: x\rdata: a\r\n\r\ndata: b\n\n";
        for size in 1..stream.len() {
            let mut parser = Parser::default();
            let events: Vec<Event> = stream.chunks(size).flat_map(|piece| parser.feed(piece)).collect();
            let seen: Vec<_> = events
                .iter()
                .map(|event| (event.name.as_str(), event.data.as_str()))
                .collect();
            assert_eq!(
                (seen, parser.retry_ms),
                (vec![("x", "a"), ("message", "b")], Some(5)),
                "pieces of {size}"
            );
        }
    }
}
