//! The process itself: its starts, an upgrade while friends are there, its memory and its size.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::json;

use super::ask::{by_friends, get, say};
use super::{Pace, component};
use crate::client::Client;
use crate::data::Data;
use crate::harness::{Harness, program};
use crate::load::{Load, Supply};
use crate::report::{Row, Section};

/// Starts of which the least counts.
const STARTS: usize = 5;
/// Friends who are there during an upgrade, and who chat before memory is looked at.
const FRIENDS: usize = 32;
const MIB: f64 = (1 << 20) as f64;

/// What a start took until the page was there.
#[derive(Clone, Copy, Debug)]
struct Start {
    cpu: Duration,
    time: Duration,
    /// CPU of the first request alone.
    first_cpu: Duration,
}

/// Starts with nothing compiled, and with everything.
pub(crate) async fn start(section: &mut Section) -> anyhow::Result<()> {
    let cold = started(&Data::cold()?).await?;
    let data = Data::with(1, 0).await?;
    let mut warm = started(&data).await?;
    for _ in 1..STARTS {
        let again = started(&data).await?;
        warm.cpu = warm.cpu.min(again.cpu);
        warm.time = warm.time.min(again.time);
        warm.first_cpu = warm.first_cpu.min(again.first_cpu);
    }
    for (name, start) in [("cold start", cold), ("warm start", warm)] {
        section.push(
            Row::new(format!("{name} to the first page"))
                .with("CPU ms", start.cpu.as_secs_f64() * 1e3)
                .with("time ms", start.time.as_secs_f64() * 1e3),
        );
    }
    section.push(Row::new("the first request of that").with("CPU ms", warm.first_cpu.as_secs_f64() * 1e3));
    Ok(())
}

async fn started(data: &Data) -> anyhow::Result<Start> {
    let begun = Instant::now();
    let mut harness = Harness::start(data, &[]).await?;
    let before = harness.meter.cpu()?;
    let mut client = Client::connect(harness.address).await?;
    let page = client.ask(&get(&harness.address.to_string(), "/", None, &[])).await?;
    ensure!(page.status == 200, "no page");
    let time = begun.elapsed();
    let cpu = harness.meter.cpu()?;
    harness.stop().await?;
    Ok(Start {
        cpu,
        time,
        first_cpu: cpu.saturating_sub(before),
    })
}

/// The plugin is replaced while friends ask who they are, without a pause of theirs.
pub(crate) async fn upgrade(section: &mut Section) -> anyhow::Result<()> {
    let data = Data::with(FRIENDS, 0).await?;
    let plugin = component()?;
    let mut harness = Harness::start(&data, &["--plugin", &plugin]).await?;
    let host = harness.address.to_string();
    let load = Load {
        connections: FRIENDS,
        requests: Supply::repeated(by_friends(&host, "/api/auth/status", FRIENDS)),
        status: 200,
        contains: "\"authenticated\":true",
    };
    let owner = harness.owner.clone();
    let upgrading = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(500)).await;
        owner.ask(&json!({ "reload": { "file": null } })).await
    });
    let mut longest_us = 0_f64;
    while !upgrading.is_finished() {
        let counted = load
            .run(harness.address, &mut harness.meter, Duration::from_secs(1), usize::MAX)
            .await?;
        longest_us = longest_us.max(counted.latencies.longest_us());
    }
    let report = upgrading.await??;
    let pause = report.rsplit(' ').next().unwrap_or_default().trim_end_matches('.');
    let pause = humantime::parse_duration(pause).with_context(|| format!("no pause in: {report}"))?;
    section.push(Row::new("upgrade: calls waited").with("time ms", pause.as_secs_f64() * 1e3));
    section.push(
        Row::new("upgrade: longest of 32 friends' requests, none of which failed").with("time ms", longest_us / 1e3),
    );
    Ok(())
}

/// Memory of a harness that nobody uses, and of one that was much used.
pub(crate) async fn memory(section: &mut Section, pace: Pace) -> anyhow::Result<()> {
    let data = Data::with(FRIENDS, 0).await?;
    let mut harness = Harness::start(&data, &[]).await?;
    let idle = harness.meter.memory()?;
    let host = harness.address.to_string();
    let load = Load {
        connections: FRIENDS,
        requests: Supply::repeated((1..=FRIENDS).map(|friend| say(&host, friend, "hello")).collect()),
        status: 200,
        contains: "\"type\":\"done\"",
    };
    let counted = load
        .run(harness.address, &mut harness.meter, pace.time * 2, usize::MAX)
        .await?;
    let used = harness.meter.memory()?;
    let chatted = format!("after {} messages", counted.requests);
    for (name, memory) in [("after the start", idle), (chatted.as_str(), used)] {
        section.push(
            Row::new(format!("memory {name}"))
                .with("PSS MiB", memory.pss as f64 / MIB)
                .with("RSS MiB", memory.rss as f64 / MIB),
        );
    }
    Ok(())
}

/// Bytes to download.
pub(crate) fn size(section: &mut Section) -> anyhow::Result<()> {
    let component = component()?;
    let program = program()?;
    for (name, file) in [
        ("component", component.as_str()),
        ("program", program.to_str().context("the path")?),
    ] {
        let gzipped = Command::new("gzip")
            .args(["-9", "-c", file])
            .output()
            .context("running gzip")?;
        ensure!(gzipped.status.success(), "gzip: {}", gzipped.status);
        section.push(
            Row::new(format!("size of the {name}"))
                .with("KiB", fs::metadata(file)?.len() as f64 / 1024.0)
                .with("KiB gzipped", gzipped.stdout.len() as f64 / 1024.0),
        );
    }
    Ok(())
}
