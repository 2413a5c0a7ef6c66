//! The web side: takes requests from sockets, in full and within bounds, and writes what the plugin answers.

mod begun;
mod cache;
mod carrier;
mod client_address;
mod connection;
mod counts;
mod held;
mod patience;
mod places;
mod respond;
mod response;
mod server;
mod shape;
mod site;
mod socket;
mod stream;
mod tls;

pub use client_address::{ForwardedHeader, Proxies, network};
pub use server::Server;
pub use site::Site;
pub use tls::{Tls, TlsError, TlsFiles};
