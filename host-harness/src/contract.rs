//! Says in one sentence why a file cannot be loaded, before Wasmtime says it in its own words.

use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use crate::capability::{ALWAYS, Capabilities, Capability};

/// What a plugin must export.
const EXPORTS: [&str; 6] = [
    "tinyclaw:plugin/channel@0.1.0",
    "tinyclaw:plugin/tools@0.1.0",
    "tinyclaw:plugin/maintenance@0.1.0",
    "tinyclaw:plugin/http@0.1.0",
    "tinyclaw:plugin/socket@0.1.0",
    "tinyclaw:plugin/web-push-events@0.1.0",
];

/// What a plugin may export besides: the standard's door, and what a Rust program has that is built as a plugin.
const OTHER_EXPORTS: [&str; 2] = ["wasi:http/incoming-handler@0.2.12", "wasi:cli/run@0.2.12"];

/// What stands behind the name of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// What every plugin is given.
    Nothing,
    /// What the owner grants.
    Grant(Capability),
}

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
    /// What the owner has not granted is imported.
    #[error(
        "this component wants `{}`, which {} not granted: to grant that, write `{line}` into the configuration, before its first section, and start it again",
        interfaces.join("`, `"), if interfaces.len() == 1 { "is" } else { "are" }
    )]
    NotGranted {
        /// What is wanted and not given.
        interfaces: Vec<String>,
        /// What would have to be granted.
        line: Capabilities,
    },
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
/// The first thing that does not fit, or all that is not granted.
pub fn check(component: &Component, granted: &Capabilities) -> Result<(), Misfit> {
    let engine = component.engine();
    let ty = component.component_type();
    let imports = imports(component);
    for name in &imports {
        need(name)?;
    }
    if let Some(misfit) = not_granted(&imports, granted) {
        return Err(misfit);
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

/// Whether a plugin may export this.
pub(crate) fn is_export(name: &str) -> bool {
    EXPORTS.iter().chain(&OTHER_EXPORTS).any(|ours| links(name, ours))
}

/// What a plugin that imports this needs.
///
/// # Errors
/// When no host of this version gives it.
pub(crate) fn need(name: &str) -> Result<Need, Misfit> {
    let granted = Capability::ALL.into_iter().flat_map(|capability| {
        capability
            .interfaces()
            .iter()
            .map(move |ours| (*ours, Need::Grant(capability)))
    });
    let ours: Vec<(&str, Need)> = ALWAYS
        .into_iter()
        .map(|ours| (ours, Need::Nothing))
        .chain(granted)
        .collect();
    if let Some((_, need)) = ours.iter().find(|(ours, _)| links(name, ours)) {
        return Ok(*need);
    }
    let (interface, _) = split(name);
    Err(match ours.iter().find(|(ours, _)| split(ours).0 == interface) {
        Some((ours, _)) => Misfit::OtherVersion {
            found: name.to_owned(),
            ours: (*ours).to_owned(),
        },
        None => Misfit::ForeignImport(name.to_owned()),
    })
}

/// Which of these imports the owner has not granted, if there are any.
pub(crate) fn not_granted(imports: &[String], granted: &Capabilities) -> Option<Misfit> {
    let missing: Vec<(&String, Capability)> = imports
        .iter()
        .filter_map(|name| match need(name) {
            Ok(Need::Grant(capability)) if !granted.has(capability) => Some((name, capability)),
            _ => None,
        })
        .collect();
    (!missing.is_empty()).then(|| Misfit::NotGranted {
        interfaces: missing.iter().map(|(name, _)| (*name).clone()).collect(),
        line: granted.with(missing.iter().map(|(_, capability)| *capability)),
    })
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
