//! What the harness is told: each setting from its flag, else the environment, else the configuration file, else its
//! default.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cluster::Access;
use ipnet::IpNet;
use serde::Deserialize;
use toml::Table;

use crate::agent::{AgentChoice, Key};
use crate::capability::{Capabilities, Capability};
use crate::data_dir::{DataDir, DataDirError};
use crate::http::{Proxies, TlsFiles, network};
use crate::limits::Limits;
use crate::log::LogFormat;
use crate::registry::Logins;
use crate::source::{Source, SourceError};
use crate::tenants::{Directory, Name};

mod tenant;

/// Where the data lies when nothing is said.
const DATA: &str = "data";

/// The section below `channels` that is the plugin's when nothing is said.
const CHANNEL: &str = "friends";

/// What the agent is called when nothing is said.
const AGENT_NAME: &str = "the agent";

/// Port when nothing is said.
const PORT: u16 = 3001;

/// Address when nothing is said: this machine only.
const HOST: &str = "127.0.0.1";

/// Time without a call after which a tenant's plugin sleeps when nothing is said: somebody who thinks about an answer does not
/// have it started anew.
const SLEEP: Duration = Duration::from_secs(300);

/// What flags and the environment say. clap puts a flag before its variable.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Overrides {
    /// Directory for the database, the configuration and the secrets [default: data]
    #[arg(long, env = "HARNESS_DATA", value_name = "DIR", global = true)]
    pub data: Option<PathBuf>,
    /// Configuration file [default: config.toml in the data directory]
    #[arg(long, env = "HARNESS_CONFIG", value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Plugin to load: a file, or oci://REGISTRY/NAME@sha256:DIGEST [default: the one built in]
    #[arg(long, env = "HARNESS_PLUGIN", value_name = "PLUGIN", global = true)]
    pub plugin: Option<PathBuf>,
    /// The file where `docker login` keeps what opens registries. No flag: docker's own variables say where it is.
    #[arg(skip)]
    pub docker_config: Option<PathBuf>,
    /// Agent that answers: `echo`, `cmd:PROGRAM ARGUMENTS`, or a server as http://localhost:11434/v1#MODEL [default: echo]
    #[arg(long, env = "HARNESS_AGENT", value_name = "AGENT", global = true)]
    pub agent: Option<String>,
    /// The key of the agent's server, before that of a file. No flag: a command line can be read by everybody on the machine.
    #[arg(skip)]
    pub agent_key: Option<Key>,
    /// File with the key of the agent's server; HARNESS_AGENT_KEY holds the key itself [default: none]
    #[arg(long, env = "HARNESS_AGENT_KEY_FILE", value_name = "FILE", global = true)]
    pub agent_key_file: Option<PathBuf>,
    /// Address to listen on [default: 127.0.0.1]
    #[arg(long, env = "HOST", value_name = "ADDRESS", global = true)]
    pub host: Option<String>,
    /// Port to listen on; 0 takes a free one [default: 3001]
    #[arg(long, env = "HARNESS_PORT", value_name = "PORT", global = true)]
    pub port: Option<u16>,
    /// Port of this machine for the owner's other agents (MCP); 0 takes a free one [default: none]
    #[arg(long, env = "HARNESS_MCP_PORT", value_name = "PORT", global = true)]
    pub mcp_port: Option<u16>,
    /// Address and port for health and metrics, as in 127.0.0.1:9464; port 0 takes a free one [default: none]
    #[arg(long, env = "HARNESS_METRICS", value_name = "ADDRESS", global = true)]
    pub metrics: Option<SocketAddr>,
    /// Address of NATS, for the roles of a cluster, as nats://host:4222; several of one NATS cluster with commas between [default: none]
    #[arg(long, env = "HARNESS_NATS", value_name = "URL", global = true)]
    pub nats: Option<String>,
    /// File of credentials that NATS made for this user [default: none]
    #[arg(long, env = "HARNESS_NATS_CREDENTIALS", value_name = "FILE", global = true)]
    pub nats_credentials: Option<PathBuf>,
    /// File of PEM with the certificates that NATS's own is checked by [default: the system's]
    #[arg(long, env = "HARNESS_NATS_CA", value_name = "FILE", global = true)]
    pub nats_ca: Option<PathBuf>,
    /// How a line of the log looks [default: text]
    #[arg(long, env = "HARNESS_LOG_FORMAT", value_enum, value_name = "FORMAT", global = true)]
    pub log_format: Option<LogFormat>,
    /// Public URL of the chat, for links [default: http://localhost:PORT]
    #[arg(long, env = "HARNESS_BASE_URL", value_name = "URL", global = true)]
    pub base_url: Option<String>,
    /// Address or network of a reverse proxy that tells the client's address; may be repeated [default: none]
    #[arg(long, env = "HARNESS_TRUSTED_PROXIES", value_name = "NETWORK", value_delimiter = ',', value_parser = network, global = true)]
    pub trusted_proxy: Vec<IpNet>,
    /// File of PEM with the certificate and its issuers', for https without a proxy [default: none]
    #[arg(long, env = "HARNESS_TLS_CERT", value_name = "FILE", global = true)]
    pub tls_cert: Option<PathBuf>,
    /// File of PEM with the certificate's private key [default: none]
    #[arg(long, env = "HARNESS_TLS_KEY", value_name = "FILE", global = true)]
    pub tls_key: Option<PathBuf>,
}

/// The configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ConfigFile {
    data: Option<PathBuf>,
    plugin: Option<PathBuf>,
    /// Which section below `channels` is the plugin's.
    channel: Option<String>,
    agent: AgentSection,
    channels: BTreeMap<String, Table>,
    /// What the plugin may do.
    grants: Capabilities,
    secrets: Option<Vec<String>>,
    proxy: Proxies,
    limits: Table,
    tls: TlsSection,
    mcp: McpSection,
    metrics: MetricsSection,
    log: LogSection,
    push: PushSection,
    tenants: TenantsSection,
    nats: NatsSection,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TenantsSection {
    /// The directory of all tenants.
    directory: Option<PathBuf>,
    /// Time without a call after which a tenant's plugin sleeps, as `"5m"`.
    sleep: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct NatsSection {
    /// As `--nats`.
    url: Option<String>,
    /// As `--nats-credentials`.
    credentials: Option<PathBuf>,
    /// As `--nats-ca`.
    ca: Option<PathBuf>,
    /// Whether the tenants' files follow them from node to node; else all nodes have one directory of tenants.
    replicated: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TlsSection {
    /// As `--tls-cert`.
    cert: Option<PathBuf>,
    /// As `--tls-key`.
    key: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct McpSection {
    port: Option<u16>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MetricsSection {
    /// As `--metrics`.
    address: Option<SocketAddr>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LogSection {
    /// As `--log-format`.
    format: Option<LogFormat>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PushSection {
    /// Push services in a private network, as `127.0.0.1:9000`.
    allowed: Vec<SocketAddr>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AgentSection {
    /// What the page calls the agent.
    name: Option<String>,
    /// As `--agent`.
    #[serde(rename = "use")]
    choice: Option<String>,
    /// File with the key of the agent's server.
    #[serde(rename = "keyFile")]
    key_file: Option<PathBuf>,
}

/// The plugin's own section. Its other keys are the plugin's to read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ChannelSection {
    port: Option<u16>,
    host: Option<String>,
    #[serde(rename = "baseUrl")]
    base_url: Option<String>,
}

/// Every setting, decided.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The data directory.
    pub data: DataDir,
    /// Where the plugin comes from; none for the one that is built in.
    pub plugin: Option<Source>,
    /// What opens registries.
    pub logins: Logins,
    /// Who answers.
    pub agent: AgentChoice,
    /// What opens the agent's server.
    pub agent_key: Option<Key>,
    /// Address to listen on.
    pub host: String,
    /// Port to listen on; 0 for a free one.
    pub port: u16,
    /// Public URL without a slash at its end, when it is set. Its path is one that whoever passes requests on takes off them.
    pub base_url: Option<String>,
    /// Port for the owner's other agents; 0 for a free one, none to have none.
    pub mcp_port: Option<u16>,
    /// Where health and metrics are served; none to have them nowhere.
    pub metrics: Option<SocketAddr>,
    /// How the other roles of a cluster are reached; none where one process is all.
    pub nats: Option<Access>,
    /// Whether the tenants' files follow them from node to node.
    pub replicated: bool,
    /// How a line of the log looks.
    pub log_format: LogFormat,
    /// The reverse proxies in front.
    pub proxies: Proxies,
    /// The certificate and its key, where the harness itself speaks TLS.
    pub tls: Option<TlsFiles>,
    /// Addresses of push services that may be in a private network and without TLS.
    pub allowed_push_services: Vec<SocketAddr>,
    /// What the plugin may do.
    pub capabilities: Capabilities,
    /// Names of the secrets that the plugin is granted, where it is granted any.
    pub secrets: Vec<String>,
    /// The bounds on the plugin and on those who talk to it.
    pub limits: Limits,
    /// Those who have a chat of their own here.
    pub tenants: Directory,
    /// Time without a call after which a tenant's plugin sleeps.
    pub sleep: Duration,
    /// Whose settings these are; none for those of the whole.
    pub tenant: Option<Name>,
    /// The data directory of the whole, with what was compiled and fetched and the socket of the running harness.
    pub whole: DataDir,
    /// Prefix of the plugin's configuration keys, for example `channels.friends`.
    section: String,
    /// The configuration keys that the plugin is granted.
    plugin_config: BTreeMap<String, String>,
    /// What tenants have in common.
    common: Arc<Common>,
}

/// What these settings were decided from, for the tenants that say nothing else.
#[derive(Debug)]
struct Common {
    overrides: Overrides,
    file: Table,
}

/// Why the settings do not hold.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The configuration file cannot be read.
    #[error("reading the configuration {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The configuration file is not what it should be.
    #[error("the configuration {}: {message}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        message: String,
    },
    /// The file with the agent's key cannot be read.
    #[error("reading the agent's key {}: {source}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No such agent.
    #[error(transparent)]
    Agent(#[from] crate::agent::UnknownAgent),
    /// No such plugin.
    #[error(transparent)]
    Plugin(#[from] crate::registry::ReferenceError),
    /// No base URL.
    #[error(
        "`{0}` is no base URL: give it as http://host:port or https://host; a path behind it, as in https://host/anna, has \
         letters, digits and -._~ only, and nothing stands behind the path"
    )]
    BaseUrl(String),
    /// A certificate without a key, or a key without a certificate.
    #[error("--tls-cert and --tls-key belong together: give both, or neither")]
    HalfTls,
    /// No data directory.
    #[error(transparent)]
    Data(#[from] DataDirError),
    /// No tenants.
    #[error(transparent)]
    Tenants(#[from] crate::tenants::DirectoryError),
}

impl Settings {
    /// Decides every setting and makes the data directory.
    ///
    /// # Errors
    /// When the configuration file cannot be read or says something impossible, or the directory cannot be made.
    pub fn resolve(overrides: Overrides) -> Result<Self, SettingsError> {
        let named = overrides.config.as_deref().map(read).transpose()?;
        let in_file = named.as_ref().and_then(|file| file.get("data")?.as_str());
        let root = overrides.data.clone().or_else(|| in_file.map(PathBuf::from));
        let data = DataDir::open(&root.unwrap_or_else(|| DATA.into()))?;
        let (path, file) = match (overrides.config.clone(), named) {
            (Some(path), Some(file)) => (path, file),
            _ if data.config().exists() => (data.config(), read(&data.config())?),
            _ => (data.config(), Table::new()),
        };
        Self::decide(overrides, data, path, file)
    }

    fn decide(overrides: Overrides, data: DataDir, path: PathBuf, table: Table) -> Result<Self, SettingsError> {
        let common = Arc::new(Common {
            overrides: overrides.clone(),
            file: table.clone(),
        });
        let malformed = |message: String| SettingsError::Malformed {
            path: path.clone(),
            message,
        };
        let file: ConfigFile = table
            .try_into()
            .map_err(|error: toml::de::Error| malformed(one_line(&error)))?;
        let sleep = match &file.tenants.sleep {
            Some(text) => humantime::parse_duration(text)
                .map_err(|_| malformed(format!("[tenants]: `sleep` is a time such as \"5m\", and not {text:?}")))?,
            None => SLEEP,
        };
        let limits = Limits::from_table(&file.limits).map_err(|error| malformed(error.to_string()))?;
        let channel = file.channel.unwrap_or_else(|| CHANNEL.to_owned());
        let table = file.channels.get(&channel).cloned().unwrap_or_default();
        let section_name = format!("channels.{channel}");
        let section: ChannelSection = table
            .clone()
            .try_into()
            .map_err(|error: toml::de::Error| malformed(format!("[{section_name}]: {}", one_line(&error))))?;
        let mut plugin_config = BTreeMap::new();
        flatten(&section_name, &table, &mut plugin_config);
        if let Some(name) = file.agent.name {
            plugin_config.insert("agent.name".to_owned(), name);
        }
        let agent = overrides
            .agent
            .or(file.agent.choice)
            .unwrap_or_else(|| "echo".to_owned())
            .parse()?;
        let key_file = overrides.agent_key_file.or(file.agent.key_file);
        let agent_key = match overrides.agent_key {
            Some(key) => Some(key),
            None => key_file.as_deref().map(read_key).transpose()?.flatten(),
        };
        let base_url = overrides
            .base_url
            .or(section.base_url)
            .map(checked_base_url)
            .transpose()?;
        let tls = match (overrides.tls_cert.or(file.tls.cert), overrides.tls_key.or(file.tls.key)) {
            (Some(cert), Some(key)) => Some(TlsFiles { cert, key }),
            (None, None) => None,
            _ => return Err(SettingsError::HalfTls),
        };
        let mut proxies = file.proxy;
        if !overrides.trusted_proxy.is_empty() {
            proxies.trusted = overrides.trusted_proxy;
        }
        let nats = overrides.nats.or(file.nats.url);
        let tenants = file.tenants.directory.unwrap_or_else(|| data.root().join("tenants"));
        Ok(Self {
            tenants: Directory::at(tenants),
            sleep,
            tenant: None,
            whole: data.clone(),
            common,
            data,
            plugin: overrides.plugin.or(file.plugin).map(Source::named).transpose()?,
            logins: overrides.docker_config.map(Logins::in_file).unwrap_or_default(),
            agent,
            agent_key,
            host: overrides.host.or(section.host).unwrap_or_else(|| HOST.to_owned()),
            port: overrides.port.or(section.port).unwrap_or(PORT),
            base_url,
            mcp_port: overrides.mcp_port.or(file.mcp.port),
            metrics: overrides.metrics.or(file.metrics.address),
            replicated: file.nats.replicated.unwrap_or(true),
            nats: nats.map(|url| Access {
                url,
                credentials: overrides.nats_credentials.or(file.nats.credentials),
                ca: overrides.nats_ca.or(file.nats.ca),
            }),
            log_format: overrides.log_format.or(file.log.format).unwrap_or_default(),
            proxies,
            tls,
            allowed_push_services: file.push.allowed,
            capabilities: file.grants,
            secrets: file.secrets.unwrap_or_else(|| vec!["invite-key".to_owned()]),
            limits,
            section: section_name,
            plugin_config,
        })
    }

    /// Prefix of the plugin's configuration keys, for example `channels.friends`.
    pub fn section(&self) -> &str {
        &self.section
    }

    /// Names of the secrets that the plugin can ask for.
    pub fn granted_secrets(&self) -> &[String] {
        match self.capabilities.has(Capability::Secrets) {
            true => &self.secrets,
            false => &[],
        }
    }

    /// What the agent is called.
    pub fn agent_name(&self) -> &str {
        self.plugin_config.get("agent.name").map_or(AGENT_NAME, String::as_str)
    }

    /// Where the chat is when it is served on `port`: on this machine, when no public URL is set.
    pub fn base_url(&self, port: u16) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        self.base_url
            .clone()
            .unwrap_or_else(|| format!("{scheme}://localhost:{port}"))
    }

    /// The plugin's configuration when it is served on `port`.
    pub fn plugin_config(&self, port: u16) -> BTreeMap<String, String> {
        let mut config = self.plugin_config.clone();
        let base_url = self.base_url(port);
        for (key, value) in [
            ("host", self.host.clone()),
            ("port", port.to_string()),
            ("baseUrl", base_url),
        ] {
            config.insert(format!("{}.{key}", self.section), value);
        }
        config
    }

    /// The plugin's file; none for the one that is built in. What comes from a registry is fetched now, if it is not here.
    ///
    /// # Errors
    /// When it cannot be fetched.
    pub fn plugin_file(&self) -> Result<Option<PathBuf>, SourceError> {
        let file = |source: &Source| source.file(&self.whole.components(), &self.logins);
        self.plugin.as_ref().map(file).transpose()
    }
}

fn read_key(path: &Path) -> Result<Option<Key>, SettingsError> {
    let text = fs::read_to_string(path).map_err(|source| SettingsError::Key {
        path: path.to_owned(),
        source,
    })?;
    Ok(Key::new(&text))
}

/// The text of an error goes on with the key, on a line of its own.
fn one_line(error: &toml::de::Error) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn read(path: &Path) -> Result<Table, SettingsError> {
    let text = fs::read_to_string(path).map_err(|source| SettingsError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    toml::from_str(&text).map_err(|error| SettingsError::Malformed {
        path: path.to_owned(),
        message: error.to_string().trim_end().to_owned(),
    })
}

/// `[channels.friends] port = 1` becomes `channels.friends.port` with the value `1`.
fn flatten(prefix: &str, table: &Table, into: &mut BTreeMap<String, String>) {
    for (name, value) in table {
        let key = format!("{prefix}.{name}");
        match value {
            toml::Value::Table(inner) => flatten(&key, inner, into),
            toml::Value::String(text) => drop(into.insert(key, text.clone())),
            other => drop(into.insert(key, other.to_string())),
        }
    }
}

/// The URL without slashes at its end. A path is taken that can be written in one way only, so that links, cookies and
/// whoever passes requests on mean the same by it.
fn checked_base_url(url: String) -> Result<String, SettingsError> {
    let trimmed = url.trim_end_matches('/');
    let parsed: Option<http::Uri> = trimmed.parse().ok();
    let fits = parsed.is_some_and(|uri| {
        let path = uri.path().strip_prefix('/').unwrap_or_default();
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some()
            && (path.is_empty() || path.split('/').all(is_plain))
            && uri.query().is_none()
            // What is behind it is no part of what was parsed.
            && !trimmed.contains('#')
    });
    if fits {
        Ok(trimmed.to_owned())
    } else {
        Err(SettingsError::BaseUrl(url))
    }
}

/// Whether a segment of a path has only characters that are never percent-encoded (RFC 3986, section 2.3), and is itself.
fn is_plain(segment: &str) -> bool {
    !matches!(segment, "" | "." | "..")
        && segment
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::time::Duration;

    use super::*;

    fn settings(config: &str, overrides: Overrides) -> Result<Settings, SettingsError> {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("config.toml"), config).unwrap();
        Settings::resolve(Overrides {
            data: Some(directory.path().to_owned()),
            ..overrides
        })
    }

    #[test]
    fn the_defaults_are_those_of_the_contract() {
        let settings = settings("", Overrides::default()).unwrap();
        assert_eq!(
            (settings.host.as_str(), settings.port, &settings.agent),
            ("127.0.0.1", 3001, &AgentChoice::Echo(Duration::from_millis(30)))
        );
        let config = settings.plugin_config(4000);
        assert_eq!(config.get("channels.friends.port").unwrap(), "4000");
        assert_eq!(config.get("channels.friends.baseUrl").unwrap(), "http://localhost:4000");
        assert!(!config.contains_key("agent.name"));
    }

    #[test]
    fn a_flag_comes_before_the_file_and_the_file_before_the_default() {
        let file = "agent = { name = 'Ada' }\n[channels.friends]\nport = 4001\nhost = '0.0.0.0'\ninviteTtl = '2d'\nenabled = false";
        let settings = settings(
            file,
            Overrides {
                port: Some(5000),
                ..Overrides::default()
            },
        )
        .unwrap();
        assert_eq!((settings.host.as_str(), settings.port), ("0.0.0.0", 5000));
        let config = settings.plugin_config(settings.port);
        let expected = [
            ("agent.name", "Ada"),
            ("channels.friends.baseUrl", "http://localhost:5000"),
            ("channels.friends.enabled", "false"),
            ("channels.friends.host", "0.0.0.0"),
            ("channels.friends.inviteTtl", "2d"),
            ("channels.friends.port", "5000"),
        ];
        assert!(
            config
                .iter()
                .map(|(key, value)| (key.as_str(), value.as_str()))
                .eq(expected),
            "{config:?}"
        );
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (file, named) in [
            ("prot = 1", "prot"),
            ("[channels.friends]\nport = 70000", "`port`"),
            ("agent.use = 'gpt'", "gpt"),
            ("grants = ['memory']", "expected one of `agent`, `connections`, `notes`"),
            ("a", "expected"),
        ] {
            let error = settings(file, Overrides::default()).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
        for url in [
            "chat.example.org",
            "ftp://a",
            "https://a?b",
            "https://a#b",
            "https:///a",
            "/anna",
            "https://a//b",
            "https://a/b//c",
            "https://a/b/../c",
            "https://a/.",
            "https://a/b%2Fc",
            "https://a/%2e%2e",
            "https://a/b%63",
            "https://a/b?",
            "https://a/b?c=d",
            "https://a/b#",
            "https://a/b#c",
            "https://a/b;c",
            "https://a/b c",
            "https://a/ä",
        ] {
            assert!(
                matches!(settings("", at(url)), Err(SettingsError::BaseUrl(named)) if named == url),
                "{url}"
            );
        }
    }

    #[test]
    fn a_base_url_may_have_a_path() {
        for (url, kept) in [
            ("https://chat.example.org/", "https://chat.example.org"),
            ("https://chat.example.org/anna", "https://chat.example.org/anna"),
            (
                "https://chat.example.org/Chats/~anna_1.0/",
                "https://chat.example.org/Chats/~anna_1.0",
            ),
            ("http://[::1]:3001/a-b//", "http://[::1]:3001/a-b"),
        ] {
            let settings = settings("", at(url)).unwrap();
            assert_eq!(settings.base_url(4000), kept);
            assert_eq!(
                settings.plugin_config(4000).get("channels.friends.baseUrl").unwrap(),
                kept
            );
        }
    }

    fn at(url: &str) -> Overrides {
        Overrides {
            base_url: Some(url.to_owned()),
            ..Overrides::default()
        }
    }
}
