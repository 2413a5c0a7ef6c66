//! What the host's environment says: `BRIDGE_…` for the bridge, and the plugin's keys under their own names.

use std::collections::HashMap;

use crate::bindings::wasi::cli::environment::get_environment;

/// The first parts of keys that a plugin may read.
const PLUGINS_KEYS: [&str; 2] = ["agent.", "channels."];

/// The environment. It does not change while an instance lives.
pub(crate) struct Settings(HashMap<String, String>);

thread_local! {
    static SETTINGS: Settings = Settings(get_environment().into_iter().collect());
}

/// One of the bridge's own settings.
pub(crate) fn own(name: &str) -> Option<String> {
    SETTINGS.with(|settings| settings.0.get(name).filter(|value| !value.is_empty()).cloned())
}

/// One of the plugin's.
pub(crate) fn plugins(key: &str) -> Option<String> {
    PLUGINS_KEYS.iter().find(|prefix| key.starts_with(**prefix))?;
    SETTINGS.with(|settings| settings.0.get(key).cloned())
}

/// All of the plugin's.
pub(crate) fn all_of_plugin() -> Vec<(String, String)> {
    SETTINGS.with(|settings| {
        let all = settings.0.iter();
        all.filter(|(key, _)| plugins(key).is_some())
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    })
}
