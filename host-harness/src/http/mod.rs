//! The web side: takes requests from sockets, in full and within bounds, and writes what the plugin answers.

mod client_address;
mod held;
mod response;
mod server;
mod socket;

pub use client_address::{ForwardedHeader, Proxies, network};
pub use server::Server;
