//! What a plugin can be granted, by the names for `grants` in the configuration, and the interfaces that stand for it.
//!
//! This is the only list of them: what is linked, what is refused, what `inspect` shows and what is documented follow from it.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What every plugin is given: clocks, random numbers, and what programs import without use. The environment is empty, the
/// standard streams are closed; the types of the web carry no request anywhere, and `commits` only tells the plugin when its
/// changes are made lasting.
pub(crate) const ALWAYS: [&str; 21] = [
    "tinyclaw:plugin/commits@0.1.0",
    "tinyclaw:plugin/http-types@0.1.0",
    "wasi:cli/environment@0.2.12",
    "wasi:cli/exit@0.2.12",
    "wasi:cli/stderr@0.2.12",
    "wasi:cli/stdin@0.2.12",
    "wasi:cli/stdout@0.2.12",
    "wasi:cli/terminal-input@0.2.12",
    "wasi:cli/terminal-output@0.2.12",
    "wasi:cli/terminal-stderr@0.2.12",
    "wasi:cli/terminal-stdin@0.2.12",
    "wasi:cli/terminal-stdout@0.2.12",
    "wasi:clocks/monotonic-clock@0.2.12",
    "wasi:clocks/wall-clock@0.2.12",
    "wasi:http/types@0.2.12",
    "wasi:io/error@0.2.12",
    "wasi:io/poll@0.2.12",
    "wasi:io/streams@0.2.12",
    "wasi:random/insecure-seed@0.2.12",
    "wasi:random/insecure@0.2.12",
    "wasi:random/random@0.2.12",
];

/// Something that the owner may grant a plugin or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Capability {
    /// The agent's queue.
    Agent,
    /// The connections that are held for it.
    Connections,
    /// What the agent keeps about users.
    Notes,
    /// Waking browsers that have no page open.
    Notifications,
    /// Secrets by name.
    Secrets,
    /// Its section of the configuration.
    Config,
    /// Its own directory.
    Files,
    /// Lines in the harness's log.
    Log,
}

/// One row of the list.
struct Row {
    name: &'static str,
    meaning: &'static str,
    interfaces: &'static [&'static str],
}

impl Capability {
    /// All there are.
    pub const ALL: [Self; 8] = [
        Self::Agent,
        Self::Connections,
        Self::Notes,
        Self::Notifications,
        Self::Secrets,
        Self::Config,
        Self::Files,
        Self::Log,
    ];

    fn row(self) -> Row {
        let (name, meaning, interfaces): (_, _, &[_]) = match self {
            Self::Agent => (
                "agent",
                "put its users' messages to your agent, and stop answers",
                &["tinyclaw:plugin/agent@0.1.0"],
            ),
            Self::Connections => (
                "connections",
                "write to the pages that are open, and close them",
                &["tinyclaw:plugin/push@0.1.0"],
            ),
            Self::Notes => (
                "notes",
                "make its users known to your agent, read what that has noted about them, and have it removed",
                &["tinyclaw:plugin/memory@0.1.0"],
            ),
            Self::Notifications => (
                "notifications",
                "wake its users' browsers through their push services, always with the same words",
                &["tinyclaw:plugin/web-push@0.1.0"],
            ),
            Self::Secrets => (
                "secrets",
                "ask for the keys that `secrets` in the configuration names",
                &["tinyclaw:plugin/secrets@0.1.0"],
            ),
            Self::Config => (
                "config",
                "read its own section of the configuration and the agent's name",
                &["wasi:config/store@0.2.0-rc.1"],
            ),
            Self::Files => (
                "files",
                "keep files in its own directory, and see no other",
                &["wasi:filesystem/preopens@0.2.12", "wasi:filesystem/types@0.2.12"],
            ),
            Self::Log => (
                "log",
                "write lines into the harness's log",
                &["wasi:logging/logging@0.1.0-draft"],
            ),
        };
        Row {
            name,
            meaning,
            interfaces,
        }
    }

    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// What a plugin that has it can do.
    pub fn meaning(self) -> &'static str {
        self.row().meaning
    }

    /// The interfaces that a plugin reaches it by, which are linked together or not at all.
    pub fn interfaces(self) -> &'static [&'static str] {
        self.row().interfaces
    }
}

/// What a plugin is granted: everything that there is, unless the owner says less.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Capabilities(BTreeSet<Capability>);

impl Default for Capabilities {
    fn default() -> Self {
        Self(Capability::ALL.into())
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(granted: I) -> Self {
        Self(granted.into_iter().collect())
    }
}

impl Capabilities {
    /// Whether this is granted.
    pub fn has(&self, capability: Capability) -> bool {
        self.0.contains(&capability)
    }

    /// What is granted, in the order of the list.
    pub fn iter(&self) -> impl Iterator<Item = Capability> + '_ {
        self.0.iter().copied()
    }

    /// These and others.
    pub(crate) fn with(&self, others: impl IntoIterator<Item = Capability>) -> Self {
        self.iter().chain(others).collect()
    }
}

/// The line of the configuration that grants it.
impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.iter().map(|granted| format!("{:?}", granted.name())).collect();
        write!(f, "grants = [{}]", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[derive(Deserialize)]
    struct File {
        grants: Capabilities,
    }

    #[test]
    fn the_line_for_the_configuration_is_read_as_it_is_shown() {
        let some = Capabilities::from_iter([Capability::Log, Capability::Agent]);
        for granted in [Capabilities::default(), Capabilities(BTreeSet::new()), some] {
            let read: File = toml::from_str(&granted.to_string()).unwrap();
            assert_eq!(read.grants, granted);
        }
    }

    #[test]
    fn the_documentation_has_every_grant_as_it_is() {
        let row = |granted: Capability| {
            let interfaces = granted.interfaces().join("`, `");
            format!("| `{}` | {} | `{interfaces}` |\n", granted.name(), granted.meaning())
        };
        let table: String = Capability::ALL.into_iter().map(row).collect();
        let page = include_str!("../../docs/owner.md");
        assert!(page.contains(&table), "put this table into docs/owner.md:\n{table}");
    }
}
