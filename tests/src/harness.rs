//! A running harness.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;

use rustix::process::Signal;

use crate::secrets::Searched;
use crate::{Data, Friend, Invite, Lines, Outcome, Process};

/// What the harness says when it serves.
const READY: [&str; 2] = ["The chat is at ", " served at "];

/// Everything that it can say: what is searched for secrets should be all there is.
const LOG: &str = "trace";

/// A harness that serves. It is killed when this is dropped.
#[derive(Debug)]
pub struct Harness {
    process: Process,
    // Below the process, so that it is searched when that has ended.
    searched: Searched,
    data: Data,
    address: SocketAddr,
}

impl Harness {
    /// Serves new data with the echo agent.
    pub fn start() -> Self {
        Data::new().serve(&[])
    }

    /// Serves `data` on a port; 0 for a free one, which needs the base URL to be the local one.
    pub fn start_on(data: &Data, port: u16, arguments: &[&str]) -> Self {
        let port_argument = port.to_string();
        let arguments = [&["serve", "--port", &port_argument], arguments].concat();
        let mut command = data.command(&arguments);
        command.env("RUST_LOG", LOG);
        Self::run(data, port, command)
    }

    /// Serves `data` on a free port, logging only what an owner sees: for tests that would log more than fits in memory.
    /// `prepare` may change the environment of the program.
    pub fn start_quietly(data: &Data, arguments: &[&str], prepare: impl FnOnce(&mut Command)) -> Self {
        let arguments = [&["serve", "--port", "0"], arguments].concat();
        let mut command = data.command(&arguments);
        prepare(&mut command);
        Self::run(data, 0, command)
    }

    /// Starts what has the sockets of a cluster.
    pub fn start_role(data: &Data, arguments: &[&str]) -> Self {
        let mut command = data.command(arguments);
        command.env("RUST_LOG", LOG);
        Self::run(data, 0, command)
    }

    fn run(data: &Data, port: u16, command: Command) -> Self {
        let process = Process::start(command);
        let ready = process.stdout.find(|line| READY.iter().any(|said| line.contains(said)));
        let ready = ready.unwrap_or_else(|| {
            process.stderr.end();
            panic!("the harness does not serve:\n{}", process.stderr.text())
        });
        let port = match port {
            0 => ready.rsplit(':').next().unwrap().parse().unwrap(),
            known => known,
        };
        Self {
            searched: Searched(process.stderr.clone()),
            process,
            data: data.clone(),
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port),
        }
    }

    /// Its data.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process number.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The bytes of memory that it has allocated and uses: without files, which other harnesses share.
    pub fn memory_bytes(&self) -> u64 {
        let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.id())).unwrap();
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss_Anon:")).unwrap();
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        kib << 10
    }

    /// Its log.
    pub fn log(&self) -> &Lines {
        &self.process.stderr
    }

    /// What it told its owner.
    pub fn output(&self) -> &Lines {
        &self.process.stdout
    }

    /// Carries out a command of the owner.
    pub fn owner(&self, arguments: &[&str]) -> Outcome {
        self.data.run(arguments)
    }

    /// Invites a friend.
    pub fn invite(&self, user: &str) -> Invite {
        Invite::parse(&self.owner(&["invite", user]).success())
    }

    /// Invites a friend who joins at once.
    pub fn friend(&self, user: &str) -> Friend {
        let friend = Friend::stranger(self);
        friend.join(&self.invite(user));
        friend
    }

    /// Sends a friend a message of the agent's own.
    pub fn nudge(&self, user: &str, text: &str) -> String {
        self.owner(&["nudge", user, text]).success()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits for its end.
    pub fn wait(self) -> Outcome {
        let outcome = self.process.wait();
        drop(self.searched);
        outcome
    }

    /// Asks it to end, waits for that, and gives back its data.
    pub fn stop(self) -> Data {
        self.signal(Signal::TERM);
        let data = self.data.clone();
        let outcome = self.wait();
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        data
    }

    /// As [`Harness::stop`], and gives all that it has logged.
    pub fn stop_and_log(self) -> String {
        let log = self.log().clone();
        self.stop();
        log.end();
        log.text()
    }

    /// Ends it on the spot and gives back its data.
    pub fn kill(self) -> Data {
        self.process.kill();
        self.data
    }
}
