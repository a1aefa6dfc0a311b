//! `manifest/gc/pending-sst/pending.json`: tables that no state names any more.

use bytes::Bytes;

use super::{MAX_GC_DOCUMENT_BYTES, check_version};
use crate::error::{Error, Result};
use crate::format::json::{self, object};
use crate::format::manifest::is_table_id;
use crate::format::time::Timestamp;

/// The mark set, shared with the original.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingMarks {
    /// 1.
    pub version: i64,
    /// By table id, ascending.
    pub marks: Vec<Mark>,
}

/// One table that waits for its deletion.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mark {
    /// 1.
    pub version: i64,
    /// The table.
    pub sst_id: String,
    /// When it was first seen without a reference: the wait counts from here.
    pub first_seen_unreferenced_at: Timestamp,
    /// When it was last seen so.
    pub last_seen_unreferenced_at: Timestamp,
    /// Slot of the first sighting.
    pub first_seen_seq: u64,
    /// Slot of the last sighting.
    pub last_seen_seq: u64,
    /// Why it was marked first, for example `compaction` or `orphan_scan`.
    pub first_reason: String,
    /// Why it was marked last.
    pub last_reason: String,
    /// Never set by the original.
    pub has_blob_refs: bool,
    /// Always the zero time.
    pub due_at: Timestamp,
    /// Extension: the slot whose `add_sstable` entry brought the table, or a later one where that is not known; the change
    /// feed needs the table while this slot is at or above `feed_floor_seq`. 0: it was never in the feed. `None`: the mark is
    /// the original's.
    pub add_seq: Option<u64>,
    /// Extension: bytes of the table, without a bloom container behind it. `None`: whoever marked it did not know the table, so
    /// `has_blob_refs` says nothing.
    pub size: Option<u64>,
}

// A version that is missing is 0: left out where it is.
object!(PendingMarks = PendingMarks { version: 0, marks: Vec::new() }; { version: "version" omit_empty, marks: "marks" omit_empty });

object!(Mark {
    version: "version" omit_empty,
    sst_id: "sst_id",
    first_seen_unreferenced_at: "first_seen_unreferenced_at",
    last_seen_unreferenced_at: "last_seen_unreferenced_at",
    first_seen_seq: "first_seen_seq" omit_empty,
    last_seen_seq: "last_seen_seq" omit_empty,
    first_reason: "first_reason" omit_empty,
    last_reason: "last_reason" omit_empty,
    has_blob_refs: "has_blob_refs" omit_empty,
    due_at: "due_at",
    add_seq: "add_seq" omit_empty,
    size: "size" omit_empty,
});

impl Default for PendingMarks {
    fn default() -> Self {
        PendingMarks { version: 1, marks: Vec::new() }
    }
}

impl PendingMarks {
    /// Reads the mark set.
    ///
    /// Errors: `Unsupported` for another version, of the set or of a mark; `Corrupt`, also for an id that cannot be a table's:
    /// what a mark names is deleted.
    pub fn decode(object: &str, bytes: &[u8]) -> Result<PendingMarks> {
        let set: PendingMarks = json::decode(object, "a set of delete marks", bytes, MAX_GC_DOCUMENT_BYTES)?;
        check_version(object, "the set of delete marks", set.version)?;
        for mark in &set.marks {
            check_version(object, "a delete mark", mark.version)?;
            if !is_table_id(&mark.sst_id) {
                return Err(Error::corrupt(object, None, "ids of tables", format!("{:?}", mark.sst_id)));
            }
        }
        Ok(set)
    }

    /// The stored form, with its checksum.
    pub fn encode(&self) -> Bytes {
        json::seal(self.encode_plain())
    }

    /// The stored form without a checksum: what the original would write.
    pub fn encode_plain(&self) -> Vec<u8> {
        json::encode_plain(self)
    }
}
