//! Accepts connections, on the thread of the instance: a request that finds the instance free is answered without
//! waking another thread.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::client_address::Proxies;
use super::connection::{self, Front};
use super::places::{Place, Places};
use super::tls::Tls;
use crate::descriptors;
use crate::plugin::PluginActor;

/// Pause after a failure to accept, such as too many open files: others may close some meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Whether requests are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Serving,
    /// New requests are refused, those begun are answered.
    Closing,
}

/// The web side of one plugin.
#[derive(Debug)]
pub struct Server {
    plugin: Arc<PluginActor>,
    proxies: Arc<Proxies>,
    tls: Option<Arc<Tls>>,
    places: Places,
    phase: watch::Sender<Phase>,
}

impl Server {
    /// A server that takes requests for a plugin, behind some proxies or none, once [`Server::run`] is called. The
    /// process gets as many descriptors as the connections need, if it may have them.
    pub fn new(plugin: Arc<PluginActor>, proxies: Proxies, tls: Option<Tls>) -> Self {
        let limits = plugin.limits();
        let most = descriptors::connections(limits.connections);
        let places = Places::new(most, limits.connections_per_address);
        Self {
            plugin,
            proxies: Arc::new(proxies),
            tls: tls.map(Arc::new),
            places,
            phase: watch::Sender::new(Phase::Serving),
        }
    }

    /// Takes no new request: those on open connections are answered with 503.
    pub fn close(&self) {
        self.phase.send_replace(Phase::Closing);
    }

    /// Accepts connections until [`Server::close`], then waits for those that are open.
    pub async fn run(&self, listener: TcpListener) {
        let mut closing = self.phase.subscribe();
        let mut connections = JoinSet::new();
        let front = Front {
            plugin: Arc::clone(&self.plugin),
            proxies: Arc::clone(&self.proxies),
            tls: self.tls.clone(),
            phase: self.phase.subscribe(),
        };
        let mut refused = None;
        let mut is_failing = false;
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = closing.wait_for(|phase| *phase == Phase::Closing) => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    is_failing = false;
                    let place = self.places.take(peer.ip(), self.proxies.trusts(peer.ip()));
                    if place.as_ref().err() != refused.as_ref() {
                        refused = place.as_ref().err().copied();
                        if let Some(why) = refused {
                            tracing::warn!(%why, address = %peer.ip(), "connections are closed at once");
                        }
                    }
                    if let Ok(place) = place {
                        connections.spawn(serve(front.clone(), stream, peer.ip(), place));
                    }
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_failing, true) {
                        tracing::warn!(%error, "accepting a connection; trying again and again");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
            while connections.try_join_next().is_some() {}
        }
        drop(listener);
        while connections.join_next().await.is_some() {}
    }
}

async fn serve(front: Front, stream: TcpStream, peer: IpAddr, _place: Place) {
    connection::serve(front, stream, peer).await;
}
