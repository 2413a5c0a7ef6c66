//! The plugin's settings, read once from the host's configuration: names, defaults and rules of every key.

use std::time::Duration;

use channel_plugin::{Host, Unreadable, is_disruptive};

use crate::base_url::BaseUrl;
use crate::retention::Retention;

const ENABLED: &str = "channels.friends.enabled";
const PORT: &str = "channels.friends.port";
const BASE_URL: &str = "channels.friends.baseUrl";
const INVITE_TTL: &str = "channels.friends.inviteTtl";
const JOIN: &str = "channels.friends.join";
const SESSION_IDLE: &str = "channels.friends.sessionIdle";
const MESSAGES_PER_MINUTE: &str = "channels.friends.messagesPerMinute";
const HISTORY_AGE: &str = "channels.friends.historyAge";
const HISTORY_COUNT: &str = "channels.friends.historyCount";
const AGENT_NAME: &str = "agent.name";

const DEFAULT_PORT: u16 = 3001;
/// What an agent is called whose owner gave it no name.
pub(crate) const DEFAULT_AGENT_NAME: &str = "the agent";
/// A week: long enough for a friend on holiday, short enough that a forgotten message is not a key for ever.
const DEFAULT_INVITE_TTL: Duration = Duration::from_secs(7 * DAY_S);
/// Shorter than this, something would be over before anybody could read it.
const MIN_TTL: Duration = Duration::from_secs(60);
/// As long as the cookie lives in the browser: a friend who comes once a year stays signed in.
const DEFAULT_SESSION_IDLE: Duration = Duration::from_secs(365 * DAY_S);
/// Shorter than this, a friend would miss what was said over lunch.
const MIN_HISTORY_AGE: Duration = Duration::from_secs(3_600);
/// Shorter than this, a friend would be signed out while writing.
const MIN_SESSION_IDLE: Duration = Duration::from_secs(3_600);
/// Ten years; whoever asks for more means "never", which is not offered.
const MAX_TIME: Duration = Duration::from_secs(3_650 * DAY_S);
const DAY_S: u64 = 24 * 3_600;
/// One a second, for a minute on end: nobody types faster, and a program that does is stopped soon.
const DEFAULT_MESSAGES_PER_MINUTE: u32 = 60;
/// More than any store takes.
const MAX_MESSAGES_PER_MINUTE: u32 = 1_000_000;
/// A talkative friend's messages of several years; the owner of a small disk asks for fewer.
const DEFAULT_HISTORY_COUNT: u32 = 100_000;
/// Fewer than these could be missing from the page that a friend has in front of them.
const MIN_HISTORY_COUNT: u32 = 100;
const MAX_HISTORY_COUNT: u32 = 100_000_000;
/// Most characters of the agent's name, so that headings and cards stay readable.
const MAX_AGENT_NAME_CHARS: usize = 64;

/// The settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Whether the plugin runs at all.
    pub(crate) enabled: bool,
    /// Where friends reach the page.
    pub(crate) base_url: BaseUrl,
    /// How long an invite code is good for.
    pub(crate) invite_ttl: Duration,
    /// What an invite link does when it is opened.
    pub(crate) join: Join,
    /// How long a session lives without being used.
    pub(crate) session_idle: Duration,
    /// Messages that a friend may send in a minute.
    pub(crate) messages_per_minute: u32,
    /// Which messages are kept.
    pub(crate) retention: Retention,
    /// How long nudges of each priority wait to be seen.
    pub(crate) nudge_ttls: NudgeTtls,
    /// What the page calls the agent.
    pub(crate) agent_name: String,
}

/// How long nudges wait to be seen, by priority: what matters less is stale sooner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NudgeTtls([Duration; 4]);

/// Each priority with its key and its default.
const NUDGE_TTLS: [(&str, &str, Duration); 4] = [
    ("low", "channels.friends.nudgeTtl.low", Duration::from_secs(3 * DAY_S)),
    (
        "normal",
        "channels.friends.nudgeTtl.normal",
        Duration::from_secs(30 * DAY_S),
    ),
    (
        "high",
        "channels.friends.nudgeTtl.high",
        Duration::from_secs(90 * DAY_S),
    ),
    (
        "urgent",
        "channels.friends.nudgeTtl.urgent",
        Duration::from_secs(365 * DAY_S),
    ),
];

impl NudgeTtls {
    fn read(host: &mut dyn Host) -> Result<Self, SettingsError> {
        let mut ttls = NUDGE_TTLS.map(|(_, _, default)| default);
        for ((_, key, default), ttl) in NUDGE_TTLS.into_iter().zip(&mut ttls) {
            let rule = "a time from one minute to ten years, for example 12h or 30d";
            *ttl = value(host, key, rule, default, |text| time(text, MIN_TTL))?;
        }
        Ok(Self(ttls))
    }

    /// Milliseconds that a nudge of this priority waits.
    pub(crate) fn of(&self, priority: &str) -> i64 {
        let named = NUDGE_TTLS
            .iter()
            .zip(self.0)
            .find(|((name, _, _), _)| *name == priority);
        milliseconds(named.map_or(MAX_TIME, |(_, ttl)| ttl))
    }
}

/// What an invite link does when a person opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Join {
    /// It signs in.
    Open,
    /// It asks, and signs in on the click: mail gateways open links in whole browsers, and click on nothing.
    Click,
}

/// A setting has a value that it cannot have.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("{key} must be {rule}")]
    Invalid { key: &'static str, rule: &'static str },
}

impl Settings {
    /// Reads every key; those that are not set have their defaults.
    pub(crate) fn read(host: &mut dyn Host) -> Result<Self, SettingsError> {
        let enabled = value(host, ENABLED, "true or false", true, |text| text.parse().ok())?;
        let port = value(host, PORT, "a port number, 0 to 65535", DEFAULT_PORT, |text| {
            text.parse().ok()
        })?;
        let base_url = value(
            host,
            BASE_URL,
            "an http or https address whose path, if it has one, is of letters, digits and -._~ only, for example \
             https://chat.example.com",
            BaseUrl::local(port),
            BaseUrl::parse,
        )?;
        let invite_ttl = value(
            host,
            INVITE_TTL,
            "a time from one minute to ten years, for example 7d, 12h or 30m",
            DEFAULT_INVITE_TTL,
            |text| time(text, MIN_TTL),
        )?;
        let join = value(host, JOIN, "open or click", Join::Open, |text| match text {
            "open" => Some(Join::Open),
            "click" => Some(Join::Click),
            _ => None,
        })?;
        let session_idle = value(
            host,
            SESSION_IDLE,
            "a time from one hour to ten years, for example 30d",
            DEFAULT_SESSION_IDLE,
            |text| time(text, MIN_SESSION_IDLE),
        )?;
        let messages_per_minute = value(
            host,
            MESSAGES_PER_MINUTE,
            "a whole number from 1 to 1000000",
            DEFAULT_MESSAGES_PER_MINUTE,
            |text| {
                text.parse()
                    .ok()
                    .filter(|number| (1..=MAX_MESSAGES_PER_MINUTE).contains(number))
            },
        )?;
        let max_age_ms = value(
            host,
            HISTORY_AGE,
            "forever, or a time from one hour to ten years, for example 90d",
            None,
            |text| match text {
                "forever" => Some(None),
                _ => time(text, MIN_HISTORY_AGE).map(|age| Some(milliseconds(age))),
            },
        )?;
        let max_entries = value(
            host,
            HISTORY_COUNT,
            "a whole number from 100 to 100000000",
            DEFAULT_HISTORY_COUNT,
            |text| {
                text.parse()
                    .ok()
                    .filter(|count| (MIN_HISTORY_COUNT..=MAX_HISTORY_COUNT).contains(count))
            },
        )?;
        let nudge_ttls = NudgeTtls::read(host)?;
        let agent_name = value(
            host,
            AGENT_NAME,
            "one line of at most 64 characters",
            DEFAULT_AGENT_NAME.to_owned(),
            |text| {
                let is_line = text.chars().count() <= MAX_AGENT_NAME_CHARS && !text.chars().any(is_disruptive);
                let name = if text.is_empty() { DEFAULT_AGENT_NAME } else { text };
                is_line.then(|| name.to_owned())
            },
        )?;
        Ok(Self {
            enabled,
            base_url,
            invite_ttl,
            join,
            session_idle,
            messages_per_minute,
            retention: Retention {
                max_age_ms,
                max_entries,
            },
            nudge_ttls,
            agent_name,
        })
    }

    /// The time an invite is good for, in milliseconds.
    pub(crate) fn invite_ttl_ms(&self) -> i64 {
        milliseconds(self.invite_ttl)
    }

    /// The time a session lives without being used, in milliseconds.
    pub(crate) fn session_idle_ms(&self) -> i64 {
        milliseconds(self.session_idle)
    }
}

/// The value of a key without the white space around it, or its default.
fn value<T>(
    host: &mut dyn Host,
    key: &'static str,
    rule: &'static str,
    default: T,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, SettingsError> {
    match host.setting(key)? {
        None => Ok(default),
        Some(text) => parse(text.trim()).ok_or(SettingsError::Invalid { key, rule }),
    }
}

/// A time such as `7d`, not below `least`.
fn time(text: &str, least: Duration) -> Option<Duration> {
    let time = humantime::parse_duration(text).ok()?;
    (least..=MAX_TIME).contains(&time).then_some(time)
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::testing::FakeHost;

    fn read(settings: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let mut host = FakeHost::default();
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        host.settings.extend(settings.iter().map(owned));
        Settings::read(&mut host)
    }

    #[test]
    fn defaults_are_those_of_the_contract() {
        let settings = read(&[]).unwrap();
        assert!(settings.enabled && !settings.base_url.is_https() && settings.base_url.is_local());
        assert_eq!(settings.base_url.as_str(), "http://localhost:3001");
        assert_eq!(settings.agent_name, "the agent");
        assert_eq!(settings.invite_ttl_ms(), 7 * 24 * 3600 * 1000);
        assert_eq!(settings.session_idle_ms(), 365 * 24 * 3600 * 1000);
        assert_eq!((settings.join, settings.messages_per_minute), (Join::Open, 60));
        assert_eq!(
            (settings.retention.max_age_ms, settings.retention.max_entries),
            (None, 100_000)
        );
        let days = |priority| settings.nudge_ttls.of(priority) / (24 * 3600 * 1000);
        assert_eq!(["low", "normal", "high", "urgent"].map(days), [3, 30, 90, 365]);
        assert_eq!(
            read(&[(PORT, "8080")]).unwrap().base_url.as_str(),
            "http://localhost:8080"
        );
    }

    #[test]
    fn values_are_read() {
        let settings = read(&[
            (ENABLED, "false"),
            (BASE_URL, " https://Chat.example.com:8443/ "),
            (INVITE_TTL, "12h"),
            (JOIN, "click"),
            (SESSION_IDLE, "30d"),
            (MESSAGES_PER_MINUTE, "5"),
            (HISTORY_AGE, "90d"),
            (HISTORY_COUNT, "1000"),
            ("channels.friends.nudgeTtl.low", "1h"),
            (AGENT_NAME, "Ada"),
        ])
        .unwrap();
        assert!(!settings.enabled && settings.base_url.is_https() && !settings.base_url.is_local());
        assert_eq!(settings.base_url.authority(), "chat.example.com:8443");
        assert_eq!(
            settings.base_url.invite_link("A-B"),
            "https://chat.example.com:8443/chat?invite=A-B"
        );
        assert_eq!(settings.invite_ttl, Duration::from_secs(12 * 3600));
        assert_eq!(settings.agent_name, "Ada");
        assert_eq!((settings.join, settings.messages_per_minute), (Join::Click, 5));
        assert_eq!(settings.retention.max_age_ms, Some(90 * 24 * 3600 * 1000));
        assert_eq!(settings.retention.max_entries, 1_000);
        assert_eq!(settings.nudge_ttls.of("low"), 3_600_000);
        assert_eq!(settings.session_idle_ms(), 30 * 24 * 3600 * 1000);
        assert_eq!(read(&[(AGENT_NAME, "  ")]).unwrap().agent_name, "the agent");
    }

    #[test]
    fn a_wrong_value_names_its_key() {
        for (key, value) in [
            (ENABLED, "maybe"),
            (PORT, "65536"),
            (BASE_URL, "chat.example.com"),
            (BASE_URL, "https://example.com/a/../b"),
            (BASE_URL, "https://example.com/anna?a=b"),
            (BASE_URL, "https://"),
            (BASE_URL, "http://a@b"),
            (INVITE_TTL, "soon"),
            (INVITE_TTL, "0s"),
            (JOIN, "Click"),
            (SESSION_IDLE, "59m"),
            (MESSAGES_PER_MINUTE, "0"),
            (HISTORY_AGE, "never"),
            (HISTORY_COUNT, "99"),
            ("channels.friends.nudgeTtl.urgent", "1s"),
            (AGENT_NAME, "a\nb"),
        ] {
            assert!(
                read(&[(key, value)]).unwrap_err().to_string().starts_with(key),
                "{value}"
            );
        }
    }
}
