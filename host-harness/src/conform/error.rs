//! What a plugin answered, in the words of the contract.

use super::report::{Checked, Finding};
use crate::plugin::{ChannelError, ToolError};

/// The name of a case and what it says.
fn channel_case(error: &ChannelError) -> (&'static str, &str) {
    match error {
        ChannelError::AlreadyStarted => ("already-started", ""),
        ChannelError::NotStarted => ("not-started", ""),
        ChannelError::Busy => ("busy", ""),
        ChannelError::MalformedUserId(text) => ("malformed-user-id", text),
        ChannelError::UnknownUser(text) => ("unknown-user", text),
        ChannelError::UnknownTicket => ("unknown-ticket", ""),
        ChannelError::Invalid(text) => ("invalid", text),
        ChannelError::NewerData(text) => ("newer-data", text),
        ChannelError::Storage(text) => ("storage", text),
        ChannelError::Other(text) => ("other", text),
    }
}

fn tool_case(error: &ToolError) -> (&'static str, &str) {
    match error {
        ToolError::UnknownTool(text) => ("unknown-tool", text),
        ToolError::InvalidArguments(text) => ("invalid-arguments", text),
        ToolError::Refused(text) => ("refused", text),
        ToolError::Busy => ("busy", ""),
        ToolError::NewerData(text) => ("newer-data", text),
        ToolError::Storage(text) => ("storage", text),
        ToolError::Other(text) => ("other", text),
    }
}

fn words<T, E>(answer: &Result<T, E>, case: impl Fn(&E) -> (&'static str, &str)) -> String {
    match answer.as_ref().map_err(case) {
        Ok(_) => "ok".to_owned(),
        Err((name, "")) => format!("the error `{name}`"),
        Err((name, text)) => format!("the error `{name}`, {text:?}"),
    }
}

/// Demands an answer of `channel` or `maintenance` that is ok, and gives it.
pub(super) fn expect_ok<T>(call: &str, answer: Result<T, ChannelError>) -> Result<T, Finding> {
    let came = words(&answer, channel_case);
    answer.map_err(|_| Finding::Came(format!("{call} answered {came}")))
}

/// Demands one of the errors of `channel` that fit.
pub(super) fn expect_error<T>(
    call: &str,
    answer: &Result<T, ChannelError>,
    fits: impl Fn(&ChannelError) -> bool,
) -> Checked {
    match answer {
        Err(error) if fits(error) => Ok(()),
        _ => Err(format!("{call} answered {}", words(answer, channel_case)).into()),
    }
}

/// Demands one of the errors of `tools` that fit.
pub(super) fn expect_tool_error(
    call: &str,
    answer: &Result<String, ToolError>,
    fits: impl Fn(&ToolError) -> bool,
) -> Checked {
    match answer {
        Err(error) if fits(error) => Ok(()),
        _ => Err(format!("{call} answered {}", words(answer, tool_case)).into()),
    }
}
