//! The tools for the owner's agent.

use super::error::expect_tool_error;
use super::report::{Checked, Finding, Report, Rule};
use super::schema;
use super::subject::Subject;
use crate::plugin::{Tool, ToolError};

/// Arguments that are no JSON object.
const NO_OBJECTS: [&str; 6] = ["", "{", "[]", "null", "1", "\"text\""];

const ORDER: Rule = Rule {
    check: "`list-tools` answers before and after the start, always the same in the same order",
    file: "tools.wit",
    says: "The plugin's tools, in a fixed order. May be called at any time; needs no files.",
};

const NAMES: Rule = Rule {
    check: "tools have names that a model can call",
    file: "tools.wit",
    says: "Letters, digits and `_`; unique in the plugin.",
};

const DESCRIPTIONS: Rule = Rule {
    check: "tools say what they do",
    file: "tools.wit",
    says: "What it does and when to use it, for a model to read.",
};

const PARAMETERS: Rule = Rule {
    check: "tools take an object, by a valid JSON Schema",
    file: "tools.wit",
    says: "JSON Schema (2020-12) of the arguments, an object.",
};

const UNKNOWN: Rule = Rule {
    check: "a tool that there is not is `unknown-tool`, before and after the start",
    file: "tools.wit",
    says: "No tool has this name. Carries the name.",
};

const ARGUMENTS: Rule = Rule {
    check: "arguments that are no JSON object are `invalid-arguments`, before and after the start",
    file: "tools.wit",
    says: "The arguments do not fit the schema or name something that cannot be.",
};

pub(super) async fn check(report: &mut Report, subject: &Subject) {
    report.add(ORDER, lists_in_order(subject).await);
    let tools = match subject.fresh().await {
        Ok(mut fresh) => fresh.probe.list_tools().await,
        Err(lost) => Err(lost),
    };
    // That it does not list them has been said.
    let Ok(tools) = tools else { return };
    let each = |looks: fn(&[Tool]) -> Checked| match tools.is_empty() {
        true => Err(Finding::Unseen("it has no tools".to_owned())),
        false => looks(&tools),
    };
    report.add(NAMES, each(have_names));
    report.add(DESCRIPTIONS, each(have_descriptions));
    report.add(PARAMETERS, each(have_parameters));
    report.add(UNKNOWN, refuses_unknown(subject).await);
    report.add(
        ARGUMENTS,
        match tools.is_empty() {
            true => Err(Finding::Unseen("it has no tools".to_owned())),
            false => refuses_arguments(subject, &tools).await,
        },
    );
}

async fn lists_in_order(subject: &Subject) -> Checked {
    let mut fresh = subject.fresh().await?;
    let first = rows(fresh.probe.list_tools().await?);
    let mut seen = vec![("the second time", rows(fresh.probe.list_tools().await?))];
    // Whether it starts is another check's.
    if subject.start(&mut fresh.probe).await.is_ok() {
        seen.push(("after the start", rows(fresh.probe.list_tools().await?)));
    }
    match seen.iter().find(|(_, other)| *other != first) {
        None => Ok(()),
        Some((when, other)) => Err(format!("first {first:?}, and {when} {other:?}").into()),
    }
}

fn rows(tools: Vec<Tool>) -> Vec<(String, String, String, bool)> {
    let row = |tool: Tool| (tool.name, tool.description, tool.parameters, tool.owner_only);
    tools.into_iter().map(row).collect()
}

fn have_names(tools: &[Tool]) -> Checked {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if let Some(tool) = tools.iter().find(|tool| !is_name(&tool.name)) {
        return Err(format!("a tool with the name {:?}", tool.name).into());
    }
    let mut names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
    names.sort_unstable();
    match names.array_windows().find(|[one, next]| one == next) {
        None => Ok(()),
        Some([name, _]) => Err(format!("two tools with the name {name:?}").into()),
    }
}

fn have_descriptions(tools: &[Tool]) -> Checked {
    match tools.iter().find(|tool| tool.description.trim().is_empty()) {
        None => Ok(()),
        Some(tool) => Err(format!("no description of {:?}", tool.name).into()),
    }
}

fn have_parameters(tools: &[Tool]) -> Checked {
    for Tool { name, parameters, .. } in tools {
        schema::check(parameters).map_err(|wrong| format!("the parameters of {name:?}, where {wrong}"))?;
    }
    Ok(())
}

async fn refuses_unknown(subject: &Subject) -> Checked {
    for (when, mut plugin) in subject.before_and_after().await? {
        for name in ["", "no_such_tool"] {
            let answer = plugin.probe.call_tool(name, "{}").await?;
            expect_tool_error(
                &format!("call-tool({name:?}) {when}"),
                &answer,
                |error| matches!(error, ToolError::UnknownTool(carried) if carried == name),
            )?;
        }
    }
    Ok(())
}

async fn refuses_arguments(subject: &Subject, tools: &[Tool]) -> Checked {
    for (when, mut plugin) in subject.before_and_after().await? {
        for tool in tools {
            for arguments in NO_OBJECTS {
                let answer = plugin.probe.call_tool(&tool.name, arguments).await?;
                let call = format!("call-tool({:?}, {arguments:?}) {when}", tool.name);
                expect_tool_error(&call, &answer, |error| matches!(error, ToolError::InvalidArguments(_)))?;
            }
        }
    }
    Ok(())
}
