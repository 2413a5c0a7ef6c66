//! What the plugin imports, made of HTTP requests: its messages go to the agent's address, its frames to a proxy's that
//! holds connections. Nothing leaves before `effects` is asked for it, so a call that traps has said nothing.

// For pure parts there are tests, and these run natively.
#![cfg_attr(
    not(target_family = "wasm"),
    allow(dead_code, reason = "what calls it is WebAssembly only")
)]

mod base64;
mod recent;
mod tickets;

#[cfg(target_family = "wasm")]
mod door;
#[cfg(target_family = "wasm")]
mod journal;
#[cfg(target_family = "wasm")]
mod post;
#[cfg(target_family = "wasm")]
mod settings;

#[cfg(target_family = "wasm")]
#[allow(missing_docs, unsafe_code, clippy::all, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({
        path: ["../../../wit", "../wit"],
        world: "tinyclaw:bridge/imports",
        generate_all,
    });

    use super::door::Component;
    export!(Component with_types_in self);
}
