//! The owner's tools.

use super::{Component, enter};
use crate::bindings::exports::tinyclaw::plugin::tools::{Error, Guest, Tool};
use crate::service::OpenError;
use crate::store::StoreError;
use crate::tools::{DESCRIPTIONS, ToolError};

impl Guest for Component {
    fn list_tools() -> Vec<Tool> {
        DESCRIPTIONS
            .iter()
            .map(|tool| Tool {
                name: tool.name.to_owned(),
                description: tool.description.to_owned(),
                parameters: tool.parameters.to_owned(),
                owner_only: true,
            })
            .collect()
    }

    fn call_tool(name: String, arguments: String) -> Result<String, Error> {
        enter(|plugin, host| plugin.call_tool(host, &name, &arguments))
            .ok_or(Error::Busy)?
            .map_err(|error| match error {
                ToolError::Unknown(name) => Error::UnknownTool(name),
                ToolError::Arguments(sentence) => Error::InvalidArguments(sentence),
                ToolError::Refused(sentence) => Error::Refused(sentence),
                ToolError::Store(error) | ToolError::Open(OpenError::Store(error)) => match error {
                    StoreError::Newer { .. } => Error::NewerData(error.to_string()),
                    _ => Error::Storage(error.to_string()),
                },
                ToolError::Open(error) => Error::Other(error.to_string()),
            })
    }
}
