//! Every bound on the plugin and on those who talk to it, each with the reason for its value.
//!
//! The list is written once: the struct, its defaults, what `[limits]` in the configuration may say, `docs/limits.md`
//! and what `status` reports all come from it.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

mod amount;
mod rate;

use amount::Amount;
pub(crate) use amount::Measure;
pub(crate) use rate::Rates;

macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty = $default:expr,)+) => {
        /// The bounds of one plugin. Each is read by the part that it bounds, which reports how near it came.
        #[derive(Debug, Clone)]
        pub struct Limits {
            $($(#[doc = $doc])+ pub $name: $type,)+
            /// How near each was come to. Clones share it.
            pub peaks: Arc<Peaks>,
        }

        /// The name of a bound, as in the configuration.
        #[allow(non_camel_case_types, reason = "the names of the fields")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs, reason = "documented at the fields")]
        pub enum Limit { $($name,)+ }

        impl Limit {
            /// Every bound, in the order of the struct.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Its name in the configuration, and in the log where it was broken.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// What it bounds and why its default is what it is.
            pub fn reason(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc,)+).trim_ascii(),)+ }
            }
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)+ peaks: Arc::default() }
            }
        }

        impl Limits {
            /// The value of a bound in text, with its unit.
            pub fn value(&self, limit: Limit) -> String {
                match limit { $(Limit::$name => self.$name.show(limit.name()),)+ }
            }

            fn set(&mut self, limit: Limit, value: &Value) -> Result<(), &'static str> {
                match limit { $(Limit::$name => self.$name = Amount::read(limit.name(), value)?,)+ }
                Ok(())
            }

            /// The value of a bound as a number.
            pub(crate) fn measure(&self, limit: Limit) -> Measure {
                match limit { $(Limit::$name => self.$name.measure(limit.name()),)+ }
            }

            /// The most that was seen as a number; none where nothing was seen or it is not watched.
            pub(crate) fn measure_peak(&self, limit: Limit) -> Option<Measure> {
                let peak = self.peaks.most.get(limit as usize)?.load(Ordering::Relaxed);
                match limit { $(Limit::$name => Some(<$type>::from_peak(peak)?.measure(limit.name())),)+ }
            }

            fn peak(&self, limit: Limit) -> Option<String> {
                let peak = self.peaks.most.get(limit as usize)?.load(Ordering::Relaxed);
                match limit { $(Limit::$name => <$type>::from_peak(peak)?.show(limit.name()).into(),)+ }
            }
        }
    };
}

limits! {
    /// Linear memory of the instance in bytes. SQLite's page cache is 16 MiB and answers in progress are small.
    memory_bytes: usize = 128 << 20,
    /// Elements of a table. The component's own has a few thousand functions.
    table_elements: usize = 100_000,
    /// Instances, tables and memories in a store. A component of one module with its adapters needs a handful.
    instances: usize = 32,
    /// Time for one call. Calls take microseconds; a slow disk may make one wait.
    call: Duration = Duration::from_secs(2),
    /// Time for `start`, which may migrate a database.
    start: Duration = Duration::from_secs(60),
    /// Time for `stop`, which may compact a database. Who ends the harness waits for it, and service managers kill after 90 seconds.
    stop: Duration = Duration::from_secs(60),
    /// Calls that share one commit. At 50 µs each the first one waits an eightieth of a second for the last.
    calls_per_commit: usize = 256,
    /// Calls that wait for the instance. At 50 µs each the last one waits a twentieth of a second.
    waiting_calls: usize = 1_000,
    /// Bytes that the plugin may hand to the host at once, to an import or as an answer; what is wider traps.
    hostcall_bytes: usize = 16 << 20,
    /// Bytes of a published frame. A chat message is at most 64 KiB and twice that when rendered and escaped.
    frame_bytes: usize = 512 << 10,
    /// Publishes, responds and closes in one call. A revoke touches a handful of topics.
    pushes_per_call: usize = 1_000,
    /// Publishes, responds and closes in a minute. One core cannot carry more to readers, and no chat comes near.
    pushes_per_minute: usize = 5_000_000,
    /// Log lines in one call. Debug logging of one request is a handful.
    log_lines_per_call: usize = 100,
    /// Log lines in a minute. A thousand a second are more than anybody reads.
    log_lines_per_minute: usize = 60_000,
    /// Bytes of a log line; the rest is cut. A line is a sentence or two.
    log_line_bytes: usize = 4 << 10,
    /// Bytes of log lines in a minute: under 24 GiB a day, which log rotation copes with.
    log_bytes_per_minute: usize = 16 << 20,
    /// Frames that wait for one held connection before it is cut. An answer comes in a few hundred pieces.
    held_frames: usize = 256,
    /// Bytes that wait for one held connection before it is cut. Two of the widest frames.
    held_bytes: usize = 1 << 20,
    /// Connections held at a time. Each costs a few KiB and a descriptor.
    held_connections: usize = 20_000,
    /// Connections open at a time, each a descriptor; fewer where the process may not have as many.
    connections: usize = 20_000,
    /// Connections of one address, of IPv6 of one /64, which is what one customer has. A browser opens six, so this is a school behind one address, and it takes forty such to fill the house. Trusted proxies have no such bound.
    connections_per_address: usize = 500,
    /// HTTP/2 streams of one connection: the fewest that its standard advises (RFC 9113, section 6.5.2).
    streams_per_connection: usize = 100,
    /// Bytes of a request's head, at least 8 KiB. Browsers and proxies send no more than 32 KiB.
    head_bytes: usize = 64 << 10,
    /// Time for a TLS handshake, which is a few hundred milliseconds on a bad line.
    handshake: Duration = Duration::from_secs(10),
    /// Time in which a client that is written to takes at least one byte more. A phone in a tunnel has a minute.
    write: Duration = Duration::from_secs(60),
    /// Time that an HTTP/2 connection stays open without a request. HTTP/1.1 has the time for a head.
    idle: Duration = Duration::from_secs(120),
    /// Topics of one held connection. A page listens to a handful.
    topics_per_hold: usize = 64,
    /// Bytes of a request's body. The plugin may allow less; ours allows 64 KiB.
    body_bytes: usize = 256 << 10,
    /// Time for a request's head to arrive. It fits a few packets.
    head: Duration = Duration::from_secs(10),
    /// Time for a request's body to arrive. 64 KiB need as long on the slowest of mobile lines.
    body: Duration = Duration::from_secs(30),
    /// Bytes of answers that are kept to be given again. The page with all its files takes 200 KiB in a language.
    cached_bytes: usize = 4 << 20,
    /// Bytes of a response's body. A page of history is at most a few MiB.
    response_body_bytes: usize = 8 << 20,
    /// Headers of a response. Ours have a dozen.
    response_headers: usize = 100,
    /// Bytes of a response's header names and values together. Browsers and proxies take no more than 32 KiB.
    response_header_bytes: usize = 32 << 10,
    /// Bytes of the files in the plugin's directory, at least 4 KiB for each. Messages of a hundred friends for years.
    directory_bytes: usize = 1 << 30,
    /// Files and directories in the plugin's directory. Ours are a handful, and to count a thousand takes a millisecond.
    directory_files: usize = 1_000,
    /// Bytes of a message for the agent. The chat takes no longer ones.
    message_bytes: usize = 64 << 10,
    /// Messages and cancels in one call. A start puts back all that waits, which `waiting_turns` bounds.
    turns_per_call: usize = 2_000,
    /// Messages and cancels in a minute. One core cannot carry more.
    turns_per_minute: usize = 1_000_000,
    /// Messages of one user that wait while one is being answered. More than anybody types ahead.
    waiting_turns_per_user: usize = 4,
    /// Messages that wait in all. Of the longest, 64 MiB.
    waiting_turns: usize = 1_000,
    /// Messages that are answered at the same time. A model's server rarely does more.
    running_turns: usize = 16,
    /// Time for what is queued to be answered when the harness ends. What is not answered then is answered after the next start.
    drain: Duration = Duration::from_secs(10),
}

/// Why `[limits]` does not hold.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LimitsError {
    /// No bound has this name, but one is near.
    #[error("[limits]: there is no `{name}`: do you mean `{nearest}`?")]
    Misspelt {
        /// What was written.
        name: String,
        /// The nearest name.
        nearest: &'static str,
    },
    /// No bound has this name, nor one like it.
    #[error("[limits]: there is no `{0}`: docs/limits.md lists what there is")]
    Unknown(String),
    /// The value is of another kind.
    #[error("[limits]: `{name}` is to be {expected}")]
    Value {
        /// The bound.
        name: &'static str,
        /// What it is to be, with an example.
        expected: &'static str,
    },
}

/// What a bound is and how near it was come to, for the owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitReport {
    /// Its name in the configuration.
    pub name: Cow<'static, str>,
    /// Its value, with its unit.
    pub limit: String,
    /// The most that was seen since the harness started; none where nothing was seen or it is not watched.
    pub peak: Option<String>,
}

/// The most that was seen of each bound: bytes, numbers, or microseconds.
#[derive(Debug)]
pub struct Peaks {
    most: [AtomicU64; Limit::ALL.len()],
    told: Mutex<[Option<Instant>; Limit::ALL.len()]>,
}

impl Default for Peaks {
    fn default() -> Self {
        Self {
            most: [const { AtomicU64::new(0) }; Limit::ALL.len()],
            told: Mutex::new([None; Limit::ALL.len()]),
        }
    }
}

/// Time for which a bound that is met again and again is not logged again.
const TOLD_AGAIN: Duration = Duration::from_secs(60);

impl Limits {
    /// The defaults with what a table of the configuration says.
    ///
    /// # Errors
    /// When it has a name that there is not, or a value of another kind.
    pub fn from_table(table: &Table) -> Result<Self, LimitsError> {
        let mut limits = Self::default();
        for (name, value) in table {
            let limit = Limit::ALL.iter().find(|limit| limit.name() == name);
            let limit = limit.copied().ok_or_else(|| unknown(name))?;
            limits.set(limit, value).map_err(|expected| LimitsError::Value {
                name: limit.name(),
                expected,
            })?;
        }
        Ok(limits)
    }

    /// Notes that this much was seen: bytes or a number.
    pub fn note(&self, limit: Limit, amount: usize) {
        self.note_u64(limit, amount.try_into().unwrap_or(u64::MAX));
    }

    /// Notes that something lasted this long.
    pub fn note_time(&self, limit: Limit, time: Duration) {
        self.note_u64(limit, time.as_micros().try_into().unwrap_or(u64::MAX));
    }

    fn note_u64(&self, limit: Limit, amount: u64) {
        if let Some(peak) = self.peaks.most.get(limit as usize) {
            // Mostly it is no new peak, and to look costs less than to write.
            if peak.load(Ordering::Relaxed) < amount {
                peak.fetch_max(amount, Ordering::Relaxed);
            }
        }
    }

    /// Tells the owner that the plugin met a bound, at most once a minute each.
    pub fn tell(&self, limit: Limit) {
        let mut told = self.peaks.told.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(told) = told.get_mut(limit as usize) else {
            return;
        };
        if told.is_some_and(|at| at.elapsed() < TOLD_AGAIN) {
            return;
        }
        *told = Some(Instant::now());
        tracing::warn!(
            limit = limit.name(),
            is = self.value(limit),
            "the plugin met a limit: if it needs more, and you trust it, raise this one under [limits] in the configuration"
        );
    }

    /// Every bound with its peak.
    pub fn report(&self) -> Vec<LimitReport> {
        let report = |limit: &Limit| LimitReport {
            name: limit.name().into(),
            limit: self.value(*limit),
            peak: self.peak(*limit),
        };
        Limit::ALL.iter().map(report).collect()
    }

    /// The table of all bounds in `docs/limits.md`.
    pub fn markdown() -> String {
        let defaults = Self::default();
        let row = |limit: &Limit| {
            format!(
                "| `{}` | {} | {} |\n",
                limit.name(),
                defaults.value(*limit),
                limit.reason()
            )
        };
        let rows: String = Limit::ALL.iter().map(row).collect();
        format!("| name | default | what it bounds, and why so |\n|---|---|---|\n{rows}")
    }
}

/// Letters that may be wrong in a name for which another is offered.
const WRONG_LETTERS: usize = 5;

fn unknown(name: &str) -> LimitsError {
    let distance = |limit: &&Limit| strsim::damerau_levenshtein(limit.name(), name);
    match Limit::ALL.iter().min_by_key(distance) {
        Some(nearest) if distance(&nearest) <= WRONG_LETTERS => LimitsError::Misspelt {
            name: name.to_owned(),
            nearest: nearest.name(),
        },
        _ => LimitsError::Unknown(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn limits(toml: &str) -> Result<Limits, LimitsError> {
        Limits::from_table(&toml.parse().unwrap())
    }

    #[test]
    fn each_is_set_with_its_unit_and_read_back() {
        let text = "memory_bytes = \"64 MiB\"\ncall = \"500ms\"\nwaiting_calls = 7\nframe_bytes = 1000";
        let limits = limits(text).unwrap();
        assert_eq!(limits.memory_bytes, 64 << 20);
        assert_eq!(limits.call, Duration::from_millis(500));
        assert_eq!(limits.waiting_calls, 7);
        assert_eq!(limits.frame_bytes, 1000);
        assert_eq!(limits.value(Limit::memory_bytes), "64 MiB");
        assert_eq!(limits.value(Limit::call), "500ms");
        assert_eq!(limits.value(Limit::frame_bytes), "1000 B");
        for limit in Limit::ALL {
            let written = toml::Table::from_iter([(limit.name().to_owned(), limits.value(*limit).into())]);
            let read = Limits::from_table(&written).unwrap();
            assert_eq!(read.value(*limit), limits.value(*limit));
        }
    }

    #[test]
    fn what_there_is_not_is_refused_with_what_there_is() {
        let refusal = |text| limits(text).unwrap_err().to_string();
        assert!(refusal("memory_byte = 1").contains("do you mean `memory_bytes`"));
        assert!(refusal("something_quite_different = 1").contains("docs/limits.md"));
        assert!(refusal("memory_bytes = \"64 MB\"").contains("MiB"));
        assert!(refusal("memory_bytes = 0").contains("`memory_bytes`"));
        assert!(refusal("memory_bytes = -1").contains("`memory_bytes`"));
        assert!(refusal("call = 2").contains("2s"));
        assert!(refusal("call = \"0s\"").contains("`call`"));
        assert!(refusal("waiting_calls = \"many\"").contains("number"));
    }

    #[test]
    fn a_peak_only_rises() {
        let limits = Limits::default();
        let peak = |limit: Limit| {
            limits
                .report()
                .into_iter()
                .find(|report| report.name == limit.name())
                .unwrap()
                .peak
        };
        assert_eq!(peak(Limit::frame_bytes), None);
        limits.note(Limit::frame_bytes, 2 << 10);
        limits.clone().note(Limit::frame_bytes, 1);
        assert_eq!(peak(Limit::frame_bytes).as_deref(), Some("2 KiB"));
        limits.note_time(Limit::call, Duration::from_micros(70));
        assert_eq!(peak(Limit::call).as_deref(), Some("70us"));
    }

    #[test]
    fn the_documentation_has_every_limit_as_it_is() {
        let page = include_str!("../../docs/limits.md");
        let table = Limits::markdown();
        assert!(page.contains(&table), "put this table into docs/limits.md:\n{table}");
    }
}
