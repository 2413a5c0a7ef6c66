//! `tracing` into the host's log: one line an event, fields behind the words. The plugin puts no code, token,
//! cookie, query or message into an event, so none gets here.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::span;
use tracing::{Event, Level, Metadata, Subscriber};

use crate::bindings::wasi::logging::logging;
use crate::text::is_disruptive;

/// Most bytes of a line; what is longer is cut.
const MAX_LINE_BYTES: usize = 2_048;

struct HostLog;

/// Sends what is logged to the host from now on. May be repeated.
pub(crate) fn install() {
    if !tracing::dispatcher::has_been_set() {
        // Fails only where somebody else was quicker, which has the same effect.
        let _ = tracing::subscriber::set_global_default(HostLog);
    }
}

impl Subscriber for HostLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let target = event.metadata().target();
        let level = match *event.metadata().level() {
            Level::ERROR => logging::Level::Error,
            Level::WARN => logging::Level::Warn,
            Level::INFO => logging::Level::Info,
            Level::DEBUG => logging::Level::Debug,
            Level::TRACE => logging::Level::Trace,
        };
        let (crate_name, _) = target.split_once("::").unwrap_or((target, ""));
        logging::log(level, &crate_name.replace('_', "-"), &line.finished());
    }

    // There are no spans: a call is too short to be worth one.
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// The line of one event.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Line {
    fn finished(self) -> String {
        let mut line = self.message + &self.fields;
        if line.len() > MAX_LINE_BYTES {
            line.truncate(line.floor_char_boundary(MAX_LINE_BYTES));
            line.push('…');
        }
        line.chars()
            .map(|character| if is_disruptive(character) { ' ' } else { character })
            .collect()
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            self.record_debug(field, &value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a `String` cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
