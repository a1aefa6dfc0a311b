//! What an entry does to CURRENT besides covering its slot, so that anybody can publish it for its author.

use crate::format::json::{Decode, Encode, Reader, Writer, Wrong, object};

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
    /// The number after the effect.
    pub fn apply(self, before: Option<u64>) -> Option<u64> {
        match self {
            Effect::Unchanged => before,
            Effect::Remove => None,
            Effect::Set(after) => Some(after),
        }
    }
}

impl Decode for Effect {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, Wrong> {
        Ok(Option::decode(reader)?.map_or(Effect::Remove, Effect::Set))
    }

    /// A `null` says something here, whoever wrote it.
    fn decode_field(&mut self, reader: &mut Reader<'_>) -> Result<(), Wrong> {
        *self = Effect::decode(reader)?;
        Ok(())
    }
}

impl Encode for Effect {
    fn encode(&self, out: &mut Writer) {
        self.apply(None).encode(out);
    }

    fn is_empty(&self) -> bool {
        *self == Effect::Unchanged
    }
}

/// The effects of one entry on CURRENT, an extension field of the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Effects {
    /// Highest LSN ever committed.
    pub max_committed_lsn: Effect,
    /// Lowest LSN that may still be visible.
    pub low_watermark_lsn: Effect,
    /// Lowest sequence number above all committed ones; never falls.
    pub next_sequence: Option<u64>,
    /// How long one view may be used, in milliseconds. Only on a claim.
    pub max_view_age_ms: Effect,
    /// How long the change feed reaches back, in milliseconds. Only on a claim.
    pub change_retention_ms: Effect,
}

object!(Effects {
    max_committed_lsn: "max_committed_lsn" omit_empty,
    low_watermark_lsn: "low_watermark_lsn" omit_empty,
    next_sequence: "next_sequence" omit_empty,
    max_view_age_ms: "max_view_age_ms" omit_empty,
    change_retention_ms: "change_retention_ms" omit_empty,
});
