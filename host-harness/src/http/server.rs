//! Accepts connections, on the thread of the instance: a request that finds the instance free is answered without
//! waking another thread.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::client_address::Proxies;
use super::connection::{self, Front};
use super::counts::Counts;
use super::places::{Place, Places};
use super::site::{Site, Sites};
use super::tls::Tls;
use crate::cluster::Edge;
use crate::descriptors;
use crate::limits::Limits;
use crate::plugin::PluginActor;
use crate::tenants::Tenants;

/// Pause after a failure to accept, such as too many open files: others may close some meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Time after which the log says anew what goes on.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// Whether requests are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Serving,
    /// New requests are refused, those begun are answered.
    Closing,
}

/// The web side of one plugin, or of many.
#[derive(Debug)]
pub struct Server {
    sites: Arc<Sites>,
    limits: Limits,
    proxies: Arc<Proxies>,
    tls: Option<Arc<Tls>>,
    places: Places,
    counts: Arc<Counts>,
    phase: watch::Sender<Phase>,
}

impl Server {
    /// A server that takes requests for a plugin, behind some proxies or none, once [`Server::run`] is called. The
    /// process gets as many descriptors as the connections need, if it may have them.
    pub fn new(plugin: Arc<PluginActor>, proxies: Proxies, tls: Option<Tls>) -> Self {
        let limits = plugin.limits().clone();
        Self::of(Sites::One(Arc::new(Site::new(plugin))), limits, proxies, tls)
    }

    /// As [`Server::new`], for many plugins. `limits` bounds the connections, which may have requests for any of them.
    pub(crate) fn of_tenants(tenants: Arc<Tenants>, limits: Limits, proxies: Proxies, tls: Option<Tls>) -> Self {
        Self::of(Sites::Many(tenants), limits, proxies, tls)
    }

    /// As [`Server::of_tenants`], for plugins on other machines.
    pub(crate) fn of_edge(edge: Arc<Edge>, limits: Limits, proxies: Proxies, tls: Option<Tls>) -> Self {
        Self::of(Sites::Far(edge), limits, proxies, tls)
    }

    fn of(sites: Sites, limits: Limits, proxies: Proxies, tls: Option<Tls>) -> Self {
        let most = descriptors::connections(limits.connections);
        let places = Places::new(most, limits.connections_per_address);
        Self {
            sites: Arc::new(sites),
            limits,
            proxies: Arc::new(proxies),
            tls: tls.map(Arc::new),
            places,
            counts: Arc::default(),
            phase: watch::Sender::new(Phase::Serving),
        }
    }

    /// Takes no new request: those on open connections are answered with 503.
    pub fn close(&self) {
        self.phase.send_replace(Phase::Closing);
    }

    /// Whether [`Server::close`] was called.
    pub(crate) fn is_closing(&self) -> bool {
        *self.phase.borrow() == Phase::Closing
    }

    /// Connections that are open.
    pub(crate) fn connections(&self) -> usize {
        self.places.taken()
    }

    /// What was counted so far.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Serves one connection to its end, which may be anything that bytes go through. It takes no place among those of
    /// [`Server::run`].
    pub async fn serve<S>(&self, stream: S, peer: IpAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        connection::serve(self.front(), stream, peer).await;
    }

    fn front(&self) -> Arc<Front> {
        Arc::new(Front {
            sites: Arc::clone(&self.sites),
            limits: self.limits.clone(),
            proxies: Arc::clone(&self.proxies),
            tls: self.tls.clone(),
            counts: Arc::clone(&self.counts),
            phase: self.phase.subscribe(),
        })
    }

    /// Accepts connections until [`Server::close`], then waits for those that are open.
    pub async fn run(&self, listener: TcpListener) {
        let mut closing = self.phase.subscribe();
        let mut connections = JoinSet::new();
        let front = self.front();
        let (mut refusals, mut failures) = (Seldom::default(), Seldom::default());
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = closing.wait_for(|phase| *phase == Phase::Closing) => break,
            };
            match accepted {
                Ok((stream, peer)) => match self.places.take(peer.ip(), self.proxies.trusts(peer.ip())) {
                    Ok(place) => {
                        self.counts.opened.one();
                        connections.spawn(serve(Arc::clone(&front), stream, peer.ip(), place));
                    }
                    Err(why) => {
                        self.counts.refused(why);
                        if refusals.may_be_said() {
                            tracing::warn!(%why, address = %peer.ip(), "connections are closed at once");
                        }
                    }
                },
                Err(error) => {
                    if failures.may_be_said() {
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

/// Says when something was last said that strangers can make the log say again and again.
#[derive(Default)]
struct Seldom(Option<Instant>);

impl Seldom {
    fn may_be_said(&mut self) -> bool {
        let may = self.0.is_none_or(|last| last.elapsed() >= SAY_AGAIN);
        if may {
            self.0 = Some(Instant::now());
        }
        may
    }
}

fn serve(front: Arc<Front>, stream: TcpStream, peer: IpAddr, place: Place) -> impl Future<Output = ()> + Send {
    // A piece of an answer is small and wanted now.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "setting TCP_NODELAY");
    }
    let serving = connection::serve(front, stream, peer);
    async move {
        serving.await;
        drop(place);
    }
}
