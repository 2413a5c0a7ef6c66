//! Bindings of the contract, as they are generated.
#![allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    clippy::all,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::todo,
    reason = "generated"
)]

macro_rules! bind {
    ($world:literal) => {
        wit_bindgen::generate!({
            path: "wit",
            world: $world,
            generate_all,
            pub_export_macro: true,
            export_macro_name: "export_component",
            default_bindings_module: "channel_plugin::bindings",
            additional_derives: [PartialEq, Eq],
            // Holds a resource.
            additional_derives_ignore: ["stream-error"],
        });
    };
}

#[cfg(feature = "wasi-http")]
bind!("channel-plugin");
#[cfg(not(feature = "wasi-http"))]
bind!("record-plugin");
