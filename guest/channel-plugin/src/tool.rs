//! Tools of the owner's agent, and what they are called with.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Tool, ToolError};

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

impl Tool {
    /// A tool for the owner alone; the arguments are described by a JSON Schema.
    pub fn for_owner(name: &str, description: &str, parameters: &str) -> Self {
        Self {
            name: name.to_owned(),
            description: description.to_owned(),
            parameters: parameters.to_owned(),
            owner_only: true,
        }
    }
}
