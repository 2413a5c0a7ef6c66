//! Server-Sent Events, as the WHATWG text defines them: how an event becomes bytes.

use std::fmt::Write as _;

/// Milliseconds a browser waits before it comes back; short, because streams end regularly by design.
const RETRY_MS: u32 = 2_000;

/// The first line of a stream.
pub(crate) fn retry() -> String {
    format!("retry: {RETRY_MS}\n\n")
}

/// What keeps an answer's stream alive and no script sees.
pub(crate) const COMMENT: &str = ":\n\n";

/// What keeps the feed alive: a named event, so that a page can notice its absence.
pub(crate) const HEARTBEAT: &str = "event: heartbeat\ndata: {\"type\":\"heartbeat\"}\n\n";

/// One event. Data may have several lines; each gets its own field, and a reader puts them together again.
pub(crate) fn frame(id: Option<i64>, data: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_ends_with_an_empty_line() {
        assert_eq!(frame(None, "{}"), "data: {}\n\n");
        assert_eq!(frame(Some(7), "{}"), "id: 7\ndata: {}\n\n");
    }

    #[test]
    fn no_line_of_data_can_be_taken_for_a_field() {
        assert_eq!(frame(None, "a\nid: 9\rb"), "data: a\ndata: id: 9\ndata: b\n\n");
    }
}
