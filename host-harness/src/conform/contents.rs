//! What a component is made of, and what it says of itself.

use super::report::{Checked, Finding, Report, Rule};
use super::subject::Subject;
use crate::contract;
use crate::plugin::Metadata;

/// It can be loaded: all is there that the world demands, and nothing is wanted that the world has not.
pub(super) const FITS: Rule = Rule {
    check: "it imports what the world has, and exports what the world demands",
    file: "world.wit",
    says: "A channel plugin: it connects a personal agent with the people who talk to it over one channel.",
};

const NOTHING_ELSE: Rule = Rule {
    check: "it exports nothing beyond the world",
    file: "world.wit",
    says: "A channel plugin: it connects a personal agent with the people who talk to it over one channel.",
};

const AT_ANY_TIME: Rule = Rule {
    check: "`describe` answers before and after the start, always the same",
    file: "channel.wit",
    says: "Says what this plugin is. May be called at any time; needs no files.",
};

const KIND: Rule = Rule {
    check: "its kind is `channel`",
    file: "channel.wit",
    says: "Kind of plugin: `channel`.",
};

const VERSION: Rule = Rule {
    check: "its version is a semantic one",
    file: "channel.wit",
    says: "Semantic version of the plugin.",
};

const PREFIX: Rule = Rule {
    check: "its prefix makes user ids",
    file: "channel.wit",
    says: "User ids of this channel read `<channel-prefix>:<name>`.",
};

pub(super) async fn check(report: &mut Report, subject: &Subject) {
    report.add(NOTHING_ELSE, exports_nothing_else(subject));
    report.add(AT_ANY_TIME, describes_itself(subject).await);
    let metadata = match subject.fresh().await {
        Ok(mut fresh) => fresh.probe.describe().await,
        Err(lost) => Err(lost),
    };
    // That it does not answer has been said.
    let Ok(metadata) = metadata else { return };
    report.add(KIND, has_kind(&metadata));
    report.add(VERSION, has_version(&metadata));
    report.add(PREFIX, has_prefix(&metadata));
}

fn exports_nothing_else(subject: &Subject) -> Checked {
    let exports = subject.program.exports();
    match exports.iter().find(|name| !contract::is_export(name)) {
        None => Ok(()),
        Some(other) => Err(format!("the export `{other}`, which no host calls").into()),
    }
}

async fn describes_itself(subject: &Subject) -> Checked {
    let mut fresh = subject.fresh().await?;
    let first = fields(fresh.probe.describe().await?);
    let mut seen = vec![("before the start", fields(fresh.probe.describe().await?))];
    // Whether it starts is another check's.
    if subject.start(&mut fresh.probe).await.is_ok() {
        seen.push(("after the start", fields(fresh.probe.describe().await?)));
    }
    match seen.iter().find(|(_, other)| *other != first) {
        None => Ok(()),
        Some((when, other)) => Err(Finding::Came(format!("first {first:?}, and then, {when}, {other:?}"))),
    }
}

fn fields(metadata: Metadata) -> [String; 6] {
    [
        metadata.id,
        metadata.name,
        metadata.description,
        metadata.kind,
        metadata.version,
        metadata.channel_prefix,
    ]
}

fn has_kind(metadata: &Metadata) -> Checked {
    match metadata.kind.as_str() {
        "channel" => Ok(()),
        other => Err(format!("the kind {other:?}").into()),
    }
}

fn has_version(metadata: &Metadata) -> Checked {
    match is_semantic(&metadata.version) {
        true => Ok(()),
        false => Err(format!("the version {:?}", metadata.version).into()),
    }
}

fn has_prefix(metadata: &Metadata) -> Checked {
    let prefix = &metadata.channel_prefix;
    let is_one_word = !prefix.is_empty() && !prefix.contains(|c: char| c == ':' || c.is_whitespace() || c.is_control());
    match is_one_word {
        true => Ok(()),
        false => Err(format!("the prefix {prefix:?}").into()),
    }
}

/// Whether a text is a version by Semantic Versioning 2.0.0.
fn is_semantic(version: &str) -> bool {
    semver::Version::parse(version).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_semantic_version_has_three_numbers_and_perhaps_more() {
        for version in ["0.1.0", "1.2.3-rc.1", "10.0.0-a-b+build.01", "1.0.0+x"] {
            assert!(is_semantic(version), "{version}");
        }
        for version in [
            "", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.x", "1.2.3-", "1.2.3-01", "1.2.3+", "v1.2.3", "1.2.3 ",
        ] {
            assert!(!is_semantic(version), "{version}");
        }
    }
}
