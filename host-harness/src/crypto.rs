//! What TLS computes with.

/// Chooses that for the process, which has to be done before a client is made.
pub(crate) fn choose() {
    // Fails only where another part of the program has chosen already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
