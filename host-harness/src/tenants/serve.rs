//! Serves many owners, as [`crate::serve::serve`] serves one.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::Tenants;
use crate::http::{Server, Tls};
use crate::mcp::{Keys, McpServer};
use crate::metrics::Of;
use crate::owner::{Desks, OwnerServer};
use crate::serve::{ServeError, let_connections_end, listen, open_to_watchers};
use crate::settings::Settings;

/// Serves all tenants until `end` is ready, then answers what is queued, stops every plugin and closes every connection.
///
/// `say` is told, in whole lines, what whoever runs this should see.
///
/// # Errors
/// When something is in the way of serving. Nothing is left running.
pub async fn serve(settings: &Settings, say: impl Fn(&str), end: impl Future<Output = ()>) -> Result<(), ServeError> {
    let _lock = settings.data.lock()?;
    let tls = settings.tls.clone().map(Tls::load).transpose()?;
    let listener = listen(&settings.host, settings.port).await?;
    let port = listener.local_addr().map_or(settings.port, |address| address.port());
    let tenants = Arc::new(Tenants::open(settings.clone(), port)?);
    let (limits, proxies) = (settings.limits.clone(), settings.proxies.clone());
    let server = Arc::new(Server::of_tenants(Arc::clone(&tenants), limits, proxies, tls));
    // It ends with this.
    let mut watching = JoinSet::new();
    let metrics = open_to_watchers(settings, &mut watching, Of::Many(Arc::clone(&tenants)), &server).await?;
    let owner = OwnerServer::bind(&settings.whole.owner_socket())?;
    let agents = match settings.mcp_port {
        Some(port) => Some(McpServer::bind(port).await?),
        None => None,
    };
    let chats = match tenants.count() {
        1 => "1 chat is".to_owned(),
        count => format!("{count} chats are"),
    };
    say(&format!("{chats} served at {}", settings.base_url(port)));
    if let Some(agents) = &agents {
        say(&format!("The owners' other agents find them at {}/NAME", agents.url()));
    }
    if let Some(url) = metrics {
        say(&format!("Its metrics are at {url}"));
    }

    let agents = async {
        match &agents {
            Some(agents) => agents.run(Keys::Many(Arc::clone(&tenants))).await,
            None => std::future::pending().await,
        }
    };
    let tending = async {
        tenants.take_up().await;
        tenants.tend().await;
    };
    let serving = server.run(listener);
    tokio::pin!(serving);
    tokio::select! {
        () = serving.as_mut() => {}
        () = owner.run(Desks::Many(Arc::clone(&tenants))) => {}
        () = agents => {}
        () = tending => {}
        () = end => {}
    }

    tracing::info!("ending");
    server.close();
    let_connections_end(serving, tenants.end()).await;
    Ok(())
}
