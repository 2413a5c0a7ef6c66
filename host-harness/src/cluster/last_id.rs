//! The ids of a stream of Server-Sent Events, as the WHATWG text defines them: with the last one a stream goes on after it.

use http::HeaderValue;

use crate::plugin;

/// The last id in a piece of a stream which holds whole events.
pub(super) fn last_id(frame: &[u8]) -> Option<String> {
    let lines = frame.rsplit(|byte| matches!(byte, b'\n' | b'\r'));
    let id = lines.filter_map(|line| line.strip_prefix(b"id:")).next()?;
    let id = id.strip_prefix(b" ").unwrap_or(id);
    std::str::from_utf8(id).ok().map(str::to_owned)
}

/// The request as a browser sends it that has seen this id.
pub(super) fn with_last_id(mut request: plugin::Request, id: Option<&str>) -> plugin::Request {
    if let Some(id) = id.and_then(|id| HeaderValue::from_str(id).ok()) {
        request.inner.headers_mut().insert("last-event-id", id);
    }
    request
}

#[cfg(test)]
mod tests {
    use super::last_id;

    #[test]
    fn the_last_id_is_found_where_one_is() {
        for (frame, id) in [
            ("id: 7\ndata: {}\n\nid: 8\ndata: {}\n\n", Some("8")),
            ("id:7\r\ndata: id: 9\r\n\r\n", Some("7")),
            ("data: id: 9\n\n", None),
            (": id: 9\n\n", None),
            ("", None),
        ] {
            assert_eq!(last_id(frame.as_bytes()).as_deref(), id, "{frame:?}");
        }
    }
}
