//! The web side for hosts that hold WebSockets.

use super::http::{busy, from_wit, hold, to_wit};
use super::{Component, enter};
use crate::bindings::exports::tinyclaw::plugin::socket::{Accepted, Connection, Guest, Opening as WitOpening, Request};
use crate::event::{EndReason, Event};
use crate::socket::Opening;

impl Guest for Component {
    fn open(connection: Connection, request: Request) -> WitOpening {
        let request = from_wit(request);
        match enter(|plugin, host| plugin.open_socket(host, connection, &request)) {
            Some(Opening::Accepted(terms, messages)) => WitOpening::Accepted(Accepted {
                hold: hold(terms),
                messages,
            }),
            Some(Opening::Refused(response)) => WitOpening::Refused(to_wit(response)),
            None => WitOpening::Refused(to_wit(busy())),
        }
    }

    fn message(connection: Connection, text: String) -> Vec<String> {
        enter(|plugin, host| plugin.socket_message(host, connection, &text)).unwrap_or_else(|| {
            vec![
                Event::End {
                    reason: EndReason::Reload,
                }
                .json(),
            ]
        })
    }

    fn closed(connection: Connection) {
        // In the middle of another call nobody is there to forget it; it is then forgotten with its session.
        let _forgotten = enter(|plugin, _| plugin.socket_closed(connection));
    }
}
