//! Requests that are answered as fast as they come, beside the least that a server can do for the same answer.

use anyhow::Context;
use serde_json::json;
use tokio::task::JoinSet;

use super::ask::{by_friends, get, post, say};
use super::{Pace, ROUNDS};
use crate::client::Client;
use crate::data::Data;
use crate::harness::Harness;
use crate::limit::{Answer, Limit};
use crate::load::{Counted, Load, Supply};
use crate::report::{Row, Section};

pub(crate) const NAMES: [&str; 6] = ["health", "page", "status", "chat", "history", "redeem"];

/// Friends who take part: one for each of the most connections.
const FRIENDS: usize = 256;
/// Messages of each, a page of history and more.
const ENTRIES: usize = 60;
/// Connections where it is not said.
const CONNECTIONS: usize = 32;
/// Codes that are spent in one round: each has to be made before.
const CODES: usize = 1_000;

/// One row.
struct Case {
    name: String,
    load: Load,
    /// Whether it is kept before it is answered.
    is_durable: bool,
}

pub(crate) async fn run(is_chosen: &dyn Fn(&str) -> bool, pace: Pace) -> anyhow::Result<Section> {
    let mut section = Section::new(
        "Requests",
        "CPU is user and system time of the harness; *limit* is a bare hyper server with the same answer, for chat and redeem \
         with an `fdatasync` a group; the two take turns.",
    );
    let data = Data::with(FRIENDS, ENTRIES).await?;
    let mut harness = Harness::start(&data, &[]).await?;
    for name in NAMES.into_iter().filter(|name| is_chosen(name)) {
        for case in cases(name, &harness).await? {
            let row = measure(&case, &mut harness, pace).await?;
            section.push(row);
        }
    }
    harness.stop().await?;
    Ok(section)
}

async fn cases(name: &str, harness: &Harness) -> anyhow::Result<Vec<Case>> {
    let host = harness.address.to_string();
    let gzip = [("accept-encoding", "gzip, deflate, br")];
    let simple = |name: &str, requests: Vec<Vec<u8>>, status: u16, contains: &'static str| Case {
        name: format!("{name}, {CONNECTIONS} connections"),
        load: Load {
            connections: CONNECTIONS,
            requests: Supply::repeated(requests),
            status,
            contains,
        },
        is_durable: false,
    };
    Ok(match name {
        "health" => vec![simple(
            "health",
            vec![get(&host, "/api/health", None, &[])],
            200,
            "friends-chat",
        )],
        "page" => {
            let cold = get(&host, "/", None, &gzip);
            let mut client = Client::connect(harness.address).await?;
            let headers = client.ask(&cold).await?.headers()?;
            let tag = headers.into_iter().find(|(name, _)| name == "etag");
            let (_, tag) = tag.context("the page has no tag")?;
            let known = get(
                &host,
                "/",
                None,
                &[gzip.as_slice(), &[("if-none-match", &tag)]].concat(),
            );
            vec![
                simple("page", vec![cold], 200, ""),
                simple("page that has not changed", vec![known], 304, ""),
            ]
        }
        "status" => vec![simple(
            "status",
            by_friends(&host, "/api/auth/status", FRIENDS),
            200,
            "\"authenticated\":true",
        )],
        "history" => vec![simple(
            "history of 50",
            by_friends(&host, "/api/history", FRIENDS),
            200,
            "\"entries\"",
        )],
        "chat" => [1, 32, 256].map(|connections| chat(&host, connections)).into(),
        _ => vec![redeem(harness, &host).await?],
    })
}

/// A friend for each connection, who writes a word and reads the whole answer.
fn chat(host: &str, connections: usize) -> Case {
    Case {
        name: format!("chat to `done`, {connections} connections"),
        load: Load {
            connections,
            requests: Supply::repeated((1..=connections).map(|friend| say(host, friend, "hello")).collect()),
            status: 200,
            contains: "\"type\":\"done\"",
        },
        is_durable: true,
    }
}

async fn redeem(harness: &Harness, host: &str) -> anyhow::Result<Case> {
    let (mut requests, mut inviting) = (Vec::new(), JoinSet::new());
    for number in 0..CODES * ROUNDS as usize + 1 {
        if inviting.len() >= CONNECTIONS {
            requests.extend(inviting.join_next().await.transpose()?.transpose()?);
        }
        let (owner, host) = (harness.owner.clone(), host.to_owned());
        inviting.spawn(async move {
            let code = owner.invite(&format!("guest_{number}")).await?;
            anyhow::Ok(post(&host, "/api/auth/redeem", None, &json!({ "code": code })))
        });
    }
    for invited in inviting.join_all().await {
        requests.push(invited?);
    }
    Ok(Case {
        name: format!("redeem, {CONNECTIONS} connections"),
        load: Load {
            connections: CONNECTIONS,
            requests: Supply::once(requests),
            status: 200,
            contains: "\"authenticated\":true",
        },
        is_durable: true,
    })
}

async fn measure(case: &Case, harness: &mut Harness, pace: Pace) -> anyhow::Result<Row> {
    let (first, most) = match &case.load.requests {
        Supply::Repeated(requests) => (requests.first(), usize::MAX),
        Supply::Once(requests, next) => {
            next.store(1, std::sync::atomic::Ordering::Relaxed);
            (requests.first(), CODES)
        }
    };
    let mut client = Client::connect(harness.address).await?;
    let answer = Answer::like(&client.ask(first.context("nothing to ask")?).await?)?;
    let mut limit = Limit::start(&answer, case.is_durable).await?;
    let with_limit = Load {
        // The limit does not mind to be asked the same again.
        requests: match &case.load.requests {
            Supply::Repeated(requests) | Supply::Once(requests, _) => Supply::Repeated(requests.clone()),
        },
        ..case.load.clone()
    };
    let time = pace.time / ROUNDS;
    let (mut ours, mut theirs) = (Counted::default(), Counted::default());
    for _ in 0..ROUNDS {
        ours.add(case.load.run(harness.address, &mut harness.meter, time, most).await?);
        theirs.add(
            with_limit
                .run(limit.address, &mut limit.meter, time, usize::MAX)
                .await?,
        );
    }
    Ok(Row::new(&case.name)
        .with("CPU µs", ours.cpu_us())
        .with("limit's CPU µs", theirs.cpu_us())
        .with("× limit", ours.cpu_us() / theirs.cpu_us())
        .with("requests/s", ours.per_second())
        .with("limit's requests/s", theirs.per_second())
        .with("p50 µs", ours.latencies.quantile_us(0.5))
        .with("p99 µs", ours.latencies.quantile_us(0.99))
        .with("limit's p99 µs", theirs.latencies.quantile_us(0.99)))
}
