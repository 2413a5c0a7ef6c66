//! Bindings of the contract, without the WASI interfaces, which have their own.
#![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]

wasmtime::component::bindgen!({
    path: "../wit",
    inline: "
        package harness:host;
        world plugin {
            import tinyclaw:plugin/agent@0.1.0;
            import tinyclaw:plugin/commits@0.1.0;
            import tinyclaw:plugin/memory@0.1.0;
            import tinyclaw:plugin/push@0.1.0;
            import tinyclaw:plugin/secrets@0.1.0;
            import tinyclaw:plugin/web-push@0.1.0;
            import wasi:logging/logging@0.1.0-draft;
            export tinyclaw:plugin/channel@0.1.0;
            export tinyclaw:plugin/tools@0.1.0;
            export tinyclaw:plugin/maintenance@0.1.0;
            export tinyclaw:plugin/http@0.1.0;
            export tinyclaw:plugin/socket@0.1.0;
            export tinyclaw:plugin/web-push-events@0.1.0;
        }
    ",
    world: "harness:host/plugin",
    exports: { default: async },
});
