//! Closed-loop load: so many connections, each with its next request as soon as it has the answer to the last.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::task::JoinSet;

use crate::client::Client;
use crate::meter::Meter;

/// What is asked, and what a right answer has.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    pub(crate) requests: Supply,
    pub(crate) status: u16,
    pub(crate) contains: &'static str,
}

/// Where requests come from.
#[derive(Clone, Debug)]
pub(crate) enum Supply {
    /// Each connection has a share of its own, and begins it anew when it is through.
    Repeated(Arc<Vec<Vec<u8>>>),
    /// Each is good once. The number is the next one's.
    Once(Arc<Vec<Vec<u8>>>, Arc<AtomicUsize>),
}

/// What was counted while the load went on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counted {
    pub(crate) requests: u64,
    pub(crate) elapsed: Duration,
    pub(crate) cpu: Duration,
    pub(crate) latencies: Latencies,
}

/// How long answers took, in microseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies(Vec<u32>);

impl Load {
    /// Loads a server for a while; at most `most` requests.
    pub(crate) async fn run(
        &self,
        address: SocketAddr,
        meter: &mut Meter,
        time: Duration,
        most: usize,
    ) -> anyhow::Result<Counted> {
        let clients = self.connect(address).await?;
        let left = Arc::new(AtomicUsize::new(most));
        let (mut running, mut counted) = (JoinSet::new(), Counted::default());
        let cpu = meter.cpu()?;
        let begun = Instant::now();
        for (number, client) in clients {
            let (load, left) = (self.clone(), Arc::clone(&left));
            running.spawn(async move { load.keep_asking(client, number, begun + time, &left).await });
        }
        while let Some(latencies) = running.join_next().await {
            counted.latencies.add(latencies??);
        }
        counted.elapsed = begun.elapsed();
        counted.cpu = meter.cpu()?.saturating_sub(cpu);
        counted.requests = counted.latencies.count();
        ensure!(counted.requests > 0, "nothing was answered");
        Ok(counted)
    }

    /// Connections that have had an answer each, where one can be had for nothing. All at the same time, so that none waits long
    /// for its first request.
    async fn connect(&self, address: SocketAddr) -> anyhow::Result<Vec<(usize, Client)>> {
        let mut connecting = JoinSet::new();
        for number in 0..self.connections {
            let load = self.clone();
            connecting.spawn(async move {
                let mut client = Client::connect(address).await?;
                if let Supply::Repeated(requests) = &load.requests {
                    load.ask(&mut client, requests, number).await?;
                }
                anyhow::Ok((number, client))
            });
        }
        connecting.join_all().await.into_iter().collect()
    }

    async fn keep_asking(
        self,
        mut client: Client,
        connection: usize,
        end: Instant,
        left: &AtomicUsize,
    ) -> anyhow::Result<Latencies> {
        let mut latencies = Latencies::default();
        let mut number = connection;
        loop {
            let begun = Instant::now();
            if begun >= end
                || left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                    .is_err()
            {
                return Ok(latencies);
            }
            match &self.requests {
                Supply::Repeated(requests) => {
                    number += self.connections;
                    self.ask(&mut client, requests, number).await?;
                }
                Supply::Once(requests, next) => {
                    let next = next.fetch_add(1, Ordering::Relaxed);
                    if next >= requests.len() {
                        return Ok(latencies);
                    }
                    self.ask(&mut client, requests, next).await?;
                }
            }
            latencies.note(begun.elapsed());
        }
    }

    async fn ask(&self, client: &mut Client, requests: &[Vec<u8>], number: usize) -> anyhow::Result<()> {
        let request = requests
            .get(number % requests.len().max(1))
            .map_or(&[][..], Vec::as_slice);
        let reply = client.ask(request).await?;
        let wanted = self.contains.as_bytes();
        let is_right = reply.status == self.status
            && (wanted.is_empty() || reply.body.windows(wanted.len()).any(|window| window == wanted));
        ensure!(
            is_right,
            "an answer with status {} and not {}: {}",
            reply.status,
            self.status,
            String::from_utf8_lossy(reply.body)
        );
        Ok(())
    }
}

impl Supply {
    pub(crate) fn repeated(requests: Vec<Vec<u8>>) -> Self {
        Self::Repeated(Arc::new(requests))
    }

    pub(crate) fn once(requests: Vec<Vec<u8>>) -> Self {
        Self::Once(Arc::new(requests), Arc::default())
    }
}

impl Counted {
    /// Adds what was counted at another time.
    pub(crate) fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.elapsed += other.elapsed;
        self.cpu += other.cpu;
        self.latencies.add(other.latencies);
    }

    pub(crate) fn cpu_us(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.requests as f64
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64()
    }
}

impl Latencies {
    pub(crate) fn note(&mut self, latency: Duration) {
        self.0.push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// The latency that this part of all stays below, in microseconds.
    pub(crate) fn quantile_us(&self, part: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let index = (sorted.len().saturating_sub(1) as f64 * part).round() as usize;
        sorted.get(index).copied().unwrap_or_default().into()
    }

    /// The longest in microseconds.
    pub(crate) fn longest_us(&self) -> f64 {
        self.0.iter().max().copied().unwrap_or_default().into()
    }
}
