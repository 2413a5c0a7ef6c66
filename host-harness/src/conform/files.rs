//! Whether the plugin knows what its files are worth.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::error::expect_ok;
use super::report::{Checked, Finding, Report, Rule};
use super::subject::Subject;
use crate::plugin::Condition;

const EMPTY: Rule = Rule {
    check: "`verify` on an empty directory is `empty` or `sound`",
    file: "maintenance.wit",
    says: "May be called at any time; one that does not run opens its files for the length of the call.",
};

const SOUND: Rule = Rule {
    check: "`verify` finds nothing wrong while it runs and after `stop`",
    file: "maintenance.wit",
    says: "Reads the plugin's files through and says whether they are whole.",
};

const UNCHANGED: Rule = Rule {
    check: "`verify` leaves the files of a plugin that was stopped as they are",
    file: "maintenance.wit",
    says: "Changes nothing in them.",
};

pub(super) async fn check(report: &mut Report, subject: &Subject) {
    report.add(EMPTY, is_empty(subject).await);
    report.add(SOUND, is_sound(subject).await);
    report.add(UNCHANGED, changes_nothing(subject).await);
}

async fn is_empty(subject: &Subject) -> Checked {
    let mut plugin = subject.fresh().await?;
    whole("before the start", expect_ok("verify", plugin.probe.verify().await?)?)
}

async fn is_sound(subject: &Subject) -> Checked {
    let mut plugin = subject.started().await?;
    whole("after the start", expect_ok("verify", plugin.probe.verify().await?)?)?;
    expect_ok("stop", plugin.probe.stop().await?)?;
    whole("after the stop", expect_ok("verify", plugin.probe.verify().await?)?)
}

/// A plugin that keeps nothing may find its directory empty at any time.
fn whole(when: &str, condition: Condition) -> Checked {
    match condition {
        Condition::Empty | Condition::Sound => Ok(()),
        Condition::Damaged(found) => Err(format!("`damaged`, {when}: {found:?}").into()),
    }
}

async fn changes_nothing(subject: &Subject) -> Checked {
    let mut plugin = subject.started().await?;
    expect_ok("stop", plugin.probe.stop().await?)?;
    let directory = plugin.directory.path();
    let before = contents(directory).map_err(unreadable)?;
    expect_ok("verify", plugin.probe.verify().await?)?;
    match contents(directory).map_err(unreadable)? == before {
        true => Ok(()),
        false => Err("other files than before".to_owned().into()),
    }
}

fn unreadable(error: io::Error) -> Finding {
    Finding::Unseen(format!("its files cannot be read: {error}"))
}

/// Every file below a directory.
fn contents(directory: &Path) -> io::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        match path.is_dir() {
            true => files.append(&mut contents(&path)?),
            false => drop(files.insert(path.clone(), std::fs::read(&path)?)),
        }
    }
    Ok(files)
}
