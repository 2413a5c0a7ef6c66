//! Cases of the contract's enumerations by their names there, for files and for the outside.

use crate::{Priority, Role};

impl Role {
    /// The name in the contract.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Agent => "agent",
            Self::Nudge => "nudge",
        }
    }

    /// The role of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::User, Self::Agent, Self::Nudge]
            .into_iter()
            .find(|role| role.name() == name)
    }
}

impl Priority {
    /// The name in the contract.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_known_by_its_name() {
        for role in [Role::User, Role::Agent, Role::Nudge] {
            assert_eq!(Role::named(role.name()), Some(role));
        }
        assert_eq!(Role::named("User"), None);
    }
}
