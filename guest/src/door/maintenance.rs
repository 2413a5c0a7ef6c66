//! What the plugin's files are worth.

use super::{Component, enter};
use crate::bindings::exports::tinyclaw::plugin::maintenance::{Condition as WitCondition, Error, Guest};
use crate::store::Condition;

impl Guest for Component {
    fn verify() -> Result<WitCondition, Error> {
        let condition = enter(|plugin, _| plugin.verify()).ok_or(Error::Busy)??;
        Ok(match condition {
            Condition::Empty => WitCondition::Empty,
            Condition::Sound => WitCondition::Sound,
            Condition::Damaged(found) => WitCondition::Damaged(found),
        })
    }
}
