//! Settings and secrets out of the environment.

use super::Component;
use crate::bindings::exports::tinyclaw::plugin::secrets;
use crate::bindings::exports::wasi::config::store;
use crate::settings;

/// Fewest bytes of a secret.
const MIN_SECRET_BYTES: usize = 16;

impl store::Guest for Component {
    fn get(key: String) -> Result<Option<String>, store::Error> {
        Ok(settings::plugins(&key))
    }

    fn get_all() -> Result<Vec<(String, String)>, store::Error> {
        Ok(settings::all_of_plugin())
    }
}

impl secrets::Guest for Component {
    fn get(name: String) -> Result<Vec<u8>, secrets::Error> {
        if name != "invite-key" {
            return Err(secrets::Error::NotGranted);
        }
        match settings::own("BRIDGE_INVITE_KEY") {
            Some(key) if key.len() >= MIN_SECRET_BYTES => Ok(key.into_bytes()),
            _ => Err(secrets::Error::Other(
                "set the environment variable BRIDGE_INVITE_KEY to 16 or more random characters, always the same"
                    .to_owned(),
            )),
        }
    }
}
