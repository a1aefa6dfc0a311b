//! `manifest/gc/checkpoint.json`: how far the log was examined, and what maintenance itself saw.

use bytes::Bytes;

use super::{MAX_GC_DOCUMENT_BYTES, check_version};
use crate::error::{Error, Result};
use crate::format::json::{self, object};
use crate::format::time::Timestamp;

/// What maintenance remembers between its runs. The first four fields are the original's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GcCheckpoint {
    /// 1.
    pub version: i64,
    /// The next slot to examine.
    pub last_applied_seq: u64,
    /// `log_seq_start` at that time.
    pub last_seen_log_seq_start: u64,
    /// When this was written.
    pub updated_at: Timestamp,
    /// Extension: what was in CURRENT when, oldest first. Deleting waits from a sighting on, never from the age of an object.
    pub sightings: Vec<Sighting>,
    /// Extension: snapshots that CURRENT does not name and can never name again.
    pub unnamed_snapshots: Vec<UnnamedSnapshot>,
    /// Extension: when tables and blobs were last listed for what nothing refers to; the zero time: never.
    pub scanned_at: Timestamp,
    /// Extension: the last blob that the scan has listed; `""`: the next one begins at the first blob.
    pub blobs_scanned_to: String,
}

/// CURRENT as maintenance saw it at one time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sighting {
    /// When, in the store's time.
    pub seen_at: Timestamp,
    /// Its `next_seq`: all slots below were covered.
    pub next_seq: u64,
    /// Its `log_seq_start`.
    pub log_seq_start: u64,
    /// Its `feed_floor_seq`.
    pub feed_floor_seq: Option<u64>,
    /// Its `max_view_age_ms`: the wait goes by the largest of the last period.
    pub max_view_age_ms: Option<u64>,
}

/// A snapshot that nothing names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnnamedSnapshot {
    /// Its id.
    pub id: String,
    /// When maintenance saw that CURRENT cannot name it any more, in the store's time.
    pub seen_at: Timestamp,
}

object!(GcCheckpoint {
    version: "version",
    last_applied_seq: "last_applied_seq",
    last_seen_log_seq_start: "last_seen_log_seq_start" omit_empty,
    updated_at: "updated_at",
    sightings: "sightings" omit_empty,
    unnamed_snapshots: "unnamed_snapshots" omit_empty,
    scanned_at: "scanned_at" omit_empty,
    blobs_scanned_to: "blobs_scanned_to" omit_empty,
});

object!(Sighting {
    seen_at: "seen_at",
    next_seq: "next_seq",
    log_seq_start: "log_seq_start",
    feed_floor_seq: "feed_floor_seq" omit_empty,
    max_view_age_ms: "max_view_age_ms" omit_empty,
});

object!(UnnamedSnapshot { id: "id", seen_at: "seen_at" });

impl Default for GcCheckpoint {
    fn default() -> Self {
        GcCheckpoint {
            version: 1,
            last_applied_seq: 0,
            last_seen_log_seq_start: 0,
            updated_at: Timestamp::ZERO,
            sightings: Vec::new(),
            unnamed_snapshots: Vec::new(),
            scanned_at: Timestamp::ZERO,
            blobs_scanned_to: String::new(),
        }
    }
}

impl GcCheckpoint {
    /// Reads the checkpoint. Errors: `Unsupported` for another version; `Corrupt`, also where the sightings are not in the
    /// order of their times.
    pub fn decode(object: &str, bytes: &[u8]) -> Result<GcCheckpoint> {
        const WHAT: &str = "a checkpoint of maintenance";
        let checkpoint: GcCheckpoint = json::decode(object, WHAT, bytes, MAX_GC_DOCUMENT_BYTES)?;
        check_version(object, "the checkpoint of maintenance", checkpoint.version)?;
        if !checkpoint.sightings.is_sorted_by_key(|seen| seen.seen_at) {
            return Err(Error::corrupt(
                object,
                None,
                "sightings in the order of their times",
                "another order",
            ));
        }
        Ok(checkpoint)
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
