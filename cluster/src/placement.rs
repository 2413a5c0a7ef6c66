//! Where tenants go: evenly, and so that all who decide it decide alike.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::lease::{Member, Role};

/// Tenants by which a node may have more than its share before it hands any over: nothing is moved to and fro.
const SLACK: u64 = 2;

/// The node that a tenant goes to which nobody has: the one with least to do, and among such always the same.
pub fn place(tenant: &str, members: &[Member]) -> Option<String> {
    nodes(members)
        .min_by_key(|node| (node.load, std::cmp::Reverse(affinity(tenant, &node.id))))
        .map(|node| node.id.clone())
}

/// The node that takes up a tenant whose node has died: such tenants come all at once, and are shared out evenly.
pub fn heir(tenant: &str, members: &[Member]) -> Option<String> {
    nodes(members)
        .max_by_key(|node| affinity(tenant, &node.id))
        .map(|node| node.id.clone())
}

/// How many tenants a node has beyond its share.
pub fn surplus(id: &str, members: &[Member]) -> u64 {
    let nodes: Vec<_> = nodes(members).collect();
    let (Some(me), Ok(count)) = (nodes.iter().find(|node| node.id == id), u64::try_from(nodes.len())) else {
        return 0;
    };
    let share = nodes.iter().map(|node| node.load).sum::<u64>().div_ceil(count.max(1));
    match me.load > share + SLACK {
        true => me.load - share,
        false => 0,
    }
}

fn nodes(members: &[Member]) -> impl Iterator<Item = &Member> {
    members
        .iter()
        .filter(|member| member.role == Role::Node && !member.draining)
}

/// By rendezvous hashing: a node that comes or goes changes the places of its own tenants only.
fn affinity(tenant: &str, node: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (tenant, node).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: &str, load: u64, draining: bool) -> Member {
        Member {
            id: id.to_owned(),
            role: Role::Node,
            incarnation: 1,
            load,
            draining,
            version: String::new(),
        }
    }

    #[test]
    fn a_tenant_goes_where_least_is_to_do_and_never_where_nothing_is_taken() {
        let nodes = [node("a", 3, false), node("b", 1, false), node("c", 0, true)];
        assert_eq!(place("anna", &nodes).as_deref(), Some("b"));
        assert_eq!(place("anna", &[node("c", 0, true)]), None);
    }

    #[test]
    fn the_tenants_of_a_dead_node_are_shared_out_evenly() {
        let nodes = [node("a", 0, false), node("b", 0, false), node("c", 0, false)];
        let mut counts = std::collections::HashMap::<_, u32>::new();
        for tenant in 0..3_000 {
            *counts.entry(heir(&format!("t{tenant}"), &nodes)).or_default() += 1;
        }
        assert!(counts.values().all(|count| (850..1_150).contains(count)), "{counts:?}");
    }

    #[test]
    fn what_is_beyond_a_share_is_handed_over_until_the_shares_are_even() {
        let nodes = |a, b| [node("a", a, false), node("b", b, false)];
        assert_eq!(surplus("a", &nodes(10, 0)), 5);
        assert_eq!(surplus("b", &nodes(10, 0)), 0);
        assert_eq!(surplus("a", &nodes(6, 4)), 0);
    }
}
