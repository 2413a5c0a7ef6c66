//! Runs a command component, such as a test program, in the sandbox that a plugin gets: `wasm-runner FILE [ARGS]`.
//!
//! Its only directory is a fresh one that is gone afterwards, on a disk that the program may tell to fail. It has
//! clocks, the same random bytes in every run, arguments and its output, and no network. Other imports are there to
//! link, and trap when called.

mod absent;

use std::path::Path;
use std::process::ExitCode;

use faulty_disk::{Disk, Random};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::error::Context as _;
use wasmtime::{Config, Engine, OptLevel, Result, Store};
use wasmtime_wasi::p2::bindings::sync::Command;
use wasmtime_wasi::random::Deterministic;
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtx, WasiCtxView, WasiView};

/// The exit status of a test program that fails, as a native one has it.
const FAILED: u8 = 101;

/// Random bytes, the same in every run, that come again after that many.
const RANDOM_BYTES: usize = 1 << 16;

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    disk: Disk,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

fn main() -> Result<ExitCode> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let file = Path::new(args.first().context("usage: wasm-runner FILE [ARGS]")?);
    run(file, &args).with_context(|| format!("cannot run {}", file.display()))
}

fn run(file: &Path, args: &[String]) -> Result<ExitCode> {
    let mut config = Config::new();
    // A test program runs once: to compile it well takes longer than to run it.
    config.cranelift_opt_level(OptLevel::None);
    let engine = Engine::new(&config)?;
    let component = Component::from_file(&engine, file)?;

    let mut linker = Linker::new(&engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
    let directory = tempfile::tempdir()?;
    let disk = Disk::new(directory.path());
    disk.add_to_linker(&mut linker)?;
    Disk::add_control_to_linker(&mut linker, |state: &mut State| &mut state.disk)?;
    absent::define(&mut linker, &engine, &component)?;

    let wasi = WasiCtx::builder()
        .inherit_stdio()
        .args(args)
        .allow_blocking_current_thread(true)
        .secure_random(Deterministic::new(Random::new(0).bytes(RANDOM_BYTES)))
        .preopened_dir(directory.path(), "/", FsPerms::ReadWrite)?
        .build();
    let mut store = Store::new(
        &engine,
        State {
            wasi,
            table: ResourceTable::new(),
            disk,
        },
    );
    let command = Command::instantiate(&mut store, &component, &linker)?;

    match command.wasi_cli_run().call_run(&mut store) {
        Ok(Ok(())) => Ok(ExitCode::SUCCESS),
        Ok(Err(())) => Ok(ExitCode::from(FAILED)),
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(I32Exit(status)) => Ok(ExitCode::from(u8::try_from(*status).unwrap_or(FAILED))),
            None => Err(error),
        },
    }
}
