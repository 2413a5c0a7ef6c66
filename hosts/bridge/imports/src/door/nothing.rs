//! What this host does not have: notes about users, notifications, calls that share a commit.

use super::Component;
use crate::bindings::exports::tinyclaw::plugin::web_push::{Subscription, Terms};
use crate::bindings::exports::tinyclaw::plugin::{commits, memory, web_push};

impl memory::Guest for Component {
    fn introduce(_user: String, _name: String) -> Result<(), memory::Error> {
        Ok(())
    }

    fn notes(_user: String) -> Result<Vec<String>, memory::Error> {
        Ok(Vec::new())
    }

    fn forget(_user: String, _note: String) -> Result<(), memory::Error> {
        Err(memory::Error::UnknownNote)
    }
}

impl web_push::Guest for Component {
    fn public_key() -> Option<Vec<u8>> {
        None
    }

    fn check(_subscription: Subscription) -> Result<(), web_push::Error> {
        Err(web_push::Error::Unavailable)
    }

    fn send(_subscription: Subscription, _terms: Terms) -> Result<(), web_push::Error> {
        Err(web_push::Error::Unavailable)
    }

    fn cancel(_endpoint: String) {}
}

impl commits::Guest for Component {
    fn may_wait() -> bool {
        false
    }
}
