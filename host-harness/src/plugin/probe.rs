//! An instance that is asked directly, to see whether a plugin keeps the contract.
//!
//! The actor answers some calls in the plugin's place and starts anew what is lost. Here every call reaches the instance, none
//! is made that was not asked for, and what a call wants of the host is dropped: there is nobody to talk to.

use std::sync::Arc;

use wasmtime_wasi_http::p2::bindings::Proxy;

use super::actor::{Call, PluginActor};
use super::bindings::exports::tinyclaw::plugin::channel::AgentEvent;
use super::bindings::exports::tinyclaw::plugin::socket::Opening;
use super::bindings::tinyclaw::plugin::http_types as wit;
use super::calling_back::CallingBack;
use super::counts::Kind;
use super::slot::{Running, Slot};
use super::standard_door::{self, StandardAnswer};
use super::{ChannelError, Condition, Delivery, Entry, Grants, Metadata, OutboundMessage, Program, Tool, ToolError};
use crate::agent::Ticket;
use crate::engine::Engine;
use crate::limits::Limits;

/// A call that did not return, or an instance that could not be made. Says why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Lost(pub(crate) String);

/// What a call of the interface `channel` or `maintenance` answered.
type Answer<T> = Result<Result<T, ChannelError>, Lost>;

/// One instance, which was not started.
pub(crate) struct Probe {
    actor: Arc<PluginActor>,
    slot: Slot,
    standard: Option<Proxy>,
}

impl Probe {
    /// An instance of a program.
    pub(crate) async fn new(
        engine: Arc<Engine>,
        program: Program,
        grants: Grants,
        limits: Limits,
    ) -> Result<Self, Lost> {
        let actor = PluginActor::alone(engine, program.clone(), grants, limits);
        let mut slot = Slot::new(program, Arc::default());
        let lost = |error: wasmtime::Error| Lost(format!("there is no instance: {error:#}"));
        let mut store = actor.new_store(1).map_err(lost)?;
        let (plugin, standard) = slot
            .program
            .instantiate_with_both_doors(&mut store)
            .await
            .map_err(lost)?;
        slot.running = Some(Running {
            store,
            plugin,
            entered: false,
        });
        Ok(Self { actor, slot, standard })
    }

    /// Lets imports call back from now on; the program is one that [`Program::calling_back`] has made.
    pub(crate) fn let_call_back(&self, back: &CallingBack) {
        if let Some(running) = &self.slot.running {
            back.begin(running.plugin.tinyclaw_plugin_channel().clone());
        }
    }

    async fn ask<T>(&mut self, kind: Kind, make: impl AsyncFnOnce(Call<'_>) -> wasmtime::Result<T>) -> Result<T, Lost> {
        match self.actor.enter(&mut self.slot, kind, make, |value| value).await {
            Ok((value, _unreleased)) => Ok(value),
            Err(error) => {
                let loss = self.actor.status().last_loss;
                let why = loss.map_or_else(|| error.to_string(), |loss| loss.reason);
                Err(Lost(format!("the call did not return: {why}")))
            }
        }
    }

    pub(crate) async fn describe(&mut self) -> Result<Metadata, Lost> {
        self.ask(Kind::Other, async |call| {
            call.plugin.tinyclaw_plugin_channel().call_describe(call.store).await
        })
        .await
    }

    pub(crate) async fn start(&mut self) -> Answer<()> {
        self.ask(Kind::Start, async |call| {
            call.plugin.tinyclaw_plugin_channel().call_start(call.store).await
        })
        .await
    }

    pub(crate) async fn stop(&mut self) -> Answer<()> {
        self.ask(Kind::Stop, async |call| {
            call.plugin.tinyclaw_plugin_channel().call_stop(call.store).await
        })
        .await
    }

    pub(crate) async fn commit(&mut self) -> Answer<()> {
        self.ask(Kind::Commit, async |call| {
            call.plugin.tinyclaw_plugin_channel().call_commit(call.store).await
        })
        .await
    }

    pub(crate) async fn send_to_user(&mut self, user_id: &str, message: &OutboundMessage) -> Answer<Delivery> {
        self.ask(Kind::Message, async |call| {
            let channel = call.plugin.tinyclaw_plugin_channel();
            channel.call_send_to_user(call.store, user_id, message).await
        })
        .await
    }

    /// Says that the agent has begun to answer.
    pub(crate) async fn agent_started(&mut self, ticket: Ticket) -> Answer<()> {
        self.ask(Kind::Event, async |call| {
            let channel = call.plugin.tinyclaw_plugin_channel();
            channel
                .call_on_agent_event(call.store, ticket, &AgentEvent::Started)
                .await
        })
        .await
    }

    pub(crate) async fn history(&mut self, user_id: &str, limit: u32) -> Answer<Vec<Entry>> {
        self.ask(Kind::History, async |call| {
            let channel = call.plugin.tinyclaw_plugin_channel();
            channel.call_history(call.store, user_id, limit).await
        })
        .await
    }

    pub(crate) async fn list_tools(&mut self) -> Result<Vec<Tool>, Lost> {
        self.ask(Kind::Tool, async |call| {
            call.plugin.tinyclaw_plugin_tools().call_list_tools(call.store).await
        })
        .await
    }

    pub(crate) async fn call_tool(&mut self, name: &str, arguments: &str) -> Result<Result<String, ToolError>, Lost> {
        self.ask(Kind::Tool, async |call| {
            let tools = call.plugin.tinyclaw_plugin_tools();
            tools.call_call_tool(call.store, name, arguments).await
        })
        .await
    }

    pub(crate) async fn verify(&mut self) -> Answer<Condition> {
        self.ask(Kind::Verify, async |call| {
            call.plugin.tinyclaw_plugin_maintenance().call_verify(call.store).await
        })
        .await
    }

    /// By the door `tinyclaw:plugin/http`.
    pub(crate) async fn http(&mut self, request: &wit::Request) -> Result<wit::Response, Lost> {
        self.ask(Kind::Http, async |call| {
            call.plugin
                .tinyclaw_plugin_http()
                .call_handle(call.store, request)
                .await
        })
        .await
    }

    /// By the door `wasi:http/incoming-handler`; none where it has no such door.
    pub(crate) async fn standard_http(&mut self, request: &wit::Request) -> Result<Option<StandardAnswer>, Lost> {
        // Out of its place for the call, which borrows everything else.
        let Some(door) = self.standard.take() else {
            return Ok(None);
        };
        let most = self.actor.limits().response_body_bytes;
        let answer = self
            .ask(Kind::Http, async |call| {
                standard_door::ask(&door, call.store, request, most).await
            })
            .await;
        self.standard = Some(door);
        answer.map(Some)
    }

    pub(crate) async fn socket_open(&mut self, connection: u64, request: &wit::Request) -> Result<Opening, Lost> {
        self.ask(Kind::Socket, async |call| {
            let socket = call.plugin.tinyclaw_plugin_socket();
            socket.call_open(call.store, connection, request).await
        })
        .await
    }

    pub(crate) async fn socket_closed(&mut self, connection: u64) -> Result<(), Lost> {
        self.ask(Kind::Socket, async |call| {
            call.plugin
                .tinyclaw_plugin_socket()
                .call_closed(call.store, connection)
                .await
        })
        .await
    }

    pub(crate) async fn web_push_gone(&mut self, endpoint: &str) -> Result<(), Lost> {
        self.ask(Kind::Other, async |call| {
            let events = call.plugin.tinyclaw_plugin_web_push_events();
            events.call_gone(call.store, endpoint).await
        })
        .await
    }
}
