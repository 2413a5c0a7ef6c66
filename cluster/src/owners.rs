//! Who has what, as it is written in NATS: two buckets of JetStream, of members and of tenants, which everybody watches.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_nats::jetstream::kv::{self, Operation, Store, UpdateErrorKind};
use async_nats::jetstream::stream;
use futures_util::StreamExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;

use crate::lease::{Member, Owner, RENEWAL, Record, Role, Session, Standing, Time, View};
use crate::link::{Link, LinkError, PREFIX, token};

/// Time after which the record of a dead member is removed: until then it shows who has gone.
const BURIAL: Duration = Duration::from_secs(60);

/// Changes that wait for who is told of them; who misses some looks at everything.
const CHANGES: usize = 1024;

/// Who has what. Clones share it.
#[derive(Debug, Clone)]
pub struct Owners {
    shared: Arc<Shared>,
    _tasks: Arc<JoinSet<()>>,
}

#[derive(Debug)]
struct Shared {
    members: Store,
    tenants: Store,
    began: Instant,
    state: Mutex<State>,
    changes: broadcast::Sender<Change>,
    /// The incarnation of the session.
    session: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    view: View,
    /// None of who only looks on.
    me: Option<(Member, Session)>,
    /// Those that lived when it was last looked.
    living: Vec<(String, u64)>,
}

/// Something is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A tenant belongs to another, or to nobody.
    Tenant(String),
    /// A member has come, gone, or takes nothing more.
    Member(String),
}

/// A tenant that this node has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Its name.
    pub tenant: String,
    /// The fencing token.
    pub epoch: u64,
    incarnation: u64,
}

/// A node does not get a tenant.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Another has it.
    #[error("the node `{}` has it", .0.node)]
    Owned(Owner),
    /// This node takes nothing more.
    #[error("this node takes nothing more")]
    Draining,
    /// This node is not known to live.
    #[error("this node cannot renew its session: see that NATS is there")]
    NoSession,
    /// NATS does not answer.
    #[error("NATS does not answer: {0}")]
    Unreachable(Box<dyn std::error::Error + Send + Sync>),
    /// Who only looks on gets nothing.
    #[error("nothing can be had here")]
    OnLooker,
}

impl Owners {
    /// Who only looks on.
    ///
    /// # Errors
    /// When NATS has not what it takes.
    pub async fn look_on(link: &Link) -> Result<Self, LinkError> {
        Self::open(link, None).await
    }

    /// A member, whose session is renewed until this is dropped.
    ///
    /// # Errors
    /// When NATS has not what it takes.
    pub async fn join(link: &Link, id: &str, role: Role, version: &str) -> Result<Self, LinkError> {
        let member = Member {
            id: id.to_owned(),
            role,
            incarnation: random(),
            load: 0,
            draining: false,
            version: version.to_owned(),
        };
        Self::open(link, Some(member)).await
    }

    async fn open(link: &Link, me: Option<Member>) -> Result<Self, LinkError> {
        let shared = Arc::new(Shared {
            members: bucket(link, "members").await?,
            tenants: bucket(link, "owners").await?,
            began: Instant::now(),
            session: watch::Sender::new(me.as_ref().map_or(0, |me| me.incarnation)),
            state: Mutex::new(State {
                view: View::default(),
                me: me.map(|member| {
                    let session = Session::new(member.incarnation);
                    (member, session)
                }),
                living: Vec::new(),
            }),
            changes: broadcast::Sender::new(CHANGES),
        });
        let mut tasks = JoinSet::new();
        let (members, tenants) = (Arc::clone(&shared), Arc::clone(&shared));
        let (known_members, mut members_known) = watch::channel(false);
        let (known_tenants, mut tenants_known) = watch::channel(false);
        tasks
            .spawn(async move { watch_all(&members.members, &known_members, |entry| members.saw_member(entry)).await });
        tasks
            .spawn(async move { watch_all(&tenants.tenants, &known_tenants, |entry| tenants.saw_tenant(entry)).await });
        // An error means that this is being dropped.
        let _ = members_known.wait_for(|known| *known).await;
        let _ = tenants_known.wait_for(|known| *known).await;
        shared.renew().await;
        let renewing = Arc::clone(&shared);
        tasks.spawn(async move {
            let mut rounds = tokio::time::interval(RENEWAL);
            rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                rounds.tick().await;
                renewing.renew().await;
                renewing.look_for_the_dead().await;
            }
        });
        Ok(Self {
            shared,
            _tasks: Arc::new(tasks),
        })
    }

    /// Who has a tenant and lives.
    pub fn owner(&self, tenant: &str) -> Option<Owner> {
        self.shared.state().view.owner(tenant, self.shared.now())
    }

    /// Every member that lives, by name.
    pub fn members(&self) -> Vec<Member> {
        self.shared
            .state()
            .view
            .living(self.shared.now())
            .into_iter()
            .cloned()
            .collect()
    }

    /// How many tenants each living node has.
    pub fn counts(&self) -> std::collections::HashMap<String, usize> {
        self.shared.state().view.counts(self.shared.now())
    }

    /// Tenants that a dead node had.
    pub fn orphans(&self) -> Vec<String> {
        self.shared.state().view.orphans(self.shared.now())
    }

    /// Tells what is not as it was, from now on.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.shared.changes.subscribe()
    }

    /// Tells when the session, and with it every claim, is lost: its number is another then.
    pub fn session(&self) -> watch::Receiver<u64> {
        self.shared.session.subscribe()
    }

    /// Claims a tenant for this node.
    ///
    /// # Errors
    /// When another has it, or it cannot be known who has.
    pub async fn claim(&self, tenant: &str) -> Result<Claim, ClaimError> {
        let shared = &self.shared;
        loop {
            let (member, incarnation, standing) = {
                let state = shared.state();
                let now = shared.now();
                let (member, session) = state.me.as_ref().ok_or(ClaimError::OnLooker)?;
                let standing = state.view.standing(tenant, now);
                if let Standing::Owned(owner) = standing {
                    if owner.node == member.id && owner.incarnation == session.incarnation() && session.holds(now) {
                        return Ok(Claim {
                            tenant: tenant.to_owned(),
                            epoch: owner.epoch,
                            incarnation: owner.incarnation,
                        });
                    }
                    return Err(ClaimError::Owned(owner));
                }
                if member.draining {
                    return Err(ClaimError::Draining);
                }
                if !session.holds(now) {
                    return Err(ClaimError::NoSession);
                }
                (member.id.clone(), session.incarnation(), standing)
            };
            let revision = match standing {
                Standing::Free(revision) => revision,
                Standing::Unknown(node, epoch) => {
                    shared.look_for(&node).await?;
                    shared.state().view.looked_for(tenant, epoch);
                    continue;
                }
                Standing::Dead(node, session) => {
                    shared.bury(&node, session).await?;
                    continue;
                }
                // It was answered above.
                Standing::Owned(owner) => return Err(ClaimError::Owned(owner)),
            };
            let record = Record {
                node: Some(member),
                incarnation,
            };
            match shared.tenants.update(token(tenant), json(&record), revision).await {
                Ok(epoch) => {
                    shared.state().view.saw_tenant(tenant, record, epoch);
                    let _nobody_asks = shared.changes.send(Change::Tenant(tenant.to_owned()));
                    return Ok(Claim {
                        tenant: tenant.to_owned(),
                        epoch,
                        incarnation,
                    });
                }
                Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => {
                    let entry = shared.tenants.entry(token(tenant)).await;
                    if let Ok(Some(entry)) = entry {
                        shared.saw_tenant(entry);
                    }
                }
                Err(error) => return Err(ClaimError::Unreachable(error.into())),
            }
        }
    }

    /// Whether this node has what it claimed, at this moment and for the time of an answer.
    pub fn holds(&self, claim: &Claim) -> bool {
        let state = self.shared.state();
        let holds = |(_, session): &(Member, Session)| {
            session.incarnation() == claim.incarnation && session.holds(self.shared.now())
        };
        state.me.as_ref().is_some_and(holds) && state.view.is_latest(&claim.tenant, claim.epoch)
    }

    /// Gives a tenant up. If that is not written, others learn it when this node's session ends.
    pub async fn release(&self, claim: &Claim) {
        let record = Record {
            node: None,
            incarnation: 0,
        };
        let shared = &self.shared;
        match shared
            .tenants
            .update(token(&claim.tenant), json(&record), claim.epoch)
            .await
        {
            Ok(revision) => {
                shared.state().view.saw_tenant(&claim.tenant, record, revision);
                let _nobody_asks = shared.changes.send(Change::Tenant(claim.tenant.clone()));
            }
            Err(error) => tracing::debug!(tenant = claim.tenant, %error, "giving a tenant up"),
        }
    }

    /// Says what this member has to do.
    pub fn set_load(&self, load: u64) {
        if let Some((me, _)) = &mut self.shared.state().me {
            me.load = load;
        }
    }

    /// Says whether this member takes nothing more.
    pub async fn set_draining(&self, draining: bool) {
        if let Some((me, _)) = &mut self.shared.state().me {
            me.draining = draining;
        }
        self.shared.renew().await;
    }

    /// Ends the session: others need not wait for it.
    pub async fn leave(&self) {
        let me = self.shared.state().me.take();
        if let Some((member, _)) = me
            && let Err(error) = self.shared.members.delete(token(&member.id)).await
        {
            tracing::debug!(%error, "others learn later that this member has left");
        }
    }
}

impl Shared {
    fn now(&self) -> Time {
        self.began.elapsed()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Renews the session, or begins another if this one may be dead to others.
    async fn renew(&self) {
        let sent = self.now();
        let (member, revision) = {
            let mut state = self.state();
            let Some((member, session)) = &mut state.me else { return };
            let incarnation = random();
            if session.begin_anew_if_dead(sent, incarnation) {
                tracing::warn!("the session is lost, and with it every tenant that was here: another begins");
                member.incarnation = incarnation;
                self.session.send_replace(incarnation);
            }
            (member.clone(), session.revision())
        };
        let id = token(&member.id);
        let renewed = self.members.update(&id, json(&member), revision).await;
        match renewed {
            Ok(revision) => {
                let mut state = self.state();
                if let Some((_, session)) = &mut state.me
                    && session.incarnation() == member.incarnation
                {
                    session.renewed(sent, revision);
                }
                let now = self.now();
                state.view.saw_member(&member.id.clone(), Some(member), revision, now);
            }
            Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => match self.members.entry(&id).await {
                Ok(found) => self.found(found.as_ref()),
                Err(error) => tracing::debug!(%error, "looking for the session"),
            },
            Err(error) => tracing::debug!(%error, "renewing the session"),
        }
    }

    /// The session's record is not as it was left: a renewal was stored and not heard to be, or somebody has buried the session.
    fn found(&self, entry: Option<&kv::Entry>) {
        let incarnation = entry.and_then(read::<Member>).map(|member| member.incarnation);
        let mut state = self.state();
        let Some((member, session)) = &mut state.me else { return };
        session.found(entry.map_or(0, |entry| entry.revision));
        if incarnation != Some(session.incarnation()) {
            let another = random();
            if session.buried(another) {
                tracing::warn!("the session is lost, since others took this member for dead: another begins");
                member.incarnation = another;
                self.session.send_replace(another);
            }
        }
    }

    /// Looks whether a member lives of which nothing was heard.
    async fn look_for(&self, id: &str) -> Result<(), ClaimError> {
        let found = self.members.entry(token(id)).await;
        let found = found.map_err(|error| ClaimError::Unreachable(error.into()))?;
        let revision = found.as_ref().map_or(0, |entry| entry.revision);
        let member = found.as_ref().and_then(read::<Member>);
        let now = self.now();
        self.state().view.saw_member(id, member, revision, now);
        Ok(())
    }

    /// Buries the session of a member that has this revision, or learns that it lives.
    async fn bury(&self, id: &str, session: u64) -> Result<(), ClaimError> {
        match self.members.update(token(id), bytes::Bytes::new(), session).await {
            Ok(revision) => {
                let now = self.now();
                self.state().view.saw_member(id, None, revision, now);
                Ok(())
            }
            Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => self.look_for(id).await,
            Err(error) => Err(ClaimError::Unreachable(error.into())),
        }
    }

    /// Tells of those that live no more, or again.
    async fn look_for_the_dead(&self) {
        let (gone, dead) = {
            let mut state = self.state();
            let now = self.now();
            let living: Vec<_> = state
                .view
                .living(now)
                .into_iter()
                .map(|member| (member.id.clone(), member.incarnation))
                .collect();
            let before = std::mem::replace(&mut state.living, living.clone());
            let gone: Vec<_> = before.into_iter().filter(|member| !living.contains(member)).collect();
            let dead = match &state.me {
                Some(_) => state.view.dead_for(BURIAL, now),
                None => Vec::new(),
            };
            (gone, dead)
        };
        for (id, _) in gone {
            let _nobody_asks = self.changes.send(Change::Member(id));
        }
        for (id, revision) in dead {
            // Another may be quicker.
            let _ = self.members.delete_expect_revision(token(&id), Some(revision)).await;
        }
    }

    fn saw_member(&self, entry: kv::Entry) {
        let member: Option<Member> = read(&entry);
        let id = match &member {
            Some(member) => member.id.clone(),
            None => text(&entry.key),
        };
        let now = self.now();
        if self.state().view.saw_member(&id, member, entry.revision, now) {
            let _nobody_asks = self.changes.send(Change::Member(id));
        }
    }

    fn saw_tenant(&self, entry: kv::Entry) {
        let tenant = text(&entry.key);
        let record = read(&entry).unwrap_or(Record {
            node: None,
            incarnation: 0,
        });
        if self.state().view.saw_tenant(&tenant, record, entry.revision) {
            let _nobody_asks = self.changes.send(Change::Tenant(tenant));
        }
    }
}

/// Shows every record as it is and as it becomes, for ever. Sets `known` when the first time all were shown.
pub async fn watch_all(store: &Store, known: &watch::Sender<bool>, saw: impl Fn(kv::Entry)) {
    loop {
        if let Err(error) = watch_once(store, known, &saw).await {
            tracing::debug!(%error, "watching NATS");
        }
        tokio::time::sleep(RENEWAL).await;
    }
}

async fn watch_once(
    store: &Store,
    known: &watch::Sender<bool>,
    saw: impl Fn(kv::Entry),
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // A watch tells nothing of an empty bucket.
    if store.status().await?.values() == 0 {
        known.send_replace(true);
    }
    let mut entries = store.watch_with_history(">").await?;
    while let Some(entry) = entries.next().await {
        let entry = entry?;
        let was_last = entry.delta == 0;
        saw(entry);
        if was_last {
            known.send_replace(true);
        }
    }
    Ok(())
}

/// A bucket of this cluster, made if it is missing.
///
/// # Errors
/// When NATS has not what it takes.
pub async fn bucket(link: &Link, name: &str) -> Result<Store, LinkError> {
    let bucket = format!("{PREFIX}-{name}");
    if let Ok(store) = link.jetstream().get_key_value(&bucket).await {
        return Ok(store);
    }
    let failed = |source| LinkError::JetStream {
        doing: format!("making the bucket {bucket}"),
        source,
    };
    // As ADR-8 of NATS says: the library asks servers for more than those before 2.10 tell.
    let config = stream::Config {
        name: format!("KV_{bucket}"),
        subjects: vec![format!("$KV.{bucket}.>")],
        max_messages_per_subject: 1,
        discard: stream::DiscardPolicy::New,
        allow_rollup: true,
        deny_delete: true,
        allow_direct: true,
        num_replicas: 1,
        ..stream::Config::default()
    };
    let made = link.jetstream().get_or_create_stream(config).await;
    made.map_err(|error| failed(error.into()))?;
    let store = link.jetstream().get_key_value(&bucket).await;
    store.map_err(|error| failed(error.into()))
}

fn json(record: &impl Serialize) -> bytes::Bytes {
    // What is written here has text and numbers only, which does not fail.
    serde_json::to_vec(record).unwrap_or_default().into()
}

fn read<T: DeserializeOwned>(entry: &kv::Entry) -> Option<T> {
    match entry.operation {
        // A session that was buried.
        Operation::Put if entry.value.is_empty() => None,
        Operation::Put => serde_json::from_slice(&entry.value)
            .inspect_err(|error| tracing::error!(key = entry.key, %error, "a record of another version"))
            .ok(),
        Operation::Delete | Operation::Purge => None,
    }
}

/// What [`token`] was made of.
fn text(token: &str) -> String {
    crate::link::text(token)
}

fn random() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}
