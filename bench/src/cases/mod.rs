//! The cases, by name.

mod ask;
mod growth;
mod processes;
mod requests;
mod streams;
mod tenants;
mod traffic;

use std::time::Duration;

use anyhow::{Context, ensure};

use crate::data::workshop;
use crate::report::{Report, Section};

/// How long is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Time for all rounds of a figure together.
    pub(crate) time: Duration,
}

/// Rounds in which what is compared takes turns, so that a busy machine is busy for both.
pub(crate) const ROUNDS: u32 = 3;

/// What can be chosen.
pub(crate) const NAMES: [&str; 17] = [
    "health",
    "page",
    "status",
    "chat",
    "history",
    "redeem",
    "streams",
    "broadcast",
    "pieces",
    "stalled",
    "reconnect",
    "start",
    "upgrade",
    "memory",
    "size",
    "growth",
    "tenants",
];

/// Measures the chosen cases in their order; all where none is chosen.
pub(crate) async fn run(chosen: &[String], pace: Pace) -> anyhow::Result<Report> {
    let is_chosen = |name: &str| chosen.is_empty() || chosen.iter().any(|chosen| chosen == name);
    let mut report = Report::default();
    if requests::NAMES.iter().any(|name| is_chosen(name)) {
        report.push(requests::run(&is_chosen, pace).await?);
    }
    let mut streams = Section::new(
        "Streams",
        "Memory is the proportional set size. nchan keeps messages in memory; a nudge or an answer is on disk before it is sent. \
         Idle streams are left alone for ten seconds, with one heartbeat for each.",
    );
    if is_chosen("streams") {
        streams::held(&mut streams).await?;
    }
    if is_chosen("broadcast") {
        streams::broadcast(&mut streams).await?;
    }
    if is_chosen("pieces") {
        traffic::pieces(&mut streams).await?;
    }
    if is_chosen("stalled") {
        traffic::stalled(&mut streams).await?;
    }
    if is_chosen("reconnect") {
        traffic::reconnect(&mut streams).await?;
    }
    report.push(streams);
    let mut process = Section::new("The process", "Starts are the least of several.");
    if is_chosen("start") {
        processes::start(&mut process).await?;
    }
    if is_chosen("upgrade") {
        processes::upgrade(&mut process).await?;
    }
    if is_chosen("memory") {
        processes::memory(&mut process, pace).await?;
    }
    if is_chosen("size") {
        processes::size(&mut process)?;
    }
    report.push(process);
    if is_chosen("growth") {
        report.push(growth::run(pace).await?);
    }
    if is_chosen("tenants") {
        report.push(tenants::run(pace).await?);
    }
    Ok(report)
}

/// The file of a small plugin of the tests, built by `make fixtures`.
fn fixture(name: &str) -> anyhow::Result<String> {
    built("fixtures/wasm32-wasip2/debug", name)
}

/// The component's file.
fn component() -> anyhow::Result<String> {
    built("wasm32-wasip2/component", "friends_chat")
}

fn built(directory: &str, name: &str) -> anyhow::Result<String> {
    let workshop = workshop()?;
    let target = workshop.parent().context("finding the target directory")?;
    let file = target.join(directory).join(name).with_extension("wasm");
    ensure!(file.is_file(), "{} is missing: `make bench` builds it", file.display());
    Ok(file.to_str().context("the path is not in Unicode")?.to_owned())
}
