//! The harness's log on standard error, for people or for programs. Each line names the request on whose way it was written.

use std::fmt;
use std::io::IsTerminal as _;

use serde::Deserialize;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{LevelFilter, ParseError, Targets};
use tracing_subscriber::fmt::format::{Format, Full, Json, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, layer};
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;

use crate::request_id::RequestId;

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: a JSON object.
    Json,
}

/// Logs to standard error from now on, what `levels` asks for, as in `plugin=debug,info`, else what is of `level` or worse.
///
/// # Errors
/// When `levels` is no list of targets and levels.
pub fn to_stderr(format: LogFormat, levels: Option<&str>, level: LevelFilter) -> Result<(), ParseError> {
    let filter = match levels {
        Some(levels) => levels.parse::<Targets>()?,
        None => Targets::new().with_default(level),
    };
    // They log whole messages, and there are invite codes among them.
    let filter = filter
        .with_target("rmcp", LevelFilter::WARN)
        .with_target("async_nats", LevelFilter::WARN);
    let lines = layer().with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Text => {
            let is_terminal = std::io::stderr().is_terminal();
            let format = Format::default().with_ansi(is_terminal);
            lines.with_ansi(is_terminal).event_format(WithRequest(format)).boxed()
        }
        LogFormat::Json => lines
            .with_ansi(false)
            .fmt_fields(JsonFields::new())
            .event_format(WithRequest(Format::default().json().flatten_event(false)))
            .boxed(),
    };
    tracing_subscriber::registry().with(lines).with(filter).init();
    Ok(())
}

/// Lines of another format, with the id of the current request.
struct WithRequest<F>(F);

/// Where a format has place for an id.
trait Ending {
    /// What lines end with, before the line break.
    const END: &'static str;

    /// Adds an id to a line without its end, and ends it.
    fn end(line: Writer<'_>, id: &RequestId) -> fmt::Result;
}

impl<T> Ending for Format<Full, T> {
    const END: &'static str = "";

    fn end(mut line: Writer<'_>, id: &RequestId) -> fmt::Result {
        writeln!(line, " request={id}")
    }
}

impl<T> Ending for Format<Json, T> {
    const END: &'static str = "}";

    fn end(mut line: Writer<'_>, id: &RequestId) -> fmt::Result {
        // An id has no character that JSON would have to escape.
        writeln!(line, ",\"request\":\"{id}\"}}")
    }
}

impl<S, N, F> FormatEvent<S, N> for WithRequest<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N> + Ending,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let Some(id) = RequestId::current() else {
            return self.0.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        let line = line.trim_end_matches('\n');
        writer.write_str(line.strip_suffix(F::END).unwrap_or(line))?;
        F::end(writer, &id)
    }
}
