//! Users that there are not, and answers that nobody waits for.

use super::error::{expect_error, expect_ok};
use super::report::{Checked, Finding, Report, Rule};
use super::subject::{Fresh, Subject};
use crate::plugin::{ChannelError, OutboundMessage, Priority, Probe};

/// A name that nobody has on an empty directory.
pub(super) const NOBODY: &str = "nobody";

/// Names as channels have them: a word, a number.
const NAMES: [&str; 2] = [NOBODY, "4930123456"];

/// Most entries of a history.
const MOST_ENTRIES: usize = 1000;

const MALFORMED: Rule = Rule {
    check: "what is no user id of its channel is `malformed-user-id`",
    file: "channel.wit",
    says: "Not a user id of this channel. Says the rule.",
};

const UNKNOWN: Rule = Rule {
    check: "a user id that nobody has is `unknown-user`",
    file: "channel.wit",
    says: "No user has this id. Carries the id.",
};

const EMPTY: Rule = Rule {
    check: "an empty message to a user is refused",
    file: "channel.wit",
    says: "The argument is empty or too long. Says which and the bound.",
};

const TICKET: Rule = Rule {
    check: "a ticket that nobody waits for is `unknown-ticket`",
    file: "channel.wit",
    says: "The ticket is not of a message that waits for an answer.",
};

const HISTORY: Rule = Rule {
    check: "`history` gives no more than asked for, and never more than 1000",
    file: "channel.wit",
    says: "`limit` is a number of entries; a plugin may give fewer, and never more than 1000.",
};

/// A message on the agent's own account.
pub(super) fn message(content: &str) -> OutboundMessage {
    OutboundMessage {
        content: content.to_owned(),
        source: "conform".to_owned(),
        priority: Priority::Normal,
    }
}

pub(super) async fn check(report: &mut Report, subject: &Subject) {
    report.add(MALFORMED, refuses_malformed(subject).await);
    report.add(UNKNOWN, refuses_unknown(subject).await);
    report.add(TICKET, refuses_ticket(subject).await);
}

/// What can be seen only where somebody has joined, at a running instance that knows this user; none where nobody has.
pub(super) async fn check_known(report: &mut Report, known: Option<(&mut Probe, &str)>) {
    let Some((plugin, user)) = known else {
        for rule in [EMPTY, HISTORY] {
            let why = "nobody is known to it: --scenario lets somebody join";
            report.add(rule, Err(Finding::Unseen(why.to_owned())));
        }
        return;
    };
    report.add(EMPTY, refuses_empty(plugin, user).await);
    report.add(HISTORY, bounds_history(plugin, user).await);
}

async fn refuses_malformed(subject: &Subject) -> Checked {
    let without_name = subject.user("").await?;
    let foreign = format!("not-{}", subject.user(NOBODY).await?);
    let mut plugin = subject.started().await?;
    for user in ["", NOBODY, ":", &without_name, &foreign] {
        let is_malformed = |error: &ChannelError| matches!(error, ChannelError::MalformedUserId(_));
        let sent = plugin.probe.send_to_user(user, &message("hello")).await?;
        expect_error(&format!("send-to-user({user:?})"), &sent, is_malformed)?;
        let read = plugin.probe.history(user, 1).await?;
        expect_error(&format!("history({user:?})"), &read, is_malformed)?;
    }
    Ok(())
}

async fn refuses_unknown(subject: &Subject) -> Checked {
    let mut plugin = subject.started().await?;
    let Some(user) = unknown_user(subject, &mut plugin).await? else {
        return Err(Finding::Unseen(
            "it takes none of the names tried, and which names there are is the plugin's".to_owned(),
        ));
    };
    let is_unknown = |error: &ChannelError| matches!(error, ChannelError::UnknownUser(id) if *id == user);
    let sent = plugin.probe.send_to_user(&user, &message("hello")).await?;
    expect_error(&format!("send-to-user({user:?})"), &sent, is_unknown)?;
    let read = plugin.probe.history(&user, 1).await?;
    expect_error(&format!("history({user:?})"), &read, is_unknown)
}

/// A user id that has the form of this channel's and that nobody has.
async fn unknown_user(subject: &Subject, plugin: &mut Fresh) -> Result<Option<String>, Finding> {
    for name in NAMES {
        let user = subject.user(name).await?;
        if !matches!(
            plugin.probe.history(&user, 1).await?,
            Err(ChannelError::MalformedUserId(_))
        ) {
            return Ok(Some(user));
        }
    }
    Ok(None)
}

async fn refuses_ticket(subject: &Subject) -> Checked {
    let mut plugin = subject.started().await?;
    for ticket in [0, u64::MAX] {
        let told = plugin.probe.agent_started(ticket).await?;
        expect_error(&format!("on-agent-event({ticket})"), &told, |error| {
            matches!(error, ChannelError::UnknownTicket)
        })?;
    }
    Ok(())
}

async fn refuses_empty(plugin: &mut Probe, user: &str) -> Checked {
    let sent = plugin.send_to_user(user, &message("")).await?;
    let is_invalid = |error: &ChannelError| matches!(error, ChannelError::Invalid(_));
    expect_error("send-to-user with empty content", &sent, is_invalid)
}

async fn bounds_history(plugin: &mut Probe, user: &str) -> Checked {
    for limit in [0, 1, u32::MAX] {
        let entries = expect_ok("history", plugin.history(user, limit).await?)?.len();
        let most = usize::try_from(limit).unwrap_or(usize::MAX).min(MOST_ENTRIES);
        if entries > most {
            return Err(format!("{entries} entries with the limit {limit}").into());
        }
    }
    Ok(())
}
