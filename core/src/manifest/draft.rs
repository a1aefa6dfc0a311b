//! An entry on its way: what its author wants committed, before it has a slot.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::format::manifest::{Compaction, Op, SstMeta};
use crate::host::{Host, Moment};
use crate::manifest::state::State;

/// An upload is relied on for this long; then its table is uploaded again under a new id (orphan GC may take it after a day).
pub(super) const MAX_UPLOAD_AGE_MS: u64 = 12 * 3_600_000;

/// Something that the entry relies on and that must not be older than a limit when its slot is put.
#[derive(Debug, Clone, Copy)]
pub struct Reliance {
    /// Since when.
    pub since: Moment,
    /// For how long, in milliseconds.
    pub limit_ms: u64,
}

/// What is to be committed.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The operation.
    pub op: Op,
    /// What it relies on: the upload of its table, the last look at what blob GC is about to delete.
    pub reliances: Vec<Reliance>,
    /// Ids of tables that a compaction lists again in its new run: they must still be in the state.
    pub moved: Vec<String>,
}

impl Draft {
    /// A flush of the table `meta`, whose upload began at `upload_began`.
    pub fn flush(meta: Arc<SstMeta>, upload_began: Moment) -> Draft {
        let upload = Reliance { since: upload_began, limit_ms: MAX_UPLOAD_AGE_MS };
        Draft { op: Op::AddSstable(meta), reliances: vec![upload], moved: Vec::new() }
    }

    /// A compaction whose new tables were uploaded from `upload_began` on, and which lists the tables `moved` again.
    pub fn compaction(compaction: Compaction, moved: Vec<String>, upload_began: Moment) -> Draft {
        let upload = Reliance { since: upload_began, limit_ms: MAX_UPLOAD_AGE_MS };
        Draft { op: Op::Compaction(compaction), reliances: vec![upload], moved }
    }

    /// The removal of tables; of none it changes nothing.
    pub fn removal(ids: Vec<String>) -> Draft {
        Draft { op: Op::RemoveSstables(ids), reliances: Vec::new(), moved: Vec::new() }
    }

    /// Adds something that must be younger than `limit_ms` when the slot is put.
    pub fn relying_on(mut self, since: Moment, limit_ms: u64) -> Draft {
        self.reliances.push(Reliance { since, limit_ms });
        self
    }

    /// True while all that it relies on is young enough.
    pub(super) fn is_fresh(&self, host: &dyn Host) -> bool {
        self.reliances.iter().all(|r| r.since.elapsed_ms(host) < r.limit_ms)
    }

    /// First and last sequence number of a flush; zeros for everything else.
    pub(super) fn sequences(&self) -> (u64, u64) {
        match &self.op {
            Op::AddSstable(meta) => (meta.seq_lo, meta.seq_hi),
            _ => (0, 0),
        }
    }

    /// What an error should call it.
    pub(super) fn name(&self) -> String {
        match &self.op {
            Op::AddSstable(meta) => format!("flush {}", meta.id),
            Op::RemoveSstables(ids) => format!("removal of {} tables", ids.len()),
            Op::Compaction(job) => format!("compaction of {} tables", job.remove_sstable_ids.len()),
            Op::FenceClaim { owner, epoch, .. } => format!("claim of {owner} (epoch {epoch})"),
            Op::Checkpoint(_) => "checkpoint".to_owned(),
            Op::Unknown(op) => op.clone(),
        }
    }

    /// `Precondition` if an input is no longer in the state: the plan was made from an older one.
    pub(super) fn check_inputs(&self, state: &State) -> Result<()> {
        let (tables, runs): (_, &[u32]) = match &self.op {
            Op::RemoveSstables(ids) => (ids, &[]),
            Op::Compaction(job) => (&job.remove_sstable_ids, &job.remove_sorted_run_ids),
            _ => return Ok(()),
        };
        if let Some(id) = runs.iter().find(|id| !state.runs.iter().any(|run| run.id == **id)) {
            return Err(Error::Precondition { object: format!("run {id}") });
        }
        match tables.iter().chain(&self.moved).find(|id| state.table(id).is_none()) {
            Some(id) => Err(Error::Precondition { object: id.clone() }),
            None => Ok(()),
        }
    }

    /// True if the state shows the effect. Only "yes" proves anything where others may have changed the state since.
    pub(super) fn shows_in(&self, state: &State) -> bool {
        match &self.op {
            Op::AddSstable(meta) => state.table(&meta.id).is_some(),
            Op::RemoveSstables(ids) => ids.iter().all(|id| state.table(id).is_none()),
            Op::Compaction(job) => {
                job.remove_sstable_ids.iter().all(|id| state.table(id).is_none())
                    && job.add_sstables.iter().all(|added| state.table(&added.id).is_some())
                    // Of moved tables alone the presence proves nothing: they were there before.
                    && job.add_sorted_run.iter().all(|run| state.runs.contains(run))
            }
            Op::FenceClaim { .. } | Op::Checkpoint(_) | Op::Unknown(_) => false,
        }
    }
}
