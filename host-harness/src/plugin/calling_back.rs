//! A host that does what the contract keeps hosts from: inside an import it calls the plugin back.
//!
//! Wasmtime lets it. What refuses this in the component model is part of its support for concurrent calls, which this harness is
//! built without; hosts in JavaScript and Python do not refuse it either.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

use super::bindings::exports::tinyclaw::plugin::channel::Guest as Channel;
use super::bindings::tinyclaw::plugin::commits::Host as _;
use super::bindings::tinyclaw::plugin::secrets::{self, Host as _};
use super::bindings::wasi::logging::logging::{Host as _, Level};
use super::imports::State;
use super::{ChannelError, Program, linker};
use crate::capability::Capabilities;
use crate::engine::Engine;

/// Imports that call back before they answer, and what came of that.
#[derive(Default)]
pub(crate) struct CallingBack {
    user_id: String,
    channel: OnceLock<Channel>,
    is_inside: AtomicBool,
    answers: Mutex<Vec<(&'static str, Result<(), ChannelError>)>>,
}

impl CallingBack {
    /// One that asks about this user.
    pub(crate) fn new(user_id: String) -> Arc<Self> {
        Arc::new(Self {
            user_id,
            ..Self::default()
        })
    }

    /// Which calls were made and what they answered, since this was asked before.
    pub(crate) fn take_answers(&self) -> Vec<(&'static str, Result<(), ChannelError>)> {
        std::mem::take(&mut *self.answers.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Calls back from now on.
    pub(super) fn begin(&self, channel: Channel) {
        // One belongs to one instance.
        let _ = self.channel.set(channel);
    }

    async fn call_back(&self, mut store: StoreContextMut<'_, State>) -> wasmtime::Result<()> {
        let Some(channel) = self.channel.get() else {
            return Ok(());
        };
        // What is called back may call imports too.
        if self.is_inside.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let read = channel.call_history(&mut store, &self.user_id, 1).await?;
        let stopped = channel.call_stop(&mut store).await?;
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.extend([("history", read.map(drop)), ("stop", stopped)]);
        self.is_inside.store(false, Ordering::Relaxed);
        Ok(())
    }
}

impl Program {
    /// The same program with imports that call back: those that most plugins use in the middle of a call.
    pub(crate) fn calling_back(&self, engine: &Engine, back: &Arc<CallingBack>) -> wasmtime::Result<Self> {
        let mut linker = linker::linker(engine.inner(), &Capabilities::default())?;
        linker.allow_shadowing(true);
        shadow(&mut linker, back)?;
        self.linked_by(&linker)
    }
}

fn shadow(linker: &mut Linker<State>, back: &Arc<CallingBack>) -> wasmtime::Result<()> {
    let calling = Arc::clone(back);
    linker.instance("tinyclaw:plugin/commits@0.1.0")?.func_wrap_async(
        "may-wait",
        move |mut store: StoreContextMut<'_, State>, (): ()| {
            let back = Arc::clone(&calling);
            Box::new(async move {
                let may_wait = store.data_mut().may_wait();
                back.call_back(store).await.map(|()| (may_wait,))
            })
        },
    )?;
    let calling = Arc::clone(back);
    linker.instance("tinyclaw:plugin/secrets@0.1.0")?.func_wrap_async(
        "get",
        move |mut store: StoreContextMut<'_, State>, (name,): (String,)| {
            let back = Arc::clone(&calling);
            Box::new(async move {
                let secret: Result<Vec<u8>, secrets::Error> = store.data_mut().get(name);
                back.call_back(store).await.map(|()| (secret,))
            })
        },
    )?;
    let calling = Arc::clone(back);
    linker.instance("wasi:logging/logging@0.1.0-draft")?.func_wrap_async(
        "log",
        move |mut store: StoreContextMut<'_, State>, (level, context, message): (Level, String, String)| {
            let back = Arc::clone(&calling);
            Box::new(async move {
                store.data_mut().log(level, context, message);
                back.call_back(store).await
            })
        },
    )
}
