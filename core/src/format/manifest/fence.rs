//! Who owns a role, and since when.

use crate::format::json::{Decode, Encode, Reader, Writer, Wrong, object};
use crate::format::time::Timestamp;

/// A role that one owner at a time holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Role {
    /// Flushes tables. 0 in documents.
    #[default]
    Writer = 0,
    /// Compaction, retention and deletion together (the original calls it compactor). 1 in documents.
    Maintenance = 1,
}

impl Role {
    /// Both roles, in the order of their numbers.
    pub const ALL: [Role; 2] = [Role::Writer, Role::Maintenance];

    /// `writer` or `maintenance`.
    pub fn name(self) -> &'static str {
        match self {
            Role::Writer => "writer",
            Role::Maintenance => "maintenance",
        }
    }
}

impl Decode for Role {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, Wrong> {
        match i64::decode(reader)? {
            0 => Ok(Role::Writer),
            1 => Ok(Role::Maintenance),
            other => Err(reader.wrong(format!("unknown role {other}"))),
        }
    }
}

impl Encode for Role {
    fn encode(&self, out: &mut Writer) {
        (*self as u32).encode(out);
    }
}

/// One claim of a role. Epoch and owner together say whose it is: two processes may find the same epoch free.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FenceToken {
    /// One above that of the owner before; the first is 1.
    pub epoch: u64,
    /// Name of the owner, with a random part.
    pub owner: String,
    /// When it was claimed, by the owner's clock.
    pub claimed_at: Timestamp,
}

object!(FenceToken { epoch: "epoch", owner: "owner", claimed_at: "claimed_at" });
