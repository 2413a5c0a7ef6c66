//! What every channel plugin needs. A plugin is a type with [`ChannelPlugin`]; [`export!`] makes a component of it, of the
//! world `channel-plugin` of the package `tinyclaw:plugin`.
//!
//! The host calls one function at a time and waits for it; what a call publishes, enqueues or closes takes effect when it
//! has returned. What a plugin keeps it keeps in files, in its first preopened directory.

mod answers;
pub mod bindings;
mod door;
mod error;
mod host;
mod imports;
mod log;
mod plugin;
mod random;
mod request;
mod response;
pub mod sse;
#[cfg(all(feature = "sqlite", target_family = "wasm"))]
mod storage;
mod text;
mod tool;
mod user_id;
mod words;

pub use answers::{Answer, AnswerTooLong, Answers, MAX_ANSWER_BYTES};
#[doc(hidden)]
pub use door::{Component, Exported, Place};
pub use host::{
    CloseReason, EnqueueError, Host, MemoryError, PublishError, Subscription, Terms, Ticket, Unreadable, Urgency,
    WakeError,
};
pub use plugin::{ChannelPlugin, Opening};
pub use random::Random;
pub use request::{MAX_BODY_BYTES, Request};
pub use response::Response;
pub use text::is_disruptive;
pub use tool::arguments;
pub use user_id::{is_plain_name, user_name};

pub use rand_core;
#[cfg(all(feature = "sqlite", target_family = "wasm"))]
pub use storage::{condition, damage, entry};
#[cfg(all(feature = "sqlite", target_family = "wasm"))]
pub use wasi_sqlite as sqlite;

pub use bindings::exports::tinyclaw::plugin::channel::{
    AgentEvent, Delivery, Entry, Error, Metadata, OutboundMessage, Priority, Role,
};
pub use bindings::exports::tinyclaw::plugin::maintenance::Condition;
pub use bindings::exports::tinyclaw::plugin::tools::{Error as ToolError, Tool};
pub use bindings::tinyclaw::plugin::http_types::{Hold, HoldMode, KeepAlive};

/// Makes a component of a [`ChannelPlugin`]: `channel_plugin::export!(MyPlugin);`, once in a crate of the type `cdylib`.
#[macro_export]
macro_rules! export {
    ($plugin:ty) => {
        const _: () = {
            ::std::thread_local! {
                static PLACE: $crate::Place<$plugin> =
                    ::std::cell::Cell::new(::std::option::Option::Some(::std::default::Default::default()));
            }

            impl $crate::Exported for $plugin {
                fn place() -> &'static ::std::thread::LocalKey<$crate::Place<Self>> {
                    &PLACE
                }
            }

            #[cfg(target_family = "wasm")]
            type Exports = $crate::Component<$plugin>;
            #[cfg(target_family = "wasm")]
    $crate::bindings::export_component!(Exports with_types_in $crate::bindings);
        };
    };
}

/// What a channel plugin says of itself, with what stands in its `Cargo.toml`: its name to show, and the prefix of its users' ids.
#[macro_export]
macro_rules! metadata {
    ($name:expr, $channel_prefix:expr) => {
        $crate::Metadata {
            id: ::std::env!("CARGO_PKG_NAME").to_owned(),
            name: $name.to_owned(),
            description: ::std::env!("CARGO_PKG_DESCRIPTION").to_owned(),
            kind: "channel".to_owned(),
            version: ::std::env!("CARGO_PKG_VERSION").to_owned(),
            channel_prefix: $channel_prefix.to_owned(),
        }
    };
}
