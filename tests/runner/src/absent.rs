//! What a program imports beyond WASI: there to link, and a trap when called.
//!
//! A plugin's tests carry its imports of the host. Wasmtime's own way to fill such gaps compares names with their
//! versions, and would so hide the WASI that it has under another patch version.

use wasmtime::component::types::{ComponentInstance, ComponentItem};
use wasmtime::component::{Component, Linker, ResourceType};
use wasmtime::{Engine, Result, bail};

/// The packages that are really there.
const PRESENT: [&str; 7] = [
    "tests:disk",
    "wasi:cli",
    "wasi:clocks",
    "wasi:filesystem",
    "wasi:io",
    "wasi:random",
    "wasi:sockets",
];

/// Defines every interface of other packages that `component` imports.
pub(crate) fn define<T>(linker: &mut Linker<T>, engine: &Engine, component: &Component) -> Result<()> {
    for (interface, import) in component.component_type().imports(engine) {
        let package = interface.split('/').next().unwrap_or(interface);
        if let ComponentItem::ComponentInstance(instance) = import.ty
            && !PRESENT.contains(&package)
        {
            define_interface(linker, engine, interface, &instance)?;
        }
    }
    Ok(())
}

fn define_interface<T>(
    linker: &mut Linker<T>,
    engine: &Engine,
    interface: &str,
    instance: &ComponentInstance,
) -> Result<()> {
    let mut linker = linker.instance(interface)?;
    for (item, export) in instance.exports(engine) {
        match export.ty {
            ComponentItem::ComponentFunc(_) => {
                let name = format!("{interface}#{item}");
                linker.func_new(item, move |_, _, _, _| bail!("no {name} in a test"))?;
            }
            ComponentItem::Resource(_) => linker.resource(item, ResourceType::host::<()>(), |_, _| Ok(()))?,
            _ => {}
        }
    }
    Ok(())
}
