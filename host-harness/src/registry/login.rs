//! The names and passwords that `docker login` has written down.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::PathBuf;

use data_encoding::BASE64;
use serde::Deserialize;

/// Under which docker keeps what is for `docker.io`.
const DOCKER_HUB: &str = "index.docker.io";

/// What is known of who may ask which registry.
#[derive(Debug, Clone, Default)]
pub struct Logins {
    file: Option<PathBuf>,
}

/// A name and its password, as they are sent. Shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Login(String);

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(…)")
    }
}

impl Login {
    /// The value of the header that shows it.
    pub(super) fn header(&self) -> String {
        format!("Basic {}", self.0)
    }
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    auths: BTreeMap<String, Auth>,
}

#[derive(Deserialize)]
struct Auth {
    /// `NAME:PASSWORD` in Base64. Missing where a helper keeps it.
    auth: Option<String>,
}

impl Logins {
    /// Those in docker's `config.json`. It is read when a registry asks, and need not exist.
    pub fn in_file(file: PathBuf) -> Self {
        Self { file: Some(file) }
    }

    /// What is to be shown to a registry.
    pub(super) fn of(&self, registry: &str) -> Option<Login> {
        let file = self.file.as_ref()?;
        let text = fs::read(file).ok()?;
        let Ok(config) = serde_json::from_slice::<Config>(&text) else {
            tracing::warn!("{} is not understood: no login is taken from it", file.display());
            return None;
        };
        let wanted = if registry == "docker.io" { DOCKER_HUB } else { registry };
        let (_, found) = config.auths.into_iter().find(|(key, _)| host(key) == wanted)?;
        let login = found
            .auth
            .filter(|auth| BASE64.decode(auth.as_bytes()).is_ok_and(|text| text.contains(&b':')))?;
        Some(Login(login))
    }
}

/// The host of a key, which may be an address: `https://index.docker.io/v1/`.
fn host(key: &str) -> &str {
    let key = key.split_once("://").map_or(key, |(_, rest)| rest);
    key.split_once('/').map_or(key, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_login_is_for_its_registry_only() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config.json");
        let text = r#"{
            "auths": {
                "ghcr.io": { "auth": "bWU6c2VjcmV0" },
                "https://index.docker.io/v1/": { "auth": "aHViOnNlY3JldA==" },
                "kept.example": {},
                "odd.example": { "auth": "?" }
            },
            "credsStore": "desktop"
        }"#;
        fs::write(&file, text).unwrap();
        let logins = Logins::in_file(file.clone());
        let header = |registry: &str| logins.of(registry).map(|login| login.header());
        assert_eq!(header("ghcr.io").as_deref(), Some("Basic bWU6c2VjcmV0"));
        assert_eq!(header("docker.io").as_deref(), Some("Basic aHViOnNlY3JldA=="));
        for other in ["kept.example", "odd.example", "ghcr.io:444", "evil.example"] {
            assert_eq!(header(other), None, "{other}");
        }
        assert!(!format!("{:?}", logins.of("ghcr.io")).contains("bWU6"));
        fs::write(&file, "rubbish").unwrap();
        assert_eq!(logins.of("ghcr.io"), None);
        assert_eq!(Logins::default().of("ghcr.io"), None);
    }
}
