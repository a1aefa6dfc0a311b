//! `manifest/gc/checkpoint.json`: how far the log was examined, and what maintenance itself saw.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{MAX_GC_DOCUMENT_BYTES, check_version};
use crate::error::{Error, Result};
use crate::format::manifest::json::{self, is_zero, null_when_empty};
use crate::format::time::Timestamp;

/// What maintenance remembers between its runs. The first four fields are the original's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GcCheckpoint {
    /// 1.
    pub version: i64,
    /// The next slot to examine.
    pub last_applied_seq: u64,
    /// `log_seq_start` at that time.
    #[serde(skip_serializing_if = "is_zero")]
    pub last_seen_log_seq_start: u64,
    /// When this was written.
    pub updated_at: Timestamp,
    /// Extension: what was in CURRENT when, oldest first. Deleting waits from a sighting on, never from the age of an object.
    #[serde(with = "null_when_empty", skip_serializing_if = "Vec::is_empty")]
    pub sightings: Vec<Sighting>,
    /// Extension: snapshots that CURRENT does not name and can never name again.
    #[serde(with = "null_when_empty", skip_serializing_if = "Vec::is_empty")]
    pub unnamed_snapshots: Vec<UnnamedSnapshot>,
    /// Extension: when tables and blobs were last listed for what nothing refers to; the zero time: never.
    #[serde(skip_serializing_if = "is_zero")]
    pub scanned_at: Timestamp,
    /// Extension: the last blob that the scan has listed; `""`: the next one begins at the first blob.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub blobs_scanned_to: String,
}

/// CURRENT as maintenance saw it at one time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Sighting {
    /// When, in the store's time.
    pub seen_at: Timestamp,
    /// Its `next_seq`: all slots below were covered.
    pub next_seq: u64,
    /// Its `log_seq_start`.
    pub log_seq_start: u64,
    /// Its `feed_floor_seq`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feed_floor_seq: Option<u64>,
    /// Its `max_view_age_ms`: the wait goes by the largest of the last period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_view_age_ms: Option<u64>,
}

/// A snapshot that nothing names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UnnamedSnapshot {
    /// Its id.
    pub id: String,
    /// When maintenance saw that CURRENT cannot name it any more, in the store's time.
    pub seen_at: Timestamp,
}

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
