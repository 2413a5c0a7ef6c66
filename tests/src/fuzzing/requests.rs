//! Arbitrary sequences of requests, sockets, owner's commands and agent's words against the real component in the real
//! host, without sockets. A script is made of [lines](Line).

use super::run::Run;
use super::script::Line;
use super::world::{Clock, World};

/// Most lines of a script that are carried out: longer ones find nothing that two short ones do not.
const MAX_LINES: usize = 64;

/// What is written into scripts besides parts of other scripts.
pub(super) const PIECES: [&str; 40] = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "OPTIONS",
    "john",
    "jane",
    "phone",
    "/",
    "/chat",
    "/chat?invite={code}",
    "/api/stream",
    "/api/history?limit=1",
    "?before=",
    "?after=",
    "{code}",
    "{john}",
    "{jane}",
    "{phone}",
    "{long}",
    "{deep}",
    "0",
    "-1",
    "1",
    "9223372036854775807",
    "18446744073709551616",
    "null",
    "true",
    "\"",
    "{}",
    "[]",
    "\u{202e}",
    "\u{0}",
    "%00",
    "%ff",
    "é",
    ";",
    "=",
    "tc_friend_session=",
    " ",
];

thread_local! {
    static WORLD: World = World::new(Clock::Real);
}

/// Carries out a script and panics when something is not as it should be.
pub(super) fn run(script: &[u8]) {
    WORLD.with(|world| {
        world.within(async {
            let mut run = Run::begin(world).await;
            for line in script.split(|byte| *byte == b'\n').take(MAX_LINES) {
                let line = String::from_utf8_lossy(line);
                // libFuzzer learns secrets from the comparisons that it watches; nobody else can.
                if let Some(parsed) = Line::parse(&line).filter(|_| !run.has_secret(&line)) {
                    run.carry_out(parsed).await;
                }
            }
            run.end().await;
        });
    });
}
