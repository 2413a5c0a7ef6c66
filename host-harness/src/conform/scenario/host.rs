//! The host that a scenario is played at: the harness's own parts on a thread of their own, without the owner's sockets.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::super::subject::Subject;
use crate::agent::{AgentQueue, Echo};
use crate::http::{Proxies, Server};
use crate::plugin::{CallError, OutboundMessage, PluginActor, Priority};
use crate::push::PushHub;

/// Time for its threads to end.
const END: Duration = Duration::from_secs(10);

/// A plugin that is served.
pub(super) struct Host {
    /// None when it has ended.
    life: Option<Life>,
    address: SocketAddr,
}

struct Life {
    runtime: Runtime,
    plugin: Arc<PluginActor>,
}

impl Host {
    /// Serves the plugin with the files in this directory, on a free port.
    pub(super) async fn start(subject: &Subject, directory: &Path) -> Result<Self, String> {
        let unable = |error: std::io::Error| format!("this machine cannot serve it: {error}");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(unable)?;
        listener.set_nonblocking(true).map_err(unable)?;
        let address = listener.local_addr().map_err(unable)?;
        // One thread, as where it is served for good, beside that of the clients.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(unable)?;
        let limits = subject.limits.clone();
        let plugin = PluginActor::new(
            Arc::clone(&subject.engine),
            subject.program.clone(),
            subject.grants(directory, address.port()),
            limits.clone(),
            PushHub::new(&limits),
            AgentQueue::new(Arc::new(Echo::default()), &limits),
        );
        let life = Life {
            plugin: Arc::clone(&plugin),
            runtime,
        };
        let host = Self {
            life: Some(life),
            address,
        };
        host.make(async move {
            plugin
                .start()
                .await
                .map_err(|error| format!("it does not start: {error}"))?;
            let listener = tokio::net::TcpListener::from_std(listener).map_err(unable)?;
            tokio::spawn(Arc::clone(&plugin).heal());
            tokio::spawn(async move { Server::new(plugin, Proxies::default(), None).run(listener).await });
            Ok(())
        })
        .await?;
        Ok(host)
    }

    /// Where it is served.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Calls a tool.
    pub(super) async fn tool(&self, name: &str, arguments: &str) -> Result<String, String> {
        let (plugin, name, arguments) = (self.plugin()?, name.to_owned(), arguments.to_owned());
        self.make(async move { plugin.call_tool(&name, &arguments).await.map_err(refused) })
            .await
    }

    /// Sends a user a message on the agent's own account.
    pub(super) async fn nudge(&self, user: &str, text: &str) -> Result<(), String> {
        let (plugin, user) = (self.plugin()?, user.to_owned());
        let message = OutboundMessage {
            content: text.to_owned(),
            source: "owner".to_owned(),
            priority: Priority::Normal,
        };
        self.make(async move { plugin.send_to_user(&user, &message).await.map(drop).map_err(refused) })
            .await
    }

    /// Ends it on the spot: the plugin is not told.
    pub(super) async fn kill(&mut self) {
        let Some(Life { runtime, plugin }) = self.life.take() else {
            return;
        };
        drop(plugin);
        let ending: JoinHandle<()> = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(END));
        // Whether something of it has panicked is of no interest any more.
        let _ = ending.await;
    }

    /// Stops the plugin and ends.
    pub(super) async fn stop(&mut self) {
        if let Ok(plugin) = self.plugin() {
            let _ = self
                .make(async move { plugin.stop().await.map_err(refused) })
                .await
                .inspect_err(|error| tracing::warn!(%error, "stopping the plugin"));
        }
        self.kill().await;
    }

    fn plugin(&self) -> Result<Arc<PluginActor>, String> {
        let life = self.life.as_ref().ok_or("the host has ended")?;
        Ok(Arc::clone(&life.plugin))
    }

    /// Makes a call on the plugin's own thread.
    async fn make<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, String>> + Send + 'static,
    ) -> Result<T, String> {
        let life = self.life.as_ref().ok_or("the host has ended")?;
        life.runtime.spawn(call).await.map_err(|error| error.to_string())?
    }
}

/// A host that fails to start goes without waiting.
impl Drop for Host {
    fn drop(&mut self) {
        if let Some(Life { runtime, .. }) = self.life.take() {
            runtime.shutdown_background();
        }
    }
}

fn refused(error: CallError) -> String {
    error.to_string()
}
