//! Friends Chat: a web chat for the friends of an agent's owner, by invite. A component that decides
//! everything about friends and does nothing by itself: the host holds connections and runs the agent.
//!
//! In the order a request travels: `door` (what of the contract is done by what), `router`, `routes` and `tools`, the domain
//! (names, codes, sessions, answers), `store`, and the frames that go out (`event`, `topic`, `broadcast`).

// Outside a component the door does not exist, and with them much that only they use.
#![cfg_attr(
    not(all(target_family = "wasm", not(test))),
    allow(dead_code, reason = "used by the door, which exists in a component only")
)]

mod answers;
mod assets;
mod attempts;
mod base_url;
mod broadcast;
mod code;
mod config;
mod cookie;
mod entry;
mod event;
mod fetcher;
mod languages;
mod latin;
mod markdown;
mod nickname;
mod origin;
mod qr;
mod rates;
mod retention;
mod router;
mod text;
mod token;
mod topic;
mod username;

// What needs the store exists in WebAssembly only, in tests too.
#[cfg(target_family = "wasm")]
mod conversation;
#[cfg(target_family = "wasm")]
mod feed;
#[cfg(target_family = "wasm")]
mod notify;
#[cfg(target_family = "wasm")]
mod plugin;
#[cfg(target_family = "wasm")]
mod routes;
#[cfg(target_family = "wasm")]
mod service;
#[cfg(target_family = "wasm")]
mod socket;
#[cfg(target_family = "wasm")]
mod store;
#[cfg(target_family = "wasm")]
mod tools;

#[cfg(all(target_family = "wasm", not(test)))]
mod door;

#[cfg(all(test, target_family = "wasm"))]
mod scenario;
#[cfg(test)]
mod testing;
