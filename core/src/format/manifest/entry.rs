//! One decided step of the manifest: `manifest/log/<slot>.json`.

use std::sync::Arc;

use bytes::Bytes;

use super::{Effects, MAX_LOG_ENTRY_BYTES, Role, Snapshot, SortedRun, SstMeta};
use crate::error::{Error, Result};
use crate::format::json::{self, object};
use crate::format::ksuid::Ksuid;
use crate::format::time::Timestamp;

/// A log entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Made once by its author and kept over retries: tells whose entry stands in a slot.
    pub id: Ksuid,
    /// The slot; equals the number in the object's name.
    pub seq: u64,
    /// Role of the author.
    pub role: Role,
    /// Epoch of the author's claim.
    pub epoch: u64,
    /// When it was made, by the author's clock.
    pub ts: Timestamp,
    /// What it does to the state.
    pub op: Op,
    /// What it does to CURRENT; `None` in the original's entries.
    pub effects: Option<Effects>,
}

/// What an entry does to the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// A flush: a new table in front of all others.
    AddSstable(Arc<SstMeta>),
    /// Tables go (retention). Ids that are not there are ignored.
    RemoveSstables(Vec<String>),
    /// Tables and runs are replaced by a new run.
    Compaction(Compaction),
    /// The author claims its role.
    FenceClaim {
        /// The role; the entry's own `role` is what counts in replay.
        role: Role,
        /// The epoch claimed.
        epoch: u64,
        /// Name of the owner.
        owner: String,
        /// When, by the owner's clock.
        claimed_at: Timestamp,
    },
    /// The state becomes this one. Nobody writes it.
    Checkpoint(Box<Snapshot>),
    /// An operation of that name, which we do not know; the state stays as it is, as in the original.
    Unknown(String),
}

impl Op {
    /// The name in the document.
    pub fn name(&self) -> &str {
        match self {
            Op::AddSstable(_) => "add_sstable",
            Op::RemoveSstables(_) => "remove_sstables",
            Op::Compaction(_) => "compaction",
            Op::FenceClaim { .. } => "fence_claim",
            Op::Checkpoint(_) => "checkpoint",
            Op::Unknown(name) => name,
        }
    }
}

/// The replacement of tables and runs by new ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Compaction {
    /// Tables that go, from L0 and from runs.
    pub remove_sstable_ids: Vec<String>,
    /// Runs that go.
    pub remove_sorted_run_ids: Vec<u32>,
    /// Single tables that come; no component writes any.
    pub add_sstables: Vec<Arc<SstMeta>>,
    /// The run that comes, in front of all runs.
    pub add_sorted_run: Option<SortedRun>,
}

object!(Compaction {
    remove_sstable_ids: "remove_sstable_ids",
    remove_sorted_run_ids: "remove_sorted_run_ids" omit_empty,
    add_sstables: "add_sstables",
    add_sorted_run: "add_sorted_run" omit_empty,
});

impl Compaction {
    /// All tables that it brings.
    pub fn added(&self) -> impl Iterator<Item = &Arc<SstMeta>> {
        self.add_sstables.iter().chain(self.add_sorted_run.iter().flat_map(|run| &run.ssts))
    }
}

/// The document: one payload field an operation.
#[derive(Default)]
struct Document {
    id: Ksuid,
    seq: u64,
    role: Role,
    epoch: u64,
    ts: Timestamp,
    op: String,
    sstable: Option<Arc<SstMeta>>,
    remove_sstable_ids: Vec<String>,
    checkpoint: Option<Box<Snapshot>>,
    compaction: Option<Compaction>,
    fence_claim: Option<ClaimDocument>,
    effects: Option<Effects>,
}

object!(Document {
    id: "id",
    seq: "seq",
    role: "role",
    epoch: "epoch",
    ts: "ts",
    op: "op",
    sstable: "sstable" omit_empty,
    remove_sstable_ids: "remove_sstable_ids" omit_empty,
    checkpoint: "checkpoint" omit_empty,
    compaction: "compaction" omit_empty,
    fence_claim: "fence_claim" omit_empty,
    effects: "effects" omit_empty,
});

#[derive(Default)]
struct ClaimDocument {
    role: Role,
    epoch: u64,
    owner: String,
    claimed_at: Timestamp,
}

object!(ClaimDocument { role: "role", epoch: "epoch", owner: "owner", claimed_at: "claimed_at" });

impl LogEntry {
    /// Reads the entry of slot `slot`.
    ///
    /// Errors: `Corrupt` where the bytes are no entry, the checksum differs, the entry says another slot than its name, the
    /// payload of its operation is missing, or a table in it cannot be one.
    pub fn decode(object: &str, slot: u64, bytes: &[u8]) -> Result<LogEntry> {
        let document: Document = json::decode(object, "a log entry", bytes, MAX_LOG_ENTRY_BYTES)?;
        if document.seq != slot {
            return Err(Error::corrupt(object, None, format!("seq {slot}"), format!("seq {}", document.seq)));
        }
        let entry = document.into_entry(object)?;
        match &entry.op {
            Op::AddSstable(sst) => sst.check(object)?,
            Op::Compaction(compaction) => compaction.added().try_for_each(|sst| sst.check(object))?,
            Op::Checkpoint(snapshot) => snapshot.check(object)?,
            Op::RemoveSstables(_) | Op::FenceClaim { .. } | Op::Unknown(_) => {}
        }
        Ok(entry)
    }

    /// The stored form, with its checksum.
    pub fn encode(&self) -> Bytes {
        json::seal(self.encode_plain())
    }

    /// The stored form without a checksum: what the original would write.
    pub fn encode_plain(&self) -> Vec<u8> {
        json::encode_plain(&Document::of(self))
    }
}

impl Document {
    fn of(entry: &LogEntry) -> Document {
        let mut document = Document {
            id: entry.id,
            seq: entry.seq,
            role: entry.role,
            epoch: entry.epoch,
            ts: entry.ts,
            op: entry.op.name().to_owned(),
            effects: entry.effects,
            ..Document::default()
        };
        match &entry.op {
            Op::AddSstable(sst) => document.sstable = Some(sst.clone()),
            Op::RemoveSstables(ids) => document.remove_sstable_ids.clone_from(ids),
            Op::Compaction(compaction) => document.compaction = Some(compaction.clone()),
            Op::FenceClaim { role, epoch, owner, claimed_at } => {
                document.fence_claim = Some(ClaimDocument {
                    role: *role,
                    epoch: *epoch,
                    owner: owner.clone(),
                    claimed_at: *claimed_at,
                });
            }
            Op::Checkpoint(snapshot) => document.checkpoint = Some(snapshot.clone()),
            Op::Unknown(_) => {}
        }
        document
    }

    fn into_entry(self, object: &str) -> Result<LogEntry> {
        let missing = |field: &str| {
            Error::corrupt(object, None, format!("the field {field} of this operation"), "no such field")
        };
        let op = match self.op.as_str() {
            "add_sstable" => Op::AddSstable(self.sstable.ok_or_else(|| missing("sstable"))?),
            "remove_sstables" => Op::RemoveSstables(self.remove_sstable_ids),
            "compaction" => Op::Compaction(self.compaction.ok_or_else(|| missing("compaction"))?),
            "checkpoint" => Op::Checkpoint(self.checkpoint.ok_or_else(|| missing("checkpoint"))?),
            "fence_claim" => {
                let claim = self.fence_claim.ok_or_else(|| missing("fence_claim"))?;
                Op::FenceClaim {
                    role: claim.role,
                    epoch: claim.epoch,
                    owner: claim.owner,
                    claimed_at: claim.claimed_at,
                }
            }
            _ => Op::Unknown(self.op),
        };
        Ok(LogEntry {
            id: self.id,
            seq: self.seq,
            role: self.role,
            epoch: self.epoch,
            ts: self.ts,
            op,
            effects: self.effects,
        })
    }
}
