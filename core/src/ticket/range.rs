//! Which keys a ticket is for.

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::format::json::object;
use crate::format::manifest::SstMeta;

/// The longest key, in bytes.
const MAX_KEY_BYTES: usize = 65_527;

/// A half-open range of keys: `start <= key < end`; an empty bound is none.
///
/// It selects **tables**: each one that may hold a key of the range is in the ticket whole, so its holder can read the other
/// keys of these tables too.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TicketRange {
    /// The first key; empty: from the beginning.
    pub start: Bytes,
    /// The first key behind it; empty: to the end.
    pub end: Bytes,
}

object!(TicketRange { start: "start_b64" omit_empty, end: "end_b64" omit_empty });

impl TicketRange {
    /// True where it leaves nothing out.
    pub fn is_everything(&self) -> bool {
        self.start.is_empty() && self.end.is_empty()
    }

    /// True where the table may hold a key of it.
    pub fn overlaps(&self, table: &SstMeta) -> bool {
        *table.max_key >= *self.start && (self.end.is_empty() || *table.min_key < *self.end)
    }

    /// Errors: `InvalidArgument` where no key can be in it, or where a bound is longer than any key.
    pub fn validate(&self) -> Result<()> {
        if self.start.len() > MAX_KEY_BYTES || self.end.len() > MAX_KEY_BYTES {
            return Err(Error::invalid(format!("a bound of a range has at most {MAX_KEY_BYTES} bytes")));
        }
        if !self.end.is_empty() && self.end <= self.start {
            return Err(Error::invalid("the end of a range lies behind its start"));
        }
        Ok(())
    }
}
