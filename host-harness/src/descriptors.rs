//! How many descriptors this process may have.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Descriptors that are not visitors' connections: the database, the owner's commands, the agent's programs and
/// connections, and the runtime's own.
const RESERVE: usize = 200;

/// Gets as many descriptors for `connections` as the system allows, and gives how many connections there may be then.
pub(crate) fn connections(connections: usize) -> usize {
    let wanted = u64::try_from(connections.saturating_add(RESERVE)).unwrap_or(u64::MAX);
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        let mut raised = limit;
        raised.current = Some(limit.maximum.map_or(wanted, |maximum| maximum.min(wanted)));
        match setrlimit(Resource::Nofile, raised) {
            Ok(()) => limit = raised,
            Err(error) => tracing::warn!(%error, "raising the number of open files"),
        }
    }
    let Some(current) = limit.current else {
        return connections;
    };
    let most = usize::try_from(current)
        .unwrap_or(usize::MAX)
        .saturating_sub(RESERVE)
        .max(1);
    if most < connections {
        tracing::info!(
            connections = most,
            "bounded by the number of files that the process may open"
        );
    }
    most.min(connections)
}
