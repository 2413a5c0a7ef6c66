//! Carries a command to the running harness, or out by itself when none runs.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::desk::Request;
use super::{Answer, Command, CommandError, Status};
use crate::data_dir::DataDirError;
use crate::serve::{Host, ServeError};
use crate::settings::Settings;
use crate::tenants::Name;

/// Why a command has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The running harness did not answer.
    #[error("asking the running harness: {0}")]
    Asking(#[from] io::Error),
    /// The running harness said something else.
    #[error("the running harness is of another version: restart it")]
    OtherVersion(#[from] serde_json::Error),
    /// The running harness does not say.
    #[error("{0}")]
    Refused(String),
    /// No node of the cluster answers.
    #[error(transparent)]
    Cluster(#[from] Box<crate::cluster::ClusterError>),
    /// Nothing runs, and the plugin cannot be loaded.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// Carries out a command.
///
/// # Errors
/// When neither the running harness nor the plugin itself can be asked.
pub fn ask(settings: &Settings, command: Command) -> Result<Answer, ClientError> {
    if let (Some(_), Some(tenant)) = (&settings.nats, &settings.tenant) {
        return ask_node(settings, tenant, &Request::Command(command));
    }
    match UnixStream::connect(settings.whole.owner_socket()) {
        Ok(stream) => ask_running(stream, &Request::Command(command).with(settings)),
        Err(_) => match settings.data.lock() {
            Ok(_lock) if command.needs_harness() => Ok(Err(
                "nothing runs on this data directory: the next start loads what is configured".to_owned(),
            )),
            Ok(_lock) => Ok(by_itself(settings, command)?),
            // It runs and is just starting or ending.
            Err(error @ DataDirError::InUse { .. }) => Err(ServeError::from(error).into()),
            Err(error) => Err(ServeError::from(error).into()),
        },
    }
}

/// How the running harness is doing; none when none runs.
///
/// # Errors
/// When one runs and does not say.
pub fn status(settings: &Settings) -> Result<Option<Status>, ClientError> {
    if let (Some(_), Some(tenant)) = (&settings.nats, &settings.tenant) {
        return said(ask_node(settings, tenant, &Request::Status)?);
    }
    match UnixStream::connect(settings.whole.owner_socket()) {
        Ok(stream) => said(ask_running(stream, &Request::Status.with(settings))?),
        // One that is just starting or ending has the data and no socket.
        Err(_) => Ok(settings.data.lock().map(|_lock| None).map_err(ServeError::from)?),
    }
}

/// Has the running harness, if one runs, look at a tenant's directory anew.
///
/// # Errors
/// When one runs and cannot serve the tenant, or does not say.
pub fn look(settings: &Settings, tenant: &Name) -> Result<Answer, ClientError> {
    match UnixStream::connect(settings.whole.owner_socket()) {
        Ok(stream) => ask_running(stream, &Request::Look(tenant.to_string())),
        Err(_) => Ok(Ok(String::new())),
    }
}

/// What a request for the status is answered with.
#[derive(Deserialize)]
#[serde(untagged)]
enum Said {
    Status(Box<Status>),
    Refusal(Answer),
}

fn said(said: Said) -> Result<Option<Status>, ClientError> {
    match said {
        Said::Status(status) => Ok(Some(*status)),
        Said::Refusal(Err(sentence)) => Err(ClientError::Refused(sentence)),
        Said::Refusal(Ok(_)) => Ok(None),
    }
}

/// Asks the node that has a tenant.
fn ask_node<A: DeserializeOwned>(settings: &Settings, tenant: &Name, request: &Request) -> Result<A, ClientError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ServeError::Runtime)?;
    let request = serde_json::to_string(request)?;
    let answer = runtime.block_on(crate::cluster::ask_owner(settings, tenant, request));
    Ok(serde_json::from_str(
        &answer.map_err(|error| ClientError::Cluster(Box::new(error)))?,
    )?)
}

fn ask_running<A: DeserializeOwned>(mut stream: UnixStream, request: &Request) -> Result<A, ClientError> {
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    Ok(serde_json::from_str(&answer)?)
}

fn by_itself(settings: &Settings, command: Command) -> Result<Answer, ServeError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ServeError::Runtime)?;
    runtime.block_on(async {
        let host = Host::load(settings, settings.port)?;
        let plugin = host.plugin();
        if command.needs_start() {
            crate::serve::start(plugin, settings).await?;
        }
        let answer = match command.attempt(plugin).await {
            Ok(text) => Ok(text),
            Err(error) => {
                if let CommandError::Call(failed) = &error
                    && let Some(damaged) = crate::serve::damage(plugin, settings, failed).await
                {
                    return Err(damaged);
                }
                Err(error.to_string())
            }
        };
        plugin.stop().await.map_err(ServeError::Start)?;
        Ok(answer)
    })
}
