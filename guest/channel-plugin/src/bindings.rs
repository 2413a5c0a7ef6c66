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

#[cfg(feature = "wasi-http")]
wit_bindgen::generate!({
    path: "wit",
    world: "channel-plugin",
    generate_all,
    pub_export_macro: true,
    export_macro_name: "export_component",
    default_bindings_module: "channel_plugin::bindings",
    additional_derives: [PartialEq, Eq],
    // Holds a resource.
    additional_derives_ignore: ["stream-error"],
});

#[cfg(not(feature = "wasi-http"))]
wit_bindgen::generate!({
    path: "wit",
    world: "record-plugin",
    generate_all,
    pub_export_macro: true,
    export_macro_name: "export_component",
    default_bindings_module: "channel_plugin::bindings",
    additional_derives: [PartialEq, Eq],
    // Holds a resource.
    additional_derives_ignore: ["stream-error"],
});
