//! `manifest/CURRENT`: which slots readers see, who owns the roles, and what makes reading fast.

use std::ops::Range;

use bytes::Bytes;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::json::{self, is_zero};
use super::{FenceToken, MAX_CURRENT_BYTES, Role};
use crate::error::{Error, Result};

/// Fields by which later versions of the original can be told; they would read ours wrong and we theirs.
const LATER_LAYOUTS: [&str; 4] = ["layout_version", "format", "active_entries", "index_frontier"];
const LATER_LAYOUT_PREFIX: &str = "change_feed_";

/// CURRENT. The fields from `next_sequence` on are extensions: the original drops them when it rewrites the document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Current {
    /// Full name of the snapshot, `""` if none. Only its last element counts: [`crate::format::layout::Layout::snapshot_id_of`].
    pub snapshot: String,
    /// First slot of the window.
    #[serde(skip_serializing_if = "is_zero")]
    pub log_seq_start: u64,
    /// End of the window: the next slot to be decided. 0 means 1; see [`Current::next_slot`].
    pub next_seq: u64,
    /// Lower bound of the next table's epoch.
    #[serde(default)]
    pub next_epoch: u64,
    /// Highest LSN ever committed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_committed_lsn: Option<u64>,
    /// Lowest LSN that may still be visible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low_watermark_lsn: Option<u64>,
    /// The writer's claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub writer_fence: Option<FenceToken>,
    /// The claim of maintenance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compactor_fence: Option<FenceToken>,
    /// Lowest sequence number above all committed ones; never falls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_sequence: Option<u64>,
    /// Oldest slot whose entry and flush table are still kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feed_floor_seq: Option<u64>,
    /// How long one view may be used, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_view_age_ms: Option<u64>,
    /// How long the change feed reaches back, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_retention_ms: Option<u64>,
    /// Entries of the window that ride along, in slot order. Large ones are left out.
    #[serde(skip)]
    pub inline_log: Vec<InlineEntry>,
}

/// A log entry inside CURRENT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InlineEntry {
    /// Its slot.
    pub seq: u64,
    /// Byte for byte what its log object has.
    pub bytes: Bytes,
}

impl Default for Current {
    /// What an absent CURRENT stands for: an empty database.
    fn default() -> Self {
        Current {
            snapshot: String::new(),
            log_seq_start: 0,
            next_seq: 0,
            next_epoch: 1,
            max_committed_lsn: None,
            low_watermark_lsn: None,
            writer_fence: None,
            compactor_fence: None,
            next_sequence: None,
            feed_floor_seq: None,
            max_view_age_ms: None,
            change_retention_ms: None,
            inline_log: Vec::new(),
        }
    }
}

impl Current {
    /// Reads CURRENT. Inlined entries are slices of `bytes`; they are read by [`super::LogEntry::decode`] when used.
    ///
    /// Errors: `Unsupported` for a database of a later version of the original, naming the field that tells; `Corrupt` for
    /// what is no CURRENT, has a wrong checksum, a window that ends before it starts or leaves no slot behind it, or inlined
    /// entries in another order.
    pub fn decode(object: &str, bytes: &Bytes) -> Result<Current> {
        const WHAT: &str = "a CURRENT document";
        json::check_size(object, WHAT, bytes, MAX_CURRENT_BYTES)?;
        let ours = json::verify(object, bytes)?;
        let fields: Fields<'_> =
            serde_json::from_slice(bytes).map_err(|error| json::not_a(object, WHAT, &error))?;
        if let Some(field) = fields.later_layout {
            return Err(Error::Unsupported {
                object: object.to_owned(),
                what: format!("the field {field:?}: this database was written by a later layout of IsleDB"),
            });
        }
        let mut current: Current = json::decode(object, WHAT, bytes, MAX_CURRENT_BYTES)?;
        if current.next_seq < current.log_seq_start || current.next_seq == u64::MAX {
            return Err(Error::corrupt(
                object,
                None,
                "log_seq_start <= next_seq < 2^64 - 1",
                format!("{} and {}", current.log_seq_start, current.next_seq),
            ));
        }
        // Where somebody else rewrote the document, nothing vouches for the entries: their objects are read instead.
        if let Some(entries) = fields.inline_log.filter(|_| ours) {
            current.inline_log = inline_entries(bytes, entries).map_err(|e| json::not_a(object, WHAT, &e))?;
            if !current.inline_log.is_sorted_by(|a, b| a.seq < b.seq) {
                return Err(Error::corrupt(object, None, "inlined entries in slot order", "another order"));
            }
        }
        Ok(current)
    }

    /// The stored form, with its checksum. An inlined entry that is no JSON is left out, so readers get its object.
    pub fn encode(&self) -> Bytes {
        let raw: Vec<&RawValue> = self.inline_log.iter().filter_map(|entry| verbatim(&entry.bytes)).collect();
        let mut out = self.encode_plain();
        if !raw.is_empty() {
            out.pop();
            out.extend_from_slice(b",\"inline_log\":");
            for (i, entry) in raw.iter().enumerate() {
                out.push(if i == 0 { b'[' } else { b',' });
                out.extend_from_slice(entry.get().as_bytes());
            }
            out.extend_from_slice(b"]}");
        }
        json::seal(out)
    }

    /// The stored form without checksum and inlined entries: what the original would write.
    pub fn encode_plain(&self) -> Vec<u8> {
        json::encode_plain(self)
    }

    /// The next slot to be decided.
    pub fn next_slot(&self) -> u64 {
        self.next_seq.max(1)
    }

    /// The slots that readers see on top of the snapshot.
    pub fn window(&self) -> Range<u64> {
        self.log_seq_start..self.next_seq
    }

    /// The inlined entry of a slot.
    pub fn inline(&self, slot: u64) -> Option<&Bytes> {
        let at = self.inline_log.binary_search_by_key(&slot, |entry| entry.seq).ok()?;
        self.inline_log.get(at).map(|entry| &entry.bytes)
    }

    /// The claim of a role.
    pub fn fence(&self, role: Role) -> Option<&FenceToken> {
        match role {
            Role::Writer => self.writer_fence.as_ref(),
            Role::Maintenance => self.compactor_fence.as_ref(),
        }
    }

    /// Sets the claim of a role.
    pub fn set_fence(&mut self, role: Role, token: Option<FenceToken>) {
        match role {
            Role::Writer => self.writer_fence = token,
            Role::Maintenance => self.compactor_fence = token,
        }
    }

    /// Epoch of a role's claim, 0 if none.
    pub fn epoch(&self, role: Role) -> u64 {
        self.fence(role).map_or(0, |fence| fence.epoch)
    }
}

/// The top level only: whether a field tells of a later layout, and the raw text of the inlined entries.
#[derive(Default)]
struct Fields<'a> {
    later_layout: Option<String>,
    inline_log: Option<&'a RawValue>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct TopLevel;
        impl<'de> Visitor<'de> for TopLevel {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Fields<'de>, A::Error> {
                let mut fields = Fields::default();
                while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
                    let folded = json::folded_key(&key);
                    if LATER_LAYOUTS.contains(&folded.as_str()) || folded.starts_with(LATER_LAYOUT_PREFIX) {
                        fields.later_layout = Some(key);
                    } else if key == "inline_log" {
                        fields.inline_log = Some(value);
                    }
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(TopLevel)
    }
}

fn inline_entries(document: &Bytes, list: &RawValue) -> serde_json::Result<Vec<InlineEntry>> {
    #[derive(Deserialize)]
    struct Slot {
        seq: u64,
    }
    let entries: Vec<&RawValue> = serde_json::from_slice(list.get().as_bytes())?;
    entries
        .into_iter()
        .map(|entry| {
            let Slot { seq } = serde_json::from_slice(entry.get().as_bytes())?;
            Ok(InlineEntry { seq, bytes: document.slice_ref(entry.get().as_bytes()) })
        })
        .collect()
}

/// The bytes as JSON text, if they are that and nothing around it.
fn verbatim(bytes: &[u8]) -> Option<&RawValue> {
    serde_json::from_slice::<&RawValue>(bytes).ok().filter(|raw| raw.get().len() == bytes.len())
}
