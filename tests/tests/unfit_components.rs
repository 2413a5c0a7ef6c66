//! What is no channel plugin is refused in one sentence that names what is missing or not given, before anything is
//! served. Observed by handing files that are made here to the real program.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::fs;

use friends_chat_tests::Data;
use host_harness::capability::{Capabilities, Capability};
use wasm_encoder::{
    Component, ComponentExportKind, ComponentExportSection, ComponentImportSection, ComponentInstanceSection,
    ComponentTypeRef, ComponentTypeSection, InstanceType, Module,
};

const EXPORTS: [&str; 6] = [
    "tinyclaw:plugin/channel@0.1.0",
    "tinyclaw:plugin/tools@0.1.0",
    "tinyclaw:plugin/maintenance@0.1.0",
    "tinyclaw:plugin/http@0.1.0",
    "tinyclaw:plugin/socket@0.1.0",
    "tinyclaw:plugin/web-push-events@0.1.0",
];

/// A component that imports and exports empty interfaces of these names.
fn component(imports: &[&str], exports: &[&str]) -> Vec<u8> {
    let mut component = Component::new();
    let mut types = ComponentTypeSection::new();
    types.instance(&InstanceType::new());
    component.section(&types);
    let mut import_section = ComponentImportSection::new();
    for name in imports {
        import_section.import(*name, ComponentTypeRef::Instance(0));
    }
    component.section(&import_section);
    let mut instances = ComponentInstanceSection::new();
    instances.export_items(std::iter::empty::<(&str, ComponentExportKind, u32)>());
    component.section(&instances);
    let empty = u32::try_from(imports.len()).unwrap();
    let mut export_section = ComponentExportSection::new();
    for name in exports {
        export_section.export(*name, ComponentExportKind::Instance, empty, None);
    }
    component.section(&export_section);
    component.finish()
}

/// The sentence with which a plugin is refused.
fn refusal(plugin: &[u8]) -> String {
    refusal_with("", plugin)
}

/// The same with this configuration.
fn refusal_with(config: &str, plugin: &[u8]) -> String {
    let data = Data::new().with_config(config);
    let file = data.path().join("plugin.wasm");
    fs::write(&file, plugin).unwrap();
    let path = file.to_str().unwrap();
    let served = data.run(&["serve", "--port", "0", "--plugin", path]).failure();
    assert_eq!(data.run(&["list", "--plugin", path]).failure(), served);
    assert!(served.contains(path), "{served}");
    for foreign in ["wasmtime", "backtrace", "Caused by", "offset"] {
        assert!(!served.contains(foreign), "{served}");
    }
    assert!(!data.database().exists());
    served
}

#[test]
fn a_file_that_is_missing() {
    let refusal = Data::new()
        .run(&["serve", "--port", "0", "--plugin", "/nowhere.wasm"])
        .failure();
    assert!(
        refusal.contains("/nowhere.wasm") && refusal.contains("--plugin"),
        "{refusal}"
    );
}

#[test]
fn what_is_not_a_component() {
    for bytes in [b"".as_slice(), b"\0asm", b"#!/bin/sh\necho hello\n", b"(component)"] {
        assert!(refusal(bytes).contains("not a WebAssembly component"));
    }
}

#[test]
fn a_core_module() {
    let refusal = refusal(&Module::new().finish());
    assert!(
        refusal.contains("core WebAssembly module") && refusal.contains("wasm32-wasip2"),
        "{refusal}"
    );
}

#[test]
fn a_damaged_component() {
    let whole = host_harness::DEFAULT_PLUGIN;
    let mut flipped = component(&[], &EXPORTS);
    let last = flipped.len() - 1;
    flipped[last] ^= 0xff;
    for bytes in [&whole[..whole.len() / 2], &whole[..9], &flipped] {
        let refusal = refusal(bytes);
        assert!(refusal.contains("damaged"), "{refusal}");
    }
}

#[test]
fn a_missing_export_is_named() {
    for missing in EXPORTS {
        let others: Vec<&str> = EXPORTS.into_iter().filter(|name| *name != missing).collect();
        let refusal = refusal(&component(&[], &others));
        assert!(refusal.contains(&format!("does not export `{missing}`")), "{refusal}");
    }
}

#[test]
fn a_foreign_import_is_named() {
    for foreign in [
        "wasi:sockets/tcp@0.2.12",
        "wasi:http/outgoing-handler@0.2.12",
        "evil:corp/files",
    ] {
        let refusal = refusal(&component(&[foreign], &EXPORTS));
        assert!(refusal.contains(&format!("wants `{foreign}`")), "{refusal}");
    }
}

#[test]
fn what_is_not_granted_is_named_with_the_line_that_grants_it() {
    for granted in Capability::ALL {
        let others: Capabilities = Capability::ALL.into_iter().filter(|other| *other != granted).collect();
        for interface in granted.interfaces() {
            let plugin = component(&[interface], &EXPORTS);
            let withheld = refusal_with(&format!("{others}\n"), &plugin);
            assert!(
                withheld.contains(&format!("wants `{interface}`, which is not granted")),
                "{withheld}"
            );
            assert!(withheld.contains(&Capabilities::default().to_string()), "{withheld}");
            // It is refused for its contents, which are none, and for nothing else.
            assert!(refusal(&plugin).contains("WIT"));
        }
    }
    // To grant what a plugin does not want changes nothing, and what all have needs no grant.
    let modest = component(&["wasi:random/random@0.2.12"], &EXPORTS);
    assert!(refusal_with("grants = []", &modest).contains("WIT"));
    let greedy = component(&["tinyclaw:plugin/agent@0.1.0", "tinyclaw:plugin/push@0.1.0"], &EXPORTS);
    let both = refusal_with("grants = []", &greedy);
    assert!(
        both.contains("`tinyclaw:plugin/agent@0.1.0`, `tinyclaw:plugin/push@0.1.0`, which are not granted")
            && both.contains(r#"grants = ["agent", "connections"]"#),
        "{both}"
    );
}

#[test]
fn another_version_is_named_with_ours() {
    let rows = [
        ("tinyclaw:plugin/agent@0.2.0", "tinyclaw:plugin/agent@0.1.0"),
        ("tinyclaw:plugin/memory@0.2.0", "tinyclaw:plugin/memory@0.1.0"),
        ("tinyclaw:plugin/push@0.1.0-rc.1", "tinyclaw:plugin/push@0.1.0"),
        ("wasi:clocks/wall-clock@0.3.0", "wasi:clocks/wall-clock@0.2.12"),
        ("wasi:config/store@0.2.0-rc.2", "wasi:config/store@0.2.0-rc.1"),
    ];
    for (found, ours) in rows {
        let refusal = refusal(&component(&[found], &EXPORTS));
        assert!(
            refusal.contains(&format!("`{found}`")) && refusal.contains(&format!("`{ours}`")),
            "{refusal}"
        );
    }
    let exports = [&["tinyclaw:plugin/channel@0.2.0"], &EXPORTS[1..]].concat();
    let refusal = refusal(&component(&[], &exports));
    assert!(
        refusal.contains("channel@0.2.0") && refusal.contains("channel@0.1.0"),
        "{refusal}"
    );
}

#[test]
fn the_right_names_with_other_contents() {
    let refusal = refusal(&component(&["tinyclaw:plugin/agent@0.1.0"], &EXPORTS));
    assert!(refusal.contains("0.1.0") && refusal.contains("WIT"), "{refusal}");
}
