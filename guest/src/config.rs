//! The plugin's settings, read once from the host's configuration: names, defaults and rules of every key.

use std::net::IpAddr;
use std::time::Duration;

use crate::host::{Host, Unreadable};

const ENABLED: &str = "channels.friends.enabled";
const PORT: &str = "channels.friends.port";
const BASE_URL: &str = "channels.friends.baseUrl";
const INVITE_TTL: &str = "channels.friends.inviteTtl";
const AGENT_NAME: &str = "agent.name";

const DEFAULT_PORT: u16 = 3001;
const DEFAULT_AGENT_NAME: &str = "the agent";
/// A week: long enough for a friend on holiday, short enough that a forgotten message is not a key for ever.
const DEFAULT_INVITE_TTL: Duration = Duration::from_secs(7 * 24 * 3600);
/// Ten years; whoever asks for more means "never", which is not offered.
const MAX_INVITE_TTL: Duration = Duration::from_secs(3650 * 24 * 3600);
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
    /// What the page calls the agent.
    pub(crate) agent_name: String,
}

/// A public address: scheme and authority, no path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BaseUrl {
    text: String,
    authority_at: usize,
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
        let enabled = match host.setting(ENABLED)?.as_deref().map(str::trim) {
            None | Some("true") => true,
            Some("false") => false,
            Some(_) => {
                return Err(SettingsError::Invalid {
                    key: ENABLED,
                    rule: "true or false",
                });
            }
        };
        let port = match host.setting(PORT)? {
            None => DEFAULT_PORT,
            Some(text) => text.trim().parse().map_err(|_| SettingsError::Invalid {
                key: PORT,
                rule: "a port number, 0 to 65535",
            })?,
        };
        let base_url = match host.setting(BASE_URL)? {
            None => BaseUrl::local(port),
            Some(text) => BaseUrl::parse(&text).ok_or(SettingsError::Invalid {
                key: BASE_URL,
                rule: "an http or https address without a path, for example https://chat.example.com",
            })?,
        };
        let invite_ttl = match host.setting(INVITE_TTL)? {
            None => DEFAULT_INVITE_TTL,
            Some(text) => humantime::parse_duration(text.trim())
                .ok()
                .filter(|ttl| (Duration::from_secs(60)..=MAX_INVITE_TTL).contains(ttl))
                .ok_or(SettingsError::Invalid {
                    key: INVITE_TTL,
                    rule: "a time from one minute to ten years, for example 7d, 12h or 30m",
                })?,
        };
        let agent_name = host
            .setting(AGENT_NAME)?
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty());
        let agent_name = agent_name.unwrap_or_else(|| DEFAULT_AGENT_NAME.to_owned());
        if agent_name.chars().count() > MAX_AGENT_NAME_CHARS || agent_name.chars().any(crate::text::is_disruptive) {
            return Err(SettingsError::Invalid {
                key: AGENT_NAME,
                rule: "one line of at most 64 characters",
            });
        }
        Ok(Self {
            enabled,
            base_url,
            invite_ttl,
            agent_name,
        })
    }

    /// The time an invite is good for, in milliseconds.
    pub(crate) fn invite_ttl_ms(&self) -> i64 {
        i64::try_from(self.invite_ttl.as_millis()).unwrap_or(i64::MAX)
    }
}

impl BaseUrl {
    fn local(port: u16) -> Self {
        let scheme = "http://";
        Self {
            text: format!("{scheme}localhost:{port}"),
            authority_at: scheme.len(),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_end_matches('/').to_ascii_lowercase();
        let authority_at = ["http://", "https://"]
            .iter()
            .find(|scheme| text.starts_with(**scheme))?
            .len();
        let authority = text.get(authority_at..)?;
        let plain = authority
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']'));
        (plain && !authority.is_empty() && !authority.starts_with(':')).then_some(Self { text, authority_at })
    }

    /// The address, without a slash at the end.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Host and port as a browser puts them into `Host`.
    pub(crate) fn authority(&self) -> &str {
        self.text.get(self.authority_at..).unwrap_or_default()
    }

    /// Whether cookies may be marked `Secure`.
    pub(crate) fn is_https(&self) -> bool {
        self.text.starts_with("https://")
    }

    /// Whether the address leads nowhere from another machine.
    pub(crate) fn is_local(&self) -> bool {
        let authority = self.authority();
        let host = match authority.strip_prefix('[') {
            Some(rest) => rest.split_once(']').map_or(rest, |(host, _)| host),
            None => authority.split_once(':').map_or(authority, |(host, _)| host),
        };
        host == "localhost"
            || host.ends_with(".localhost")
            || host
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback() || address.is_unspecified())
    }

    /// The link that redeems a code.
    pub(crate) fn invite_link(&self, code: &str) -> String {
        format!("{}/chat?invite={code}", self.text)
    }
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
    }

    #[test]
    fn a_wrong_value_names_its_key() {
        for (key, value) in [
            (ENABLED, "maybe"),
            (PORT, "65536"),
            (BASE_URL, "chat.example.com"),
            (BASE_URL, "https://example.com/chat"),
            (BASE_URL, "https://"),
            (BASE_URL, "http://a@b"),
            (INVITE_TTL, "soon"),
            (INVITE_TTL, "0s"),
            (AGENT_NAME, "a\nb"),
        ] {
            assert!(
                read(&[(key, value)]).unwrap_err().to_string().starts_with(key),
                "{value}"
            );
        }
    }

    #[test]
    fn loopback_addresses_are_local() {
        for (url, local) in [
            ("http://127.0.0.1:3001", true),
            ("http://[::1]:3001", true),
            ("http://chat.localhost", true),
            ("http://0.0.0.0:1", true),
            ("http://192.168.1.4:3001", false),
            ("https://localhost.example.com", false),
        ] {
            assert_eq!(BaseUrl::parse(url).unwrap().is_local(), local, "{url}");
        }
    }
}
