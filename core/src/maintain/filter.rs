//! The compaction filter: a user's say in what a merge keeps.

use crate::error::Result;
use crate::format::blob::BlobId;
use crate::maybe::{MaybeSend, MaybeSync};

/// Entries are gathered until their keys and values have this many bytes (or one entry passes it), or until there are
/// [`MAX_FILTER_BATCH_ENTRIES`]; then the filter sees them.
pub const MAX_FILTER_BATCH_BYTES: u64 = 256 << 10;
/// The most entries of one batch.
pub const MAX_FILTER_BATCH_ENTRIES: u32 = 4096;
/// The largest value that a filter may put in the place of another, in bytes.
pub const MAX_REPLACEMENT_BYTES: u64 = 8 << 20;

/// Decides, key by key, what a merge keeps of the entries that it rewrites.
///
/// It sees the newest version that the merged tables hold of each key, if that is a put that has not expired; deletes never.
/// Neither every entry nor each only once: what is not merged is not seen, what is merged again is seen again, and a newer
/// version may lie in a table that takes no part. So the verdict should follow from the entry alone. With a filter every
/// table of a merge is rewritten.
pub trait CompactionFilter: MaybeSend + MaybeSync + 'static {
    /// Its name, for errors and reports.
    fn name(&self) -> &str;

    /// One verdict for each entry, in order. At least one entry, at most 4,096, in key order.
    ///
    /// `now_ms` is the time by which this merge drops what has expired, in milliseconds since the Unix epoch by the store's
    /// clock: the same for all batches of one merge. An error fails the job, under the filter's name: nothing is published, and no input goes.
    fn filter(&self, now_ms: u64, batch: &[FilterEntry<'_>]) -> Result<Vec<Verdict>>;
}

/// An entry that a filter judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterEntry<'a> {
    /// The user key.
    pub key: &'a [u8],
    /// Its value.
    pub value: FilterValue<'a>,
    /// The sequence number of the write that put it.
    pub sequence: u64,
    /// When it stops to exist, in milliseconds since the Unix epoch.
    pub expires_at_ms: Option<u64>,
}

/// The value of an entry that a filter judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterValue<'a> {
    /// The value.
    Inline(&'a [u8]),
    /// The value lies in this blob; it is not fetched.
    Blob(BlobId),
}

/// What becomes of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It stays as it is.
    Keep,
    /// The key is deleted. Where a table that takes no part may hold an older version, a delete stays in its place.
    Drop,
    /// Its value becomes this one (at most 8 MiB); sequence number and expiry stay.
    Replace(bytes::Bytes),
}
