//! Says in one sentence why a file cannot be loaded, before Wasmtime says it in its own words.
//!
//! The list of imports is also the list of what any plugin is given: what is not in it is not linked.

use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

/// What a plugin must export.
const EXPORTS: [&str; 6] = [
    "tinyclaw:plugin/channel@0.1.0",
    "tinyclaw:plugin/tools@0.1.0",
    "tinyclaw:plugin/maintenance@0.1.0",
    "tinyclaw:plugin/http@0.1.0",
    "tinyclaw:plugin/socket@0.1.0",
    "tinyclaw:plugin/web-push-events@0.1.0",
];

/// What a plugin may import. Nothing of it reaches the network, the environment or other files.
const IMPORTS: [&str; 30] = [
    "tinyclaw:plugin/agent@0.1.0",
    "tinyclaw:plugin/commits@0.1.0",
    "tinyclaw:plugin/http-types@0.1.0",
    "tinyclaw:plugin/memory@0.1.0",
    "tinyclaw:plugin/push@0.1.0",
    "tinyclaw:plugin/secrets@0.1.0",
    "tinyclaw:plugin/web-push@0.1.0",
    "wasi:cli/environment@0.2.12",
    "wasi:cli/exit@0.2.12",
    "wasi:cli/stderr@0.2.12",
    "wasi:cli/stdin@0.2.12",
    "wasi:cli/stdout@0.2.12",
    "wasi:cli/terminal-input@0.2.12",
    "wasi:cli/terminal-output@0.2.12",
    "wasi:cli/terminal-stderr@0.2.12",
    "wasi:cli/terminal-stdin@0.2.12",
    "wasi:cli/terminal-stdout@0.2.12",
    "wasi:clocks/monotonic-clock@0.2.12",
    "wasi:clocks/wall-clock@0.2.12",
    "wasi:config/store@0.2.0-rc.1",
    "wasi:filesystem/preopens@0.2.12",
    "wasi:filesystem/types@0.2.12",
    "wasi:http/types@0.2.12",
    "wasi:io/error@0.2.12",
    "wasi:io/poll@0.2.12",
    "wasi:io/streams@0.2.12",
    "wasi:logging/logging@0.1.0-draft",
    "wasi:random/insecure-seed@0.2.12",
    "wasi:random/insecure@0.2.12",
    "wasi:random/random@0.2.12",
];

/// Why a component does not fit this host.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Misfit {
    /// Not WebAssembly at all.
    #[error("this is not a WebAssembly component: give the .wasm file of a channel plugin")]
    NotWebAssembly,
    /// A core module.
    #[error("this is a core WebAssembly module, not a component: build the plugin for the target wasm32-wasip2")]
    CoreModule,
    /// The bytes begin like a component and are not one.
    #[error("this WebAssembly component is damaged: build or download it again")]
    Damaged,
    /// Something is not exported.
    #[error("this component does not export `{0}`, which every channel plugin has: is it a channel plugin?")]
    MissingExport(String),
    /// Something else is imported.
    #[error("this component wants `{0}`, which this host does not give")]
    ForeignImport(String),
    /// The right interface in a version that does not link.
    #[error(
        "this component was made for `{found}`; this host speaks `{ours}`: use a plugin or a host of the same version"
    )]
    OtherVersion {
        /// What the component names.
        found: String,
        /// What this host has.
        ours: String,
    },
    /// The names agree, the types do not.
    #[error("this component's interfaces differ from those of the contract 0.1.0: build it against the released WIT")]
    OtherTypes,
}

/// Tells from the first bytes whether a file can be a component (Component Model binary format, preamble).
///
/// # Errors
/// When it cannot.
pub fn check_preamble(bytes: &[u8]) -> Result<(), Misfit> {
    match bytes.get(..8) {
        Some([0, b'a', b's', b'm', _, _, 1, 0]) => Ok(()),
        Some([0, b'a', b's', b'm', ..]) => Err(Misfit::CoreModule),
        _ => Err(Misfit::NotWebAssembly),
    }
}

/// Compares what a component imports and exports with what this host gives and needs.
///
/// # Errors
/// The first thing that does not fit.
pub fn check(component: &Component) -> Result<(), Misfit> {
    let engine = component.engine();
    let ty = component.component_type();
    for (name, item) in ty.imports(engine) {
        // The canonical ABI's own imports of types come without an instance.
        if matches!(item.ty, ComponentItem::ComponentInstance(_)) && !IMPORTS.iter().any(|ours| links(name, ours)) {
            return Err(misfit(name, &IMPORTS, Misfit::ForeignImport));
        }
    }
    let exports: Vec<&str> = ty.exports(engine).map(|(name, _)| name).collect();
    for needed in EXPORTS {
        if exports.iter().any(|name| links(name, needed)) {
            continue;
        }
        let (interface, _) = split(needed);
        return Err(match exports.iter().find(|name| split(name).0 == interface) {
            Some(found) => Misfit::OtherVersion {
                found: (*found).to_owned(),
                ours: needed.to_owned(),
            },
            None => Misfit::MissingExport(needed.to_owned()),
        });
    }
    Ok(())
}

/// The interfaces that a component imports.
pub fn imports(component: &Component) -> Vec<String> {
    let engine = component.engine();
    let ty = component.component_type();
    ty.imports(engine)
        .filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentInstance(_)))
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// The interfaces that a component exports.
pub fn exports(component: &Component) -> Vec<String> {
    let engine = component.engine();
    let ty = component.component_type();
    ty.exports(engine).map(|(name, _)| name.to_owned()).collect()
}

fn misfit(name: &str, ours: &[&str], foreign: fn(String) -> Misfit) -> Misfit {
    let (interface, _) = split(name);
    match ours.iter().find(|ours| split(ours).0 == interface) {
        Some(ours) => Misfit::OtherVersion {
            found: name.to_owned(),
            ours: (*ours).to_owned(),
        },
        None => foreign(name.to_owned()),
    }
}

/// Whether Wasmtime links two versions of an interface: the same, or compatible by semantic versioning.
fn links(a: &str, b: &str) -> bool {
    let ((a_name, a_version), (b_name, b_version)) = (split(a), split(b));
    a_name == b_name
        && (a_version == b_version || compatible(a_version).is_some_and(|a| Some(a) == compatible(b_version)))
}

fn split(name: &str) -> (&str, &str) {
    name.split_once('@').unwrap_or((name, ""))
}

/// The part of a version that must agree: up to the first number that is not zero. A pre-release has none.
fn compatible(version: &str) -> Option<&str> {
    if version.contains('-') {
        return None;
    }
    let (major, rest) = version.split_once('.')?;
    if major != "0" {
        return Some(major);
    }
    let (minor, _) = rest.split_once('.')?;
    (minor != "0")
        .then(|| version.get(..major.len() + 1 + minor.len()))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_link_as_wasmtime_links_them() {
        assert!(links("a:b/c@0.1.0", "a:b/c@0.1.7"));
        assert!(links("a:b/c@1.2.0", "a:b/c@1.9.3"));
        assert!(!links("a:b/c@0.1.0", "a:b/c@0.2.0"));
        assert!(!links("a:b/c@0.2.0-rc.1", "a:b/c@0.2.0"));
        assert!(links("a:b/c@0.2.0-rc.1", "a:b/c@0.2.0-rc.1"));
        assert!(!links("a:b/c@0.1.0", "a:b/d@0.1.0"));
        assert!(!links("a:b/c@0.0.1", "a:b/c@0.0.2"));
    }

    #[test]
    fn the_preamble_tells_what_a_file_is() {
        assert_eq!(check_preamble(b"\0asm\x0d\0\x01\0..."), Ok(()));
        assert_eq!(check_preamble(b"\0asm\x01\0\0\0"), Err(Misfit::CoreModule));
        assert_eq!(check_preamble(b"#!/bin/sh"), Err(Misfit::NotWebAssembly));
        assert_eq!(check_preamble(b""), Err(Misfit::NotWebAssembly));
    }
}
