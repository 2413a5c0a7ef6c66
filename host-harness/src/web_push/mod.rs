//! Wakes browsers through their push services (RFC 8030). What is sent is always the same: that there is something new.
//!
//! It is encrypted all the same: the Push API hands a browser content only if it is encrypted by RFC 8291. One message
//! an endpoint waits at a time; a later one takes its place.

mod address;
mod delivery;
mod message;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use p256::PublicKey;
use reqwest::{Client, Url};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

use crate::metrics::Counter;
use address::{PublicResolver, Refusal};
use message::{AUTH_BYTES, Identity, POINT_BYTES};

/// Endpoints at which something waits, in all.
const MAX_WAITING: usize = 1_000;

/// Requests at the same time: push services answer within a fraction of a second.
const MAX_REQUESTS: usize = 8;

/// Time for a connection, and for a whole request.
const CONNECT: Duration = Duration::from_secs(10);
const REQUEST: Duration = Duration::from_secs(30);

/// Where a browser is woken, as its `PushSubscription` says.
#[derive(Clone)]
pub struct Subscription {
    /// Address of the push service. Whoever knows it can wake the browser: it is not logged.
    pub endpoint: String,
    /// The browser's public key.
    pub p256dh: Vec<u8>,
    /// The browser's authentication secret.
    pub auth: Vec<u8>,
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Subscription(…)")
    }
}

/// How much it matters (RFC 8030, section 5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// For a device with power and Wi-Fi.
    VeryLow,
    /// For a device with either.
    Low,
    /// For a device with neither.
    Normal,
    /// For a device whose battery is low.
    High,
}

/// On which terms a browser is woken.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// How much it matters.
    pub urgency: Urgency,
    /// Time for which the push service keeps it.
    pub ttl: Duration,
    /// Time before it is sent, in which it may be cancelled.
    pub delay: Duration,
}

/// Why a subscription cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The endpoint.
    #[error(transparent)]
    Endpoint(#[from] EndpointRefusal),
    /// The browser's key.
    #[error("p256dh must be a point on P-256, uncompressed: 65 bytes")]
    Key,
    /// The authentication secret.
    #[error("auth must have 16 bytes")]
    Auth,
}

/// Why an endpoint cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct EndpointRefusal(Refusal);

/// There is no identity, or no TLS.
#[derive(Debug, thiserror::Error)]
#[error("setting up Web Push: {0}")]
pub struct WebPushError(String);

/// A message that was checked, for one browser.
#[derive(Debug)]
pub(crate) struct Delivery {
    endpoint: String,
    url: Url,
    browser: PublicKey,
    auth: Vec<u8>,
    terms: Terms,
}

/// Sends what wakes browsers.
pub struct WebPush {
    identity: Identity,
    allowed: Vec<SocketAddr>,
    client: Client,
    requests: Semaphore,
    counts: Counts,
    waiting: Mutex<HashMap<String, Waiting>>,
}

/// What is counted of what was to wake browsers. What was replaced or cancelled before it was sent is in none of these.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) sent: Counter,
    /// The browser cannot be woken any more.
    pub(crate) gone: Counter,
    /// The push service refused it, or was away too long.
    pub(crate) failed: Counter,
}

/// What is on its way to one endpoint.
struct Waiting {
    task: AbortHandle,
    /// When the push service wants to be asked again.
    not_before: Option<Instant>,
}

impl std::fmt::Debug for WebPush {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebPush")
            .field("allowed", &self.allowed)
            .finish_non_exhaustive()
    }
}

impl WebPush {
    /// A sender with the identity that follows from a secret. `contact` is an https address where push services find
    /// who sends; `allowed` are addresses of push services that may be in a private network and without TLS.
    ///
    /// # Errors
    /// When the system's certificates cannot be used.
    pub fn new(secret: &[u8], contact: Option<String>, allowed: Vec<SocketAddr>) -> Result<Self, WebPushError> {
        let identity = Identity::new(secret, contact).ok_or_else(|| WebPushError("no key".to_owned()))?;
        let client = crate::crypto::client()
            .map_err(|error| WebPushError(error.to_string()))?
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(PublicResolver))
            .connect_timeout(CONNECT)
            .timeout(REQUEST)
            .build()
            .map_err(|error| WebPushError(error.to_string()))?;
        Ok(Self {
            identity,
            allowed,
            client,
            requests: Semaphore::new(MAX_REQUESTS),
            counts: Counts::default(),
            waiting: Mutex::default(),
        })
    }

    /// What was counted so far.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The key that browsers subscribe with.
    pub(crate) fn public_key(&self) -> &[u8] {
        &self.identity.public_key
    }

    /// Checks a subscription as far as that is possible without asking the network.
    pub(crate) fn check(&self, subscription: Subscription, terms: Terms) -> Result<Delivery, Unusable> {
        let url = address::parse(&subscription.endpoint, &self.allowed).map_err(EndpointRefusal)?;
        let browser = Some(&subscription.p256dh)
            .filter(|key| key.len() == POINT_BYTES)
            .and_then(|key| PublicKey::from_sec1_bytes(key).ok())
            .ok_or(Unusable::Key)?;
        if subscription.auth.len() != AUTH_BYTES {
            return Err(Unusable::Auth);
        }
        Ok(Delivery {
            endpoint: subscription.endpoint,
            url,
            browser,
            auth: subscription.auth,
            terms,
        })
    }

    /// Whether there is place for so many more.
    pub(crate) fn has_place(&self, more: usize) -> bool {
        self.waiting().len().saturating_add(more) <= MAX_WAITING
    }

    /// Whether nothing is on its way.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting().is_empty()
    }

    /// Gives up what was to be sent to an endpoint and has not been.
    pub(crate) fn cancel(&self, endpoint: &str) {
        if let Some(waiting) = self.waiting().remove(endpoint) {
            waiting.task.abort();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<String, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
