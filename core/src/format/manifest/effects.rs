//! What an entry does to CURRENT besides covering its slot, so that anybody can publish it for its author.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What happens to one optional number of CURRENT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Effect {
    /// Nothing: the field is absent.
    #[default]
    Unchanged,
    /// It goes: the field is `null`.
    Remove,
    /// It becomes this.
    Set(u64),
}

impl Effect {
    fn is_unchanged(&self) -> bool {
        *self == Effect::Unchanged
    }

    /// The number after the effect.
    pub fn apply(self, before: Option<u64>) -> Option<u64> {
        match self {
            Effect::Unchanged => before,
            Effect::Remove => None,
            Effect::Set(after) => Some(after),
        }
    }
}

impl Serialize for Effect {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Effect::Set(value) => serializer.serialize_u64(*value),
            Effect::Unchanged | Effect::Remove => serializer.serialize_none(),
        }
    }
}

impl<'de> Deserialize<'de> for Effect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map_or(Effect::Remove, Effect::Set))
    }
}

/// The effects of one entry on CURRENT, an extension field of the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Effects {
    /// Highest LSN ever committed.
    #[serde(skip_serializing_if = "Effect::is_unchanged")]
    pub max_committed_lsn: Effect,
    /// Lowest LSN that may still be visible.
    #[serde(skip_serializing_if = "Effect::is_unchanged")]
    pub low_watermark_lsn: Effect,
    /// Lowest sequence number above all committed ones; never falls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_sequence: Option<u64>,
    /// How long one view may be used, in milliseconds. Only on a claim.
    #[serde(skip_serializing_if = "Effect::is_unchanged")]
    pub max_view_age_ms: Effect,
    /// How long the change feed reaches back, in milliseconds. Only on a claim.
    #[serde(skip_serializing_if = "Effect::is_unchanged")]
    pub change_retention_ms: Effect,
}
