//! Runs a channel plugin, a WebAssembly component of the world `tinyclaw:plugin/channel-plugin`.
//!
//! The modules are in the order a process lives: what it is told ([`settings`], [`data_dir`]), what it loads
//! ([`source`], [`registry`], [`engine`], [`capability`], [`contract`], [`plugin`], [`pin`], [`inspect`], [`conform`]), what it connects ([`http`], [`push`], [`web_push`], [`agent`],
//! [`owner`], [`mcp`], [`tenants`]), how several machines do it ([`cluster`]), and [`serve()`], which puts them together. Nothing here knows what the plugin is about.

pub mod log;
pub mod request_id;
pub mod settings;

pub mod backup;
mod crypto;
pub mod data_dir;
mod descriptors;
mod files;
mod sse;
mod turns;

pub mod limits;
pub mod metrics;

pub mod registry;
pub mod source;

pub mod capability;
pub mod conform;
pub mod contract;
pub mod engine;
pub mod inspect;
pub mod pin;
pub mod plugin;
mod programs;

pub mod agent;
pub mod http;
pub mod mcp;
pub mod owner;
mod owner_http;
pub mod push;
pub mod tenants;
pub mod web_push;

pub mod cluster;

pub mod serve;

/// The plugin that is loaded when no other is named.
pub static DEFAULT_PLUGIN: &[u8] = include_bytes!(env!("FRIENDS_CHAT_COMPONENT"));
