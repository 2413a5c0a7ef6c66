//! Users, messages to them, and the agent's words.

use super::{Found, Report, Scene, expect, fails};
use crate::plugin::{AgentEvent, ChannelError, OutboundMessage, Priority};

/// Most entries of a history.
const MOST_ENTRIES: usize = 1_000;

pub(super) async fn look(scene: &Scene, report: &mut Report) {
    report.note("a malformed user id", refuses_malformed(scene).await);
    report.note("a user that there is not", refuses_unknown(scene).await);
    report.note("a ticket that there is not", refuses_tickets(scene).await);
}

pub(super) fn message(content: &str) -> OutboundMessage {
    OutboundMessage {
        content: content.to_owned(),
        source: "conform".to_owned(),
        priority: Priority::Normal,
    }
}

async fn refuses_malformed(scene: &Scene) -> Found {
    let (mut plugin, _files) = scene.started().await?;
    let prefix = plugin.describe().await?.channel_prefix;
    for user in [
        "",
        "nobody",
        ":",
        "other-channel:somebody",
        &prefix,
        &format!("{prefix}:"),
    ] {
        let rule = format!("the user id {user:?} is `malformed-user-id`");
        let is_malformed = |error: &ChannelError| matches!(error, ChannelError::MalformedUserId(_));
        let sent = plugin.send_to_user(user, &message("hello")).await?;
        expect(fails(&sent, is_malformed), &rule, &sent)?;
        let told = plugin.history(user, 1).await?;
        expect(fails(&told, is_malformed), &rule, &told)?;
    }
    Ok(())
}

async fn refuses_unknown(scene: &Scene) -> Found {
    let (mut plugin, _files) = scene.started().await?;
    let user = format!("{}:nobody_has_this_name", plugin.describe().await?.channel_prefix);
    let is_unknown = |error: &ChannelError| matches!(error, ChannelError::UnknownUser(_));
    let sent = plugin.send_to_user(&user, &message("hello")).await?;
    expect(
        fails(&sent, is_unknown),
        "a user that there is not is `unknown-user`",
        &sent,
    )?;
    for limit in [0, 1, u32::MAX] {
        let told = plugin.history(&user, limit).await?;
        let is_bounded = told.as_ref().is_ok_and(|entries| entries.len() <= MOST_ENTRIES);
        expect(
            fails(&told, is_unknown) || is_bounded,
            "`history` of a user that there is not is `unknown-user`",
            &told,
        )?;
    }
    Ok(())
}

async fn refuses_tickets(scene: &Scene) -> Found {
    let (mut plugin, _files) = scene.started().await?;
    let delta = AgentEvent::Delta("hello".to_owned());
    for event in [AgentEvent::Started, delta, AgentEvent::Restarted, AgentEvent::Done] {
        let came = plugin.on_agent_event(u64::MAX, &event).await?;
        let is_refused = fails(&came, |error| matches!(error, ChannelError::UnknownTicket));
        expect(
            is_refused,
            "an event for a ticket that nobody waits for is `unknown-ticket`",
            &came,
        )?;
    }
    Ok(())
}
