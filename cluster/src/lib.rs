//! Shares channel plugins out among machines, over [NATS](https://docs.nats.io) with JetStream.
//!
//! Three roles, each in any number: an edge has the sockets and the held streams, a node has the plugins' instances, a worker has
//! the agent. What each knows of the others goes through [`Link`]. Nothing here knows what a plugin is.

mod link;

pub mod lease;
mod log;
mod owners;
mod placement;
mod turns;

pub use lease::{Member, Owner, Role};
pub use link::{Access, Link, LinkError, PREFIX, text, token};
pub use log::{Found, Log, LogError, Logs};
pub use owners::{Change, Claim, ClaimError, Owners, bucket, watch_all};
pub use placement::{heir, place, surplus};
pub use turns::{Answer, Heard, Taken, Taking, TurnError, Turns, Unwanted};
