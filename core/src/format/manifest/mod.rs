//! The JSON documents of the manifest: CURRENT, log entries, snapshots.
//!
//! Each is read from what the original writes (any key case, the last of two equal keys wins, lists may be `null`) and from
//! what we write, which ends in a checksum and is then taken exactly. Each is written with the original's key order and
//! escapes, plus our extension fields, which the original ignores.

mod current;
mod effects;
mod entry;
mod fence;
mod snapshot;
mod sst_meta;

pub use current::{Current, InlineEntry};
pub use effects::{Effect, Effects};
pub use entry::{Compaction, LogEntry, Op};
pub use fence::{FenceToken, Role};
pub use snapshot::{Snapshot, SortedRun};
pub(crate) use sst_meta::is_table_id;
pub use sst_meta::{BloomMeta, SstMeta, SstSignature};

/// Largest CURRENT that is read, in bytes. Ours stay below 40 KiB; a window whose entries are not inlined is far smaller.
pub const MAX_CURRENT_BYTES: u64 = 4 << 20;
/// Largest log entry that is read, in bytes. A table takes some 400 bytes, or 350,000 where its two keys are the longest.
pub const MAX_LOG_ENTRY_BYTES: u64 = 64 << 20;
/// Largest snapshot that is read, in bytes: some 600,000 tables.
pub const MAX_SNAPSHOT_BYTES: u64 = 256 << 20;
