//! What garbage collection says of its work.

use super::super::plan::doomed::BlobPlan;
use super::super::plan::sweep::SweepPlan;
use crate::host::Collected;

/// What one run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GcReport {
    /// Tables that were marked: nothing refers to them any more.
    pub marked: u64,
    /// Marks that went because their table is live.
    pub unmarked: u64,
    /// Tables that wait, after this run.
    pub waiting: u64,
    /// Tables that were deleted.
    pub tables: u64,
    /// Log entries that were deleted.
    pub log_entries: u64,
    /// Snapshots that were deleted.
    pub snapshots: u64,
    /// Blobs for which the one DELETE was sent.
    pub blobs: u64,
    /// Blobs that are about to go, after this run, and that flushes do not rely on.
    pub doomed_blobs: u64,
    /// Left-over objects of capability probes that were deleted.
    pub probes: u64,
    /// Bytes of the deleted tables and blobs, as far as their sizes were known: those that an earlier owner marked, and
    /// bloom containers behind tables, count nothing.
    pub bytes: u64,
    /// The feed's floor after this run, where it rose.
    pub floor: Option<u64>,
    /// This run listed all tables and blobs.
    pub scanned: bool,
}

impl GcReport {
    /// Objects that were deleted.
    pub fn objects(&self) -> u64 {
        self.tables + self.log_entries + self.snapshots + self.blobs + self.probes
    }

    /// What an observer is told.
    pub(super) fn collected(&self) -> Collected {
        Collected {
            tables: self.tables,
            blobs: self.blobs,
            documents: self.log_entries + self.snapshots + self.probes,
            bytes: self.bytes,
            waiting: self.waiting,
        }
    }
}

/// What a run would do now, and why the rest waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GcDryRun {
    /// Tables, log entries, snapshots.
    pub sweep: SweepPlan,
    /// Blobs.
    pub blobs: BlobPlan,
    /// Log entries that would be deleted.
    pub log_entries: Vec<u64>,
    /// Left-over objects of capability probes that would be deleted.
    pub probes: Vec<String>,
}
