//! Server-Sent Events, as the WHATWG text defines them: how an event becomes bytes.

use std::fmt::Write as _;

use crate::{Request, Response};

/// The first line of a stream: milliseconds that a browser waits before it comes back.
pub fn retry(ms: u32) -> String {
    format!("retry: {ms}\n\n")
}

/// What keeps a stream alive and no script sees.
pub const COMMENT: &str = ":\n\n";

/// Tells a reader what to resume from, without an event. By the letter of the standard a new connection begins with no id,
/// and its first event without one would make a reader forget the id that it has.
pub fn position(id: i64) -> String {
    format!("id: {id}\n\n")
}

/// One event. Data may have several lines; each gets its own field, and a reader puts them together again.
pub fn frame(id: Option<i64>, data: &str) -> String {
    let mut frame = String::with_capacity(data.len().saturating_add(32));
    if let Some(id) = id {
        // Writing to a `String` cannot fail.
        let _ = writeln!(frame, "id: {id}");
    }
    for line in data.split('\n').flat_map(|line| line.split('\r')) {
        frame.push_str("data: ");
        frame.push_str(line);
        frame.push('\n');
    }
    frame.push('\n');
    frame
}

/// The last event that a client has, by the field that browsers send when they come back or by the parameter `after`. A value
/// that is no id is ignored: the client learns where it stands from the first event anyway.
pub fn resume_point(request: &Request) -> Option<i64> {
    let from_header = request.header("last-event-id").and_then(|id| id.parse().ok());
    let from_query = request.query_value("after").and_then(|id| id.parse().ok());
    from_header.max(from_query).filter(|id| *id >= 0)
}

/// A response of events, which nothing on the way may keep, change or hold back.
pub fn response(events: String) -> Response {
    Response::new(200, "text/event-stream", events)
        .with("cache-control", "no-store, no-transform")
        .with("x-accel-buffering", "no")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_ends_with_an_empty_line() {
        assert_eq!(frame(None, "{}"), "data: {}\n\n");
        assert_eq!(frame(Some(7), "{}"), "id: 7\ndata: {}\n\n");
    }

    #[test]
    fn a_client_goes_on_from_the_later_of_what_it_says() {
        let resume = |target, header: &str| {
            let headers = vec![("last-event-id".to_owned(), header.as_bytes().to_vec())];
            resume_point(&Request::new(
                "GET".to_owned(),
                target,
                headers,
                Vec::new(),
                String::new(),
            ))
        };
        assert_eq!(resume("/?after=3", "7"), Some(7));
        assert_eq!(resume("/?after=9", "7"), Some(9));
        assert_eq!(resume("/", ""), None);
        assert_eq!(resume("/?after=x", "-1"), None);
    }

    #[test]
    fn no_line_of_data_can_be_taken_for_a_field() {
        assert_eq!(frame(None, "a\nid: 9\rb"), "data: a\ndata: id: 9\ndata: b\n\n");
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod properties {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use proptest::prelude::*;

    use super::*;

    /// Ids and data of a stream, as the WHATWG text has it read: HTML, section 9.2.6.
    fn read(stream: &str) -> Vec<(String, String)> {
        let (mut events, mut id, mut data) = (Vec::new(), String::new(), String::new());
        for line in stream.replace("\r\n", "\n").split(['\n', '\r']) {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" if line.is_empty() => {
                    if let Some(data) = std::mem::take(&mut data).strip_suffix('\n') {
                        events.push((id.clone(), data.to_owned()));
                    }
                }
                "data" => data += &format!("{value}\n"),
                "id" => id = value.to_owned(),
                _ => {}
            }
        }
        events
    }

    proptest! {
        #[test]
        fn a_reader_gets_back_what_was_framed(
            events in prop::collection::vec((prop::option::of(0..=i64::MAX), "[a-z:\\r\\n ]{0,12}|.*"), 1..4),
        ) {
            let stream: String = events.iter().map(|(id, data)| frame(*id, data)).collect();
            let mut last_id = String::new();
            let expected: Vec<(String, String)> = events
                .into_iter()
                .map(|(id, data)| {
                    if let Some(id) = id {
                        last_id = id.to_string();
                    }
                    // A line end is a line end to a reader, however it was written.
                    (last_id.clone(), data.replace('\r', "\n"))
                })
                .collect();
            prop_assert_eq!(read(&(retry(2_000) + COMMENT + &stream)), expected);
        }
    }
}
