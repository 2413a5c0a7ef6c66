//! Many owners in one process, of whom a few are awake.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::task::JoinSet;

use super::ask::{get, say};
use super::{Pace, ROUNDS, fixture};
use crate::client::Client;
use crate::data::Data;
use crate::harness::{Harness, PATIENCE};
use crate::load::{Counted, Latencies, Load, Supply};
use crate::report::{Row, Section};

/// Owners, and those of them who are awake.
const TENANTS: usize = 10_000;
const AWAKE: usize = 100;
/// Friends of each who is awake.
const FRIENDS: usize = 32;
/// Connections of who floods.
const FLOOD: usize = 32;
const MIB: f64 = 1024.0 * 1024.0;

/// Makes everybody sleep soon who is not called.
const CONFIG: &str = "\n[tenants]\nsleep = \"2s\"\n";

pub(crate) async fn run(pace: Pace) -> anyhow::Result<Section> {
    let mut section = Section::new(
        "Tenants",
        "10,000 owners with a directory each, of whom 100 are awake. The single harness has the same friends; the two take turns.",
    );
    let model = Data::with(FRIENDS, 0).await?;
    let data = Data::empty()?;
    let config = data.path().join("config.toml");
    fs::write(&config, fs::read_to_string(&config)? + CONFIG)?;
    for number in 0..TENANTS {
        let database = (number < AWAKE).then(|| model.path().join("plugin/friends.db"));
        add(&data, &tenant(number), "", database.as_deref())?;
    }
    add(&data, "spinner", &format!("plugin = {:?}\n", fixture("spins")?), None)?;
    add(&data, "flooded", "", None)?;
    let begun = Instant::now();
    let mut many = Harness::start(&data, &[]).await?;
    let row = Row::new("start with all asleep").with("time ms", begun.elapsed().as_secs_f64() * 1e3);
    section.push(with_memory(row, &many)?);
    wake(&many).await?;
    while data
        .path()
        .join("tenants")
        .join(tenant(AWAKE - 1))
        .join("at-work")
        .exists()
    {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let woken = wake(&many).await?;
    let row = Row::new("wake, with what it takes to answer")
        .with("p50 µs", woken.quantile_us(0.5))
        .with("p99 µs", woken.quantile_us(0.99));
    section.push(with_memory(row, &many)?);

    let mut single = Harness::start(&model, &[]).await?;
    for (name, is_chat) in [("status", false), ("chat to `done`", true)] {
        let time = pace.time / ROUNDS;
        let (mut ours, mut theirs) = (Counted::default(), Counted::default());
        for _ in 0..ROUNDS {
            ours.add(
                load(&[tenant(1)], is_chat)
                    .run(many.address, &mut many.meter, time, usize::MAX)
                    .await?,
            );
            theirs.add(
                load(&[tenant(1)], is_chat)
                    .run(single.address, &mut single.meter, time, usize::MAX)
                    .await?,
            );
        }
        section.push(
            Row::new(format!("{name}, one connection, beside the single harness"))
                .with("p50 µs", ours.latencies.quantile_us(0.5))
                .with("single's p50 µs", theirs.latencies.quantile_us(0.5))
                .with(
                    "× single",
                    ours.latencies.quantile_us(0.5) / theirs.latencies.quantile_us(0.5),
                ),
        );
    }
    single.stop().await?;

    let others: Vec<String> = (1..=4).map(tenant).collect();
    let (mut calm, mut disturbed) = (Counted::default(), Counted::default());
    for _ in 0..ROUNDS {
        let time = pace.time / ROUNDS;
        calm.add(
            load(&others, true)
                .run(many.address, &mut many.meter, time, usize::MAX)
                .await?,
        );
        let disturbers = Disturbers::start(many.address);
        disturbed.add(
            load(&others, true)
                .run(many.address, &mut many.meter, time, usize::MAX)
                .await?,
        );
        disturbers.stop();
    }
    for (name, counted) in [("calm", calm), ("with one who spins and one who is flooded", disturbed)] {
        section.push(
            Row::new(format!("chat of four tenants, {name}"))
                .with("p50 µs", counted.latencies.quantile_us(0.5))
                .with("p99 µs", counted.latencies.quantile_us(0.99))
                .with("requests/s", counted.per_second()),
        );
    }
    many.stop().await?;
    Ok(section)
}

fn tenant(number: usize) -> String {
    format!("t{number}")
}

fn host(tenant: &str) -> String {
    format!("{tenant}.example.org")
}

fn add(data: &Data, name: &str, config: &str, database: Option<&Path>) -> anyhow::Result<()> {
    let directory: PathBuf = data.path().join("tenants").join(name);
    fs::create_dir_all(directory.join("plugin"))?;
    let address = format!("[channels.friends]\nbaseUrl = \"http://{}\"\n", host(name));
    fs::write(directory.join("config.toml"), format!("{config}{address}"))?;
    if let Some(database) = database {
        fs::copy(database, directory.join("plugin/friends.db"))?;
    }
    Ok(())
}

fn with_memory(row: Row, harness: &Harness) -> anyhow::Result<Row> {
    let memory = harness.meter.memory()?;
    Ok(row
        .with("PSS MiB", memory.pss as f64 / MIB)
        .with("RSS MiB", memory.rss as f64 / MIB))
}

/// Calls those who are to be awake, one after another.
async fn wake(harness: &Harness) -> anyhow::Result<Latencies> {
    let mut latencies = Latencies::default();
    let mut client = Client::connect(harness.address).await?;
    for number in 0..AWAKE {
        let request = get(&host(&tenant(number)), "/api/auth/status", Some(1), &[]);
        let begun = Instant::now();
        let status = tokio::time::timeout(PATIENCE, client.ask(&request)).await??.status;
        latencies.note(begun.elapsed());
        ensure!(status == 200, "a tenant answers {status}");
    }
    Ok(latencies)
}

/// One connection of a friend of each.
fn load(tenants: &[String], is_chat: bool) -> Load {
    let request = |tenant: &String| match is_chat {
        true => say(&host(tenant), 1, "hello"),
        false => get(&host(tenant), "/api/auth/status", Some(1), &[]),
    };
    Load {
        connections: tenants.len(),
        requests: Supply::repeated(tenants.iter().map(request).collect()),
        status: 200,
        contains: if is_chat {
            "\"type\":\"done\""
        } else {
            "\"authenticated\":true"
        },
    }
}

/// Who asks a plugin that spins, and floods another, from threads of their own.
struct Disturbers {
    ended: Arc<AtomicBool>,
    threads: Vec<JoinHandle<anyhow::Result<()>>>,
}

impl Disturbers {
    fn start(address: SocketAddr) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let asking = |tenant: &'static str, target: &'static str, connections: usize| {
            let ended = Arc::clone(&ended);
            std::thread::spawn(move || {
                // They are elsewhere, and what they do themselves is not to be felt.
                rustix::process::setpriority_process(None, 19)?;
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(async {
                    let mut asking = JoinSet::new();
                    for _ in 0..connections {
                        asking.spawn(ask_on(
                            address,
                            get(&host(tenant), target, None, &[]),
                            Arc::clone(&ended),
                        ));
                    }
                    asking.join_all().await;
                });
                Ok(())
            })
        };
        let threads = vec![
            asking("spinner", "/spin", 1),
            asking("flooded", "/api/auth/status", FLOOD),
        ];
        Self { ended, threads }
    }

    fn stop(self) {
        self.ended.store(true, Ordering::Relaxed);
        for thread in self.threads {
            // What went wrong with them does not matter to what is measured.
            let _ = thread.join();
        }
    }
}

/// Asks again and again, whatever the answer.
async fn ask_on(address: SocketAddr, request: Vec<u8>, ended: Arc<AtomicBool>) {
    while !ended.load(Ordering::Relaxed) {
        let Ok(mut client) = Client::connect(address).await else {
            continue;
        };
        while !ended.load(Ordering::Relaxed) && client.ask(&request).await.is_ok() {}
    }
}
