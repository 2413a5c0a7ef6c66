//! The plugin's own door and the standard's lead to the same router.

use super::report::{Checked, Finding, Report, Rule};
use super::requests::{self, name};
use super::subject::{Fresh, Subject};
use crate::plugin::{StandardAnswer, wit};

const SAME: Rule = Rule {
    check: "`http.handle` and `wasi:http/incoming-handler` give the same answers, before and after the start",
    file: "world.wit",
    says: "The web side for hosts that know only the standard: the same router as `http`.",
};

pub(super) async fn check(report: &mut Report, subject: &Subject) {
    report.add(SAME, give_the_same(subject).await);
}

async fn give_the_same(subject: &Subject) -> Checked {
    for (when, mut plugin) in subject.before_and_after().await? {
        for request in requests::ordinary() {
            compare(&mut plugin, &request, when).await?;
        }
    }
    Ok(())
}

async fn compare(plugin: &mut Fresh, request: &wit::Request, when: &str) -> Checked {
    let name = name(request);
    let record = plugin.probe.http(request).await?;
    let standard = match plugin.probe.standard_http(request).await? {
        Some(StandardAnswer::Response(response)) => response,
        Some(StandardAnswer::None(came)) => {
            return Err(format!("to {name}, {when}, the standard's door gives {came}").into());
        }
        None => {
            let why = "it has no door `wasi:http/incoming-handler`, so hosts of the standard cannot serve it";
            return Err(Finding::Unseen(why.to_owned()));
        }
    };
    let different = |what: &str, ours: String, theirs: String| {
        let came = format!("to {name}, {when}, the {what} {ours} from `http.handle` and {theirs} from the other");
        Err(Finding::Came(came))
    };
    if record.status != standard.status {
        return different("status", record.status.to_string(), standard.status.to_string());
    }
    let (ours, theirs) = (headers(&record), headers(&standard));
    if ours != theirs {
        return different("headers", format!("{ours:?}"), format!("{theirs:?}"));
    }
    if record.body != standard.body {
        let bytes = |response: &wit::Response| format!("of {} bytes", response.body.len());
        return different("body", bytes(&record), bytes(&standard));
    }
    Ok(())
}

/// Headers in which the doors may differ: what is for this host only, what changes with the time, and what of GRIP is told to
/// proxies in their own words.
const APART: [&str; 4] = ["date", "grip-keep-alive", "grip-timeout", "host-cache-control"];

/// The headers in order, those of GRIP in place of a hold.
fn headers(response: &wit::Response) -> Vec<(String, String)> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let mut headers: Vec<(String, String)> = response
        .headers
        .iter()
        .filter(|(name, _)| !APART.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), text(value)))
        .collect();
    if let Some(hold) = &response.hold {
        let mode = match hold.mode {
            wit::HoldMode::Stream => "stream",
            wit::HoldMode::Response => "response",
        };
        headers.push(("grip-hold".to_owned(), mode.to_owned()));
        headers.push(("grip-channel".to_owned(), hold.topics.join(", ")));
    }
    headers.sort();
    headers
}
