//! Plays what an owner and a friend do, as a file has it, against the component: in this process, with the echo agent, through
//! real sockets. Other hosts are tried with the same file; `docs/hosts.md` says what is in it.

mod client;
mod host;
mod pattern;
mod script;

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::report::{Finding, Report};
use super::subject::Subject;
use super::users;
use crate::plugin::Probe;
use client::{Client, Next};
use host::Host;
use pattern::Found;
pub(super) use script::Scenario;
pub use script::ScenarioError;
use script::{Kind, Part, Request, Step, Until};

/// Time after which what has not happened is taken to never happen.
const DEADLINE: Duration = Duration::from_secs(60);

/// Plays a scenario, and holds the plugin to what can be seen only of somebody who has joined.
pub(super) async fn play(report: &mut Report, subject: &Subject, scenario: &Scenario) {
    let directory = match tempfile::tempdir() {
        Ok(directory) => directory,
        Err(error) => return report.add_part("", Err(format!("there is no directory for it: {error}").into())),
    };
    let mut parts = scenario.parts.iter();
    for part in Stage::play(subject, directory.path(), &mut parts, report).await {
        let why = "an earlier part failed";
        report.add_part(&part.name, Err(Finding::Unseen(why.to_owned())));
    }
    let mut plugin = started(subject, directory.path()).await;
    let known = plugin.as_mut().zip(scenario.first_user());
    users::check_known(report, known).await;
}

/// An instance that runs on these files, if it can.
async fn started(subject: &Subject, directory: &Path) -> Option<Probe> {
    let mut plugin = subject.on(directory).await.ok()?;
    let is_started = matches!(plugin.start().await, Ok(Ok(())));
    is_started.then_some(plugin)
}

/// Who plays, and what they have found so far.
struct Stage<'a> {
    subject: &'a Subject,
    directory: &'a Path,
    host: Host,
    client: Client,
    found: Found,
}

impl<'a> Stage<'a> {
    /// Plays one part after the other and gives those after one that failed.
    async fn play(
        subject: &'a Subject,
        directory: &'a Path,
        parts: &mut std::slice::Iter<'a, Part>,
        report: &mut Report,
    ) -> Vec<&'a Part> {
        let mut stage = match Self::open(subject, directory).await {
            Ok(stage) => stage,
            Err(why) => {
                report.add_part("a host for it", Err(why.into()));
                return parts.collect();
            }
        };
        for part in parts.by_ref() {
            let played = match tokio::time::timeout(DEADLINE, stage.part(part)).await {
                Ok(played) => played,
                Err(_) => Err(format!("it has not come to its end within {DEADLINE:?}")),
            };
            let has_failed = played.is_err();
            report.add_part(&part.name, played.map_err(Finding::Came));
            if has_failed {
                break;
            }
        }
        stage.host.stop().await;
        parts.collect()
    }

    async fn open(subject: &'a Subject, directory: &'a Path) -> Result<Self, String> {
        let host = Host::start(subject, directory).await?;
        let client = Client::of(host.address())?;
        Ok(Self {
            subject,
            directory,
            host,
            client,
            found: Found::default(),
        })
    }

    async fn part(&mut self, part: &Part) -> Result<(), String> {
        for step in &part.steps {
            self.step(step).await.map_err(|why| format!("`{step}`: {why}"))?;
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> Result<(), String> {
        match step.kind()? {
            Kind::Tool { name, arguments } => {
                let said = self.host.tool(name, &self.found.fill(arguments).to_string()).await?;
                self.says(step, &said)
            }
            Kind::Nudge { user, text } => self.host.nudge(user, text).await,
            Kind::Request(request) => self.request(step, &request).await,
            Kind::Stream { name, until } => self.stream(step, name, until).await,
            Kind::Restart => {
                self.host.kill().await;
                self.host = Host::start(self.subject, self.directory).await?;
                self.client.turn_to(self.host.address());
                Ok(())
            }
        }
    }

    fn says(&mut self, step: &Step, said: &str) -> Result<(), String> {
        match &step.says {
            Some(expected) => self.found.look(expected, said),
            None => Ok(()),
        }
    }

    async fn request(&mut self, step: &Step, request: &Request<'_>) -> Result<(), String> {
        let body = step.body.as_ref().map(|body| self.found.fill(body));
        let answer = self.client.ask(request, body.as_ref()).await?;
        if answer.status() != request.status {
            return Err(format!("the status is {}, not {}", answer.status(), request.status));
        }
        if request.keeps_cookie {
            self.client.keep_cookie(&answer)?;
        }
        match &step.opens {
            Some(name) => {
                self.client.hold(name, answer);
                Ok(())
            }
            None => {
                let said = answer
                    .text()
                    .await
                    .map_err(|error| format!("the answer breaks off: {error}"))?;
                self.says(step, &said)
            }
        }
    }

    async fn stream(&mut self, step: &Step, name: &str, until: &Until) -> Result<(), String> {
        let mut pieces = Vec::new();
        loop {
            match (self.client.next(name).await?, until) {
                (Next::End, Until::End(_)) => return Ok(()),
                (Next::End, Until::Event(_)) => return Err("the stream has ended before".to_owned()),
                (Next::Event(event), _) => {
                    if let (Some("text"), Some(Value::String(piece))) =
                        (event.get("type").and_then(Value::as_str), event.get("content"))
                    {
                        pieces.push(piece.clone());
                    }
                    if until.is(&event) {
                        break;
                    }
                }
            }
        }
        match &step.text {
            Some(text) if pieces.len() < 2 || !pieces.concat().contains(text.as_str()) => {
                Err(format!("the pieces {pieces:?} are not several that say it"))
            }
            _ => Ok(()),
        }
    }
}
