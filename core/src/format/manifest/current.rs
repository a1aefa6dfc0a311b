//! `manifest/CURRENT`: which slots readers see, who owns the roles, and what makes reading fast.

use std::ops::Range;

use bytes::Bytes;

use super::{FenceToken, MAX_CURRENT_BYTES, Role};
use crate::error::{Error, Result};
use crate::format::json::{self, Reader, Rules, Wrong, object};

/// Fields by which later versions of the original can be told; they would read ours wrong and we theirs.
const LATER_LAYOUTS: [&str; 4] = ["layout_version", "format", "active_entries", "index_frontier"];
const LATER_LAYOUT_PREFIX: &str = "change_feed_";

/// CURRENT. The fields from `next_sequence` on are extensions: the original drops them when it rewrites the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    /// Full name of the snapshot, `""` if none. Only its last element counts: [`crate::format::layout::Layout::snapshot_id_of`].
    pub snapshot: String,
    /// First slot of the window.
    pub log_seq_start: u64,
    /// End of the window: the next slot to be decided. 0 means 1; see [`Current::next_slot`].
    pub next_seq: u64,
    /// Lower bound of the next table's epoch.
    pub next_epoch: u64,
    /// Highest LSN ever committed.
    pub max_committed_lsn: Option<u64>,
    /// Lowest LSN that may still be visible.
    pub low_watermark_lsn: Option<u64>,
    /// The writer's claim.
    pub writer_fence: Option<FenceToken>,
    /// The claim of maintenance.
    pub compactor_fence: Option<FenceToken>,
    /// Lowest sequence number above all committed ones; never falls.
    pub next_sequence: Option<u64>,
    /// Oldest slot whose entry and flush table are still kept.
    pub feed_floor_seq: Option<u64>,
    /// How long one view may be used, in milliseconds.
    pub max_view_age_ms: Option<u64>,
    /// How long the change feed reaches back, in milliseconds.
    pub change_retention_ms: Option<u64>,
    /// Entries of the window that ride along, in slot order. Large ones are left out.
    pub inline_log: Vec<InlineEntry>,
}

object!(Current = Current { next_epoch: 0, ..Current::default() }; {
    snapshot: "snapshot",
    log_seq_start: "log_seq_start" omit_empty,
    next_seq: "next_seq",
    next_epoch: "next_epoch",
    max_committed_lsn: "max_committed_lsn" omit_empty,
    low_watermark_lsn: "low_watermark_lsn" omit_empty,
    writer_fence: "writer_fence" omit_empty,
    compactor_fence: "compactor_fence" omit_empty,
    next_sequence: "next_sequence" omit_empty,
    feed_floor_seq: "feed_floor_seq" omit_empty,
    max_view_age_ms: "max_view_age_ms" omit_empty,
    change_retention_ms: "change_retention_ms" omit_empty,
});

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
        let fields = Fields::read(bytes).map_err(|wrong| wrong.in_document(object, WHAT))?;
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
            current.inline_log =
                inline_entries(bytes, entries).map_err(|wrong| wrong.in_document(object, WHAT))?;
            if !current.inline_log.is_sorted_by(|a, b| a.seq < b.seq) {
                return Err(Error::corrupt(object, None, "inlined entries in slot order", "another order"));
            }
        }
        Ok(current)
    }

    /// The stored form, with its checksum. An inlined entry that is no JSON is left out, so readers get its object.
    pub fn encode(&self) -> Bytes {
        let raw: Vec<&str> = self.inline_log.iter().filter_map(|entry| verbatim(&entry.bytes)).collect();
        let mut out = self.encode_plain();
        if !raw.is_empty() {
            out.pop();
            out.extend_from_slice(b",\"inline_log\":");
            for (i, entry) in raw.iter().enumerate() {
                out.push(if i == 0 { b'[' } else { b',' });
                out.extend_from_slice(entry.as_bytes());
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
    inline_log: Option<&'a str>,
}

impl<'a> Fields<'a> {
    fn read(document: &'a [u8]) -> Result<Fields<'a>, Wrong> {
        let mut fields = Fields::default();
        let mut reader = Reader::new(document, Rules::Exact)?;
        reader.members(&mut |reader, key| {
            let value = reader.raw()?;
            let folded = json::folded_key(&key);
            if LATER_LAYOUTS.contains(&folded.as_str()) || folded.starts_with(LATER_LAYOUT_PREFIX) {
                fields.later_layout = Some(key.into_owned());
            } else if key == "inline_log" {
                fields.inline_log = Some(value);
            }
            Ok(())
        })?;
        reader.end()?;
        Ok(fields)
    }
}

/// The part of an inlined entry that orders it.
#[derive(Default)]
struct Slot {
    seq: u64,
}

object!(Slot { seq: "seq" required });

fn inline_entries(document: &Bytes, list: &str) -> Result<Vec<InlineEntry>, Wrong> {
    let mut entries = Vec::new();
    Reader::new(list.as_bytes(), Rules::Exact)?.list(&mut |reader| {
        let entry = reader.raw()?.as_bytes();
        let Slot { seq } = json::read(entry, Rules::Exact)?;
        entries.push(InlineEntry { seq, bytes: document.slice_ref(entry) });
        Ok(())
    })?;
    Ok(entries)
}

/// The bytes as JSON text, if they are that and nothing around it.
fn verbatim(bytes: &[u8]) -> Option<&str> {
    let raw = Reader::new(bytes, Rules::Exact).ok()?.raw().ok()?;
    (raw.len() == bytes.len()).then_some(raw)
}
