//! What tools are called with.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Error, ToolError};

/// The arguments of the tool `name`, which are a JSON object in text.
///
/// # Errors
/// [`ToolError::InvalidArguments`], with a sentence that says what does not fit.
pub fn arguments<T: DeserializeOwned>(name: &str, arguments: &str) -> Result<T, ToolError> {
    let misfit = |what: String| ToolError::InvalidArguments(format!("The arguments of {name} {what}."));
    let value: Value = serde_json::from_str(arguments).unwrap_or_default();
    if !value.is_object() {
        return Err(misfit("must be a JSON object".to_owned()));
    }
    serde_json::from_value(value).map_err(|error| misfit(format!("do not fit: {error}")))
}

impl From<Error> for ToolError {
    fn from(error: Error) -> Self {
        match error {
            Error::Busy => Self::Busy,
            Error::NewerData(what) => Self::NewerData(what),
            Error::Storage(what) => Self::Storage(what),
            Error::Other(what) => Self::Other(what),
            error => Self::Other(error.to_string()),
        }
    }
}
