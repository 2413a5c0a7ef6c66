//! Many machines, over NATS: edges have the sockets and the held streams, nodes have the plugins, workers have the agent, each in
//! any number.
//!
//! A tenant runs on one node at a time, by a lease ([`cluster::Owners`]); an edge asks that node by request and reply, and listens
//! to what its plugin publishes by subject. The tenants themselves, with their settings, are a bucket that all mirror
//! ([`Mirror`]).

mod edge;
mod far;
mod last_id;
mod mirror;
mod node;
mod replica;
mod roles;
mod streams;
mod topic;
mod wire;
mod workers;

pub(crate) use edge::Edge;
pub(crate) use far::FarPlugin;
pub use mirror::{Mirror, MirrorError};
pub(crate) use node::{Keeper, Keeping, TakeError};
pub use roles::{ClusterError, ask_owner, drain, edge, node, status};
pub(crate) use workers::Workers;
pub use workers::{AT_ONCE, worker};

/// Who asks, by a number that no other process of the cluster has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sender(u32);

impl Sender {
    /// Another number each time.
    pub(super) fn new() -> Self {
        let mut bytes = [0; 4];
        // Without randomness nothing else of this program works either.
        let _ = getrandom::fill(&mut bytes);
        Self(u32::from_le_bytes(bytes))
    }

    pub(super) fn number(self) -> u64 {
        self.0.into()
    }
}

/// The subjects of NATS.
pub(super) mod subject {
    use cluster::{PREFIX, token};

    /// Where a node is asked.
    pub(in crate::cluster) fn call(node: &str) -> String {
        format!("{PREFIX}.call.{}", token(node))
    }

    /// Where what a tenant's plugin publishes goes.
    pub(in crate::cluster) fn frames(tenant: &str, topic: &str) -> String {
        format!("{PREFIX}.frames.{}.{}", token(tenant), token(topic))
    }

    /// Where a node is told to give up all that it has.
    pub(in crate::cluster) fn drain(node: &str) -> String {
        format!("{PREFIX}.drain.{}", token(node))
    }
}
