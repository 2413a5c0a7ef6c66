//! A component that was found fit, compiled and linked: what instances are made of.

use std::path::{Path, PathBuf};

use wasmtime::Store;
use wasmtime::component::Linker;
use wasmtime_wasi_http::p2::bindings::{Proxy, ProxyIndices};

use super::bindings::{Plugin, PluginIndices, PluginPre};
use super::imports::State;
use super::{LoadError, linker};
use crate::capability::Capabilities;
use crate::contract::{self, Misfit};
use crate::engine::{CacheUse, Engine};

/// A plugin's program, without a state of its own. Clones share the machine code.
#[derive(Clone)]
pub struct Program {
    pre: PluginPre<State>,
    file: Option<PathBuf>,
    cache_use: CacheUse,
}

impl Program {
    /// Compiles a component and links what is granted; does not instantiate it. `file` is where it was read from; none for
    /// the one that is built in.
    ///
    /// # Errors
    /// When it is not a channel plugin of this contract, or wants what is not granted.
    pub fn load(
        engine: &Engine,
        component: &[u8],
        file: Option<PathBuf>,
        granted: &Capabilities,
    ) -> Result<Self, LoadError> {
        contract::check_preamble(component)?;
        let (component, cache_use) = engine.compile(component).map_err(|error| {
            tracing::debug!(%error, "compiling");
            Misfit::Damaged
        })?;
        contract::check(&component, granted)?;
        let pre = linker::linker(engine.inner(), granted)
            .map_err(LoadError::Host)?
            .instantiate_pre(&component)
            .and_then(PluginPre::new)
            .map_err(|error| {
                tracing::debug!(%error, "linking");
                Misfit::OtherTypes
            })?;
        Ok(Self { pre, file, cache_use })
    }

    /// Where it was read from; none for the one that is built in.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The same program, as it was read from another file.
    pub(crate) fn read_from(self, file: Option<PathBuf>) -> Self {
        Self { file, ..self }
    }

    /// Where its machine code came from.
    pub fn cache_use(&self) -> CacheUse {
        self.cache_use
    }

    /// The interfaces that it imports.
    pub fn imports(&self) -> Vec<String> {
        contract::imports(self.pre.instance_pre().component())
    }

    /// The interfaces that it exports.
    pub fn exports(&self) -> Vec<String> {
        contract::exports(self.pre.instance_pre().component())
    }

    pub(super) async fn instantiate(&self, store: &mut Store<State>) -> wasmtime::Result<Plugin> {
        self.pre.instantiate_async(store).await
    }

    /// The same component with other imports.
    pub(super) fn linked_by(&self, linker: &Linker<State>) -> wasmtime::Result<Self> {
        let component = self.pre.instance_pre().component();
        let pre = PluginPre::new(linker.instantiate_pre(component)?)?;
        Ok(Self { pre, ..self.clone() })
    }

    /// As [`Program::instantiate`], with the standard door where the component has one.
    pub(super) async fn instantiate_with_both_doors(
        &self,
        store: &mut Store<State>,
    ) -> wasmtime::Result<(Plugin, Option<Proxy>)> {
        let pre = self.pre.instance_pre();
        let (record, standard) = (PluginIndices::new(pre)?, ProxyIndices::new(pre).ok());
        let instance = pre.instantiate_async(&mut *store).await?;
        let plugin = record.load(&mut *store, &instance)?;
        let standard = standard.map(|door| door.load(store, &instance)).transpose()?;
        Ok((plugin, standard))
    }
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}
