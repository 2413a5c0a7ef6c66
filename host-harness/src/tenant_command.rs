//! The command `host-harness tenant`.

use std::fmt::Write as _;

use anyhow::{Context, bail};
use clap::Subcommand;
use host_harness::cluster::Mirror;
use host_harness::owner;
use host_harness::settings::{Overrides, Settings};
use host_harness::source::Source;
use host_harness::tenants::Name;

#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Give somebody a chat of their own, with --base-url, and --plugin and --agent where those of all are not meant
    Add {
        /// 1 to 63 of a-z, 0-9 and -
        name: Name,
    },
    /// List them
    List,
    /// Take a tenant's chat away; its directory is set aside
    Remove {
        /// The tenant's name
        name: Name,
    },
    /// Serve a tenant's chat no more until it is resumed
    Suspend {
        /// The tenant's name
        name: Name,
    },
    /// Serve a suspended tenant's chat again
    Resume {
        /// The tenant's name
        name: Name,
    },
}

impl Action {
    /// Carries the command out, and says what came of it. A running harness looks at the tenant at once.
    pub(crate) fn carry_out(self, settings: &Settings, flags: &Overrides) -> anyhow::Result<String> {
        if settings.nats.is_some() {
            return self.carry_out_in_a_cluster(settings, flags);
        }
        let tenants = &settings.tenants;
        match self {
            Self::List => list(settings),
            Self::Add { name } => add(settings, flags, &name),
            Self::Remove { name } => {
                // Whoever has its files lets go of them first.
                tenants.suspend(&name, true)?;
                look(settings, &name)?;
                tenants.suspend(&name, false)?;
                let aside = tenants.remove(&name)?;
                look(settings, &name)?;
                Ok(format!(
                    "The tenant {name} is removed. Its directory is {}.",
                    aside.display()
                ))
            }
            Self::Suspend { name } => {
                tenants.suspend(&name, true)?;
                look(settings, &name)?;
                Ok(format!(
                    "The tenant {name} is suspended: its friends are told so, and nothing is lost."
                ))
            }
            Self::Resume { name } => {
                tenants.suspend(&name, false)?;
                look(settings, &name)?;
                Ok(format!("The tenant {name} goes on."))
            }
        }
    }
}

impl Action {
    /// As [`Action::carry_out`], for the tenants of a cluster.
    fn carry_out_in_a_cluster(self, settings: &Settings, flags: &Overrides) -> anyhow::Result<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mirror = Mirror::of(settings).await?;
            Ok(match self {
                Self::List => {
                    let state = |suspended| if suspended { "suspended" } else { "served" };
                    let list = mirror.list().await?;
                    let lines = list
                        .into_iter()
                        .map(|(name, suspended)| format!("{name}  {}", state(suspended)));
                    lines.collect::<Vec<_>>().join("\n")
                }
                Self::Add { name } => {
                    let Some(base_url) = &settings.base_url else {
                        bail!(
                            "say where the chat will be found: --base-url https://{name}.example.org, or with a path"
                        );
                    };
                    mirror.add(&name, config(settings, flags, base_url)?).await?;
                    format!("The tenant {name} has a chat at {base_url}.")
                }
                Self::Remove { name } => {
                    mirror.remove(&name).await?;
                    format!("The tenant {name} is removed. What nodes have of it is set aside there.")
                }
                Self::Suspend { name } => {
                    mirror.suspend(&name, true).await?;
                    format!("The tenant {name} is suspended: its friends are told so, and nothing is lost.")
                }
                Self::Resume { name } => {
                    mirror.suspend(&name, false).await?;
                    format!("The tenant {name} goes on.")
                }
            })
        })
    }
}

fn add(settings: &Settings, flags: &Overrides, name: &Name) -> anyhow::Result<String> {
    if !settings.data.is_new() {
        bail!(
            "{} has a chat of its own, which would be served no more: choose another directory for the tenants with --data",
            settings.data.root().display()
        );
    }
    let Some(base_url) = &flags.base_url else {
        bail!("say where the chat will be found: --base-url https://{name}.example.org, or with a path");
    };
    let is_first = !settings.tenants.exists();
    settings.tenants.add(name, &config(settings, flags, base_url)?)?;
    // What cannot be served is not left there.
    let served = settings.check_tenant(name).map_err(anyhow::Error::from);
    if let Err(error) = served.and_then(|()| look(settings, name)) {
        settings.tenants.discard(name)?;
        return Err(error);
    }
    let token = settings.of_tenant(name)?.data.mcp_token()?;
    let mut told = format!("The tenant {name} has a chat at {base_url}, and the token {token} for its other agents.");
    if is_first {
        told.push_str(" It is served from the next start on.");
    }
    Ok(told)
}

/// The configuration of a new tenant: what the flags say, and the rest as for all.
fn config(settings: &Settings, flags: &Overrides, base_url: &str) -> anyhow::Result<String> {
    let mut file = toml::Table::new();
    if let Some(plugin) = &settings.plugin
        && flags.plugin.is_some()
    {
        // The harness may be started elsewhere.
        let plugin = match plugin {
            Source::File(path) => std::path::absolute(path)?.display().to_string(),
            Source::Registry(reference) => reference.to_string(),
        };
        file.insert("plugin".to_owned(), plugin.into());
    }
    if let Some(agent) = &flags.agent {
        let mut section = toml::Table::new();
        section.insert("use".to_owned(), agent.as_str().into());
        if let Some(key_file) = &flags.agent_key_file {
            let key_file = std::path::absolute(key_file)?;
            let key_file = key_file.to_str().context("the key file's name is no text")?;
            section.insert("keyFile".to_owned(), key_file.into());
        }
        file.insert("agent".to_owned(), section.into());
    }
    let mut channel = toml::Table::new();
    channel.insert("baseUrl".to_owned(), base_url.into());
    let mut channels = toml::Table::new();
    let section = settings.section();
    channels.insert(section.trim_start_matches("channels.").to_owned(), channel.into());
    file.insert("channels".to_owned(), channels.into());
    Ok(toml::to_string(&file)?)
}

fn list(settings: &Settings) -> anyhow::Result<String> {
    let mut list = String::new();
    for name in settings.tenants.names()? {
        let state = match settings.tenants.is_suspended(&name) {
            true => "suspended",
            false => "served",
        };
        match settings.of_tenant(&name) {
            Ok(own) => {
                let url = own.base_url.unwrap_or_default();
                writeln!(list, "{name}  {state}  {url}")?;
            }
            Err(error) => writeln!(list, "{name}  not served: {error}")?,
        }
    }
    Ok(match list.is_empty() {
        true => "There are no tenants: add one with `host-harness tenant add NAME --base-url URL`.".to_owned(),
        false => list.trim_end().to_owned(),
    })
}

fn look(settings: &Settings, name: &Name) -> anyhow::Result<()> {
    owner::look(settings, name)?.map(drop).map_err(anyhow::Error::msg)
}
