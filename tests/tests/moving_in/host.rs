//! A host that ends the plugin on the spot after a given number of its instructions, as `kill -9` does: what the
//! files hold then is what they hold.

use std::path::Path;

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, InstancePre, Linker, ResourceTable, ResourceType, Val};
use wasmtime::{Cache, CacheConfig, Config, Engine, OptLevel, Store, Trap, bail};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxView, WasiView};

/// The packages that the host of WASI itself gives.
const WASI: [&str; 5] = ["wasi:cli", "wasi:clocks", "wasi:filesystem", "wasi:io", "wasi:random"];
const CHANNEL: &str = "tinyclaw:plugin/channel@0.1.0";

/// The component, ready to be started.
pub(super) struct Host {
    engine: Engine,
    plugin: InstancePre<State>,
}

impl Host {
    pub(super) fn load() -> Self {
        let mut cache = CacheConfig::new();
        cache.with_directory(Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled-for-moving-in"));
        let mut config = Config::new();
        config
            .consume_fuel(true)
            .cranelift_opt_level(OptLevel::None)
            .cache(Some(Cache::new(cache).unwrap()));
        let engine = Engine::new(&config).unwrap();
        let component = Component::from_binary(&engine, host_harness::DEFAULT_PLUGIN).unwrap();
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker).unwrap();
        define_the_rest(&mut linker, &engine, &component);
        let plugin = linker.instantiate_pre(&component).unwrap();
        Self { engine, plugin }
    }

    /// Starts the plugin on a directory. Gives the instructions that took, or none when it was ended before.
    pub(super) fn start(&self, directory: &Path, instructions: u64) -> Option<u64> {
        let mut wasi = WasiCtx::builder();
        wasi.allow_blocking_current_thread(true)
            .preopened_dir(directory, "/", FsPerms::ReadWrite)
            .unwrap();
        let state = State {
            wasi: wasi.build(),
            table: ResourceTable::new(),
        };
        let mut store = Store::new(&self.engine, state);
        store.set_fuel(instructions).unwrap();
        match self.call_start(&mut store) {
            Ok(answer) => {
                assert!(matches!(answer, Val::Result(Ok(_))), "{answer:?}");
                Some(instructions - store.get_fuel().unwrap())
            }
            Err(error) => {
                assert_eq!(error.downcast_ref(), Some(&Trap::OutOfFuel), "{error:?}");
                None
            }
        }
    }

    fn call_start(&self, store: &mut Store<State>) -> wasmtime::Result<Val> {
        let instance = self.plugin.instantiate(&mut *store)?;
        let channel = instance.get_export_index(&mut *store, None, CHANNEL).unwrap();
        let start = instance.get_export_index(&mut *store, Some(&channel), "start").unwrap();
        let mut answer = [Val::Bool(false)];
        let start = instance.get_func(&mut *store, start).unwrap();
        start.call(&mut *store, &[], &mut answer)?;
        let [answer] = answer;
        Ok(answer)
    }
}

pub(super) struct State {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// A key, no settings, a log that nobody reads, an agent that keeps nothing, no shared commits, and nothing else.
fn define_the_rest(linker: &mut Linker<State>, engine: &Engine, component: &Component) {
    for (interface, import) in component.component_type().imports(engine) {
        let package = interface.split('/').next().unwrap();
        let ComponentItem::ComponentInstance(instance) = import.ty else {
            panic!("{interface} is no interface");
        };
        if WASI.contains(&package) {
            continue;
        }
        let mut linker = linker.instance(interface).unwrap();
        for (item, export) in instance.exports(engine) {
            let interface = interface.to_owned();
            match export.ty {
                ComponentItem::ComponentFunc(_) => linker.func_new(item, move |_, _, _, results| {
                    let name = interface.split('@').next().unwrap();
                    let ok = |value| Val::Result(Ok(Some(Box::new(value))));
                    match (name, results) {
                        ("tinyclaw:plugin/secrets", [result]) => *result = ok(Val::List(vec![Val::U8(7); 32])),
                        ("tinyclaw:plugin/memory", [result]) => *result = Val::Result(Ok(None)),
                        ("tinyclaw:plugin/commits", [result]) => *result = Val::Bool(false),
                        ("wasi:config/store", [result]) => *result = ok(Val::Option(None)),
                        ("wasi:logging/logging", []) => {}
                        _ => bail!("{name} is used"),
                    }
                    Ok(())
                }),
                ComponentItem::Resource(_) => linker.resource(item, resource(item), |_, _| Ok(())),
                _ => Ok(()),
            }
            .unwrap();
        }
    }
}

/// HTTP names again what streams it is read from.
fn resource(item: &str) -> ResourceType {
    match item {
        "input-stream" => ResourceType::host::<DynInputStream>(),
        "output-stream" => ResourceType::host::<DynOutputStream>(),
        "pollable" => ResourceType::host::<DynPollable>(),
        _ => ResourceType::host::<()>(),
    }
}
