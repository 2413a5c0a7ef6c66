//! What the host learns from push services.

use super::{Component, Exported, enter};
use crate::bindings::exports::tinyclaw::plugin::web_push_events::Guest;

impl<P: Exported> Guest for Component<P> {
    fn gone(endpoint: String) {
        // In the middle of another call nothing is forgotten: the next try says the same again.
        let _busy = enter(|plugin: &mut P, _| plugin.push_gone(&endpoint));
    }
}
