//! One version of a key as a table holds it, and what it means to a reader.

use bytes::Bytes;

use super::tables::TableRef;
use crate::error::Result;
use crate::format::blob::BlobId;
use crate::format::sst::{Found, Kind};
use crate::format::value::Value;
use crate::mutation::{Mutation, mutated};

/// One key with its value, as `get_entry` and `scan` return it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The user key.
    pub key: Bytes,
    /// The value. It shares memory with the block that it came from; copy it if it is kept for long.
    pub value: Bytes,
    /// The sequence number of the write that put it.
    pub sequence: u64,
    /// When it stops to exist, in milliseconds since the Unix epoch.
    pub expires_at_ms: Option<u64>,
}

/// A version of a key, found in a table and not yet interpreted.
pub(crate) struct Version<'a> {
    pub(crate) sequence: u64,
    kind: Kind,
    raw: Bytes,
    table: &'a TableRef,
}

/// What a version says to a reader.
pub(crate) enum Meaning {
    /// The key does not exist: deleted or expired.
    Nothing,
    /// The value is here.
    Value { value: Bytes, expires_at_ms: Option<u64> },
    /// The value is a blob.
    Blob { id: BlobId, expires_at_ms: Option<u64> },
}

impl<'a> Version<'a> {
    /// What was found in a table.
    pub(crate) fn new(table: &'a TableRef, found: Found) -> Version<'a> {
        Version { sequence: found.sequence, kind: found.kind, raw: found.value, table }
    }

    /// The higher sequence wins, and of equal ones the table that was published later.
    pub(crate) fn wins_over(&self, other: &Version<'_>) -> bool {
        (self.sequence, other.table.rank) > (other.sequence, self.table.rank)
    }

    /// True if `table` may hold a version that wins over this one.
    pub(crate) fn may_lose_to(&self, table: &TableRef) -> bool {
        (table.seq_hi(), self.table.rank) > (self.sequence, table.rank)
    }

    /// What it says at `now_ms`.
    pub(crate) fn meaning(self, now_ms: u64) -> Result<Meaning> {
        meaning(self.table.name.as_str(), self.kind, self.raw, now_ms)
    }
}

/// What a stored value says at `now_ms` (milliseconds since the Unix epoch). An expired put hides older versions like a
/// delete does.
pub(crate) fn meaning(object: &str, kind: Kind, raw: Bytes, now_ms: u64) -> Result<Meaning> {
    if kind == Kind::Delete {
        return Ok(Meaning::Nothing);
    }
    let value = Value::decode(object, None, raw)?;
    let clock = if mutated(Mutation::ExpiryInSeconds) { now_ms / 1_000 } else { now_ms };
    if value.expired(clock) {
        return Ok(Meaning::Nothing);
    }
    Ok(match value {
        Value::Inline { value, expire_at_ms } => Meaning::Value { value, expires_at_ms: expire_at_ms },
        Value::Blob { id, expire_at_ms } => Meaning::Blob { id, expires_at_ms: expire_at_ms },
        Value::Delete { .. } => Meaning::Nothing,
    })
}
