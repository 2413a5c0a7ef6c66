//! Holds a component to the contract: plays against it what the WIT says, sentence by sentence, and reports what came.
//!
//! Each check has an instance of its own on an empty directory, with the plugin's configuration, stand-ins for its secrets, and
//! nobody to talk to. A scenario is played at a host with the echo agent. Nothing of the owner's is touched.

mod calls_back;
mod contents;
mod doors;
mod error;
mod files;
mod lifecycle;
mod report;
mod requests;
mod scenario;
mod schema;
mod subject;
mod tools;
mod users;

use std::path::Path;
use std::sync::Arc;

pub use report::{Line, Outcome, Report, Rule};
pub use scenario::ScenarioError;

use crate::capability::Capabilities;
use crate::engine::Engine;
use crate::plugin::LoadError;
use crate::programs::Programs;
use crate::serve::ServeError;
use crate::settings::Settings;
use scenario::Scenario;
use subject::Subject;

/// Why nothing was checked.
#[derive(Debug, thiserror::Error)]
pub enum ConformError {
    /// The component cannot be read, or this machine does not let it run.
    #[error(transparent)]
    Component(#[from] ServeError),
    /// There is nothing to play.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
}

/// Checks the plugin that the settings name, and plays a scenario at it if one is given.
///
/// # Errors
/// When there is nothing to check.
pub async fn conform(settings: &Settings, scenario: Option<&Path>) -> Result<Report, ConformError> {
    let scenario = scenario.map(Scenario::read).transpose()?;
    let mut report = Report::default();
    let engine = Arc::new(Engine::new(&settings.whole.cache()).map_err(ServeError::Engine)?);
    // All that a plugin may import is there, whatever this owner grants.
    let program = match Programs::new(Arc::clone(&engine)).load(settings, &Capabilities::default()) {
        Ok(loaded) => loaded.program,
        Err(ServeError::Load {
            source: LoadError::Misfit(misfit),
            ..
        }) => {
            report.add(contents::FITS, Err(misfit.to_string().into()));
            return Ok(report);
        }
        Err(error) => return Err(error.into()),
    };
    report.add(contents::FITS, Ok(()));
    let subject = Subject::new(engine, program, settings);
    contents::check(&mut report, &subject).await;
    lifecycle::check(&mut report, &subject).await;
    tools::check(&mut report, &subject).await;
    users::check(&mut report, &subject).await;
    requests::check(&mut report, &subject).await;
    doors::check(&mut report, &subject).await;
    files::check(&mut report, &subject).await;
    calls_back::check(&mut report, &subject).await;
    match scenario {
        Some(scenario) => scenario::play(&mut report, &subject, &scenario).await,
        None => users::check_known(&mut report, None).await,
    }
    Ok(report)
}
