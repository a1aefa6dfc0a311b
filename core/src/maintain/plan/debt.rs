//! How much waits to be merged.

use std::sync::Arc;

use super::merge::{Job, JobKind, MergePolicy, Turn, plan};
use crate::format::manifest::{SortedRun, SstMeta};
use crate::manifest::State;

/// So many merges ahead are counted.
const MAX_JOBS: u32 = 64;

/// What waits to be merged: the work of all merges that would follow one another if nobody wrote meanwhile. Zero after a pass
/// that was not cut short. What grows from pass to pass says that maintenance does not keep up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Debt {
    /// Merges; at most 64 are counted.
    pub jobs: u32,
    /// Tables that they read, counted once for each merge that reads them.
    pub tables: u64,
    /// Bytes that they read, at most: what a merge leaves is not known beforehand.
    pub bytes: u64,
    /// Tables in level 0 now: each may cost a reader a request.
    pub l0_tables: u64,
    /// Runs now: each may cost a reader a request.
    pub runs: u64,
}

/// The debt of a state.
pub fn debt(state: &State, policy: &MergePolicy, turn: &Turn) -> Debt {
    let (l0_tables, runs) = (state.l0.len() as u64, state.runs.len() as u64);
    let mut debt = Debt { l0_tables, runs, ..Debt::default() };
    let (mut state, mut turn) = (state.clone(), *turn);
    while debt.jobs < MAX_JOBS
        && let Some(job) = plan(&state, policy, &turn)
    {
        debt.jobs += 1;
        debt.tables += job.inputs.len() as u64;
        debt.bytes += job.bytes();
        turn.after_level0 = job.kind == JobKind::Level0;
        state = after(state, &job);
    }
    debt
}

/// The state after a merge that drops nothing: one table stands for what it writes.
fn after(mut state: State, job: &Job) -> State {
    state.l0.retain(|sst| !job.inputs.iter().any(|input| input.id == sst.id));
    state.runs.retain(|run| !job.runs.contains(&run.id));
    let id = state.next_sorted_run_id;
    let all = || job.inputs.iter().chain(&job.moved);
    let written = SstMeta {
        id: format!("run {id}"),
        size: all().map(|sst| sst.size).sum(),
        min_key: all().map(|sst| sst.min_key.clone()).min().unwrap_or_default(),
        max_key: all().map(|sst| sst.max_key.clone()).max().unwrap_or_default(),
        ..SstMeta::default()
    };
    state.runs.insert(0, SortedRun { id, ssts: vec![Arc::new(written)] });
    state.next_sorted_run_id = id.saturating_add(1);
    state
}
