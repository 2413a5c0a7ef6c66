//! The owner's tools, before and after `start`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Found, Report, Scene, expect, schema};
use crate::plugin::{Tool, ToolError};

pub(super) async fn look(scene: &Scene, report: &mut Report) {
    report.note("list-tools, before start", lists(scene).await);
    report.note("parameters of tools", have_schemas(scene).await);
    report.note("a tool that there is not", refuses_unknown(scene).await);
    report.note("arguments that are no object", refuses_misfits(scene).await);
}

async fn lists(scene: &Scene) -> Found {
    let (mut plugin, _files) = scene.fresh().await?;
    let tools = names(&plugin.list_tools().await?);
    for name in &tools {
        let is_plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        expect(is_plain, "a tool's name is of letters, digits and `_`", name)?;
    }
    let different: BTreeSet<&String> = tools.iter().collect();
    expect(
        different.len() == tools.len(),
        "a tool's name is unique in the plugin",
        &tools,
    )?;
    let again = names(&plugin.list_tools().await?);
    expect(tools == again, "tools come in a fixed order", &again)
}

fn names(tools: &[Tool]) -> Vec<String> {
    tools.iter().map(|tool| tool.name.clone()).collect()
}

async fn have_schemas(scene: &Scene) -> Found {
    let (mut plugin, _files) = scene.fresh().await?;
    for Tool { name, parameters, .. } in plugin.list_tools().await? {
        let schema: Value = serde_json::from_str(&parameters)
            .map_err(|error| format!("the parameters of {name} are no JSON: {error}"))?;
        let kind = schema.get("type");
        let rule = format!("the parameters of {name} are the schema of an object");
        expect(kind.and_then(Value::as_str) == Some("object"), &rule, &kind)?;
        schema::check(&schema)
            .map_err(|error| format!("the parameters of {name} are no JSON Schema of 2020-12: {error}"))?;
    }
    Ok(())
}

async fn refuses_unknown(scene: &Scene) -> Found {
    for (mut plugin, _files) in [scene.fresh().await?, scene.started().await?] {
        let came = plugin.call_tool("no_such_tool", "{}").await?;
        let fits = matches!(&came, Err(ToolError::UnknownTool(name)) if name == "no_such_tool");
        expect(fits, "a name of no tool is `unknown-tool`, with the name", &came)?;
    }
    Ok(())
}

async fn refuses_misfits(scene: &Scene) -> Found {
    for (mut plugin, _files) in [scene.fresh().await?, scene.started().await?] {
        for tool in plugin.list_tools().await? {
            for arguments in ["", "{", "[]", "null", "\"text\"", "{}}"] {
                let came = plugin.call_tool(&tool.name, arguments).await?;
                let rule = format!("{} with {arguments:?} is `invalid-arguments`", tool.name);
                expect(matches!(came, Err(ToolError::InvalidArguments(_))), &rule, &came)?;
            }
        }
    }
    Ok(())
}
