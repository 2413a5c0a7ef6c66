//! The owner's list of friends.

use std::fmt::Write as _;

use channel_plugin::{Host, ToolError};

use super::INVITE;
use super::invite::date;
use crate::service::Service;
use crate::store::Status;
use crate::text::quoted;

/// `friends_chat_list`. One line a friend; a nickname is quoted, so that it cannot look like anything else.
pub(super) fn list(service: &Service, host: &mut dyn Host) -> Result<String, ToolError> {
    let friends = service.store.list_friends(host.now_ms())?;
    if friends.is_empty() {
        return Ok(format!("There are no friends yet; {INVITE} invites one."));
    }
    let mut text = match friends.len() {
        1 => "1 friend:".to_owned(),
        count => format!("{count} friends:"),
    };
    for friend in friends {
        let status = match friend.status {
            Status::Active => "active",
            Status::InvitePending => "invite pending",
            Status::Revoked => "revoked",
        };
        let last_seen = friend.last_seen_ms.map_or_else(|| "never".to_owned(), date);
        // Writing to a `String` cannot fail.
        let _ = write!(
            text,
            "\n- {}, nickname {}, {status}, last seen {last_seen}",
            friend.username,
            quoted(&friend.nickname)
        );
    }
    Ok(text)
}
