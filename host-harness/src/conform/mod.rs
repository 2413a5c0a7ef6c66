//! Holds a component to the contract: plays against it what the WIT says, sentence by sentence, and reports what came.
//!
//! Each check has an instance of its own on an empty directory, with the plugin's configuration, stand-ins for its secrets, and
//! nobody to talk to. Nothing of the owner's is touched.

mod contents;
mod doors;
mod error;
mod files;
mod lifecycle;
mod report;
mod requests;
mod schema;
mod subject;
mod tools;
mod users;

use std::sync::Arc;

pub use report::{Line, Outcome, Report, Rule};

use crate::capability::Capabilities;
use crate::engine::Engine;
use crate::plugin::LoadError;
use crate::serve::{self, ServeError};
use crate::settings::Settings;
use subject::Subject;

/// Checks the plugin that the settings name.
///
/// # Errors
/// When there is nothing to check: the component cannot be read, or this machine does not let it run.
pub async fn conform(settings: &Settings) -> Result<Report, ServeError> {
    let mut report = Report::default();
    let engine = Arc::new(Engine::new(&settings.data.cache()).map_err(ServeError::Engine)?);
    // All that a plugin may import is there, whatever this owner grants.
    let program = match serve::program(settings, &engine, &Capabilities::default()) {
        Ok((program, _)) => program,
        Err(ServeError::Load {
            source: LoadError::Misfit(misfit),
            ..
        }) => {
            report.add(contents::FITS, Err(misfit.to_string().into()));
            return Ok(report);
        }
        Err(error) => return Err(error),
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
    users::check_known(&mut report, None).await;
    Ok(report)
}
