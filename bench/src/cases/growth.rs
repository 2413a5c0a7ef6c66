//! What more friends and longer conversations cost: harnesses with little and with much, which take turns.

use super::ask::{get, say};
use super::{Pace, ROUNDS};
use crate::data::Data;
use crate::harness::Harness;
use crate::load::{Counted, Load, Supply};
use crate::report::{Row, Section};

const FRIENDS: [usize; 3] = [10, 1_000, 100_000];
const ENTRIES: [usize; 2] = [100, 1_000_000];
/// As many as there are friends where there are fewest.
const CONNECTIONS: usize = 10;
/// Friends who take part, from all over the table.
const ASKING: usize = 1_000;

pub(crate) async fn run(pace: Pace) -> anyhow::Result<Section> {
    let mut section = Section::new(
        "Growth",
        "10 connections. Harnesses with little and with much data take turns; × is the ratio to the one with the least.",
    );
    let mut stages = Vec::new();
    for friends in FRIENDS {
        stages.push(Stage::new(friends, 0).await?);
    }
    for (name, is_chat) in [("status", false), ("chat to `done`", true)] {
        let titles = FRIENDS.map(|friends| format!("{name}, {friends} friends"));
        measure(&mut section, &titles, &mut stages, pace, |host, friend| match is_chat {
            true => say(host, friend, "hello"),
            false => get(host, "/api/auth/status", Some(friend), &[]),
        })
        .await?;
    }
    let mut stages = Vec::new();
    for entries in ENTRIES {
        stages.push(Stage::new(1, entries).await?);
    }
    let titles = ENTRIES.map(|entries| format!("history of 50, of {entries} messages"));
    measure(&mut section, &titles, &mut stages, pace, |host, friend| {
        get(host, "/api/history", Some(friend), &[])
    })
    .await?;
    Ok(section)
}

/// A harness with its data.
struct Stage {
    friends: usize,
    harness: Harness,
    _data: Data,
}

impl Stage {
    async fn new(friends: usize, entries: usize) -> anyhow::Result<Self> {
        let data = Data::with(friends, entries).await?;
        Ok(Self {
            friends,
            harness: Harness::start(&data, &[]).await?,
            _data: data,
        })
    }

    fn requests(&self, request: impl Fn(&str, usize) -> Vec<u8>) -> Vec<Vec<u8>> {
        let (host, asking) = (self.harness.address.to_string(), self.friends.min(ASKING));
        (0..asking)
            .map(|index| request(&host, index * self.friends / asking + 1))
            .collect()
    }
}

async fn measure(
    section: &mut Section,
    titles: &[String],
    stages: &mut [Stage],
    pace: Pace,
    request: impl Fn(&str, usize) -> Vec<u8>,
) -> anyhow::Result<()> {
    let loads: Vec<Load> = stages
        .iter()
        .map(|stage| Load {
            connections: CONNECTIONS,
            requests: Supply::repeated(stage.requests(&request)),
            status: 200,
            contains: "",
        })
        .collect();
    let mut counted = vec![Counted::default(); stages.len()];
    for _ in 0..ROUNDS {
        for ((stage, load), counted) in stages.iter_mut().zip(&loads).zip(&mut counted) {
            let harness = &mut stage.harness;
            counted.add(
                load.run(harness.address, &mut harness.meter, pace.time / ROUNDS, usize::MAX)
                    .await?,
            );
        }
    }
    let least = counted.first().map_or(0.0, Counted::cpu_us);
    for (title, counted) in titles.iter().zip(&counted) {
        section.push(
            Row::new(title)
                .with("CPU µs", counted.cpu_us())
                .with("×", counted.cpu_us() / least)
                .with("requests/s", counted.per_second())
                .with("p99 µs", counted.latencies.quantile_us(0.99)),
        );
    }
    Ok(())
}
