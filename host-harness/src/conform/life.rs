//! What a plugin says of itself, its life cycle, and its files.

use super::{Found, Report, Scene, expect, fails};
use crate::plugin::{AgentEvent, ChannelError, Condition, Metadata};

pub(super) async fn look(scene: &Scene, report: &mut Report) {
    report.note("describe, before start", describes_itself(scene).await);
    report.note("stop of what does not run", stops_twice(scene).await);
    report.note("start, once", starts_once(scene).await);
    report.note("start after stop", starts_again(scene).await);
    report.note("start on the files of one that was dropped", takes_over(scene).await);
    report.note("calls before start", waits_for_start(scene).await);
    report.note("commit with nothing open", commits(scene).await);
    report.note("verify, before and after start", verifies(scene).await);
}

async fn describes_itself(scene: &Scene) -> Found {
    let (mut plugin, _files) = scene.fresh().await?;
    let said = plugin.describe().await?;
    let Metadata {
        id,
        name,
        kind,
        version,
        channel_prefix,
        ..
    } = &said;
    expect(
        !id.is_empty() && !name.is_empty(),
        "a plugin has an id and a name",
        &said,
    )?;
    expect(kind == "channel", "the kind is `channel`", kind)?;
    let numbers = version.split(['-', '+']).next().unwrap_or_default();
    let is_semantic = numbers.split('.').filter(|part| part.parse::<u64>().is_ok()).count() == 3;
    expect(is_semantic, "the version is semantic, as 1.2.3", version)?;
    let is_plain = !channel_prefix.is_empty() && !channel_prefix.contains([':', ' ', '\n']);
    expect(is_plain, "user ids read `<channel-prefix>:<name>`", channel_prefix)?;
    let again = plugin.describe().await?;
    expect(
        format!("{said:?}") == format!("{again:?}"),
        "what a plugin says of itself stays the same",
        &again,
    )
}

async fn stops_twice(scene: &Scene) -> Found {
    let (mut plugin, _files) = scene.fresh().await?;
    for _ in 0..2 {
        let stopped = plugin.stop().await?;
        expect(
            stopped.is_ok(),
            "a plugin that does not run answers `stop` with ok",
            &stopped,
        )?;
    }
    let (mut plugin, _files) = scene.started().await?;
    for _ in 0..2 {
        let stopped = plugin.stop().await?;
        expect(stopped.is_ok(), "`stop` may be repeated", &stopped)?;
    }
    Ok(())
}

async fn starts_once(scene: &Scene) -> Found {
    let (mut plugin, _files) = scene.started().await?;
    let again = plugin.start().await?;
    let is_refused = fails(&again, |error| matches!(error, ChannelError::AlreadyStarted));
    expect(is_refused, "`start` of a plugin that runs is `already-started`", &again)
}

async fn starts_again(scene: &Scene) -> Found {
    let (mut plugin, _files) = scene.started().await?;
    let stopped = plugin.stop().await?;
    expect(stopped.is_ok(), "`stop` answers ok", &stopped)?;
    let started = plugin.start().await?;
    expect(started.is_ok(), "a plugin that was stopped can be started", &started)
}

async fn takes_over(scene: &Scene) -> Found {
    let (plugin, files) = scene.started().await?;
    drop(plugin);
    let mut plugin = scene.on(&files).await?;
    let started = plugin.start().await?;
    expect(
        started.is_ok(),
        "a plugin starts on what was left when an instance was lost",
        &started,
    )
}

async fn waits_for_start(scene: &Scene) -> Found {
    let (mut plugin, _files) = scene.fresh().await?;
    let user = format!("{}:somebody", plugin.describe().await?.channel_prefix);
    let is_refused = |error: &ChannelError| matches!(error, ChannelError::NotStarted);
    let sent = plugin.send_to_user(&user, &super::users::message("hello")).await?;
    expect(
        fails(&sent, is_refused),
        "`send-to-user` before `start` is `not-started`",
        &sent,
    )?;
    let told = plugin.history(&user, 1).await?;
    expect(
        fails(&told, is_refused),
        "`history` before `start` is `not-started`",
        &told,
    )?;
    let event = plugin.on_agent_event(1, &AgentEvent::Started).await?;
    let is_refused = fails(&event, |error| {
        matches!(error, ChannelError::NotStarted | ChannelError::UnknownTicket)
    });
    expect(is_refused, "before `start` nobody waits for an answer", &event)
}

async fn commits(scene: &Scene) -> Found {
    for mut plugin in [scene.fresh().await?, scene.started().await?].map(|(plugin, _files)| plugin) {
        let committed = plugin.commit().await?;
        expect(committed.is_ok(), "with nothing open `commit` does nothing", &committed)?;
    }
    Ok(())
}

async fn verifies(scene: &Scene) -> Found {
    let (mut plugin, _files) = scene.fresh().await?;
    let rule = "`verify` of files that nobody spoiled is `empty` or `sound`";
    for _ in ["not started", "started"] {
        let condition = plugin.verify().await?;
        let is_whole = matches!(condition, Ok(Condition::Empty | Condition::Sound));
        expect(is_whole, rule, &condition)?;
        let started = plugin.start().await?;
        let runs = started.is_ok() || fails(&started, |error| matches!(error, ChannelError::AlreadyStarted));
        expect(
            runs,
            "`verify` changes nothing: a plugin can be started after it",
            &started,
        )?;
    }
    Ok(())
}
