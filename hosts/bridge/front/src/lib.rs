//! The web side of the plugin where a host calls `wasi:http/incoming-handler` and nothing else. Requests go to the plugin,
//! and what it has asked for in a call is carried out when the call has returned. Connections are held by the proxy in
//! front, which is asked to by the headers of GRIP. What the agent and the owner have to say comes in by `/internal/`.

// For pure parts there are tests, and these run natively.
#![cfg_attr(
    not(target_family = "wasm"),
    allow(dead_code, reason = "what calls it is WebAssembly only")
)]

mod grip;
mod message;

#[cfg(target_family = "wasm")]
mod door;
#[cfg(target_family = "wasm")]
mod exchange;
#[cfg(target_family = "wasm")]
mod internal;
#[cfg(target_family = "wasm")]
mod lease;

#[cfg(target_family = "wasm")]
#[allow(missing_docs, unsafe_code, clippy::all, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({
        path: ["../../../wit", "../wit"],
        world: "tinyclaw:bridge/front",
        generate_all,
    });

    use super::door::Component;
    export!(Component with_types_in self);
}
