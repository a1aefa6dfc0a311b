//! Stores that break their contract on purpose, to show that the oracle notices.

use isledb_core::host::PutCondition;

use crate::rng::Rng;

/// A way in which a store may be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// Takes conditions, and asks for none: to be refused before anything is written.
    IgnoresConditions,
    /// Writes although the object has another version.
    IgnoresIfMatch,
    /// Overwrites a log slot that is decided.
    IgnoresIfAbsent,
    /// Says that an object is written, and it is not.
    LosesPut {
        /// Which objects: a part of their name.
        of: &'static str,
    },
    /// Serves the content of CURRENT before the latest one.
    ServesStaleCurrent,
    /// Removes an object a while after it was written.
    Forgets {
        /// Which objects: a part of their name.
        of: &'static str,
    },
}

impl Bug {
    /// The condition that a buggy store checks in place of the one asked for. The engine's own probe of the store is
    /// answered correctly: a bug that shows only now and then is what a probe cannot find.
    pub(super) fn condition(self, rng: &mut Rng, key: &str, asked: PutCondition) -> PutCondition {
        if self == Bug::IgnoresConditions {
            return PutCondition::None;
        }
        let weak = match (self, &asked) {
            (Bug::IgnoresIfMatch, PutCondition::IfMatch(_)) => key.ends_with("/CURRENT"),
            (Bug::IgnoresIfAbsent, PutCondition::IfAbsent) => key.contains("/log/"),
            _ => false,
        };
        if weak && rng.chance(500) { PutCondition::None } else { asked }
    }

    pub(super) fn loses(self, rng: &mut Rng, key: &str) -> bool {
        matches!(self, Bug::LosesPut { of } if key.contains(of) && rng.chance(150))
    }

    pub(super) fn forgets(self, rng: &mut Rng, key: &str) -> bool {
        matches!(self, Bug::Forgets { of } if key.contains(of) && rng.chance(300))
    }

    pub(super) fn serves_stale(self, rng: &mut Rng, key: &str) -> bool {
        self == Bug::ServesStaleCurrent && key.ends_with("/CURRENT") && rng.chance(300)
    }
}
