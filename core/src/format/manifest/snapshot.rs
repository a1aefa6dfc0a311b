//! The whole state at one slot.

use std::sync::Arc;

use bytes::Bytes;

use super::{FenceToken, MAX_SNAPSHOT_BYTES, SstMeta};
use crate::error::Result;
use crate::format::json::{self, object};

/// Tables that are disjoint and sorted by their first key, made by one compaction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SortedRun {
    /// Counter of the database.
    pub id: u32,
    /// Its tables.
    pub ssts: Vec<Arc<SstMeta>>,
}

object!(SortedRun { id: "id", ssts: "ssts" });

impl SortedRun {
    /// True where the tables are sorted by key and do not overlap. Nobody may rely on it unasked: where it does not hold, each
    /// table is to be read as a source of its own.
    pub fn is_disjoint(&self) -> bool {
        self.ssts.windows(2).all(|pair| pair[0].max_key < pair[1].min_key)
    }
}

/// A manifest state as it is stored. Readers turn it into a state; see `manifest::State`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// 2 as written; 1 is read too. Says nothing.
    pub version: i64,
    /// Lower bound of the next table's epoch.
    pub next_epoch: u64,
    /// The last slot that it contains.
    pub log_seq: u64,
    /// Read, and never written by us or the original.
    pub writer_fence: Option<FenceToken>,
    /// Read, and never written by us or the original.
    pub compactor_fence: Option<FenceToken>,
    /// Flushed tables, newest first; they may overlap.
    pub l0: Vec<Arc<SstMeta>>,
    /// Sorted runs, the front one first.
    pub runs: Vec<SortedRun>,
    /// Id of the next run.
    pub next_sorted_run_id: u32,
    /// Nobody reads it; the original's decoder expects an object.
    compaction_config: NoConfig,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct NoConfig {}

object!(NoConfig {});

object!(Snapshot = Snapshot { version: 0, next_epoch: 0, ..Snapshot::default() }; {
    version: "version",
    next_epoch: "next_epoch",
    log_seq: "log_seq",
    writer_fence: "writer_fence" omit_empty,
    compactor_fence: "compactor_fence" omit_empty,
    l0: "l0_ssts" omit_empty,
    runs: "sorted_runs" omit_empty,
    next_sorted_run_id: "next_sorted_run_id" omit_empty,
    compaction_config: "compaction_config",
});

impl Default for Snapshot {
    fn default() -> Self {
        Snapshot {
            version: 2,
            next_epoch: 1,
            log_seq: 0,
            writer_fence: None,
            compactor_fence: None,
            l0: Vec::new(),
            runs: Vec::new(),
            next_sorted_run_id: 0,
            compaction_config: NoConfig {},
        }
    }
}

impl Snapshot {
    /// Reads `manifest/snapshots/<id>.manifest`; an empty body is an error as any other that is no document.
    pub fn decode(object: &str, bytes: &[u8]) -> Result<Snapshot> {
        let snapshot: Snapshot = json::decode(object, "a snapshot", bytes, MAX_SNAPSHOT_BYTES)?;
        snapshot.check(object)?;
        Ok(snapshot)
    }

    /// The stored form, with its checksum.
    pub fn encode(&self) -> Bytes {
        json::seal(self.encode_plain())
    }

    /// The stored form without a checksum: what the original would write.
    pub fn encode_plain(&self) -> Vec<u8> {
        json::encode_plain(self)
    }

    pub(crate) fn check(&self, object: &str) -> Result<()> {
        let of_runs = self.runs.iter().flat_map(|run| &run.ssts);
        self.l0.iter().chain(of_runs).try_for_each(|sst| sst.check(object))
    }
}
