//! The web side for hosts that hold WebSockets.

use super::http::{from_wit, to_wit};
use super::{Component, Exported, enter};
use crate::bindings::exports::tinyclaw::plugin::socket::{Accepted, Connection, Guest, Opening as WitOpening, Request};
use crate::{Error, Opening};

impl<P: Exported> Guest for Component<P> {
    fn open(connection: Connection, request: Request) -> WitOpening {
        let request = from_wit(request);
        match enter(|plugin: &mut P, host| plugin.open_socket(host, connection, &request)) {
            Some(Opening::Accepted(hold, messages)) => WitOpening::Accepted(Accepted { hold, messages }),
            Some(Opening::Refused(response)) => WitOpening::Refused(to_wit(response)),
            None => WitOpening::Refused(to_wit(Error::Busy.into())),
        }
    }

    fn message(connection: Connection, text: String) -> Vec<String> {
        enter(|plugin: &mut P, host| plugin.socket_message(host, connection, &text)).unwrap_or_else(P::socket_busy)
    }

    fn closed(connection: Connection) {
        // In the middle of another call nobody is there to forget it; it is then forgotten with its session.
        let _forgotten = enter(|plugin: &mut P, _| plugin.socket_closed(connection));
    }
}
