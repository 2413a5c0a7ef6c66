//! What the plugin's files are worth.

use super::{Component, Exported, enter};
use crate::bindings::exports::tinyclaw::plugin::maintenance::{Condition, Error, Guest};

impl<P: Exported> Guest for Component<P> {
    fn verify() -> Result<Condition, Error> {
        enter(|plugin: &mut P, _| plugin.verify()).ok_or(Error::Busy)?
    }
}
