//! Arbitrary bytes on connections to the HTTP front, in pieces, with pauses and ends anywhere. Whatever comes, each
//! connection ends, and what is sent back is answers: whole, no more than there are requests for a strict reader, each to its
//! own request, and nothing after the last.
//!
//! The connections are in memory and the clock is simulated, so a run is the same every time.

mod answers;
mod client;
mod frames;
mod reader;
mod script;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use host_harness::http::{Proxies, Server};
use tokio::task::JoinSet;

use super::browser::Browser;
use super::script::BROWSERS;
use super::world::{Clock, World};
use client::Client;
use script::{Deed, Line};

/// Most lines of a script that are carried out.
const MAX_LINES: usize = 48;

/// Longer than any connection lives: a stream has an hour, and there can be one after another.
const LONGEST: Duration = Duration::from_secs(48 * 60 * 60);

/// What is written into scripts besides parts of others.
pub(super) const PIECES: &[&str] = &[
    "a sends ",
    "b sends ",
    "a frame 0 0 1 ",
    "a frame 3 0 1 \\0\\0\\0\\x08",
    "a frame 8 0 0 \\0\\0\\xff\\xff",
    "a frame 9 4 1 ",
    "a headers 1 5 ",
    "a headers 3 4 ",
    "a stops",
    "a leaves",
    "a pauses",
    "a reads",
    "wait 11",
    "\\r\\n",
    "\\n",
    "\\r",
    "\\0",
    "\\t",
    "\\xff",
    " ",
    ":",
    ";",
    ",",
    "\\r\\n\\r\\n",
    "GET /api/health HTTP/1.1\\r\\nhost: localhost\\r\\n\\r\\n",
    "DELETE /api/health HTTP/1.1\\r\\nhost: localhost\\r\\n\\r\\n",
    "HEAD /api/health HTTP/1.0\\r\\n\\r\\n",
    "content-length: 5\\r\\n",
    "content-length: 0\\r\\n",
    "Content-Length: 4, 4\\r\\n",
    "transfer-encoding: chunked\\r\\n",
    "Transfer-Encoding: identity, chunked\\r\\n",
    "connection: close\\r\\n",
    "connection: keep-alive\\r\\n",
    "expect: 100-continue\\r\\n",
    "host: localhost\\r\\n",
    "upgrade: websocket\\r\\nconnection: upgrade\\r\\n",
    "5\\r\\nhello\\r\\n",
    "0\\r\\n\\r\\n",
    "{long}",
    "{john}",
    "PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n",
];

thread_local! {
    static STAGE: Stage = Stage::new();
}

struct Stage {
    world: World,
    server: Arc<Server>,
}

impl Stage {
    fn new() -> Self {
        let world = World::new(Clock::Simulated);
        let server = Server::new(Arc::clone(&world.plugin), Proxies::default(), None);
        Self {
            world,
            server: Arc::new(server),
        }
    }
}

/// Carries out a script and panics when something is not as it should be.
pub(super) fn run(script: &[u8]) {
    STAGE.with(|stage| stage.world.within(carry_out(stage, script)));
}

async fn carry_out(stage: &Stage, script: &[u8]) {
    let world = &stage.world;
    world.reset().await;
    let lost = world.plugin.lost_instances();
    let mut clients: BTreeMap<u8, Client> = BTreeMap::new();
    for line in script.split(|byte| *byte == b'\n').take(MAX_LINES) {
        match Line::parse(line, |name| cookie(world, name)) {
            Some(Line::Wait(time)) => {
                clients.values_mut().for_each(|client| client.is_exact = false);
                tokio::time::sleep(time).await;
            }
            Some(Line::Client(name, deed)) => {
                let client = clients.entry(name).or_insert_with(|| Client::connect(&stage.server));
                match deed {
                    Deed::Sends(bytes) => client.send(&bytes),
                    Deed::Stops => client.stop(),
                    Deed::Leaves => client.leave(),
                    Deed::Pauses => client.pause(),
                    Deed::Reads => client.read(),
                }
            }
            None => continue,
        }
        settle(&mut clients).await;
    }
    // All at once: one that is not read meanwhile would be given up.
    let ends = clients.into_values().map(|client| client.end(LONGEST));
    let mut ends: JoinSet<()> = ends.collect();
    while let Some(end) = ends.join_next().await {
        end.unwrap();
    }
    assert_eq!(world.plugin.lost_instances(), lost, "the plugin is not to blame");
    let health = Browser::new(0).get(&world.plugin, "/api/health").await;
    assert_eq!(health.status, 200);
    for line in world.log.take().lines() {
        assert!(!line.trim_start().starts_with("ERROR"), "{line}");
    }
}

fn cookie<'a>(world: &'a World, name: &str) -> Option<&'a str> {
    let at = BROWSERS.iter().position(|browser| *browser == name)?;
    world.browsers[at].cookie.as_deref()
}

/// Lets bytes go to and fro until nothing more comes of it.
async fn settle(clients: &mut BTreeMap<u8, Client>) {
    const QUIET_TURNS: usize = 16;
    let mut quiet = 0;
    while quiet < QUIET_TURNS {
        tokio::task::yield_now().await;
        let moved = clients
            .values_mut()
            .fold(false, |moved, client| client.exchange() | moved);
        quiet = if moved { 0 } else { quiet + 1 };
    }
}
