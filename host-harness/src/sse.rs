//! A stream of Server-Sent Events, as the WHATWG text defines it, as far as it matters to who reads one here: the data of each
//! event.

/// Most bytes of one event: a piece of an answer is a few words.
const EVENT_BYTES: usize = 1 << 20;

/// An event is longer than any is.
#[derive(Debug, thiserror::Error)]
#[error("an event is longer than {EVENT_BYTES} bytes")]
pub(crate) struct TooLong;

/// Takes bytes in whatever pieces they come and gives the data of the events that are complete.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    line: Vec<u8>,
    data: Option<String>,
    after_return: bool,
}

impl Decoder {
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<String>, TooLong> {
        let mut events = Vec::new();
        for &byte in bytes {
            let is_second_of_two = byte == b'\n' && self.after_return;
            self.after_return = byte == b'\r';
            match byte {
                _ if is_second_of_two => {}
                b'\n' | b'\r' => events.extend(self.end_of_line()),
                _ => self.line.push(byte),
            }
            if self.line.len() + self.data.as_ref().map_or(0, String::len) > EVENT_BYTES {
                return Err(TooLong);
            }
        }
        Ok(events)
    }

    fn end_of_line(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return self.data.take();
        }
        let line = String::from_utf8_lossy(&line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        // Comments, names and ids say nothing that is needed.
        if field.trim_start_matches('\u{feff}') == "data" {
            let value = value.strip_prefix(' ').unwrap_or(value);
            match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn every_line_end_in_any_pieces() {
        let stream = ": hello\r\n\r\nevent: x\r\ndata: {\"é\":\r\ndata: 1}\r\n\r\ndata:b\r\rdata: c\n\nid: 1\n\n\ndata: not complete";
        for size in 1..stream.len() {
            let mut decoder = Decoder::default();
            let pieces = stream.as_bytes().chunks(size);
            let events: Vec<String> = pieces.flat_map(|piece| decoder.feed(piece).unwrap()).collect();
            assert_eq!(events, ["{\"é\":\n1}", "b", "c"], "in pieces of {size}");
        }
    }

    #[test]
    fn an_event_without_end_is_given_up() {
        let mut decoder = Decoder::default();
        let piece = [b'x'; 64 << 10];
        assert!((0..100).any(|_| decoder.feed(&piece).is_err()));
    }
}
