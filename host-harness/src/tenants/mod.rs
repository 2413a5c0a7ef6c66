//! Many owners in one process: each a tenant with a plugin, a database, an agent, limits and a token of its own.
//!
//! A tenant is a data directory in the directory of all ([`Directory`]). Its requests are told from others' by their host name
//! or the beginning of their path. Nothing of it is in memory but its name and address until somebody calls; then its parts are
//! made, from its settings as they are at that moment, and they are dropped again when nobody has called for a while and nobody
//! listens. Where somebody listens only the instance stops.
//!
//! A tenant whose settings or files are of no use is not served, and the others do not notice.

mod address;
mod awake;
mod directory;
mod guide;
mod name;
mod serve;

use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster::ClaimError;
use http::Request;
use tokio::sync::Mutex;
use tracing::Instrument as _;

pub(crate) use address::{below, completed};
pub(crate) use awake::Awake;
pub use directory::{Directory, DirectoryError};
pub use name::{Name, NoName};
pub use serve::serve;

use crate::cluster::{Keeper, TakeError};
use crate::engine::Engine;
use crate::owner::Command;
use crate::plugin::PluginActor;
use crate::programs::Programs;
use crate::serve::ServeError;
use crate::settings::{Settings, SettingsError};
pub(crate) use address::Address;
pub(crate) use guide::Guide;

/// Time after which a tenant that could not be woken is tried again.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(5);

/// All tenants of this process.
#[derive(Debug)]
pub struct Tenants {
    settings: Settings,
    port: u16,
    programs: Arc<Programs>,
    guide: Guide,
    /// What this node claims them with, where there are others.
    keeper: Option<Arc<Keeper>>,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Tenant {
    name: Name,
    address: Address,
    state: Mutex<State>,
}

impl Tenant {
    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    /// Whether its chat is not served.
    pub(crate) fn is_suspended(&self) -> bool {
        self.state
            .try_lock()
            .is_ok_and(|state| matches!(*state, State::Suspended))
    }
}

#[derive(Debug)]
enum State {
    /// Nothing of it is in memory.
    Asleep,
    Awake(Arc<Awake>),
    /// It could not be woken.
    Failed(Instant),
    /// Its chat is not served.
    Suspended,
    /// Another has its place, or none: whoever has found it looks again.
    Gone,
}

/// What tenants do.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    pub(crate) awake: Vec<(Name, Arc<PluginActor>)>,
    pub(crate) asleep: usize,
    pub(crate) suspended: usize,
}

/// Why a request is not answered by a tenant's plugin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoVisit {
    /// What a page at this address names would be looked for beside it, and not below.
    #[error("The chat is at {0}")]
    Elsewhere(String),
    #[error("There is no chat here.")]
    Nowhere,
    #[error("This chat is suspended.")]
    Suspended,
    #[error("The chat cannot be started at the moment. Please try again.")]
    Down,
}

/// Why a tenant is not woken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WakeError {
    #[error("there is no tenant `{0}`: see `host-harness tenant list`")]
    Unknown(String),
    #[error("the tenant has just been changed")]
    Gone,
    #[error("the tenant is not here: {0}")]
    Elsewhere(#[source] ClaimError),
    #[error(transparent)]
    NotBrought(#[from] TakeError),
    #[error("it could not be woken a moment ago, for which the log has the cause: it is tried again after {0:?}")]
    Failed(Duration),
    #[error("the tenant is suspended: let it go on with `host-harness tenant resume {0}`")]
    Suspended(Name),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    #[error(transparent)]
    Serve(#[from] Box<ServeError>),
    #[error("loading it: {0}")]
    Loading(#[from] tokio::task::JoinError),
}

impl Tenants {
    /// The tenants that these settings name, on a port.
    ///
    /// # Errors
    /// When their directory cannot be read, or WebAssembly cannot be set up.
    pub fn open(settings: Settings, port: u16) -> Result<Self, ServeError> {
        let threads = tokio::runtime::Handle::current().metrics().num_workers();
        let engine = Engine::of_many(&settings.whole.cache(), threads).map_err(ServeError::Engine)?;
        let guide = Guide::default();
        for name in settings.tenants.names()? {
            if let Err(error) = guide.look(&settings, &name) {
                tracing::error!(tenant = %name, %error, "this tenant is not served");
            }
        }
        Ok(Self {
            programs: Arc::new(Programs::new(Arc::new(engine))),
            settings,
            port,
            guide,
            keeper: None,
        })
    }

    /// The tenants of a cluster, of whom this node has those that it claims.
    ///
    /// # Errors
    /// As [`Tenants::open`].
    pub(crate) fn of_node(settings: Settings, keeper: Arc<Keeper>) -> Result<Self, ServeError> {
        let port = settings.port;
        let keeper = Some(keeper);
        Ok(Self {
            keeper,
            ..Self::open(settings, port)?
        })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.guide.all().len()
    }

    /// Finds whose a request is and wakes them; gives the request as their plugin is to see it.
    pub(crate) async fn visit<B>(self: &Arc<Self>, request: Request<B>) -> Result<(Arc<Awake>, Request<B>), NoVisit> {
        loop {
            let (tenant, prefix) = self.guide.find(&request).ok_or(NoVisit::Nowhere)?;
            if let Some(whole) = completed(&request, prefix) {
                return Err(NoVisit::Elsewhere(whole));
            }
            match self.wake(&tenant).await {
                Ok(awake) => return Ok((awake, below(request, prefix))),
                Err(WakeError::Gone) => {}
                Err(WakeError::Suspended(_)) => return Err(NoVisit::Suspended),
                Err(error) => {
                    tracing::debug!(tenant = %tenant.name, %error, "a visitor finds nobody");
                    return Err(NoVisit::Down);
                }
            }
        }
    }

    /// A tenant by name, awake.
    pub(crate) async fn named(self: &Arc<Self>, name: &str) -> Result<Arc<Awake>, WakeError> {
        loop {
            let tenant = name.parse().ok().and_then(|name| self.guide.named(&name));
            let tenant = tenant.ok_or_else(|| WakeError::Unknown(name.to_owned()))?;
            match self.wake(&tenant).await {
                Err(WakeError::Gone) => {}
                woken => return woken,
            }
        }
    }

    /// A tenant by name, awake, if `opens` says so of its token. Who has the wrong one wakes nobody.
    pub(crate) async fn opened_by(self: &Arc<Self>, name: &str, opens: impl Fn(&str) -> bool) -> Option<Arc<Awake>> {
        let name: Name = name.parse().ok()?;
        let token = self.settings.tenants.token(&name)?;
        match opens(&token) {
            true => self.named(name.as_str()).await.ok(),
            false => None,
        }
    }

    /// A tenant, awake.
    async fn wake(self: &Arc<Self>, tenant: &Arc<Tenant>) -> Result<Arc<Awake>, WakeError> {
        if let State::Awake(awake) = &*tenant.state.lock().await {
            return Ok(Arc::clone(awake));
        }
        // A visitor who does not wait for it has not begun it in vain.
        let (tenants, tenant) = (Arc::clone(self), Arc::clone(tenant));
        tokio::spawn(async move { tenants.begin(&tenant).await }).await?
    }

    /// Makes a tenant's parts, if they are not there.
    async fn begin(&self, tenant: &Tenant) -> Result<Arc<Awake>, WakeError> {
        let mut state = tenant.state.lock().await;
        match &*state {
            State::Awake(awake) => return Ok(Arc::clone(awake)),
            State::Suspended => return Err(WakeError::Suspended(tenant.name.clone())),
            State::Gone => return Err(WakeError::Gone),
            State::Failed(at) if at.elapsed() < RETRY_AFTER => return Err(WakeError::Failed(RETRY_AFTER)),
            State::Asleep | State::Failed(_) => {}
        }
        let keeper = self.keeper.as_deref();
        match Awake::begin(&self.settings, &tenant.name, &self.programs, self.port, keeper).await {
            Ok(awake) => {
                let awake = Arc::new(awake);
                *state = State::Awake(Arc::clone(&awake));
                Ok(awake)
            }
            Err(WakeError::NotBrought(TakeError::Claim(error))) => Err(WakeError::Elsewhere(error)),
            Err(error) => {
                tracing::error!(tenant = %tenant.name, %error, "this tenant cannot be woken");
                *state = State::Failed(Instant::now());
                Err(error)
            }
        }
    }

    /// Looks at a tenant's directory anew: it may be new, have another address, be suspended or gone. Its next call finds it with
    /// its settings as they are now.
    ///
    /// # Errors
    /// When it cannot be served as it is there now.
    pub(crate) async fn look(&self, name: &Name) -> Result<(), WakeError> {
        let before = self.guide.named(name);
        let mut state = match &before {
            Some(tenant) => Some(tenant.state.lock().await),
            None => None,
        };
        // Visitors wait for the state, and then find what is there now.
        if let Some(state) = &mut state {
            if let State::Awake(awake) = &**state
                && awake.end().await
            {
                awake.put_away(&self.settings.tenants, name);
            }
            **state = State::Gone;
            self.guide.forget(name);
        }
        match self.settings.tenants.has(name) {
            true => Ok(self.guide.look(&self.settings, name)?),
            false => Ok(()),
        }
    }

    /// Wakes those who were at work when the last run was cut off: somebody waits for their answers.
    pub(crate) async fn take_up(self: &Arc<Self>) {
        for tenant in self.guide.all() {
            if self.settings.tenants.is_at_work(&tenant.name) {
                // One that cannot be woken is in the log.
                let _ = self.wake(&tenant).await;
            }
        }
    }

    /// Lets those sleep whom nobody needs, for ever.
    pub(crate) async fn tend(&self) {
        let sleep = self.settings.sleep;
        let mut rounds = tokio::time::interval((sleep / 4).clamp(SHORTEST_ROUND, LONGEST_ROUND));
        loop {
            rounds.tick().await;
            for tenant in self.guide.all() {
                // One whose state is being changed is in use.
                let Ok(mut state) = tenant.state.try_lock() else {
                    continue;
                };
                let State::Awake(awake) = &mut *state else { continue };
                if awake.rest(sleep).await && Awake::retire(awake) {
                    awake.put_away(&self.settings.tenants, &tenant.name);
                    awake.let_go().await;
                    *state = State::Asleep;
                }
            }
        }
    }

    /// Gives each plugin that is awake, and was read from a file, what that file holds now. Those that sleep find it when they wake.
    /// One line a tenant says what came of it.
    ///
    /// # Errors
    /// When one of them goes on as it was. The same lines.
    pub(crate) async fn reload(&self) -> Result<String, String> {
        let (mut lines, mut failed) = (Vec::new(), false);
        for (name, plugin) in self.survey().awake {
            if plugin.file().await.is_none() {
                continue;
            }
            let reload = Command::Reload { file: None, name: None };
            let answer = reload
                .run(&plugin)
                .instrument(tracing::info_span!("tenant", %name))
                .await;
            failed |= answer.is_err();
            lines.push(format!("{name}: {}", answer.unwrap_or_else(|why| why)));
        }
        match failed {
            true => Err(lines.join("\n")),
            false if lines.is_empty() => Ok("No plugin is awake that came from a file.".to_owned()),
            false => Ok(lines.join("\n")),
        }
    }

    /// Hands a tenant over to whoever is asked for it next; says whether it had nothing left to do.
    pub(crate) async fn hand_over(&self, name: &Name, patience: Duration) -> bool {
        let Some(tenant) = self.guide.named(name) else {
            return true;
        };
        let plugin = match &*tenant.state.lock().await {
            State::Awake(awake) => Arc::clone(awake.plugin()),
            _ => return true,
        };
        // What is not answered by then begins anew elsewhere.
        let _ = tokio::time::timeout(patience, plugin.queue().idle()).await;
        let mut state = tenant.state.lock().await;
        let State::Awake(awake) = &*state else { return true };
        let is_done = awake.hand_over().await;
        if is_done {
            awake.put_away(&self.settings.tenants, name);
        }
        *state = State::Asleep;
        is_done
    }

    /// Those that are awake.
    pub(crate) fn awake(&self) -> Vec<Name> {
        let awake = self.survey().awake;
        awake.into_iter().map(|(name, _)| name).collect()
    }

    /// Whether a tenant's agent has nothing to do.
    pub(crate) fn is_idle(&self, name: &Name) -> bool {
        let state = self.guide.named(name);
        let state = state.as_ref().and_then(|tenant| tenant.state.try_lock().ok());
        match state.as_deref() {
            Some(State::Awake(awake)) => awake.plugin().queue().depth() == (0, 0),
            _ => false,
        }
    }

    /// Drops every instance on the spot.
    pub(crate) async fn abandon(&self) {
        for tenant in self.guide.all() {
            let mut state = tenant.state.lock().await;
            if let State::Awake(awake) = &*state {
                awake.abandon().await;
                *state = State::Asleep;
            }
        }
    }

    /// Drops the instances whose files another node would not find as they are here. They are woken with those that it would find.
    pub(crate) async fn drop_broken(&self) {
        for tenant in self.guide.all() {
            let Ok(mut state) = tenant.state.try_lock() else {
                continue;
            };
            if let State::Awake(awake) = &*state
                && awake.is_broken()
            {
                awake.abandon().await;
                awake.let_go().await;
                *state = State::Asleep;
            }
        }
    }

    /// What they do at the moment. One that is being woken or put to sleep counts as asleep.
    pub(crate) fn survey(&self) -> Survey {
        let mut survey = Survey::default();
        for tenant in self.guide.all() {
            match tenant.state.try_lock().as_deref() {
                Ok(State::Awake(awake)) => survey.awake.push((tenant.name.clone(), Arc::clone(awake.plugin()))),
                Ok(State::Suspended) => survey.suspended += 1,
                Ok(State::Asleep | State::Failed(_) | State::Gone) | Err(_) => survey.asleep += 1,
            }
        }
        survey
    }

    /// Ends all that are awake, each within the time that its limits give its agent.
    pub(crate) async fn end(&self) {
        let mut ending = tokio::task::JoinSet::new();
        for tenant in self.guide.all() {
            self.guide.forget(&tenant.name);
            let before = std::mem::replace(&mut *tenant.state.lock().await, State::Gone);
            let State::Awake(awake) = before else { continue };
            let directory = self.settings.tenants.clone();
            ending.spawn(async move {
                if awake.end().await {
                    awake.put_away(&directory, &tenant.name);
                }
            });
        }
        ending.join_all().await;
    }
}

/// Bounds of the time between two rounds in which those are looked for who can sleep.
const SHORTEST_ROUND: Duration = Duration::from_millis(50);
const LONGEST_ROUND: Duration = Duration::from_secs(10);
