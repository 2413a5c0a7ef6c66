//! Inviting a friend, for the first time and again.

use std::time::{Duration, UNIX_EPOCH};

use channel_plugin::{Host, ToolError};

use super::{InviteArguments, REINVITE, UsernameArgument, named};
use crate::code::Code;
use crate::event::EndReason;
use crate::nickname::Nickname;
use crate::service::Service;
use crate::store::{Invite, InviteKind, StoreError};
use crate::text::quoted;
use crate::username::{InvalidUsername, Username};

/// Names with a number that are tried before a taken suggestion is given up.
const MAX_NUMBER: u32 = 99;

/// `friends_chat_invite`.
pub(super) fn invite(
    service: &mut Service,
    host: &mut dyn Host,
    arguments: InviteArguments,
) -> Result<String, ToolError> {
    let username = match Username::parse(&arguments.username) {
        Ok(username) => username,
        Err(InvalidUsername { suggestion }) => {
            let suggestion = free(service, suggestion)?;
            return Err(ToolError::InvalidArguments(InvalidUsername { suggestion }.to_string()));
        }
    };
    let nickname = Nickname::parse(arguments.nickname.as_deref().unwrap_or(username.as_str()))
        .map_err(|error| ToolError::InvalidArguments(format!("{error}.")))?;
    let (code, invite) = new_invite(service, host);
    let now_ms = host.now_ms();
    if service
        .store
        .create_friend(&username, &nickname, &invite, now_ms)?
        .is_none()
    {
        return Err(ToolError::Refused(format!(
            "The username {username} is taken; {REINVITE} makes a new invite for that friend."
        )));
    }
    tracing::info!(username = username.as_str(), "a friend was invited");
    service.introduce(host, username.as_str(), nickname.as_str());
    let nickname = quoted(nickname.as_str());
    Ok(format!(
        "Created the friend {username}, nickname {nickname}.\n{}",
        passing_on(service, &code, &invite)
    ))
}

/// `friends_chat_reinvite`.
pub(super) fn reinvite(
    service: &mut Service,
    host: &mut dyn Host,
    arguments: &UsernameArgument,
) -> Result<String, ToolError> {
    let friend = named(service, arguments)?;
    let (code, invite) = new_invite(service, host);
    let now_ms = host.now_ms();
    service.silence(host, friend.id, None)?;
    let ended = service.store.regenerate_invite(friend.id, &invite, now_ms)?;
    service.end_friend(host, friend.id, &ended, EndReason::Reinvited);
    tracing::info!(username = friend.username, "a friend was invited again");
    Ok(format!(
        "Made a new invite for {}. Every earlier session and code of theirs has stopped working.\n{}",
        friend.username,
        passing_on(service, &code, &invite)
    ))
}

fn new_invite(service: &Service, host: &mut dyn Host) -> (Code, Invite) {
    service.new_invite(host, InviteKind::Owner, service.settings.invite_ttl_ms())
}

/// What the owner needs to pass an invite on.
fn passing_on(service: &Service, code: &Code, invite: &Invite) -> String {
    let base_url = &service.settings.base_url;
    let code = code.as_str();
    let mut text = format!(
        "Invite URL: {}\nInvite code: {code}\n\
         Send the friend the URL; opening it signs them in. Or let them enter the code at {}/chat. \
         It works once, and expires at {} (after {}).",
        base_url.invite_link(code),
        base_url.as_str(),
        date(invite.expires_at_ms),
        humantime::format_duration(service.settings.invite_ttl),
    );
    if base_url.is_local() {
        text.push_str(
            "\nThis link works on this machine only: set channels.friends.baseUrl to the public address of the chat, \
             then make a new invite.",
        );
    }
    text
}

/// A time as a person reads it, in UTC and to the second.
pub(super) fn date(at_ms: i64) -> String {
    let seconds = u64::try_from(at_ms / 1_000).unwrap_or_default();
    UNIX_EPOCH
        .checked_add(Duration::from_secs(seconds))
        .map_or_else(String::new, |time| humantime::format_rfc3339_seconds(time).to_string())
}

/// The suggestion, with a number behind it where it is taken.
fn free(service: &Service, suggestion: Username) -> Result<Username, StoreError> {
    let mut candidate = suggestion.clone();
    for number in 2..=MAX_NUMBER {
        if !service.store.exists(&candidate)? {
            break;
        }
        candidate = suggestion.numbered(number);
    }
    Ok(candidate)
}
