//! What the manifest knows of a table.

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::format::json::object;
use crate::format::time::Timestamp;

/// Longest table id that is read, in bytes.
const MAX_ID_BYTES: usize = 255;
/// Sequence numbers have 56 bits.
const SEQUENCE_END: u64 = 1 << 56;
/// Largest bloom container that is read, in bytes of its JSON.
const MAX_BLOOM_BYTES: u64 = 96 << 20;

/// One table: enough to decide whether a key can be in it, and to open it with one request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SstMeta {
    /// Name of the object under `sstable/`, with its `.sst`. Opaque, and never used twice.
    pub id: String,
    /// The writer's counter of tables; only a label.
    pub epoch: u64,
    /// Lowest sequence number in it.
    pub seq_lo: u64,
    /// Highest sequence number in it.
    pub seq_hi: u64,
    /// First key, inclusive.
    pub min_key: Bytes,
    /// Last key, inclusive.
    pub max_key: Bytes,
    /// Bytes of the table, without the bloom container that may follow it in the object. Above 0.
    pub size: u64,
    /// `sha256:` and 64 hexadecimal digits, of those bytes.
    pub checksum: String,
    /// Signature over the checksum.
    pub signature: Option<SstSignature>,
    /// Where the bloom container is.
    pub bloom: BloomMeta,
    /// When its building began.
    pub created_at: Timestamp,
    /// 0 for what a writer flushed, 1 for tables of a sorted run.
    pub level: i32,
    /// True if a value lies in a blob.
    pub has_blob_refs: bool,
    /// Extension: offset of the first block that opening needs; one request for `[meta_offset, size)` opens the table.
    pub meta_offset: Option<u64>,
    /// Extension: entries in it, deletes among them.
    pub entry_count: Option<u64>,
    /// Extension: deletes in it.
    pub delete_count: Option<u64>,
    /// Extension: the earliest expiry in it, in milliseconds since the Unix epoch.
    pub min_expire_at: Option<u64>,
    /// Extension: when the last of its puts expires, in milliseconds since the Unix epoch. Only where each of them expires.
    pub max_expire_at: Option<u64>,
    /// Extension: when the newest of its data was written, in milliseconds since the Unix epoch; survives compaction.
    pub max_data_time: Option<u64>,
}

/// Where a table's appended bloom container is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BloomMeta {
    /// As the writer was told; -1 where the filter was off.
    pub bits_per_key: i64,
    /// Probes a key.
    pub k: i64,
    /// Where it starts in the object; equals the table's size.
    pub offset: u64,
    /// Bytes of its JSON, without the 16 bytes behind it; 0 = there is none.
    pub length: u64,
}

/// A signature over a table's SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SstSignature {
    /// For example `ed25519`.
    pub algorithm: String,
    /// Which key signed.
    pub key_id: String,
    /// The SHA-256 that was signed, in hexadecimal; may be empty.
    pub hash: String,
    /// The signature.
    pub signature: Bytes,
}

object!(SstMeta {
    id: "ID",
    epoch: "Epoch",
    seq_lo: "SeqLo",
    seq_hi: "SeqHi",
    min_key: "MinKey",
    max_key: "MaxKey",
    size: "Size",
    checksum: "Checksum",
    signature: "Signature",
    bloom: "Bloom",
    created_at: "CreatedAt",
    level: "Level",
    has_blob_refs: "HasBlobRefs",
    meta_offset: "MetaOffset" omit_empty,
    entry_count: "EntryCount" omit_empty,
    delete_count: "DeleteCount" omit_empty,
    min_expire_at: "MinExpireAt" omit_empty,
    max_expire_at: "MaxExpireAt" omit_empty,
    max_data_time: "MaxDataTime" omit_empty,
});

object!(BloomMeta { bits_per_key: "BitsPerKey", k: "K", offset: "Offset", length: "Length" });

object!(SstSignature { algorithm: "Algorithm", key_id: "KeyID", hash: "Hash", signature: "Signature" });

impl SstMeta {
    /// Refuses what no table can be; `object` is the document that lists it.
    pub(crate) fn check(&self, object: &str) -> Result<()> {
        let refuse = |expected: &str, found: String| {
            Err(Error::corrupt(object, None, format!("table {:?} with {expected}", self.id), found))
        };
        if !is_table_id(&self.id) {
            return refuse("an id that is one plain path element", format!("{} bytes", self.id.len()));
        }
        if self.size == 0 || i64::try_from(self.size).is_err() {
            return refuse("a size above 0", self.size.to_string());
        }
        if self.min_key > self.max_key {
            return refuse("MinKey <= MaxKey", "the contrary".into());
        }
        if self.seq_hi >= SEQUENCE_END || (self.seq_hi > 0 && self.seq_lo > self.seq_hi) {
            return refuse("SeqLo <= SeqHi < 2^56", format!("{} and {}", self.seq_lo, self.seq_hi));
        }
        if self.meta_offset.is_some_and(|offset| offset >= self.size) {
            return refuse("MetaOffset < Size", format!("{:?} of {}", self.meta_offset, self.size));
        }
        // Whoever adds its length, and that of what ends it, to the offset must not leave 64 bits.
        let places = self.size..=i64::MAX as u64;
        if self.bloom.length > 0
            && (self.bloom.length > MAX_BLOOM_BYTES || !places.contains(&self.bloom.offset))
        {
            return refuse(
                "its bloom container behind it",
                format!("offset {} and length {}", self.bloom.offset, self.bloom.length),
            );
        }
        Ok(())
    }

    /// True where `key` lies between the table's first and last key.
    pub fn covers(&self, key: &[u8]) -> bool {
        *self.min_key <= *key && *key <= *self.max_key
    }
}

/// True for one plain path element: the id becomes a part of an object's name.
pub(crate) fn is_table_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= MAX_ID_BYTES
        && !id.starts_with('.')
        && !id.contains(|c: char| c == '/' || c == '\\' || c.is_control())
}
