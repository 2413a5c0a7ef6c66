//! Runs a test program that was built for `wasm32-wasip2`: `wasm-runner FILE [ARGS]`.

use std::path::Path;
use std::process::ExitCode;

use wasm_runner::Program;
use wasmtime::Result;
use wasmtime::error::Context as _;

/// The exit status of a program that ends with none that fits.
const FAILED: u8 = 101;

fn main() -> Result<ExitCode> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let file = Path::new(args.first().context("usage: wasm-runner FILE [ARGS]")?);
    let status = Program::load(file)
        .and_then(|program| program.run(&args))
        .with_context(|| format!("cannot run {}", file.display()))?;
    Ok(ExitCode::from(u8::try_from(status).unwrap_or(FAILED)))
}
