//! The plugin's log, and the bridge's, as lines of the standard error output.

use super::Component;
use crate::bindings::exports::wasi::logging::logging::{Guest, Level};
use crate::bindings::wasi::cli::stderr::get_stderr;

/// What a stream takes in one call.
const MAX_LINE_BYTES: usize = 4_096;

impl Guest for Component {
    fn log(level: Level, context: String, message: String) {
        let level = match level {
            Level::Trace | Level::Debug => return,
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
            Level::Critical => "critical",
        };
        write(&format!("{level} {context}: {message}"));
    }
}

/// A line of the bridge's own.
pub(super) fn warn(message: &str) {
    write(&format!("warn bridge: {message}"));
}

fn write(line: &str) {
    let mut line = line.replace('\n', " ");
    line.truncate(line.floor_char_boundary(MAX_LINE_BYTES - 1));
    line.push('\n');
    // There is nowhere to say that the log cannot be written.
    let _ = get_stderr().blocking_write_and_flush(line.as_bytes());
}
