//! Whom clients of this process trust, and what TLS computes with: chosen once, since reading the system's certificates takes
//! longer than waking a plugin.

use std::sync::OnceLock;

use reqwest::{Client, ClientBuilder};
use rustls::ClientConfig;
use rustls_platform_verifier::ConfigVerifierExt as _;

/// A client of HTTP that trusts what the system does.
///
/// # Errors
/// When the system's certificates cannot be used.
pub(crate) fn client() -> Result<ClientBuilder, rustls::Error> {
    static CONFIG: OnceLock<ClientConfig> = OnceLock::new();
    let config = match CONFIG.get() {
        Some(config) => config,
        None => {
            // Fails only where another part of the program has chosen already.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let config = ClientConfig::with_platform_verifier()?;
            CONFIG.get_or_init(|| config)
        }
    };
    Ok(Client::builder().tls_backend_preconfigured(config.clone()))
}
