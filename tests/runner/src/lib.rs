//! Runs command components, such as test programs, in the sandbox that a plugin gets.
//!
//! The only directory of a program is a fresh one that is gone afterwards, on a disk that the program may tell to fail. It
//! has clocks, the same random bytes in every run, arguments and its input and output, and no network. Other imports are
//! there to link, and trap when called.
#![allow(
    clippy::missing_errors_doc,
    reason = "a program that cannot be run is a mistake in the tests"
)]

mod absent;

use std::path::Path;

use faulty_disk::{Disk, Random};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, OptLevel, Result, Store};
use wasmtime_wasi::p2::bindings::sync::Command;
use wasmtime_wasi::p2::pipe::{MemoryInputPipe, MemoryOutputPipe};
use wasmtime_wasi::random::Deterministic;
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

/// The exit status of a program that fails, as a native one has it.
const FAILED: i32 = 101;

/// Random bytes, the same in every run, that come again after that many.
const RANDOM_BYTES: usize = 1 << 16;

/// Most bytes that are kept of what a program says.
const OUTPUT_BYTES: usize = 1 << 20;

/// Where files cost no waiting for a disk, on machines that have it.
const MEMORY: &str = "/dev/shm";

/// A program that can be run.
pub struct Program {
    engine: Engine,
    component: Component,
}

/// How a program ended, and what it said.
#[derive(Debug)]
pub struct Ended {
    /// The exit status: 0 for success.
    pub status: i32,
    /// Its output and its errors.
    pub said: String,
}

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

impl Program {
    /// Compiles the program in a file.
    pub fn load(file: &Path) -> Result<Self> {
        let mut config = Config::new();
        // Most programs run once: to compile one well takes longer than to run it.
        config.cranelift_opt_level(OptLevel::None);
        let engine = Engine::new(&config)?;
        let component = Component::from_file(&engine, file)?;
        Ok(Self { engine, component })
    }

    /// Runs it with the input and output of this process, and gives its exit status.
    pub fn run(&self, args: &[String]) -> Result<i32> {
        self.run_with(args, |wasi| {
            wasi.inherit_stdio();
        })
    }

    /// Runs it with an input, and keeps what it says. One that traps, as those do that panic, has failed.
    pub fn run_on(&self, input: &[u8]) -> Ended {
        let output = MemoryOutputPipe::new(OUTPUT_BYTES);
        let status = self.run_with(&[], |wasi| {
            wasi.stdin(MemoryInputPipe::new(input.to_vec()));
            wasi.stdout(output.clone()).stderr(output.clone());
        });
        let mut said = String::from_utf8_lossy(&output.contents()).into_owned();
        let status = status.unwrap_or_else(|error| {
            said.push_str(&error.root_cause().to_string());
            FAILED
        });
        Ended { status, said }
    }

    fn run_with(&self, args: &[String], stdio: impl FnOnce(&mut WasiCtxBuilder)) -> Result<i32> {
        let mut linker = Linker::new(&self.engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
        let directory = tempfile::tempdir_in(MEMORY).or_else(|_| tempfile::tempdir())?;
        let disk = Disk::new(directory.path());
        disk.add_to_linker(&mut linker)?;
        Disk::add_control_to_linker(&mut linker, |state: &mut State| &mut state.disk)?;
        absent::define(&mut linker, &self.engine, &self.component)?;

        let mut wasi = WasiCtx::builder();
        wasi.args(args)
            .allow_blocking_current_thread(true)
            .secure_random(Deterministic::new(Random::new(0).bytes(RANDOM_BYTES)))
            .preopened_dir(directory.path(), "/", FsPerms::ReadWrite)?;
        stdio(&mut wasi);
        let state = State {
            wasi: wasi.build(),
            table: ResourceTable::new(),
            disk,
        };
        let mut store = Store::new(&self.engine, state);
        let command = Command::instantiate(&mut store, &self.component, &linker)?;
        match command.wasi_cli_run().call_run(&mut store) {
            Ok(Ok(())) => Ok(0),
            Ok(Err(())) => Ok(FAILED),
            Err(error) => match error.downcast_ref::<I32Exit>() {
                Some(I32Exit(status)) => Ok(*status),
                None => Err(error),
            },
        }
    }
}
