//! The owner's tools.

use super::{Component, Exported, enter};
use crate::bindings::exports::tinyclaw::plugin::tools::{Error, Guest, Tool};

impl<P: Exported> Guest for Component<P> {
    fn list_tools() -> Vec<Tool> {
        P::tools()
    }

    fn call_tool(name: String, arguments: String) -> Result<String, Error> {
        if !P::tools().iter().any(|tool| tool.name == name) {
            return Err(Error::UnknownTool(name));
        }
        enter(|plugin: &mut P, host| plugin.call_tool(host, &name, &arguments)).ok_or(Error::Busy)?
    }
}
