//! Every bound on the plugin and on those who talk to it, each with the reason for its value.

use std::time::Duration;

/// The bounds of one plugin. Each is read by the part that it bounds.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Linear memory of the instance in bytes. SQLite's page cache is 16 MiB and answers in progress are small.
    pub memory_bytes: usize,
    /// Elements of a table. The component's own has a few thousand functions.
    pub table_elements: usize,
    /// Instances, tables and memories in a store. A component of one module with its adapters needs a handful.
    pub instances: usize,
    /// Time for one call. Calls take microseconds; a slow disk may make one wait.
    pub call: Duration,
    /// Time for `start` and `stop`, which may migrate or compact a database.
    pub life_cycle_call: Duration,
    /// Calls that share one commit. At 50 µs each the first one waits an eightieth of a second for the last.
    pub calls_per_commit: usize,
    /// Calls that wait for the instance. At 50 µs each the last one waits a twentieth of a second.
    pub waiting_calls: usize,
    /// Bytes that one call may hand to the host's imports together; a wider one traps.
    pub hostcall_bytes: usize,
    /// Bytes of a published frame. A chat message is at most 64 KiB and twice that when rendered and escaped.
    pub frame_bytes: usize,
    /// Publishes, responds and closes in one call. A revoke touches a handful of topics.
    pub pushes_per_call: usize,
    /// Log lines in one call. Debug logging of one request is a handful.
    pub log_lines_per_call: usize,
    /// Bytes of a log line; the rest is cut.
    pub log_line_bytes: usize,
    /// Frames that wait for one held connection before it is cut.
    pub held_frames: usize,
    /// Bytes that wait for one held connection before it is cut.
    pub held_bytes: usize,
    /// Connections held at a time. Each costs a few KiB and a descriptor.
    pub held_connections: usize,
    /// Connections open at a time, each a descriptor; fewer where the process may not have as many.
    pub connections: usize,
    /// Connections of one address, of IPv6 of one /64, which is what one customer has. A browser opens six, so this
    /// is a school behind one address, and it takes forty such to fill the house. Trusted proxies have no such bound.
    pub connections_per_address: usize,
    /// HTTP/2 streams of one connection: the fewest that its standard advises (RFC 9113, section 6.5.2).
    pub streams_per_connection: u32,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// Time for a TLS handshake, which is a few hundred milliseconds on a bad line.
    pub handshake: Duration,
    /// Time in which a client that is written to takes at least one byte more.
    pub write: Duration,
    /// Time that an HTTP/2 connection stays open without a request. HTTP/1.1 has the time for a head.
    pub idle: Duration,
    /// Bytes of a request's body. The plugin may allow less; ours allows 64 KiB.
    pub body_bytes: usize,
    /// Time for a request's head to arrive.
    pub head: Duration,
    /// Time for a request's body to arrive.
    pub body: Duration,
    /// Bytes of a message for the agent.
    pub message_bytes: usize,
    /// Messages of one user that wait while one is being answered.
    pub waiting_turns_per_user: usize,
    /// Messages that wait in all.
    pub waiting_turns: usize,
    /// Messages that are answered at the same time.
    pub running_turns: usize,
    /// Time for what is queued to be answered when the harness ends.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 128 << 20,
            table_elements: 100_000,
            instances: 32,
            call: Duration::from_secs(2),
            life_cycle_call: Duration::from_secs(60),
            calls_per_commit: 256,
            waiting_calls: 1_000,
            hostcall_bytes: 16 << 20,
            frame_bytes: 512 << 10,
            pushes_per_call: 1_000,
            log_lines_per_call: 100,
            log_line_bytes: 4 << 10,
            held_frames: 256,
            held_bytes: 1 << 20,
            held_connections: 20_000,
            connections: 20_000,
            connections_per_address: 500,
            streams_per_connection: 100,
            head_bytes: 64 << 10,
            handshake: Duration::from_secs(10),
            write: Duration::from_secs(60),
            idle: Duration::from_secs(120),
            body_bytes: 256 << 10,
            head: Duration::from_secs(10),
            body: Duration::from_secs(30),
            message_bytes: 64 << 10,
            waiting_turns_per_user: 4,
            waiting_turns: 1_000,
            running_turns: 16,
            drain: Duration::from_secs(10),
        }
    }
}
