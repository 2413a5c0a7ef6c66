//! The parts of a tenant that somebody uses.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;
use tracing::{Instrument, Span};

use super::WakeError;
use super::directory::Directory;
use super::name::Name;
use crate::cluster::{Keeper, Keeping};
use crate::data_dir::DataLock;
use crate::http::Site;
use crate::owner::Desk;
use crate::plugin::PluginActor;
use crate::programs::Programs;
use crate::serve::{Around, Host, ServeError};
use crate::settings::Settings;

/// A tenant in memory.
#[derive(Debug)]
pub(crate) struct Awake {
    site: Site,
    desk: Desk,
    /// The tenant, in the log.
    span: Span,
    healing: AbortHandle,
    lock: Mutex<Option<DataLock>>,
    /// The claim on it, where there are other nodes.
    keeping: Option<Keeping>,
}

impl Awake {
    /// Loads a tenant's plugin and starts it.
    pub(super) async fn begin(
        whole: &Settings,
        name: &Name,
        programs: &Arc<Programs>,
        port: u16,
        keeper: Option<&Keeper>,
    ) -> Result<Self, WakeError> {
        let span = tracing::info_span!("tenant", %name);
        let (keeping, around) = match keeper {
            Some(keeper) => {
                let (keeping, around) = keeper.take(name).instrument(span.clone()).await?;
                (Some(keeping), around)
            }
            None => (None, Around::default()),
        };
        match Self::load(whole, name, programs, port, around, span).await {
            Ok(mut awake) => {
                awake.keeping = keeping;
                Ok(awake)
            }
            Err(error) => {
                if let Some(keeping) = keeping {
                    keeping.release().await;
                }
                Err(error)
            }
        }
    }

    async fn load(
        whole: &Settings,
        name: &Name,
        programs: &Arc<Programs>,
        port: u16,
        around: Around,
        span: Span,
    ) -> Result<Self, WakeError> {
        let (whole, programs, at) = (whole.clone(), Arc::clone(programs), name.clone());
        // Compiling a component that was never seen takes seconds.
        let loading = span.clone();
        let load = move || {
            let _entered = loading.enter();
            let settings = whole.of_tenant(&at)?;
            let lock = settings.data.lock().map_err(ServeError::from).map_err(Box::new)?;
            settings.data.mcp_token().map_err(ServeError::from).map_err(Box::new)?;
            whole.tenants.set_at_work(&at, true)?;
            let host = Host::of(&programs, &settings, port, around).map_err(Box::new)?;
            Ok::<_, WakeError>((settings, lock, host))
        };
        let (settings, lock, host) = tokio::task::spawn_blocking(load).await??;
        let plugin = host.plugin();
        crate::serve::start(plugin, &settings)
            .instrument(span.clone())
            .await
            .map_err(Box::new)?;
        let healing = tokio::spawn(Arc::clone(plugin).heal().instrument(span.clone())).abort_handle();
        Ok(Self {
            desk: Desk::open(plugin, &settings),
            site: Site::new(Arc::clone(plugin)),
            span,
            healing,
            lock: Mutex::new(Some(lock)),
            keeping: None,
        })
    }

    /// Whether it is this process that answers for it, at this moment.
    pub(crate) fn holds(&self) -> bool {
        self.keeping.as_ref().is_none_or(Keeping::holds)
    }

    /// Whether what it said here is not what another node would find.
    pub(super) fn is_broken(&self) -> bool {
        self.keeping.as_ref().is_some_and(Keeping::is_broken)
    }

    /// The fencing token, where there are other nodes.
    pub(crate) fn epoch(&self) -> u64 {
        self.keeping.as_ref().map_or(0, Keeping::epoch)
    }

    pub(crate) fn site(&self) -> &Site {
        &self.site
    }

    pub(crate) fn plugin(&self) -> &Arc<PluginActor> {
        self.site.plugin()
    }

    /// Where the owner's requests are answered.
    pub(crate) fn desk(&self) -> &Desk {
        &self.desk
    }

    /// Does something whose lines in the log name the tenant.
    pub(crate) fn tell<F: Future>(&self, what: F) -> impl Future<Output = F::Output> {
        what.instrument(self.span.clone())
    }

    /// Lets the plugin sleep if nobody has called it for this time; says whether it does.
    pub(super) async fn rest(&self, idle: Duration) -> bool {
        self.tell(self.plugin().rest(idle)).await
    }

    /// Whether nobody would notice its end; it starts no more then.
    pub(super) fn retire(this: &Arc<Self>) -> bool {
        Arc::strong_count(this) == 1 && this.plugin().is_alone() && this.plugin().retire()
    }

    /// Notes that all was done; the parts are dropped then.
    pub(super) fn put_away(&self, tenants: &Directory, name: &Name) {
        if let Err(error) = tenants.set_at_work(name, false) {
            tracing::warn!(tenant = %name, %error, "the next start wakes this tenant for nothing");
        }
    }

    /// Answers what is queued, within the limit for that, then stops the plugin and ends its connections. Says whether all was done.
    pub(super) async fn end(&self) -> bool {
        let ending = async {
            let (is_answered, stopped) = crate::serve::stop(self.plugin(), &self.healing).await;
            if let Err(error) = &stopped {
                tracing::error!(%error, "stopping the plugin");
            }
            // A request that still has this keeps nobody from the files, and does not come at them.
            self.plugin().retire();
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
            is_answered && stopped.is_ok()
        };
        let is_done = self.tell(ending).await;
        self.let_go().await;
        is_done
    }

    /// Stops the plugin for another node to go on, and leaves its connections to the edges. Says whether all was done.
    pub(super) async fn hand_over(&self) -> bool {
        let is_answered = self.plugin().queue().depth() == (0, 0);
        let ending = async {
            self.healing.abort();
            let stopped = self.plugin().depart().await;
            if let Err(error) = &stopped {
                tracing::error!(%error, "stopping the plugin");
            }
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
            is_answered && stopped.is_ok()
        };
        let is_done = self.tell(ending).await;
        self.let_go().await;
        is_done
    }

    /// Drops the instance on the spot: another node may have its files.
    pub(super) async fn abandon(&self) {
        self.healing.abort();
        self.tell(self.plugin().abandon()).await;
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Gives the claim up.
    pub(super) async fn let_go(&self) {
        if let Some(keeping) = &self.keeping {
            keeping.release().await;
        }
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        self.healing.abort();
    }
}
