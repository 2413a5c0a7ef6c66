//! Arbitrary sequences of requests, sockets, owner's commands and agent's words against the real component in the real
//! host, without sockets. Nothing that anybody sends may trap it, make it fail, give a secret away or end a session.
//!
//! An input is a [script](script::Line) in plain text, so that a seed can be read and an input that failed can be
//! kept as one. `make fuzz` lets libFuzzer look for inputs; `make test` tries the seeds and [mutations](mutate) of them.

mod account;
mod agent;
mod browser;
mod check;
mod held;
mod log;
mod mutate;
mod run;
mod script;
mod world;

pub use mutate::Mutations;

use run::Run;
use script::Line;
use world::World;

/// Most lines of a script that are carried out: longer ones find nothing that two short ones do not.
const MAX_LINES: usize = 64;

thread_local! {
    static WORLD: World = World::new();
}

/// Carries out a script and panics when something is not as it should be.
pub fn run(script: &[u8]) {
    let _shown = Shown(script);
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

/// Shows the script of a run that fails.
struct Shown<'a>(&'a [u8]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this script fails:\n{}", String::from_utf8_lossy(self.0));
        }
    }
}
