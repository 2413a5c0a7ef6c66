//! Streams that are held: what they cost while nothing happens, and how soon each has what is sent to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::ask::{get, publish, subscribe};
use crate::client::Client;
use crate::data::{Data, name};
use crate::harness::Harness;
use crate::held::{Held, open_all};
use crate::load::Latencies;
use crate::meter::Meter;
use crate::nchan::Nchan;
use crate::report::{Row, Section};

/// Streams that are held, step by step.
const STEPS: [usize; 3] = [1_000, 5_000, 10_000];
/// Time in which streams are left alone: each has one heartbeat in it.
const IDLE: Duration = Duration::from_secs(10);
/// What sends at the same time.
const SENDERS: usize = 32;
/// What a plugin that behaves says to everybody.
const TOLD: &[u8] = b"told\n";

/// What holding streams cost.
struct Holding {
    /// Bytes a stream, at each step.
    bytes: Vec<f64>,
    idle_cpu: Duration,
}

/// What sending cost.
struct Sent {
    last: Duration,
    cpu: Duration,
    latencies: Latencies,
}

/// Idle streams, then a message to each one.
pub(crate) async fn held(section: &mut Section) -> anyhow::Result<()> {
    let most = STEPS.into_iter().max().unwrap_or_default();
    let data = Data::with(most, 0).await?;
    let mut harness = Harness::start(&data, &[]).await?;
    let host = harness.address.to_string();
    let feed = |number: usize| get(&host, "/api/stream", Some(number), &[]);
    let (ours, streams) = hold(harness.address, &mut harness.meter, feed, b"\nid: 0\n\n").await?;
    let owner = harness.owner.clone();
    let sent = send_each(streams, &mut harness.meter, b"\"type\":\"nudge\"", move |number| {
        let owner = owner.clone();
        async move { owner.nudge(&name(number), "hello").await }
    })
    .await?;
    drop(harness);

    let mut nchan = Nchan::start().await?;
    let host = nchan.address.to_string();
    let channel = |number: usize| subscribe(&host, &number.to_string());
    let (theirs, streams) = hold(nchan.address, &mut nchan.meter, channel, b"\r\n\r\n").await?;
    let address = nchan.address;
    let clients: Arc<Mutex<Vec<Client>>> = Arc::default();
    let theirs_sent = send_each(streams, &mut nchan.meter, b"data: hello", move |number| {
        let (clients, host) = (Arc::clone(&clients), host.clone());
        async move {
            let client = clients.lock().await.pop();
            let mut client = match client {
                Some(client) => client,
                None => Client::connect(address).await?,
            };
            client.ask(&publish(&host, &number.to_string(), "hello")).await?;
            clients.lock().await.push(client);
            Ok(())
        }
    })
    .await?;

    for ((step, ours), theirs) in STEPS.into_iter().zip(&ours.bytes).zip(&theirs.bytes) {
        section.push(
            Row::new(format!("{step} idle streams, KiB each"))
                .with("harness", ours / 1024.0)
                .with("nchan", theirs / 1024.0)
                .with("× nchan", ours / theirs),
        );
    }
    section.push(compared(
        "10,000 idle streams, CPU µs a second and stream",
        ours.idle_cpu,
        theirs.idle_cpu,
        1e6 / 1e4 / IDLE.as_secs_f64(),
    ));
    push_sent(section, "each friend its own message", most, &sent, &theirs_sent);
    Ok(())
}

/// One message for all streams: published once by a small plugin.
pub(crate) async fn broadcast(section: &mut Section) -> anyhow::Result<()> {
    let most = STEPS.into_iter().max().unwrap_or_default();
    let plugin = super::fixture("spins")?;
    let data = Data::empty()?;
    let mut harness = Harness::start(&data, &["--plugin", &plugin]).await?;
    let host = harness.address.to_string();
    let requests = (0..most).map(|_| get(&host, "/hold", None, &[])).collect();
    let streams = open_all(harness.address, 0, requests, b"held\n").await?;
    let tell = get(&host, "/tell", None, &[]);
    let ours = send_all(harness.address, streams, &mut harness.meter, TOLD, tell).await?;
    drop(harness);

    let mut nchan = Nchan::start().await?;
    let host = nchan.address.to_string();
    let requests = (0..most).map(|_| subscribe(&host, "all")).collect();
    let streams = open_all(nchan.address, 0, requests, b"\r\n\r\n").await?;
    let theirs = send_all(
        nchan.address,
        streams,
        &mut nchan.meter,
        b"data: told",
        publish(&host, "all", "told"),
    )
    .await?;
    push_sent(section, "one message to all", most, &ours, &theirs);
    Ok(())
}

fn push_sent(section: &mut Section, what: &str, streams: usize, ours: &Sent, theirs: &Sent) {
    let each = 1e6 / streams as f64;
    section.push(compared(
        &format!("{what}, {streams} streams: last byte, ms"),
        ours.last,
        theirs.last,
        1e3,
    ));
    section.push(compared(
        &format!("{what}, {streams} streams: CPU µs a stream"),
        ours.cpu,
        theirs.cpu,
        each,
    ));
    let (our_p99, their_p99) = (ours.latencies.quantile_us(0.99), theirs.latencies.quantile_us(0.99));
    section.push(
        Row::new(format!("{what}, {streams} streams: p99, ms"))
            .with("harness", our_p99 / 1e3)
            .with("nchan", their_p99 / 1e3)
            .with("× nchan", our_p99 / their_p99),
    );
}

fn compared(case: &str, ours: Duration, theirs: Duration, unit: f64) -> Row {
    let (ours, theirs) = (ours.as_secs_f64() * unit, theirs.as_secs_f64() * unit);
    Row::new(case)
        .with("harness", ours)
        .with("nchan", theirs)
        .with("× nchan", ours / theirs)
}

/// Opens streams step by step and leaves them alone for a while.
async fn hold(
    address: SocketAddr,
    meter: &mut Meter,
    request: impl Fn(usize) -> Vec<u8>,
    beginning: &'static [u8],
) -> anyhow::Result<(Holding, Vec<Held>)> {
    let before = meter.memory()?.pss;
    let (mut streams, mut bytes) = (Vec::new(), Vec::new());
    for step in STEPS {
        let first = streams.len();
        let requests = (first..step).map(|index| request(index + 1)).collect();
        streams.extend(open_all(address, first, requests, beginning).await?);
        bytes.push(meter.memory()?.pss.saturating_sub(before) as f64 / step as f64);
    }
    let cpu = meter.cpu()?;
    tokio::time::sleep(IDLE).await;
    let idle_cpu = meter.cpu()?.saturating_sub(cpu);
    Ok((Holding { bytes, idle_cpu }, streams))
}

/// Sends something to each stream by its number, from 1, and waits until all have it.
async fn send_each<F>(
    streams: Vec<Held>,
    meter: &mut Meter,
    wanted: &'static [u8],
    send: impl Fn(usize) -> F + Clone + Send + 'static,
) -> anyhow::Result<Sent>
where
    F: Future<Output = anyhow::Result<()>> + Send,
{
    let count = streams.len();
    let mut readers = read_all(streams, wanted).await;
    let next = Arc::new(AtomicUsize::new(1));
    let (cpu, begun) = (meter.cpu()?, Instant::now());
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let (next, send) = (Arc::clone(&next), send.clone());
        senders.spawn(async move {
            let mut sent = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number > count {
                    return anyhow::Ok(sent);
                }
                sent.push((number, Instant::now()));
                send(number).await?;
            }
        });
    }
    let mut at = vec![None; count];
    while let Some(sent) = senders.join_next().await {
        for (number, sent) in sent?? {
            if let Some(at) = at.get_mut(number - 1) {
                *at = Some(sent);
            }
        }
    }
    let (mut last, mut latencies) = (begun, Latencies::default());
    while let Some(read) = readers.join_next().await {
        let (index, arrived) = read??;
        last = last.max(arrived);
        let sent = at
            .get(index)
            .copied()
            .flatten()
            .context("a stream got what was not sent")?;
        latencies.note(arrived.saturating_duration_since(sent));
    }
    Ok(Sent {
        last: last - begun,
        cpu: meter.cpu()?.saturating_sub(cpu),
        latencies,
    })
}

/// Makes the one request that reaches all streams, and waits until they have it.
async fn send_all(
    address: SocketAddr,
    streams: Vec<Held>,
    meter: &mut Meter,
    wanted: &'static [u8],
    request: Vec<u8>,
) -> anyhow::Result<Sent> {
    let mut client = Client::connect(address).await?;
    let mut readers = read_all(streams, wanted).await;
    let (cpu, begun) = (meter.cpu()?, Instant::now());
    client.ask(&request).await?;
    let (mut last, mut latencies) = (begun, Latencies::default());
    while let Some(read) = readers.join_next().await {
        let (_, arrived) = read??;
        last = last.max(arrived);
        latencies.note(arrived - begun);
    }
    Ok(Sent {
        last: last - begun,
        cpu: meter.cpu()?.saturating_sub(cpu),
        latencies,
    })
}

async fn read_all(streams: Vec<Held>, wanted: &'static [u8]) -> JoinSet<anyhow::Result<(usize, Instant)>> {
    let mut readers = JoinSet::new();
    for (index, mut stream) in streams.into_iter().enumerate() {
        readers.spawn(async move { Ok((index, stream.wait_for_next(wanted).await?)) });
    }
    // They all wait before anything is sent.
    tokio::time::sleep(Duration::from_millis(500)).await;
    readers
}
