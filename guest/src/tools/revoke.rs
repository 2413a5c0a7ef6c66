//! Taking a friend's access away.

use channel_plugin::{Host, ToolError};

use super::{REINVITE, UsernameArgument, named};
use crate::event::EndReason;
use crate::service::Service;

/// `friends_chat_revoke`. May be repeated.
pub(super) fn revoke(
    service: &mut Service,
    host: &mut dyn Host,
    arguments: &UsernameArgument,
) -> Result<String, ToolError> {
    let friend = named(service, arguments)?;
    let now_ms = host.now_ms();
    service.silence(host, friend.id, None)?;
    let ended = service.store.revoke_friend(friend.id, now_ms)?;
    service.end_friend(host, friend.id, &ended, EndReason::Revoked);
    tracing::info!(
        username = friend.username,
        sessions = ended.len(),
        "a friend's access was revoked"
    );
    Ok(format!(
        "Revoked the access of {}: sessions, code and open pages have ended. {REINVITE} gives access back.",
        friend.username
    ))
}
