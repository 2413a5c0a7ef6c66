//! Life cycle, messages to users, and the agent's words.

use super::{Component, Exported, enter};
use crate::bindings::exports::tinyclaw::plugin::channel::{
    AgentEvent, Delivery, Entry, Error, Guest, Metadata, OutboundMessage, Ticket,
};

impl<P: Exported> Guest for Component<P> {
    fn describe() -> Metadata {
        P::describe()
    }

    fn start() -> Result<(), Error> {
        enter(P::start).ok_or(Error::Busy)?
    }

    fn stop() -> Result<(), Error> {
        enter(P::stop).ok_or(Error::Busy)?
    }

    fn commit() -> Result<(), Error> {
        enter(|plugin: &mut P, _| plugin.commit()).ok_or(Error::Busy)?
    }

    fn send_to_user(user_id: String, message: OutboundMessage) -> Result<Delivery, Error> {
        enter(|plugin: &mut P, host| plugin.send_to_user(host, &user_id, &message)).ok_or(Error::Busy)?
    }

    fn on_agent_event(ticket: Ticket, event: AgentEvent) -> Result<(), Error> {
        enter(|plugin: &mut P, host| plugin.on_agent_event(host, ticket, event)).ok_or(Error::Busy)?
    }

    fn history(user_id: String, limit: u32) -> Result<Vec<Entry>, Error> {
        enter(|plugin: &mut P, _| plugin.history(&user_id, limit)).ok_or(Error::Busy)?
    }
}
