//! An instance as a host finds it that helps with nothing: each call is the component's own, and what it asks for is taken and
//! not carried out.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use wasmtime::Store;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::p2::bindings::{Proxy, ProxyIndices};

use super::actor::PluginActor;
use super::bindings::exports::tinyclaw::plugin::channel::AgentEvent;
use super::bindings::{Plugin, PluginIndices};
use super::imports::State;
use super::{ChannelError, ToolError};
use super::{Condition, Delivery, Entry, Grants, Metadata, OutboundMessage, Program, Tool, wit};
use crate::engine::Engine;
use crate::limits::Limits;

/// A call that has no answer at all; the instance is of no use after it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("the call trapped: {0}")]
    Trapped(String),
    #[error("the call did not return within {0:?}")]
    Endless(Duration),
    #[error("an earlier call did not return")]
    Lost,
}

/// A request as both doors take it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// What either door gives, with the headers in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Bytes,
    /// Whether the connection is to be held.
    pub(crate) is_held: bool,
}

pub(crate) struct Bare {
    store: Store<State>,
    plugin: Plugin,
    standard: Option<Proxy>,
    limits: Limits,
    is_lost: bool,
}

impl fmt::Debug for Bare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bare")
            .field("is_lost", &self.is_lost)
            .finish_non_exhaustive()
    }
}

impl Bare {
    /// A new instance.
    pub(crate) async fn new(
        engine: &Arc<Engine>,
        program: &Program,
        grants: Grants,
        limits: &Limits,
    ) -> wasmtime::Result<Self> {
        let actor = PluginActor::alone(Arc::clone(engine), program.clone(), grants, limits.clone());
        let mut store = actor.new_store(1)?;
        let pre = program.instance_pre();
        let instance = pre.instantiate_async(&mut store).await?;
        let plugin = PluginIndices::new(pre)?.load(&mut store, &instance)?;
        let standard = match ProxyIndices::new(pre) {
            Ok(indices) => Some(indices.load(&mut store, &instance)?),
            Err(_) => None,
        };
        Ok(Self {
            store,
            plugin,
            standard,
            limits: limits.clone(),
            is_lost: false,
        })
    }

    /// Whether it has a door for `wasi:http`.
    pub(crate) fn has_standard_door(&self) -> bool {
        self.standard.is_some()
    }

    async fn call<T>(
        &mut self,
        within: Duration,
        call: impl AsyncFnOnce(&mut Store<State>, &Plugin) -> wasmtime::Result<T>,
    ) -> Result<T, Broken> {
        if std::mem::replace(&mut self.is_lost, true) {
            return Err(Broken::Lost);
        }
        self.store.set_hostcall_fuel(self.limits.hostcall_bytes);
        let returned = tokio::time::timeout(within, call(&mut self.store, &self.plugin)).await;
        let value = returned
            .map_err(|_| Broken::Endless(within))?
            .map_err(|error| Broken::Trapped(error.root_cause().to_string()))?;
        drop(self.store.data_mut().end_call());
        self.is_lost = false;
        Ok(value)
    }

    pub(crate) async fn describe(&mut self) -> Result<Metadata, Broken> {
        self.call(self.limits.call, async |store, plugin| {
            plugin.tinyclaw_plugin_channel().call_describe(store).await
        })
        .await
    }

    pub(crate) async fn start(&mut self) -> Result<Result<(), ChannelError>, Broken> {
        self.call(self.limits.start, async |store, plugin| {
            plugin.tinyclaw_plugin_channel().call_start(store).await
        })
        .await
    }

    pub(crate) async fn stop(&mut self) -> Result<Result<(), ChannelError>, Broken> {
        self.call(self.limits.stop, async |store, plugin| {
            plugin.tinyclaw_plugin_channel().call_stop(store).await
        })
        .await
    }

    pub(crate) async fn commit(&mut self) -> Result<Result<(), ChannelError>, Broken> {
        self.call(self.limits.call, async |store, plugin| {
            plugin.tinyclaw_plugin_channel().call_commit(store).await
        })
        .await
    }

    pub(crate) async fn send_to_user(
        &mut self,
        user: &str,
        message: &OutboundMessage,
    ) -> Result<Result<Delivery, ChannelError>, Broken> {
        self.call(self.limits.call, async |store, plugin| {
            let channel = plugin.tinyclaw_plugin_channel();
            channel.call_send_to_user(store, user, message).await
        })
        .await
    }

    pub(crate) async fn on_agent_event(
        &mut self,
        ticket: u64,
        event: &AgentEvent,
    ) -> Result<Result<(), ChannelError>, Broken> {
        self.call(self.limits.call, async |store, plugin| {
            let channel = plugin.tinyclaw_plugin_channel();
            channel.call_on_agent_event(store, ticket, event).await
        })
        .await
    }

    pub(crate) async fn history(&mut self, user: &str, limit: u32) -> Result<Result<Vec<Entry>, ChannelError>, Broken> {
        self.call(self.limits.call, async |store, plugin| {
            plugin.tinyclaw_plugin_channel().call_history(store, user, limit).await
        })
        .await
    }

    pub(crate) async fn verify(&mut self) -> Result<Result<Condition, ChannelError>, Broken> {
        self.call(self.limits.start, async |store, plugin| {
            plugin.tinyclaw_plugin_maintenance().call_verify(store).await
        })
        .await
    }

    pub(crate) async fn list_tools(&mut self) -> Result<Vec<Tool>, Broken> {
        self.call(self.limits.call, async |store, plugin| {
            plugin.tinyclaw_plugin_tools().call_list_tools(store).await
        })
        .await
    }

    pub(crate) async fn call_tool(&mut self, name: &str, arguments: &str) -> Result<Result<String, ToolError>, Broken> {
        self.call(self.limits.call, async |store, plugin| {
            plugin
                .tinyclaw_plugin_tools()
                .call_call_tool(store, name, arguments)
                .await
        })
        .await
    }

    /// Through `tinyclaw:plugin/http`.
    pub(crate) async fn record(&mut self, asked: &Asked) -> Result<Given, Broken> {
        let headers = asked.headers.iter();
        let request = wit::Request {
            method: asked.method.clone(),
            target: asked.target.clone(),
            headers: headers
                .map(|(name, value)| (name.clone(), value.clone().into_bytes()))
                .collect(),
            body: asked.body.clone(),
            client: String::new(),
        };
        let response = self
            .call(self.limits.call, async |store, plugin| {
                plugin.tinyclaw_plugin_http().call_handle(store, &request).await
            })
            .await?;
        let mut headers = response.headers;
        headers.sort();
        Ok(Given {
            status: response.status,
            headers,
            body: response.body.into(),
            is_held: response.hold.is_some(),
        })
    }

    /// Through `wasi:http/incoming-handler`; an error in words where the door fails.
    pub(crate) async fn standard(&mut self, asked: &Asked) -> Result<Given, String> {
        let Some(proxy) = self.standard.take() else {
            return Err("there is no such door".to_owned());
        };
        let given = self.by_standard_door(&proxy, asked).await;
        self.standard = Some(proxy);
        given
    }

    async fn by_standard_door(&mut self, proxy: &Proxy, asked: &Asked) -> Result<Given, String> {
        let mut request = http::Request::builder()
            .method(asked.method.as_str())
            .uri(&asked.target);
        for (name, value) in &asked.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(asked.body.clone())));
        let request = request.map_err(|error| error.to_string())?;
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let mut view = self.store.data_mut().http();
        let incoming = view.new_incoming_request(Scheme::Http, request);
        let incoming = incoming.map_err(|error| error.to_string())?;
        let out = view.new_response_outparam(sender).map_err(|error| error.to_string())?;
        let within = self.limits.call;
        let handling = self.call(within, async |store, _| {
            proxy
                .wasi_http_incoming_handler()
                .call_handle(store, incoming, out)
                .await
        });
        // The component writes the body while it is read.
        let reading = async {
            let response = receiver.await.map_err(|_| "it gave no response".to_owned())?;
            let (head, body) = response.map_err(|error| format!("{error:?}"))?.into_parts();
            let body = body.collect().await.map_err(|error| format!("{error:?}"))?;
            Ok::<_, String>((head, body.to_bytes()))
        };
        let (handled, read) = tokio::join!(handling, reading);
        handled.map_err(|broken| broken.to_string())?;
        let (head, body) = read?;
        let name = |name: &http::HeaderName| name.as_str().to_owned();
        let values = head
            .headers
            .iter()
            .filter(|(name, _)| !name.as_str().starts_with("grip-"));
        let mut headers: Vec<_> = values
            .map(|(key, value)| (name(key), value.as_bytes().to_vec()))
            .collect();
        headers.sort();
        Ok(Given {
            status: head.status.as_u16(),
            headers,
            body,
            is_held: head.headers.contains_key("grip-hold"),
        })
    }
}
