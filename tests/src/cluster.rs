//! A cluster on this machine: a real NATS, and processes of each role.

use std::path::Path;

use nats_server::NatsServer;
use rustix::process::Signal;

use crate::{Data, Harness, Outcome, Process, Tenant};

/// A NATS, and a directory that all nodes share. What runs in it is ended by who started it.
#[derive(Debug)]
pub struct Cluster {
    /// The NATS of all.
    pub nats: NatsServer,
    shared: tempfile::TempDir,
}

/// A node or a worker. It is killed when this is dropped.
#[derive(Debug)]
pub struct Node {
    process: Process,
    name: String,
    _data: Data,
}

impl Cluster {
    /// One of which nothing runs but NATS.
    pub fn start() -> Self {
        Self {
            nats: NatsServer::start(),
            shared: tempfile::tempdir().unwrap(),
        }
    }

    /// What the tenants have that share a directory.
    pub fn shared(&self) -> &Path {
        self.shared.path()
    }

    /// Data of a process that finds this NATS.
    pub fn data(&self) -> Data {
        Data::new().with_config(&format!("[nats]\nurl = \"{}\"", self.nats.url()))
    }

    /// Starts an edge.
    pub fn edge(&self, name: &str) -> Harness {
        Harness::start_role(&self.data(), &["edge", "--name", name, "--port", "0"])
    }

    /// Starts a node with a directory of its own.
    pub fn node(&self, name: &str) -> Node {
        self.node_of(self.data(), name)
    }

    /// Starts a node that shares its directory with others.
    pub fn sharing_node(&self, name: &str) -> Node {
        let config = format!(
            "[nats]\nurl = \"{}\"\nreplicated = false\n[tenants]\ndirectory = {:?}",
            self.nats.url(),
            self.shared()
        );
        self.node_of(Data::new().with_config(&config), name)
    }

    /// Starts a node whose agent is on workers.
    pub fn node_with_workers(&self, name: &str) -> Node {
        self.role(self.data(), &["node", "--name", name, "--agent", "workers"])
    }

    /// Starts a worker.
    pub fn worker(&self, name: &str, agent: &str) -> Node {
        self.role(self.data(), &["worker", "--name", name, "--agent", agent])
    }

    fn node_of(&self, data: Data, name: &str) -> Node {
        self.role(data, &["node", "--name", name, "--agent", "echo:1ms"])
    }

    fn role(&self, data: Data, arguments: &[&str]) -> Node {
        let name = arguments[2];
        let process = Process::start(data.command(arguments));
        let ready = process.stdout.find(|line| line.contains("is ready"));
        if ready.is_none() {
            process.stderr.end();
            panic!("it does not run:\n{}", process.stderr.text());
        }
        Node {
            process,
            name: name.to_owned(),
            _data: data,
        }
    }

    /// Adds a tenant.
    pub fn tenant(&self, name: &str) -> Tenant {
        Tenant::add(&self.data(), name, &[])
    }

    /// What the cluster says of itself.
    pub fn status(&self) -> String {
        self.data().run(&["cluster", "status"]).success()
    }

    /// How many tenants a node has, as the cluster says.
    pub fn tenants_of(&self, node: &str) -> usize {
        let status = self.status();
        let line = status.lines().find(|line| line.contains(&format!(" {node} ")));
        let line = line.unwrap_or_else(|| panic!("no {node} in {status}"));
        let (before, _) = line.split_once(" tenants").unwrap();
        before.rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// Has a node hand over what it has.
    pub fn drain(&self, node: &str) -> Outcome {
        self.data().run(&["cluster", "drain", node])
    }
}

impl Node {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Ends it on the spot.
    pub fn kill(self) {
        self.process.kill();
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Asks it to end, and waits for that.
    pub fn stop(self) -> Outcome {
        self.process.signal(Signal::TERM);
        self.process.wait()
    }

    /// Its log.
    pub fn log(&self) -> &crate::Lines {
        &self.process.stderr
    }
}
