//! What a plugin answers in the middle of another call. Hosts are not to ask, and not everything that hosts are made of keeps them
//! from it.

use super::error::expect_error;
use super::report::{Checked, Finding, Report, Rule};
use super::requests::request;
use super::subject::Subject;
use super::users::NOBODY;
use crate::plugin::{CallingBack, ChannelError};

const BUSY: Rule = Rule {
    check: "a call in the middle of another is `busy`",
    file: "channel.wit",
    says: "The plugin is in the middle of another call.",
};

pub(super) async fn check(report: &mut Report, subject: &Subject) {
    report.add(BUSY, is_busy(subject).await);
}

async fn is_busy(subject: &Subject) -> Checked {
    let back = CallingBack::new(subject.user(NOBODY).await?);
    let mut plugin = subject.called_back(&back).await?;
    subject.start(&mut plugin.probe).await?;
    plugin.probe.http(&request("GET", "/")).await?;
    // What that comes to is seen elsewhere.
    drop(plugin.probe.stop().await?);
    let answers = back.take_answers();
    if answers.is_empty() {
        let why = "it calls none of the imports that could call it back: `commits`, `secrets`, `logging`";
        return Err(Finding::Unseen(why.to_owned()));
    }
    for (call, answer) in &answers {
        let call = format!("{call} in the middle of another call");
        expect_error(&call, answer, |error| matches!(error, ChannelError::Busy))?;
    }
    Ok(())
}
