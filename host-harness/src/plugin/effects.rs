//! What a call asked for and gets when it has returned: a call that trapped has said nothing to anybody.

use std::sync::Arc;

use bytes::Bytes;

use super::Response;
use crate::agent::{AgentQueue, Events, Reservation, Ticket};
use crate::push::{End, Moment, PushHub, Reason};

/// Effects of one call, in order.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    effects: Vec<Effect>,
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
}

impl Effects {
    pub(crate) fn push(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Publishes, responds and closes so far.
    pub(crate) fn pushes(&self) -> usize {
        self.effects
            .iter()
            .filter(|effect| !matches!(effect, Effect::Enqueue(_) | Effect::Cancel(_)))
            .count()
    }

    pub(crate) fn release<E: Events>(self, hub: &PushHub, queue: &AgentQueue, events: &Arc<E>) {
        let Self { effects, moment } = self;
        for effect in effects {
            match effect {
                Effect::Enqueue(reservation) => queue.enqueue(reservation, events),
                Effect::Cancel(ticket) => queue.cancel(ticket, events),
                Effect::Publish(topic, frame) => hub.publish(&topic, &frame, moment),
                Effect::Respond(topic, response) => hub.end(&topic, &End::Answered(response), moment),
                Effect::Close(topic, reason) => hub.end(&topic, &End::Closed(reason), moment),
            }
        }
    }
}
