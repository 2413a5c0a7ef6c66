//! The state of an instance and what it may call: each import answers what a plugin can cause with a
//! value, never with a trap, which would cost it its instance.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_config::WasiConfigVariables;
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::actor::PluginActor;
use super::bindings::tinyclaw::plugin::{agent, commits, http_types, push, secrets, web_push};
use super::bindings::wasi::logging::logging::{self, Level};
use super::bounds::Bounds;
use super::counts::Counts;
use super::directory::Directory;
use super::effects::{Effect, Effects};
use super::journal::Journal;
use super::no_requests::NoRequests;
use super::syncs::Syncs;
use super::{Instance, Response};
use crate::agent::{AgentQueue, Notes};
use crate::limits::{Limit, Limits, Rates};
use crate::push::{PushHub, Reason};
use crate::turns::Share;
use crate::web_push::{Delivery, Subscription, Terms, Urgency, WebPush};

/// Bytes of a user id; ours are at most 39.
pub(super) const USER_ID_BYTES: usize = 128;

/// Bytes of a topic, as the contract says.
const TOPIC_BYTES: usize = 256;

/// Longest time for which a push service is asked to keep a message, as the contract says.
const MAX_TTL_S: u32 = 2_419_200;

/// Longest time before a message is sent, as the contract says.
const MAX_DELAY_MS: u32 = 60_000;

/// Bytes of the context of a log line: the name of a part.
const LOG_CONTEXT_BYTES: usize = 100;

/// Milliseconds after which a bound on a minute lets more through.
const MINUTE_MS: u32 = 60_000;

pub(crate) struct State {
    /// Which instance this is the state of.
    pub(super) instance: Instance,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    no_requests: NoRequests,
    table: ResourceTable,
    pub(super) config: WasiConfigVariables,
    secrets: std::collections::BTreeMap<String, Vec<u8>>,
    pub(super) notes: Option<Notes>,
    pub(super) bounds: Bounds,
    pub(super) directory: Directory,
    rates: Rates,
    limits: Limits,
    counts: Arc<Counts>,
    hub: PushHub,
    queue: AgentQueue,
    web_push: Option<Arc<WebPush>>,
    pub(super) journal: Option<Arc<Journal>>,
    pub(super) effects: Effects,
    /// What its calls use of the threads.
    pub(super) share: Arc<Share>,
    /// Whether what a call changes may be made lasting with what others change.
    pub(super) may_wait: bool,
    /// A call has left something open that is to be made lasting.
    pub(super) is_open: bool,
    pub(super) syncs: Syncs,
    log_lines: usize,
}

impl State {
    pub(super) fn new(instance: Instance, plugin: &PluginActor) -> wasmtime::Result<Self> {
        let (grants, limits) = (&plugin.grants, &plugin.limits);
        let mut wasi = WasiCtx::builder();
        // No call waits for a disk longer than for another thread to wait for it.
        wasi.allow_blocking_current_thread(true);
        wasi.preopened_dir(&grants.directory, "/", FsPerms::ReadWrite)?;
        Ok(Self {
            instance,
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            no_requests: NoRequests,
            table: ResourceTable::new(),
            config: grants
                .config
                .iter()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            secrets: grants.secrets.clone(),
            notes: grants.notes.clone(),
            bounds: Bounds::new(limits, &plugin.counts),
            directory: plugin.directory.clone(),
            rates: plugin.rates.clone(),
            limits: limits.clone(),
            counts: Arc::clone(&plugin.counts),
            hub: plugin.hub.clone(),
            queue: plugin.queue.clone(),
            web_push: grants.web_push.clone(),
            journal: grants.journal.clone(),
            effects: Effects::default(),
            share: Arc::clone(&plugin.share),
            may_wait: false,
            is_open: false,
            syncs: Syncs::default(),
            log_lines: 0,
        })
    }

    /// Takes what a call asked for and gives the next one its own bounds.
    pub(super) fn end_call(&mut self) -> Effects {
        let mut effects = std::mem::take(&mut self.effects);
        self.limits.note(
            Limit::log_lines_per_call,
            self.log_lines.min(self.limits.log_lines_per_call),
        );
        self.limits.note(Limit::pushes_per_call, effects.pushes());
        self.limits.note(Limit::turns_per_call, effects.turns());
        self.log_lines = 0;
        self.syncs.may_be_left = false;
        self.tell_met();
        effects.moment = self.hub.next_moment();
        effects
    }

    /// Tells the owner which bounds the call has met.
    pub(super) fn tell_met(&mut self) {
        for limit in self.bounds.take_met() {
            self.limits.tell(limit);
        }
    }

    fn topic(&mut self, topic: &str) -> Result<u32, push::Error> {
        if topic.is_empty() || topic.len() > TOPIC_BYTES {
            return Err(push::Error::InvalidTopic);
        }
        let room = match self.effects.pushes() < self.limits.pushes_per_call {
            true => self.rates.pushes.take(1, &self.limits),
            false => Err(Limit::pushes_per_call),
        };
        room.map_err(|limit| {
            self.bounds.meet(limit);
            push::Error::TooMany
        })?;
        Ok(saturated(self.hub.listeners(topic)))
    }

    fn fits(&mut self, frame: &[u8]) -> Result<(), push::Error> {
        let most = self.limits.frame_bytes;
        if frame.len() > most {
            self.bounds.meet(Limit::frame_bytes);
            return Err(push::Error::FrameTooLong(saturated(most)));
        }
        self.limits.note(Limit::frame_bytes, frame.len());
        Ok(())
    }

    /// Whether the agent's queue may be asked once more.
    fn turn(&mut self) -> Result<(), Limit> {
        let room = match self.effects.turns() < self.limits.turns_per_call {
            true => self.rates.turns.take(1, &self.limits),
            false => Err(Limit::turns_per_call),
        };
        room.inspect_err(|limit| self.bounds.meet(*limit))
    }

    /// Whether one more line may be logged.
    fn line(&mut self, bytes: usize) -> Result<(), Limit> {
        if self.log_lines > self.limits.log_lines_per_call {
            return Err(Limit::log_lines_per_call);
        }
        self.rates.log_lines.take(1, &self.limits)?;
        self.rates.log_bytes.take(bytes, &self.limits)
    }
}

impl State {
    fn delivery(
        &self,
        subscription: web_push::Subscription,
        terms: web_push::Terms,
    ) -> Result<(Arc<WebPush>, Delivery), web_push::Error> {
        let sender = self.web_push.clone().ok_or(web_push::Error::Unavailable)?;
        let subscription = Subscription {
            endpoint: subscription.endpoint,
            p256dh: subscription.p256dh,
            auth: subscription.auth,
        };
        let urgency = match terms.urgency {
            web_push::Urgency::VeryLow => Urgency::VeryLow,
            web_push::Urgency::Low => Urgency::Low,
            web_push::Urgency::Normal => Urgency::Normal,
            web_push::Urgency::High => Urgency::High,
        };
        let terms = Terms {
            urgency,
            ttl: Duration::from_secs(terms.ttl_s.min(MAX_TTL_S).into()),
            delay: Duration::from_millis(terms.delay_ms.min(MAX_DELAY_MS).into()),
        };
        let delivery = sender
            .check(subscription, terms)
            .map_err(|unusable| web_push::Error::Refused(unusable.to_string()))?;
        Ok((sender, delivery))
    }
}

impl web_push::Host for State {
    fn public_key(&mut self) -> Option<Vec<u8>> {
        self.web_push.as_ref().map(|sender| sender.public_key().to_vec())
    }

    fn check(&mut self, subscription: web_push::Subscription) -> Result<(), web_push::Error> {
        let terms = web_push::Terms {
            urgency: web_push::Urgency::Normal,
            ttl_s: 0,
            delay_ms: 0,
        };
        self.delivery(subscription, terms).map(drop)
    }

    fn send(&mut self, subscription: web_push::Subscription, terms: web_push::Terms) -> Result<(), web_push::Error> {
        let (sender, delivery) = self.delivery(subscription, terms)?;
        let in_this_call = self.effects.wakes();
        if in_this_call >= self.limits.pushes_per_call || !sender.has_place(in_this_call + 1) {
            return Err(web_push::Error::TooMany);
        }
        self.effects.push(Effect::Wake(Box::new(delivery)));
        Ok(())
    }

    fn cancel(&mut self, endpoint: String) {
        self.effects.push(Effect::CancelWake(endpoint));
    }
}

/// What a plugin writes cannot begin a line of its own, nor colour one.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            line.extend(character.escape_default())
        } else {
            line.push(character)
        }
    }
    line
}

fn saturated(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl agent::Host for State {
    fn enqueue(&mut self, user_id: String, message: String) -> Result<agent::Ticket, agent::Error> {
        // Without a prefix it could be the owner's, whom no plugin speaks for.
        let has_prefix = user_id.split_once(':').is_some_and(|(prefix, _)| !prefix.is_empty());
        if !has_prefix || user_id.len() > USER_ID_BYTES {
            return Err(agent::Error::InvalidUserId);
        }
        if message.len() > self.limits.message_bytes {
            self.bounds.meet(Limit::message_bytes);
            return Err(agent::Error::MessageTooLong(saturated(self.limits.message_bytes)));
        }
        if let Err(limit) = self.turn() {
            let retry_after_ms = match limit {
                Limit::turns_per_minute => MINUTE_MS,
                _ => 0,
            };
            return Err(agent::Error::QueueFull(agent::Full { retry_after_ms }));
        }
        self.limits.note(Limit::message_bytes, message.len());
        match self.queue.reserve(user_id, message) {
            Ok(reservation) => {
                let ticket = reservation.ticket;
                self.effects.push(Effect::Enqueue(reservation));
                Ok(ticket)
            }
            Err(full) => {
                let retry_after_ms = u32::try_from(full.retry_after.as_millis()).unwrap_or(u32::MAX);
                Err(agent::Error::QueueFull(agent::Full { retry_after_ms }))
            }
        }
    }

    fn cancel(&mut self, ticket: agent::Ticket) {
        // Beyond the bound the agent goes on, and its words are refused by ticket.
        if self.turn().is_ok() {
            self.effects.push(Effect::Cancel(ticket));
        }
    }
}

impl commits::Host for State {
    fn may_wait(&mut self) -> bool {
        self.is_open |= self.may_wait;
        self.may_wait
    }
}

impl push::Host for State {
    fn publish(&mut self, topic: String, frame: Vec<u8>) -> Result<u32, push::Error> {
        let listeners = self.topic(&topic)?;
        self.fits(&frame)?;
        self.effects.push(Effect::Publish(topic, Bytes::from(frame)));
        Ok(listeners)
    }

    fn listeners(&mut self, topic: String) -> u32 {
        saturated(self.hub.listeners(&topic))
    }

    fn respond(&mut self, topic: String, response: http_types::Response) -> Result<u32, push::Error> {
        let listeners = self.topic(&topic)?;
        self.fits(&response.body)?;
        if let Some(limit) = self.limits.broken_by(&response) {
            self.bounds.meet(limit);
            return Err(push::Error::Other(format!("beyond the limit {}", limit.name())));
        }
        self.effects
            .push(Effect::Respond(topic, Box::new(Response::from(response))));
        Ok(listeners)
    }

    fn close(&mut self, topic: String, reason: push::Reason) -> Result<u32, push::Error> {
        let listeners = self.topic(&topic)?;
        self.effects.push(Effect::Close(
            topic,
            Reason {
                code: reason.code,
                text: reason.text,
            },
        ));
        Ok(listeners)
    }
}

impl http_types::Host for State {}

impl secrets::Host for State {
    fn get(&mut self, name: String) -> Result<Vec<u8>, secrets::Error> {
        self.secrets.get(&name).cloned().ok_or(secrets::Error::NotGranted)
    }
}

impl logging::Host for State {
    fn log(&mut self, level: Level, context: String, message: String) {
        self.log_lines += 1;
        let bytes = message.len().min(self.limits.log_line_bytes);
        if let Err(limit) = self.line(bytes) {
            self.counts.dropped_log_lines.one();
            self.bounds.meet(limit);
            return;
        }
        self.limits.note(Limit::log_line_bytes, bytes);
        let cut = message.floor_char_boundary(self.limits.log_line_bytes.min(message.len()));
        let line = one_line(message.get(..cut).unwrap_or_default());
        let context = one_line(
            context
                .get(..context.floor_char_boundary(LOG_CONTEXT_BYTES))
                .unwrap_or(&context),
        );
        match level {
            Level::Trace => tracing::trace!(target: "plugin", %context, "{line}"),
            Level::Debug => tracing::debug!(target: "plugin", %context, "{line}"),
            Level::Info => tracing::info!(target: "plugin", %context, "{line}"),
            Level::Warn => tracing::warn!(target: "plugin", %context, "{line}"),
            Level::Error | Level::Critical => tracing::error!(target: "plugin", %context, "{line}"),
        }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.no_requests,
        }
    }
}

impl wasmtime_wasi_io::IoView for State {
    fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }
}
