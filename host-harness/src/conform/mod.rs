//! Plays the contract against a component: what the texts in `wit/` demand of a plugin, asked of it one by one, each time on new
//! files. Nothing of it reaches an agent, a user or the network.

mod life;
mod schema;
mod tools;
mod users;
mod web;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tempfile::TempDir;

use crate::capability::Capabilities;
use crate::engine::Engine;
use crate::limits::Limits;
use crate::plugin::{Bare, Broken, ChannelError, Grants, Program};
use crate::serve::{self, ServeError};
use crate::settings::Settings;

/// Bytes of a secret that is given for the length of the look.
const SECRET_BYTES: usize = 32;

/// What was found, in the order in which it was looked for.
#[derive(Debug, Default)]
pub struct Report {
    lines: Vec<(&'static str, Outcome)>,
}

/// What one check came to.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Kept,
    /// What the contract says, and what came instead.
    Broken(String),
    /// Why there was nothing to look at.
    Skipped(String),
}

/// What a check finds: the contract kept, or a sentence.
type Found = Result<(), String>;

impl Report {
    /// Whether the contract was kept wherever it was looked at.
    pub fn is_kept(&self) -> bool {
        !self
            .lines
            .iter()
            .any(|(_, outcome)| matches!(outcome, Outcome::Broken(_)))
    }

    fn note(&mut self, what: &'static str, found: Found) {
        let outcome = found.map_or_else(Outcome::Broken, |()| Outcome::Kept);
        self.lines.push((what, outcome));
    }

    fn skip(&mut self, what: &'static str, why: &str) {
        self.lines.push((what, Outcome::Skipped(why.to_owned())));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, outcome) in &self.lines {
            match outcome {
                Outcome::Kept => writeln!(f, "ok       {what}")?,
                Outcome::Broken(sentence) => writeln!(f, "FAILED   {what}: {sentence}")?,
                Outcome::Skipped(why) => writeln!(f, "skipped  {what}: {why}")?,
            }
        }
        let count = |is: fn(&Outcome) -> bool| self.lines.iter().filter(|(_, outcome)| is(outcome)).count();
        let kept = count(|outcome| *outcome == Outcome::Kept);
        let broken = count(|outcome| matches!(outcome, Outcome::Broken(_)));
        writeln!(
            f,
            "{kept} passed, {broken} failed, {} skipped",
            self.lines.len() - kept - broken
        )
    }
}

/// What instances are made of and run on.
struct Scene {
    engine: Arc<Engine>,
    program: Program,
    limits: Limits,
    config: BTreeMap<String, String>,
    secrets: BTreeMap<String, Vec<u8>>,
}

impl Scene {
    fn new(settings: &Settings) -> Result<Self, ServeError> {
        let engine = Arc::new(Engine::new(&settings.data.cache()).map_err(ServeError::Engine)?);
        // Whatever it wants is there, and leads nowhere.
        let (program, _) = serve::program(settings, &engine, &Capabilities::default())?;
        let mut secrets = BTreeMap::new();
        for name in &settings.secrets {
            let mut secret = vec![0; SECRET_BYTES];
            getrandom::fill(&mut secret).map_err(|error| ServeError::Runtime(error.into()))?;
            secrets.insert(name.clone(), secret);
        }
        Ok(Self {
            engine,
            program,
            limits: settings.limits.clone(),
            config: settings.plugin_config(settings.port),
            secrets,
        })
    }

    /// A new instance on these files.
    async fn on(&self, files: &TempDir) -> Result<Bare, String> {
        let grants = Grants {
            directory: files.path().to_owned(),
            config: self.config.clone(),
            secrets: self.secrets.clone(),
            ..Grants::default()
        };
        Bare::new(&self.engine, &self.program, grants, &self.limits)
            .await
            .map_err(|error| format!("there is no instance: {error:#}"))
    }

    /// A new instance on new files.
    async fn fresh(&self) -> Result<(Bare, TempDir), String> {
        let files = tempfile::tempdir().map_err(|error| format!("there is no directory: {error}"))?;
        Ok((self.on(&files).await?, files))
    }

    /// The same, started.
    async fn started(&self) -> Result<(Bare, TempDir), String> {
        let (mut plugin, files) = self.fresh().await?;
        match plugin.start().await? {
            Ok(()) => Ok((plugin, files)),
            Err(error) => Err(format!("`start` on an empty directory came to {error:?}")),
        }
    }
}

impl From<Broken> for String {
    fn from(broken: Broken) -> Self {
        broken.to_string()
    }
}

/// Found as the contract says, which is put in words.
fn expect(fits: bool, rule: &str, came: &impl fmt::Debug) -> Found {
    match fits {
        true => Ok(()),
        false => Err(format!("{rule}, and what came is {came:?}")),
    }
}

/// Whether a call came to an error of this kind.
fn fails<T>(came: &Result<T, ChannelError>, is: fn(&ChannelError) -> bool) -> bool {
    came.as_ref().is_err_and(is)
}

/// Plays the contract against the plugin that the settings name.
///
/// # Errors
/// When it cannot be loaded, as one that does not export the world cannot.
pub async fn conform(settings: &Settings) -> Result<Report, ServeError> {
    let scene = Scene::new(settings)?;
    let mut report = Report::default();
    life::look(&scene, &mut report).await;
    tools::look(&scene, &mut report).await;
    users::look(&scene, &mut report).await;
    web::look(&scene, &mut report).await;
    Ok(report)
}
