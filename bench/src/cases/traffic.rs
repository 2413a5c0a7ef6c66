//! Streams with much to carry: many answers at the same time, readers that do not read, and everybody coming back at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::ask::{by_friends, get, publish, say, subscribe};
use crate::client::Client;
use crate::data::{Data, name};
use crate::harness::Harness;
use crate::held::{Held, open_all};
use crate::load::{Latencies, Load, Supply};
use crate::nchan::Nchan;
use crate::report::{Row, Section};

/// Friends who have long answers at the same time.
const LISTENERS: usize = 200;
/// Time between two pieces of an answer, and the words of a message whose answer has 64 pieces.
const PIECE: Duration = Duration::from_millis(20);
const WORDS: usize = 62;
/// Pieces of one answer, and answers that follow each other.
const PIECES: u32 = 64;
const ANSWERS: u32 = 3;
/// What is in every piece, and in no other event.
const MARK: &[u8] = b"\"type\":\"text\"";

/// Friends who do not read, messages sent to each, and their bytes: more than the kernel's buffers take.
const STALLED: usize = 30;
const UNREAD: usize = 100;
const UNREAD_BYTES: usize = 32 << 10;

/// Friends who come back at the same time, and messages of each.
const RETURNING: usize = 500;
const MISSED: usize = 1_000;

/// Two hundred answers of fifty pieces a second each, read on the stream of the answer and on the friend's feed.
pub(crate) async fn pieces(section: &mut Section) -> anyhow::Result<()> {
    let data = Data::with(LISTENERS, 0).await?;
    let mut harness = Harness::start(&data, &["--agent", &format!("echo:{}ms", PIECE.as_millis())]).await?;
    let (address, host) = (harness.address, harness.address.to_string());
    let feeds = open_all(address, 0, by_friends(&host, "/api/stream", LISTENERS), b"\nid: 0\n\n").await?;
    let message = vec!["word"; WORDS].join(" ");
    let (cpu, begun) = (harness.meter.cpu()?, Instant::now());
    let mut reading = JoinSet::new();
    for (index, mut feed) in feeds.into_iter().enumerate() {
        let asking = say(&host, index + 1, &message);
        reading.spawn(async move {
            let (mut client, mut gaps) = (Client::connect(address).await?, Vec::new());
            for _ in 0..ANSWERS {
                let (answer, here) = tokio::join!(client.ask(&asking), feed.gaps(MARK, b"\"type\":\"reply\""));
                ensure!(answer?.status == 200, "a message was not taken");
                gaps.extend(here?);
            }
            anyhow::Ok(gaps)
        });
    }
    let mut late = Latencies::default();
    while let Some(gaps) = reading.join_next().await {
        for gap in gaps?? {
            late.note(gap.saturating_sub(PIECE));
        }
    }
    let (ours, elapsed) = (harness.meter.cpu()?.saturating_sub(cpu), begun.elapsed());
    drop(harness);
    let count = f64::from(PIECES * ANSWERS) * LISTENERS as f64;
    let theirs = pieces_of_nchan(PIECES * ANSWERS).await?;
    let (ours_us, theirs_us) = (ours.as_secs_f64() * 1e6 / count, theirs.as_secs_f64() * 1e6 / count);
    let title = format!("{LISTENERS} friends × 50 pieces a second");
    section.push(
        Row::new(format!("{title}, to two streams each: CPU µs a piece"))
            .with("harness", ours_us)
            .with("nchan", theirs_us)
            .with("× nchan", ours_us / theirs_us),
    );
    section
        .push(Row::new(format!("{title}: part of a core")).with("harness", ours.as_secs_f64() / elapsed.as_secs_f64()));
    section.push(Row::new(format!("{title}: late at p99, ms")).with("harness", late.quantile_us(0.99) / 1e3));
    Ok(())
}

/// The same pieces at the same pace, to two streams a channel.
async fn pieces_of_nchan(pieces: u32) -> anyhow::Result<Duration> {
    let mut nchan = Nchan::start().await?;
    let (address, host) = (nchan.address, nchan.address.to_string());
    let mut readers = JoinSet::new();
    for copy in 0..2 {
        let requests = (1..=LISTENERS)
            .map(|number| subscribe(&host, &number.to_string()))
            .collect();
        for mut stream in open_all(address, copy * LISTENERS, requests, b"\r\n\r\n").await? {
            readers.spawn(async move { stream.wait_for(b"the last").await });
        }
    }
    let cpu = nchan.meter.cpu()?;
    let mut senders = JoinSet::new();
    for number in 1..=LISTENERS {
        let host = host.clone();
        senders.spawn(async move {
            let mut client = Client::connect(address).await?;
            let mut ticks = interval(PIECE);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            for piece in 1..=pieces {
                ticks.tick().await;
                let text = if piece == pieces {
                    "the last"
                } else {
                    r#"{"type":"text","content":"word "}"#
                };
                client.ask(&publish(&host, &number.to_string(), text)).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(sent) = senders.join_next().await {
        sent??;
    }
    while let Some(read) = readers.join_next().await {
        read??;
    }
    Ok(nchan.meter.cpu()?.saturating_sub(cpu))
}

/// Readers that do not read, and what the others notice of it.
pub(crate) async fn stalled(section: &mut Section) -> anyhow::Result<()> {
    let data = Data::with(STALLED + 1, 0).await?;
    let mut harness = Harness::start(&data, &[]).await?;
    let host = harness.address.to_string();
    let another = Load {
        connections: 1,
        requests: Supply::repeated(vec![get(&host, "/api/auth/status", Some(STALLED + 1), &[])]),
        status: 200,
        contains: "",
    };
    let time = Duration::from_secs(1);
    let alone = another
        .run(harness.address, &mut harness.meter, time, usize::MAX)
        .await?;
    let mut stalled = Vec::new();
    for (index, request) in by_friends(&host, "/api/stream", STALLED).into_iter().enumerate() {
        stalled.push(Held::open(harness.address, index, &request, b"data: ", Some(4 << 10)).await?);
    }
    let before = harness.meter.memory()?.pss;
    let (owner, meter) = (harness.owner.clone(), harness.meter.clone());
    let peak = Arc::new(AtomicU64::new(0));
    let highest = Arc::clone(&peak);
    let sending = tokio::spawn(async move {
        let text = "word ".repeat(UNREAD_BYTES / 5);
        for _ in 0..UNREAD {
            for number in 1..=STALLED {
                owner.nudge(&name(number), &text).await?;
            }
            highest.fetch_max(meter.memory()?.pss, Ordering::Relaxed);
        }
        anyhow::Ok(())
    });
    let mut meanwhile = Latencies::default();
    while !sending.is_finished() {
        meanwhile.add(
            another
                .run(harness.address, &mut harness.meter, time, usize::MAX)
                .await?
                .latencies,
        );
    }
    sending.await??;
    let grown = peak.load(Ordering::Relaxed).saturating_sub(before) as f64 / STALLED as f64;
    let sent = UNREAD * UNREAD_BYTES * 2 / (1 << 20);
    section.push(
        Row::new(format!(
            "{STALLED} stalled readers, some {sent} MiB to each: most memory each, KiB"
        ))
        .with("harness", grown / 1024.0),
    );
    section.push(
        Row::new("another friend's status meanwhile: p99, ms").with("harness", meanwhile.quantile_us(0.99) / 1e3),
    );
    section
        .push(Row::new("the same with nobody else: p99, ms").with("harness", alone.latencies.quantile_us(0.99) / 1e3));
    Ok(())
}

/// Everybody comes back at once: to all that they missed, or, where that is more than is replayed, to the latest of the history.
pub(crate) async fn reconnect(section: &mut Section) -> anyhow::Result<()> {
    let data = Data::with(RETURNING, MISSED).await?;
    let mut harness = Harness::start(&data, &[]).await?;
    for missed in [MISSED / 2, MISSED] {
        let (cpu, begun) = (harness.meter.cpu()?, Instant::now());
        let mut returning = JoinSet::new();
        for friend in 1..=RETURNING {
            returning.spawn(come_back(harness.address, friend, missed));
        }
        while let Some(returned) = returning.join_next().await {
            returned??;
        }
        let (elapsed, cpu) = (begun.elapsed(), harness.meter.cpu()?.saturating_sub(cpu));
        let title = format!("{RETURNING} friends come back to {missed} messages each");
        section.push(Row::new(format!("{title}: all have them, ms")).with("harness", elapsed.as_secs_f64() * 1e3));
        section.push(
            Row::new(format!("{title}: CPU ms a friend")).with("harness", cpu.as_secs_f64() * 1e3 / RETURNING as f64),
        );
    }
    Ok(())
}

/// Opens the feed with the last message that was seen; where that is too long ago, reads the latest of the history, as the
/// page does.
async fn come_back(address: std::net::SocketAddr, friend: usize, missed: usize) -> anyhow::Result<()> {
    let host = address.to_string();
    let newest = (MISSED - 1) * RETURNING + friend;
    let seen = newest.saturating_sub(missed * RETURNING).to_string();
    let request = get(&host, "/api/stream", Some(friend), &[("last-event-id", &seen)]);
    let end = format!("\nid: {newest}\n\n");
    let mut feed = Held::open(address, friend, &request, b"data: ", None).await?;
    feed.wait_for(end.as_bytes()).await?;
    if !feed.has(b"\"type\":\"resync\"") {
        return Ok(());
    }
    let mut client = Client::connect(address).await?;
    let reply = client.ask(&get(&host, "/api/history", Some(friend), &[])).await?;
    ensure!(reply.status == 200, "no history");
    Ok(())
}
