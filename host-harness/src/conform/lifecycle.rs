//! Starting, stopping, and what a plugin that does not run answers.

use super::error::{expect_error, expect_ok};
use super::report::{Checked, Finding, Report, Rule};
use super::subject::Subject;
use super::users::{NOBODY, message};
use crate::plugin::ChannelError;

const STOP_BEFORE: Rule = Rule {
    check: "`stop` before the start is ok",
    file: "channel.wit",
    says: "May be repeated: a plugin that does not run answers ok.",
};

const STARTS: Rule = Rule {
    check: "`start` is ok on an empty directory",
    file: "channel.wit",
    says: "Opens the plugin's files and makes it ready to serve.",
};

const SECOND_START: Rule = Rule {
    check: "a second `start` is `already-started`",
    file: "channel.wit",
    says: "`start` was called on a plugin that runs.",
};

const NOT_STARTED: Rule = Rule {
    check: "before the start, calls for users are `not-started`",
    file: "channel.wit",
    says: "The plugin does not run: `start` was not called, or the configuration switches it off.",
};

const COMMIT: Rule = Rule {
    check: "`commit` with nothing open is ok",
    file: "channel.wit",
    says: "With nothing open it does nothing.",
};

const STOP_TWICE: Rule = Rule {
    check: "`stop` after the start is ok, twice",
    file: "channel.wit",
    says: "May be repeated: a plugin that does not run answers ok.",
};

const START_AGAIN: Rule = Rule {
    check: "`start` after `stop` is ok, with the same files",
    file: "channel.wit",
    says: "Opens the plugin's files and makes it ready to serve.",
};

const AFTER_A_LOSS: Rule = Rule {
    check: "another instance starts on the files of one that was dropped without `stop`",
    file: "channel.wit",
    says: "Opens the plugin's files and makes it ready to serve.",
};

pub(super) async fn check(report: &mut Report, subject: &Subject) {
    report.add(STOP_BEFORE, stops_before(subject).await);
    report.add(STARTS, starts(subject).await);
    report.add(SECOND_START, refuses_second_start(subject).await);
    report.add(NOT_STARTED, refuses_users_before(subject).await);
    report.add(COMMIT, commits_nothing(subject).await);
    report.add(STOP_TWICE, stops_twice(subject).await);
    report.add(START_AGAIN, starts_again(subject).await);
    report.add(AFTER_A_LOSS, starts_after_a_loss(subject).await);
}

async fn stops_before(subject: &Subject) -> Checked {
    expect_ok("stop", subject.fresh().await?.probe.stop().await?)
}

async fn starts(subject: &Subject) -> Checked {
    match subject.failed_start() {
        Some(came) => Err(Finding::Came(came)),
        None => subject.started().await.map(drop),
    }
}

async fn refuses_second_start(subject: &Subject) -> Checked {
    let mut plugin = subject.started().await?;
    expect_error("start", &plugin.probe.start().await?, |error| {
        matches!(error, ChannelError::AlreadyStarted)
    })
}

async fn refuses_users_before(subject: &Subject) -> Checked {
    let user = subject.user(NOBODY).await?;
    let mut plugin = subject.fresh().await?;
    let is_not_started = |error: &ChannelError| matches!(error, ChannelError::NotStarted);
    let sent = plugin.probe.send_to_user(&user, &message("hello")).await?;
    expect_error("send-to-user", &sent, is_not_started)?;
    let told = plugin.probe.agent_started(1).await?;
    // Nobody waits for an answer either.
    expect_error("on-agent-event", &told, |error| {
        is_not_started(error) || matches!(error, ChannelError::UnknownTicket)
    })?;
    let read = plugin.probe.history(&user, 1).await?;
    expect_error("history", &read, is_not_started)
}

async fn commits_nothing(subject: &Subject) -> Checked {
    expect_ok("commit", subject.fresh().await?.probe.commit().await?)?;
    expect_ok("commit", subject.started().await?.probe.commit().await?)
}

async fn stops_twice(subject: &Subject) -> Checked {
    let mut plugin = subject.started().await?;
    expect_ok("stop", plugin.probe.stop().await?)?;
    expect_ok("a second stop", plugin.probe.stop().await?)
}

async fn starts_again(subject: &Subject) -> Checked {
    let mut plugin = subject.started().await?;
    expect_ok("stop", plugin.probe.stop().await?)?;
    expect_ok("start", plugin.probe.start().await?)
}

async fn starts_after_a_loss(subject: &Subject) -> Checked {
    let plugin = subject.started().await?;
    drop(plugin.probe);
    let mut next = subject.on(plugin.directory.path()).await?;
    expect_ok("start", next.start().await?)
}
