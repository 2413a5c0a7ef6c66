//! One agent that has started this program and talks to it by standard input and output.

use std::io;
use std::sync::Arc;

use rmcp::service::{ServerInitializeError, ServiceExt};

use super::{Door, Session};
use crate::settings::Settings;

/// Why an agent is not served.
#[derive(Debug, thiserror::Error)]
pub enum StdioError {
    /// The runtime cannot be made.
    #[error("starting: {0}")]
    Runtime(#[from] io::Error),
    /// What came in was not the protocol.
    #[error("the other side does not speak MCP: {0}")]
    Opening(#[from] Box<ServerInitializeError>),
    /// A part of the program failed.
    #[error("serving: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// Serves until standard input ends. Nothing else is written on standard output.
///
/// # Errors
/// When the other side does not begin as the protocol says.
pub fn stdio(settings: Settings) -> Result<(), StdioError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let session = Session {
        door: Door::There(Arc::new(settings)),
    };
    runtime.block_on(async {
        match session.serve(rmcp::transport::stdio()).await {
            Ok(running) => drop(running.waiting().await?),
            // An agent that looks whether the program starts says nothing.
            Err(ServerInitializeError::ConnectionClosed(_)) => {}
            Err(error) => return Err(Box::new(error).into()),
        }
        Ok(())
    })
}
