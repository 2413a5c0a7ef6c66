//! A tenant's settings: its own configuration file, and for what that does not say the configuration of the whole.

use std::path::Path;

use toml::Table;

use super::{CHANNEL, Common, Overrides, Settings, SettingsError, checked_base_url, read};
use crate::data_dir::DataDir;
use crate::tenants::{Address, Name};

/// Sections of the whole: what they are about is there once.
const OF_THE_WHOLE: [&str; 9] = [
    "data", "tenants", "tls", "proxy", "mcp", "metrics", "log", "nats", "push",
];

/// Keys of a channel's section that are of the whole.
const OF_THE_SOCKET: [&str; 2] = ["host", "port"];

impl Settings {
    /// The settings of a tenant; makes what is missing in its directory.
    ///
    /// # Errors
    /// When its configuration cannot be read, says something impossible, or what is not its to say.
    pub fn of_tenant(&self, name: &Name) -> Result<Self, SettingsError> {
        self.tenants.known(name)?;
        let path = self.tenants.config(name);
        let own = read(&path)?;
        check(&path, &own)?;
        let overrides = self.common.overrides_beside(&own);
        let mut file = self.common.file.clone();
        file.retain(|key, _| !OF_THE_WHOLE.contains(&key));
        for (_, channel) in file
            .get_mut("channels")
            .and_then(toml::Value::as_table_mut)
            .into_iter()
            .flatten()
        {
            if let Some(channel) = channel.as_table_mut() {
                channel.retain(|key, _| key != "baseUrl" && !OF_THE_SOCKET.contains(&key));
            }
        }
        lay_over(&mut file, own);
        let data = DataDir::open(&self.tenants.of(name))?;
        let mut settings = Self::decide(overrides, data, path.clone(), file)?;
        if settings.base_url.is_none() {
            return Err(no_address(&path, settings.section.trim_start_matches("channels.")));
        }
        settings.host.clone_from(&self.host);
        settings.allowed_push_services.clone_from(&self.allowed_push_services);
        settings.whole.clone_from(&self.whole);
        settings.tenant = Some(name.clone());
        Ok(settings)
    }
}

impl Settings {
    /// Where a tenant is found, by its own file alone.
    ///
    /// # Errors
    /// When that cannot be read or says no address.
    pub(crate) fn address_of(&self, name: &Name) -> Result<Address, SettingsError> {
        let path = self.tenants.config(name);
        let own = read(&path)?;
        let channel = own.get("channel").or_else(|| self.common.file.get("channel"));
        let channel = channel.and_then(toml::Value::as_str).unwrap_or(CHANNEL);
        let url = own
            .get("channels")
            .and_then(|channels| channels.get(channel)?.get("baseUrl")?.as_str())
            .ok_or_else(|| no_address(&path, channel))?;
        let url = checked_base_url(url.to_owned())?;
        Address::of(&url).map_err(|why| SettingsError::Malformed {
            path,
            message: format!("the baseUrl {url:?} is no address of a tenant: {why}"),
        })
    }
}

impl Settings {
    /// Whether a tenant can be served beside the others.
    ///
    /// # Errors
    /// When its settings do not hold, or another has its address.
    pub fn check_tenant(&self, name: &Name) -> Result<(), SettingsError> {
        let address = self.address_of(name)?;
        let others = self.tenants.names()?;
        let twin = others
            .iter()
            .find(|other| *other != name && self.address_of(other).is_ok_and(|its| its == address));
        match twin {
            Some(other) => Err(self.taken(name, other)),
            None => self.of_tenant(name).map(drop),
        }
    }

    /// Says that another tenant has the address.
    pub(crate) fn taken(&self, name: &Name, by: &Name) -> SettingsError {
        SettingsError::Malformed {
            path: self.tenants.config(name),
            message: format!("the tenant `{by}` has this address: choose another baseUrl"),
        }
    }
}

fn no_address(path: &Path, channel: &str) -> SettingsError {
    SettingsError::Malformed {
        path: path.to_owned(),
        message: format!("a tenant needs an address: write [channels.{channel}] with baseUrl = \"https://…\""),
    }
}

impl Common {
    /// What flags and the environment say of what a tenant's own file does not.
    fn overrides_beside(&self, own: &Table) -> Overrides {
        let all = &self.overrides;
        let mut overrides = Overrides {
            docker_config: all.docker_config.clone(),
            ..Overrides::default()
        };
        if !own.contains_key("plugin") {
            overrides.plugin.clone_from(&all.plugin);
        }
        // A key opens the server that it was given with, and no other.
        if !own.contains_key("agent") {
            overrides.agent.clone_from(&all.agent);
            overrides.agent_key.clone_from(&all.agent_key);
            overrides.agent_key_file.clone_from(&all.agent_key_file);
        }
        overrides
    }
}

/// Refuses what is not a tenant's to say.
fn check(path: &Path, own: &Table) -> Result<(), SettingsError> {
    let refused = |key: String| SettingsError::Malformed {
        path: path.to_owned(),
        message: format!("`{key}` is for all tenants together: write it into the configuration of the whole"),
    };
    if let Some(key) = OF_THE_WHOLE.into_iter().find(|key| own.contains_key(*key)) {
        return Err(refused(key.to_owned()));
    }
    let channels = own.get("channels").and_then(toml::Value::as_table);
    for (name, channel) in channels.into_iter().flatten() {
        if let Some(key) = OF_THE_SOCKET.into_iter().find(|key| channel.get(key).is_some()) {
            return Err(refused(format!("channels.{name}.{key}")));
        }
    }
    Ok(())
}

/// Lays a table over another: tables are joined, anything else is replaced.
fn lay_over(below: &mut Table, above: Table) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(above)) => lay_over(below, above),
            (_, value) => drop(below.insert(key, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::agent::Key;

    fn tenant(whole: &str, flags: Overrides, own: &str) -> Result<Settings, SettingsError> {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("config.toml"), whole).unwrap();
        let overrides = Overrides {
            data: Some(root.path().to_owned()),
            ..flags
        };
        let settings = Settings::resolve(overrides).unwrap();
        fs::create_dir_all(root.path().join("tenants/anna")).unwrap();
        fs::write(root.path().join("tenants/anna/config.toml"), own).unwrap();
        settings.of_tenant(&"anna".parse().unwrap())
    }

    const OWN: &str = "[channels.friends]\nbaseUrl = 'https://anna.example.org'\n";

    #[test]
    fn what_a_tenant_does_not_say_is_as_for_all() {
        let whole = "secrets = []\nagent = { name = 'Ada', use = 'echo:0ms' }\n[channels.friends]\ninviteTtl = '2d'\nport = 4000";
        let settings = tenant(whole, Overrides::default(), OWN).unwrap();
        let config = settings.plugin_config(4000);
        assert_eq!(config.get("channels.friends.inviteTtl").unwrap(), "2d");
        assert_eq!(
            config.get("channels.friends.baseUrl").unwrap(),
            "https://anna.example.org"
        );
        assert_eq!(
            (settings.agent_name(), settings.agent.to_string().as_str()),
            ("Ada", "echo:0s")
        );
        assert!(settings.data.root().ends_with("tenants/anna"));
        let own = format!("agent.name = 'Bob'\n{OWN}inviteTtl = '3d'");
        let config = tenant(whole, Overrides::default(), &own).unwrap().plugin_config(4000);
        assert_eq!(config.get("agent.name").unwrap(), "Bob");
        assert_eq!(config.get("channels.friends.inviteTtl").unwrap(), "3d");
    }

    #[test]
    fn the_key_for_all_opens_no_tenants_own_server() {
        let flags = || Overrides {
            agent: Some("http://localhost:1/v1#m".to_owned()),
            agent_key: Key::new("secret"),
            plugin: Some(PathBuf::from("all.wasm")),
            ..Overrides::default()
        };
        assert!(tenant("", flags(), OWN).unwrap().agent_key.is_some());
        let own = format!("agent.use = 'http://localhost:2/v1#m'\n{OWN}");
        let settings = tenant("", flags(), &own).unwrap();
        assert!(settings.agent_key.is_none());
        assert_eq!(settings.agent.to_string(), "http://localhost:2/v1#m");
    }

    #[test]
    fn what_is_for_all_is_not_a_tenants_to_say() {
        for (own, named) in [
            ("tls.cert = 'a'", "`tls`"),
            ("[channels.friends]\nport = 1", "`channels.friends.port`"),
            ("", "needs an address"),
            ("prot = 1", "prot"),
        ] {
            let error = tenant("", Overrides::default(), own).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
