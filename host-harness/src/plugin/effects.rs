//! What a call asked for and gets when it has returned: a call that trapped has said nothing to anybody.

use std::sync::Arc;

use bytes::Bytes;

use super::Response;
use super::actor::PluginActor;
use super::memory::{Forgotten, Writing};
use crate::agent::{Introduction, Reservation, Ticket};
use crate::push::{End, Moment, Reason};
use crate::web_push::Delivery;

/// Effects of one call, in order.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    effects: Vec<Effect>,
    turns: usize,
    pushes: usize,
    /// When the call returned: connections that listen since a later one have nothing to do with it.
    pub(super) moment: Moment,
}

#[derive(Debug)]
pub(crate) enum Effect {
    Enqueue(Reservation),
    Cancel(Ticket),
    Publish(String, Bytes),
    Respond(String, Box<Response>),
    Close(String, Reason),
    Introduce(Introduction),
    Forget(Forgotten),
    Wake(Box<Delivery>),
    CancelWake(String),
}

impl Effects {
    pub(crate) fn push(&mut self, effect: Effect) {
        match effect {
            Effect::Enqueue(_) | Effect::Cancel(_) => self.turns += 1,
            Effect::Publish(..) | Effect::Respond(..) | Effect::Close(..) => self.pushes += 1,
            _ => {}
        }
        self.effects.push(effect);
    }

    /// Publishes, responds and closes so far.
    pub(crate) fn pushes(&self) -> usize {
        self.pushes
    }

    /// Messages and cancels so far.
    pub(crate) fn turns(&self) -> usize {
        self.turns
    }

    /// Browsers to wake so far.
    pub(crate) fn wakes(&self) -> usize {
        let is_wake = |effect: &&Effect| matches!(effect, Effect::Wake(_));
        self.effects.iter().filter(is_wake).count()
    }

    /// Lets them take place. What is to be written is being written then, and whoever answers the call waits for it.
    pub(super) fn release(self, plugin: &Arc<PluginActor>) -> Option<Writing> {
        let Self { effects, moment, .. } = self;
        let (hub, queue) = (plugin.hub(), plugin.queue());
        let (mut introduced, mut forgotten) = (Vec::new(), Vec::new());
        for effect in effects {
            match effect {
                Effect::Enqueue(reservation) => queue.enqueue(reservation, plugin),
                Effect::Cancel(ticket) => queue.cancel(ticket, plugin),
                Effect::Publish(topic, frame) => hub.publish(&topic, &frame, moment),
                Effect::Respond(topic, response) => hub.end(&topic, &End::Answered(response), moment),
                Effect::Close(topic, reason) => hub.end(&topic, &End::Closed(reason), moment),
                Effect::Introduce(introduction) => introduced.push(introduction),
                Effect::Forget(note) => forgotten.push(note),
                Effect::Wake(delivery) => plugin.wake(*delivery),
                Effect::CancelWake(endpoint) => plugin.cancel_wake(&endpoint),
            }
        }
        Writing::begin(plugin.notes(), introduced, forgotten)
    }
}
