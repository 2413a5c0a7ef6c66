//! Who has what, decided without a clock or a network of its own.
//!
//! A member of the cluster has a *session*, which it renews; others take it for dead when they have seen nothing new of it for
//! [`LEASE`], by their own clocks, and it takes itself for dead [`MARGIN`] earlier, counted from when it *sent* the last renewal
//! that was acknowledged. So no clock is compared with another, and only their rates have to agree, within the margin.
//!
//! Nobody takes anything from a dead session before it has *buried* it, by replacing the very renewal that nothing followed: what the dead
//! have still on its way does not raise them, and who has only not heard of a renewal finds that it is there.
//!
//! A tenant belongs to a session; the revision of the record that says so is the *epoch*, the fencing token: it only grows, and
//! what is written under an older one does not survive a newer one.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Time between two renewals.
pub const RENEWAL: Duration = Duration::from_millis(500);

/// Time after which a session that is not renewed is dead to others: a failover takes a little longer.
pub const LEASE: Duration = Duration::from_secs(3);

/// Time by which a member takes itself for dead before others do: clocks that run differently, and what it has just begun.
pub const MARGIN: Duration = Duration::from_secs(1);

/// Time since the process began, by a clock that is never set.
pub type Time = Duration;

/// What a member does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It has the sockets.
    Edge,
    /// It has plugins.
    Node,
    /// It has the agent.
    Worker,
}

/// What a member says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its name.
    pub id: String,
    /// What it does.
    pub role: Role,
    /// Another with each session.
    pub incarnation: u64,
    /// What it has to do: tenants of a node, connections of an edge, turns of a worker.
    pub load: u64,
    /// Whether it takes nothing more.
    pub draining: bool,
    /// Of the program.
    pub version: String,
}

/// Whose a tenant is, as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The node; none where nobody has it.
    pub node: Option<String>,
    /// Its session.
    pub incarnation: u64,
}

/// A member's own session.
#[derive(Debug, Clone)]
pub struct Session {
    incarnation: u64,
    revision: u64,
    /// When the last renewal was sent that was acknowledged.
    renewed: Option<Time>,
}

impl Session {
    /// A session that is not begun. No two have the same incarnation.
    pub fn new(incarnation: u64) -> Self {
        Self {
            incarnation,
            revision: 0,
            renewed: None,
        }
    }

    /// Its incarnation.
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// The revision that the next renewal replaces.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// A renewal that was sent at a time is acknowledged.
    pub fn renewed(&mut self, sent: Time, revision: u64) {
        self.revision = revision;
        self.renewed = self.renewed.max(Some(sent));
    }

    /// What the member's record has become in another way: the next renewal replaces that.
    pub fn found(&mut self, revision: u64) {
        self.revision = revision;
    }

    /// Whether it has begun, and nobody takes it for dead yet.
    pub fn holds(&self, now: Time) -> bool {
        self.renewed.is_some_and(|sent| now < sent + LEASE - MARGIN)
    }

    /// Somebody has buried it. What it had is lost; another begins, if it was begun.
    pub fn buried(&mut self, incarnation: u64) -> bool {
        let was_begun = self.renewed.is_some();
        if was_begun {
            *self = Self {
                revision: self.revision,
                ..Self::new(incarnation)
            };
        }
        was_begun
    }

    /// Begins anew if it was begun and may be dead to others: what it had is lost. Says whether it was.
    pub fn begin_anew_if_dead(&mut self, now: Time, incarnation: u64) -> bool {
        let is_dead = self.renewed.is_some() && !self.holds(now);
        if is_dead {
            *self = Self {
                revision: self.revision,
                ..Self::new(incarnation)
            };
        }
        is_dead
    }
}

/// What is known of others' sessions and of the tenants.
#[derive(Debug, Clone, Default)]
pub struct View {
    members: HashMap<String, Seen>,
    tenants: HashMap<String, (u64, Record)>,
    /// Epochs of tenants whose nodes were looked for after that record was seen.
    looked_for: HashMap<String, u64>,
}

#[derive(Debug, Clone)]
struct Seen {
    member: Option<Member>,
    revision: u64,
    at: Time,
}

/// Who has a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The node.
    pub node: String,
    /// Its session.
    pub incarnation: u64,
    /// The fencing token.
    pub epoch: u64,
}

/// What is to be done to claim a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// A living node has it.
    Owned(Owner),
    /// The claim replaces this revision.
    Free(u64),
    /// The session of its node, which has this revision, is to be buried first.
    Dead(String, u64),
    /// It is to be looked first whether this node lives, which has the tenant under this epoch.
    Unknown(String, u64),
}

impl View {
    /// A member's record was seen, or that it was removed. What is older than what was seen before is nothing. Says whether it
    /// tells more than that the member still lives.
    pub fn saw_member(&mut self, id: &str, member: Option<Member>, revision: u64, now: Time) -> bool {
        let before = self.members.get(id);
        if before.is_some_and(|before| before.revision >= revision) {
            return false;
        }
        let is_news = before.is_none_or(|before| {
            !before.lives(now) || before.member.as_ref().map(Member::bearing) != member.as_ref().map(Member::bearing)
        });
        let seen = Seen {
            member,
            revision,
            at: now,
        };
        self.members.insert(id.to_owned(), seen);
        is_news
    }

    /// A tenant's record was seen. Says whether it is new.
    pub fn saw_tenant(&mut self, tenant: &str, record: Record, revision: u64) -> bool {
        match self.tenants.get(tenant) {
            Some((known, _)) if *known >= revision => false,
            _ => {
                self.tenants.insert(tenant.to_owned(), (revision, record));
                true
            }
        }
    }

    /// The members that live, by name.
    pub fn living(&self, now: Time) -> Vec<&Member> {
        let mut living: Vec<_> = self
            .members
            .values()
            .filter(|seen| seen.lives(now))
            .filter_map(|seen| seen.member.as_ref())
            .collect();
        living.sort_by(|one, other| one.id.cmp(&other.id));
        living
    }

    /// Members that are dead for a time, with the revisions of their records.
    pub fn dead_for(&self, time: Duration, now: Time) -> Vec<(String, u64)> {
        let is_dead = |seen: &Seen| seen.member.is_some() && now >= seen.at + LEASE + time;
        self.members
            .iter()
            .filter(|(_, seen)| is_dead(seen))
            .map(|(id, seen)| (id.clone(), seen.revision))
            .collect()
    }

    /// Who has a tenant and lives.
    pub fn owner(&self, tenant: &str, now: Time) -> Option<Owner> {
        let (epoch, record) = self.tenants.get(tenant)?;
        self.living_owner(*epoch, record, now)
    }

    fn living_owner(&self, epoch: u64, record: &Record, now: Time) -> Option<Owner> {
        let node = record.node.as_ref()?;
        let seen = self.members.get(node).filter(|seen| seen.lives(now))?;
        let member = seen.member.as_ref()?;
        (member.incarnation == record.incarnation).then(|| Owner {
            node: node.clone(),
            incarnation: record.incarnation,
            epoch,
        })
    }

    /// What is to be done to claim a tenant.
    pub fn standing(&self, tenant: &str, now: Time) -> Standing {
        let Some((epoch, record)) = self.tenants.get(tenant) else {
            return Standing::Free(0);
        };
        if let Some(owner) = self.living_owner(*epoch, record, now) {
            return Standing::Owned(owner);
        }
        let Some(node) = &record.node else {
            return Standing::Free(*epoch);
        };
        match self.members.get(node) {
            Some(Seen {
                member: Some(member),
                revision,
                ..
            }) if member.incarnation == record.incarnation => Standing::Dead(node.clone(), *revision),
            // What is known of the node may be older than the record.
            Some(_) if self.looked_for.get(tenant) == Some(epoch) => Standing::Free(*epoch),
            _ => Standing::Unknown(node.clone(), *epoch),
        }
    }

    /// It was looked for a tenant's node, since the record of this epoch was seen, and what was found is known.
    pub fn looked_for(&mut self, tenant: &str, epoch: u64) {
        self.looked_for.insert(tenant.to_owned(), epoch);
    }

    /// Whether what is known of a tenant is not newer than an epoch.
    pub fn is_latest(&self, tenant: &str, epoch: u64) -> bool {
        self.tenants.get(tenant).is_none_or(|(revision, _)| *revision <= epoch)
    }

    /// Tenants that a dead node had: somebody may wait for what was to be done there.
    pub fn orphans(&self, now: Time) -> Vec<String> {
        let is_orphan =
            |(epoch, record): &(u64, Record)| record.node.is_some() && self.living_owner(*epoch, record, now).is_none();
        self.tenants
            .iter()
            .filter(|(_, of)| is_orphan(of))
            .map(|(tenant, _)| tenant.clone())
            .collect()
    }

    /// How many tenants each living node has.
    pub fn counts(&self, now: Time) -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        for (epoch, record) in self.tenants.values() {
            if let Some(owner) = self.living_owner(*epoch, record, now) {
                *counts.entry(owner.node).or_default() += 1;
            }
        }
        counts
    }
}

impl Seen {
    fn lives(&self, now: Time) -> bool {
        self.member.is_some() && now < self.at + LEASE
    }
}

impl Member {
    /// What others go by, beside that it lives.
    fn bearing(&self) -> (u64, bool) {
        (self.incarnation, self.draining)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: &str = "a";

    fn member(incarnation: u64) -> Option<Member> {
        Some(Member {
            id: NODE.to_owned(),
            role: Role::Node,
            incarnation,
            load: 0,
            draining: false,
            version: String::new(),
        })
    }

    fn record(incarnation: u64) -> Record {
        Record {
            node: Some(NODE.to_owned()),
            incarnation,
        }
    }

    const fn at(ms: u64) -> Time {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_member_takes_itself_for_dead_before_others_do() {
        let (mut session, mut view) = (Session::new(7), View::default());
        assert!(!session.holds(at(0)));
        session.renewed(at(100), 1);
        view.saw_member(NODE, member(7), 1, at(100));
        view.saw_tenant("anna", record(7), 2);
        assert!(session.holds(at(2_099)));
        assert!(!session.holds(at(2_100)));
        assert!(matches!(view.standing("anna", at(3_099)), Standing::Owned(_)));
        assert_eq!(view.standing("anna", at(3_100)), Standing::Dead(NODE.to_owned(), 1));
        view.saw_member(NODE, None, 3, at(3_100));
        view.looked_for("anna", 2);
        assert_eq!(view.standing("anna", at(3_100)), Standing::Free(2));
        assert!(session.begin_anew_if_dead(at(2_100), 8));
        assert_eq!((session.incarnation(), session.revision()), (8, 1));
    }

    #[test]
    fn a_node_of_which_nothing_was_heard_may_live() {
        let mut view = View::default();
        view.saw_tenant("anna", record(7), 2);
        assert_eq!(view.standing("anna", at(60_000)), Standing::Unknown(NODE.to_owned(), 2));
        view.saw_member(NODE, member(6), 1, at(60_000));
        assert_eq!(view.standing("anna", at(60_000)), Standing::Unknown(NODE.to_owned(), 2));
        assert_eq!(view.standing("ben", at(0)), Standing::Free(0));
    }

    #[test]
    fn a_new_session_has_nothing_of_the_one_before() {
        let mut view = View::default();
        view.saw_member(NODE, member(7), 1, at(0));
        view.saw_tenant("anna", record(7), 2);
        assert_eq!(view.owner("anna", at(0)).map(|owner| owner.epoch), Some(2));
        assert!(view.saw_member(NODE, member(8), 3, at(10)));
        assert_eq!(view.owner("anna", at(10)), None);
        assert_eq!(view.orphans(at(10)), ["anna"]);
        assert!(!view.saw_tenant("anna", record(8), 1));
        assert!(view.is_latest("anna", 2) && !view.is_latest("anna", 1));
    }
}
