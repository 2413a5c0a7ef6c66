//! Links what every plugin is given and what is granted, and nothing else: no sockets, no outgoing HTTP.

use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, random};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView};
use wasmtime_wasi_config::WasiConfig;
use wasmtime_wasi_http::{WasiHttp, WasiHttpView};

use super::bindings::tinyclaw::plugin::{agent, commits, http_types, memory, push, secrets, web_push};
use super::bindings::wasi::logging::logging;
use super::directory;
use super::imports::State;
use crate::capability::{Capabilities, Capability};

pub(super) fn linker(engine: &wasmtime::Engine, granted: &Capabilities) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    always(&mut linker)?;
    for capability in granted.iter() {
        link(&mut linker, capability)?;
    }
    Ok(linker)
}

/// The interfaces of one capability.
fn link(l: &mut Linker<State>, capability: Capability) -> wasmtime::Result<()> {
    match capability {
        Capability::Agent => agent::add_to_linker::<_, HasSelf<State>>(l, |state| state),
        Capability::Connections => push::add_to_linker::<_, HasSelf<State>>(l, |state| state),
        Capability::Notes => memory::add_to_linker::<_, HasSelf<State>>(l, |state| state),
        Capability::Notifications => web_push::add_to_linker::<_, HasSelf<State>>(l, |state| state),
        Capability::Secrets => secrets::add_to_linker::<_, HasSelf<State>>(l, |state| state),
        Capability::Config => wasmtime_wasi_config::add_to_linker(l, |state| WasiConfig::from(&state.config)),
        Capability::Files => {
            filesystem::preopens::add_to_linker::<_, WasiFilesystem>(l, State::filesystem)?;
            filesystem::types::add_to_linker::<_, WasiFilesystem>(l, State::filesystem)?;
            directory::add_to_linker(l)
        }
        Capability::Log => logging::add_to_linker::<_, HasSelf<State>>(l, |state| state),
    }
}

/// What every plugin is given.
fn always(l: &mut Linker<State>) -> wasmtime::Result<()> {
    commits::add_to_linker::<_, HasSelf<State>>(l, |state| state)?;
    http_types::add_to_linker::<_, HasSelf<State>>(l, |state| state)?;

    wasmtime_wasi_io::add_to_linker_async(l)?;
    clocks::wall_clock::add_to_linker::<_, WasiClocks>(l, State::clocks)?;
    clocks::monotonic_clock::add_to_linker::<_, WasiClocks>(l, State::clocks)?;
    random::random::add_to_linker::<_, WasiRandom>(l, State::random)?;
    random::insecure::add_to_linker::<_, WasiRandom>(l, State::random)?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(l, State::random)?;

    // Rust's standard library imports these; the environment is empty, the streams are closed.
    cli::environment::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::exit::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::stdin::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::stdout::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::stderr::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(l, State::cli)?;

    // The types a component with the standard door imports; the handler for requests to others is not given.
    let options = wasmtime_wasi_http::p2::bindings::http::types::LinkOptions::default();
    wasmtime_wasi_http::p2::bindings::http::types::add_to_linker::<_, WasiHttp>(l, &options, State::http)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::engine::Engine;

    #[test]
    fn what_is_not_granted_is_not_there_to_link() {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::new(directory.path()).unwrap();
        let (component, _) = engine.compile(crate::DEFAULT_PLUGIN).unwrap();
        let links = |granted: &Capabilities| {
            let linker = linker(engine.inner(), granted).unwrap();
            linker
                .instantiate_pre(&component)
                .map(drop)
                .map_err(|error| format!("{error:#}"))
        };
        assert_eq!(links(&Capabilities::default()), Ok(()));
        for withheld in Capability::ALL {
            let others = Capability::ALL.into_iter().filter(|other| *other != withheld).collect();
            let missing = links(&others).unwrap_err();
            assert!(
                withheld
                    .interfaces()
                    .iter()
                    .any(|interface| missing.contains(interface)),
                "{missing}"
            );
        }
    }
}
