//! Which keys a ticket is for.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::format::manifest::SstMeta;
use crate::format::manifest::json::base64_bytes;

/// The longest key, in bytes.
const MAX_KEY_BYTES: usize = 65_527;

/// A half-open range of keys: `start <= key < end`; an empty bound is none.
///
/// It selects **tables**: each one that may hold a key of the range is in the ticket whole, so its holder can read the other
/// keys of these tables too.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TicketRange {
    /// The first key; empty: from the beginning.
    #[serde(rename = "start_b64", with = "base64_bytes", skip_serializing_if = "Bytes::is_empty")]
    pub start: Bytes,
    /// The first key behind it; empty: to the end.
    #[serde(rename = "end_b64", with = "base64_bytes", skip_serializing_if = "Bytes::is_empty")]
    pub end: Bytes,
}

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
