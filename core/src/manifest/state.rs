//! Which tables make up the database at one slot, and what an entry changes about it.

use std::sync::Arc;

use hashbrown::HashSet;

use crate::format::manifest::{Compaction, LogEntry, Op, Snapshot, SortedRun, SstMeta};

/// The state after one slot. A value: it is replaced whole, and shares its tables with the states before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Lower bound of the next table's epoch.
    pub next_epoch: u64,
    /// The last slot that it contains; 0 before the first.
    pub log_seq: u64,
    /// Flushed tables, newest first; they may overlap.
    pub l0: Vec<Arc<SstMeta>>,
    /// Sorted runs, the front one first. Nothing vouches for their order; see [`SortedRun::is_disjoint`].
    pub runs: Vec<SortedRun>,
    /// Id of the next run.
    pub next_sorted_run_id: u32,
}

impl Default for State {
    /// The state of an empty database.
    fn default() -> Self {
        State { next_epoch: 1, log_seq: 0, l0: Vec::new(), runs: Vec::new(), next_sorted_run_id: 0 }
    }
}

impl State {
    /// What the entry makes of the state. Whether it counts at all is for [`super::replay::Replay`] to say.
    ///
    /// Inputs of a compaction need not be there, and an unknown operation changes nothing: so does the original.
    pub fn apply(&mut self, entry: &LogEntry) {
        self.change(&entry.op);
        if !matches!(entry.op, Op::FenceClaim { .. }) {
            self.log_seq = self.log_seq.max(entry.seq);
        }
    }

    /// What the operation does to the tables.
    pub(super) fn change(&mut self, op: &Op) {
        match op {
            Op::AddSstable(sst) => self.add(sst),
            Op::RemoveSstables(ids) => self.remove(ids),
            Op::Compaction(compaction) => self.replace(compaction),
            Op::Checkpoint(snapshot) => *self = State::from_snapshot(snapshot),
            Op::FenceClaim { .. } | Op::Unknown(_) => {}
        }
    }

    fn add(&mut self, sst: &Arc<SstMeta>) {
        if sst.level == 0 {
            self.l0.insert(0, sst.clone());
        } else {
            self.runs.insert(0, SortedRun { id: self.next_sorted_run_id, ssts: vec![sst.clone()] });
            self.next_sorted_run_id = self.next_sorted_run_id.saturating_add(1);
        }
        self.next_epoch = self.next_epoch.max(sst.epoch.saturating_add(1));
    }

    fn remove(&mut self, ids: &[String]) {
        if ids.is_empty() {
            return;
        }
        let gone: HashSet<&str> = ids.iter().map(String::as_str).collect();
        let stays = |sst: &Arc<SstMeta>| !gone.contains(sst.id.as_str());
        self.l0.retain(stays);
        for run in &mut self.runs {
            run.ssts.retain(stays);
        }
        self.runs.retain(|run| !run.ssts.is_empty());
    }

    fn replace(&mut self, compaction: &Compaction) {
        self.remove(&compaction.remove_sstable_ids);
        self.runs.retain(|run| !compaction.remove_sorted_run_ids.contains(&run.id));
        if let Some(run) = &compaction.add_sorted_run {
            self.next_sorted_run_id = self.next_sorted_run_id.max(run.id.saturating_add(1));
            self.runs.insert(0, run.clone());
        }
        for sst in &compaction.add_sstables {
            self.add(sst);
        }
    }

    /// All tables: L0 from the newest on, then the runs from the front one on. Of two tables with an equal sequence number
    /// the one that comes first here was published later.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<SstMeta>> {
        self.l0.iter().chain(self.runs.iter().flat_map(|run| &run.ssts))
    }

    /// The table of this id.
    pub fn table(&self, id: &str) -> Option<&Arc<SstMeta>> {
        self.tables().find(|sst| sst.id == id)
    }

    /// The highest sequence number in any table; 0 if there is none.
    pub fn max_sequence(&self) -> u64 {
        self.tables().map(|sst| sst.seq_hi).max().unwrap_or(0)
    }

    /// The state as a document.
    pub fn to_snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        snapshot.next_epoch = self.next_epoch;
        snapshot.log_seq = self.log_seq;
        snapshot.l0.clone_from(&self.l0);
        snapshot.runs.clone_from(&self.runs);
        snapshot.next_sorted_run_id = self.next_sorted_run_id;
        snapshot
    }

    /// The state of a document.
    pub fn from_snapshot(snapshot: &Snapshot) -> State {
        State {
            next_epoch: snapshot.next_epoch,
            log_seq: snapshot.log_seq,
            l0: snapshot.l0.clone(),
            runs: snapshot.runs.clone(),
            next_sorted_run_id: snapshot.next_sorted_run_id,
        }
    }
}
