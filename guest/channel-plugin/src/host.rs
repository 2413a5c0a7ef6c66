//! What a plugin asks of its host. A component's doors answer it with its imports, tests with a host of their own
//! that remembers what it was told.

use crate::random::Random;
use crate::response::Response;

/// Number of a message in the agent's queue.
pub type Ticket = u64;

/// Why a connection is closed, in the words of RFC 6455, section 7.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseReason {
    /// From 1000 to 1013 or 4000 to 4999.
    pub code: u16,
    /// At most 123 bytes.
    pub text: &'static str,
}

impl CloseReason {
    /// The plugin stops.
    pub const STOPPING: Self = Self {
        code: 1001,
        text: "stopping",
    };
}

/// The agent's queue did not take a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnqueueError {
    /// No place now; worth another try after so many milliseconds.
    #[error("the agent's queue is full")]
    Full {
        /// Milliseconds.
        retry_after_ms: u32,
    },
    /// Longer than so many bytes.
    #[error("the agent takes no message longer than {max_bytes} bytes")]
    TooLong {
        /// The bound.
        max_bytes: u32,
    },
    /// Says why.
    #[error("the agent's queue refused the message: {0}")]
    Other(String),
}

/// A frame was not published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Longer than so many bytes.
    #[error("the host takes no frame longer than {max_bytes} bytes")]
    TooLong {
        /// The bound.
        max_bytes: u32,
    },
    /// Says why.
    #[error("the host refused a frame: {0}")]
    Other(String),
}

/// What the agent keeps about a user was not read or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemoryError {
    /// The agent has no such note about this user.
    #[error("there is no such note")]
    UnknownNote,
    /// Says why.
    #[error("{0}")]
    Other(String),
}

/// Where a browser is woken, as its `PushSubscription` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Address of its push service.
    pub endpoint: String,
    /// Its public key (RFC 8291), uncompressed.
    pub p256dh: Vec<u8>,
    /// Its secret (RFC 8291), 16 bytes.
    pub auth: Vec<u8>,
}

/// How much it matters that a browser is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Waits until the device is awake anyway.
    Low,
    /// As messages do.
    Normal,
    /// Wakes a device that saves its battery.
    High,
}

/// On which terms a browser is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How much it matters.
    pub urgency: Urgency,
    /// Seconds for which the push service keeps it.
    pub ttl_s: u32,
    /// Milliseconds in which it may be cancelled.
    pub delay_ms: u32,
}

/// A browser is not woken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WakeError {
    /// This host wakes nobody.
    #[error("notifications cannot be sent from here")]
    Unavailable,
    /// Says what is wrong with the subscription.
    #[error("{0}")]
    Refused(String),
    /// Says why.
    #[error("the host did not take a notification: {0}")]
    Other(String),
}

/// The host could not say what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} cannot be read: {reason}")]
pub struct Unreadable {
    /// The key or the secret.
    pub what: String,
    /// Why, in the host's words.
    pub reason: String,
}

/// The host. What is enqueued, published or closed takes effect when the call into the plugin has returned.
pub trait Host {
    /// Unix time in milliseconds.
    fn now_ms(&mut self) -> i64;
    /// The source of secrets.
    fn random(&mut self) -> Random;
    /// A configuration value.
    ///
    /// # Errors
    /// When the source of the configuration failed.
    fn setting(&mut self, key: &str) -> Result<Option<String>, Unreadable>;
    /// A secret that the host keeps outside the plugin's directory.
    ///
    /// # Errors
    /// When it is not granted or cannot be read.
    fn secret(&mut self, name: &str) -> Result<Vec<u8>, Unreadable>;
    /// Asks whether a change may be made lasting together with later ones, by a call of their own.
    fn may_wait(&self) -> fn() -> bool;
    /// Puts a user's message in the agent's queue.
    ///
    /// # Errors
    /// When the queue did not take it.
    fn enqueue(&mut self, user_id: &str, message: &str) -> Result<Ticket, EnqueueError>;
    /// Takes a message out of the queue, or stops its answer; no event of that ticket follows.
    fn cancel(&mut self, ticket: Ticket);
    /// Makes a user known to the agent, by a name for people to read.
    ///
    /// # Errors
    /// When the host takes no such user or name.
    fn introduce(&mut self, user_id: &str, name: &str) -> Result<(), MemoryError>;
    /// What the agent has noted about a user.
    ///
    /// # Errors
    /// When what is kept cannot be read.
    fn notes(&mut self, user_id: &str) -> Result<Vec<String>, MemoryError>;
    /// Removes such a note.
    ///
    /// # Errors
    /// When there is no such note, or it stays.
    fn forget(&mut self, user_id: &str, note: &str) -> Result<(), MemoryError>;
    /// Sends a frame to who listens, and tells how many connections that are.
    ///
    /// # Errors
    /// When the host takes no such topic or frame.
    fn publish(&mut self, topic: &str, frame: &[u8]) -> Result<u32, PublishError>;
    /// How many connections listen to a topic; 0 where the host does not know.
    fn listeners(&mut self, topic: &str) -> u32;
    /// Answers the connections that wait on a topic for one whole response.
    ///
    /// # Errors
    /// When the host takes no such topic or response.
    fn respond(&mut self, topic: &str, response: Response) -> Result<u32, PublishError>;
    /// Ends the connections that listen to a topic, after what was published before.
    ///
    /// # Errors
    /// When the host takes no such topic or reason.
    fn close(&mut self, topic: &str, reason: CloseReason) -> Result<u32, PublishError>;
    /// The key that browsers subscribe with; none where the host wakes none.
    fn wake_key(&mut self) -> Option<Vec<u8>>;
    /// Whether a subscription can be used.
    ///
    /// # Errors
    /// When it cannot.
    fn check_wake(&mut self, subscription: &Subscription) -> Result<(), WakeError>;
    /// Wakes a browser; it learns that there is something new, and not what.
    ///
    /// # Errors
    /// When the host did not take it.
    fn wake(&mut self, subscription: &Subscription, terms: Terms) -> Result<(), WakeError>;
    /// Gives up what was to wake a browser and has not yet.
    fn cancel_wake(&mut self, endpoint: &str);
}
