//! Which tables to merge next.
//!
//! Replay puts the run that a merge makes in front of all runs, and readers of the original go by that order. So a merge takes
//! the oldest tables of level 0 (everything in the runs is older, what stays in level 0 is newer), or a group of runs that
//! begins at the front, or one that shares no key with the runs in front of it. Nothing else would keep the newest version of
//! each key in front.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::chains::chains;
use super::moves::{overlap, split};
use crate::error::{Result, within};
use crate::format::manifest::{SortedRun, SstMeta};
use crate::manifest::State;

/// When to merge what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergePolicy {
    /// So many tables of level 0 are merged into a new run. Default 8; 1 to 10,000.
    pub l0_tables: u32,
    /// The fewest runs of similar size that are worth a merge. Default 4; 2 to 64.
    pub min_runs: u32,
    /// The most runs of similar size in one merge. Default 8; `min_runs` to 64.
    pub max_runs: u32,
    /// Runs are of similar size where neither has more than this many times the bytes of the other. Default 4; 1 to 1,000.
    pub size_ratio: u32,
    /// With more runs than this the ones in front are merged, whatever their sizes. Default 32; `max_runs` to 10,000.
    pub run_limit: u32,
    /// The most inputs that one merge reads at a time, each with its read-ahead; tables that do not overlap are one input. With
    /// more tables of level 0 than that, the oldest are merged first. Default 32; `max_runs` to 1,024.
    pub max_inputs: u32,
    /// Bytes at which an output table ends. Default 64 MiB; 4 KiB to 1 GiB.
    pub table_size: u64,
}

impl Default for MergePolicy {
    fn default() -> MergePolicy {
        MergePolicy {
            l0_tables: 8,
            min_runs: 4,
            max_runs: 8,
            size_ratio: 4,
            run_limit: 32,
            max_inputs: 32,
            table_size: 64 << 20,
        }
    }
}

impl MergePolicy {
    pub(in crate::maintain) fn validate(&self) -> Result<()> {
        within("l0_tables", self.l0_tables.into(), 1..=10_000)?;
        within("min_runs", self.min_runs.into(), 2..=64)?;
        within("max_runs", self.max_runs.into(), self.min_runs.into()..=64)?;
        within("size_ratio", self.size_ratio.into(), 1..=1_000)?;
        within("run_limit", self.run_limit.into(), self.max_runs.into()..=10_000)?;
        within("max_inputs", self.max_inputs.into(), self.max_runs.into()..=1_024)?;
        within("table_size", self.table_size, 4 << 10..=1 << 30)
    }

    fn similar(&self, a: u64, b: u64) -> bool {
        let ratio = u64::from(self.size_ratio);
        a <= b.saturating_mul(ratio) && b <= a.saturating_mul(ratio)
    }
}

/// What a plan depends on beside state and policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Turn {
    /// The last merge was one of level 0.
    pub after_level0: bool,
    /// The present, in milliseconds since the Unix epoch (store time): what expired before is worth rewriting for.
    pub now_ms: u64,
    /// Every table has to be rewritten: a filter wants to see what is in it.
    pub rewrite_all: bool,
}

/// What a job merges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JobKind {
    /// Tables of level 0 into a new run.
    Level0,
    /// Runs into one.
    Runs,
    /// Everything into one run.
    Full,
}

impl JobKind {
    /// `level0`, `runs` or `full`.
    pub fn name(self) -> &'static str {
        match self {
            JobKind::Level0 => "level0",
            JobKind::Runs => "runs",
            JobKind::Full => "full",
        }
    }
}

/// A merge to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Job {
    /// What is merged.
    pub kind: JobKind,
    /// Tables to read and to replace, in the order of the state: at equal sequence numbers the earlier one wins.
    pub inputs: Vec<Arc<SstMeta>>,
    /// Tables of the runs below that overlap no other table of the job: the new run lists them as they are.
    pub moved: Vec<Arc<SstMeta>>,
    /// Ids of the runs that go.
    pub runs: Vec<u32>,
    /// Why now.
    pub reason: String,
}

impl Job {
    /// Bytes that have to be read.
    pub fn bytes(&self) -> u64 {
        self.inputs.iter().map(|sst| sst.size).sum()
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (inputs, moved, bytes) = (self.inputs.len(), self.moved.len(), self.bytes());
        write!(f, "{}: {inputs} tables of {bytes} bytes, {moved} moved: {}", self.kind.name(), self.reason)
    }
}

/// The next merge; `None` where nothing waits.
///
/// Level 0 comes first, since every read pays for it. Where a group of runs waits too, the two take turns: each waits for one
/// merge of the other at most, and neither starves. (Merges of runs are rarer: each needs several of level 0 before it, and
/// all sizes of runs together need one for every three. With fewer turns than that the large ones would pile up.)
pub fn plan(state: &State, policy: &MergePolicy, turn: &Turn) -> Option<Job> {
    let group = pick_runs(state, policy);
    if state.l0.len() >= policy.l0_tables as usize && (group.is_none() || !turn.after_level0) {
        return Some(level0(state, policy));
    }
    let (group, reason) = group?;
    Some(merge_runs(state, policy, turn, group, reason))
}

/// The next merge on the way to one run that holds everything; `None` where nothing is left to do. Where all inputs cannot be
/// open at once it comes in several.
pub fn plan_full(state: &State, policy: &MergePolicy, turn: &Turn) -> Option<Job> {
    let most = policy.max_inputs as usize;
    if state.l0.is_empty() {
        return match state.runs.len() {
            0 => None,
            1 => rewrite_run(state, turn),
            _ => {
                let fits = |end: &usize| inputs_of(&state.runs[..*end]) <= most;
                let end = (2..=state.runs.len()).rev().find(fits).unwrap_or(2);
                Some(merge_runs(state, policy, turn, 0..end, "asked for".to_owned()))
            }
        };
    }
    let everything: Vec<&Arc<SstMeta>> = state.tables().collect();
    if count_inputs(everything) > most {
        return Some(level0(state, policy));
    }
    let of_runs: Vec<Arc<SstMeta>> = state.runs.iter().flat_map(|run| &run.ssts).cloned().collect();
    let flushed = |sst: &SstMeta| state.l0.iter().any(|l0| l0.id == sst.id);
    let all: Vec<Arc<SstMeta>> = state.l0.iter().chain(&of_runs).cloned().collect();
    let (inputs, moved) = split(&all, |sst| !flushed(sst) && may_move(sst, policy, turn, false));
    let runs = state.runs.iter().map(|run| run.id).collect();
    Some(Job { kind: JobKind::Full, inputs, moved, runs, reason: "asked for".to_owned() })
}

/// The oldest tables of level 0, all where they can be open at once. They hold every version of a key, so none of them moves.
fn level0(state: &State, policy: &MergePolicy) -> Job {
    let most = policy.max_inputs as usize;
    let all = state.l0.len();
    let taken = if all <= most || count_inputs(state.l0.iter().collect()) <= most { all } else { most };
    let inputs = state.l0[all - taken..].to_vec();
    let reason = format!("{all} tables in level 0, {} are enough", policy.l0_tables);
    Job { kind: JobKind::Level0, inputs, moved: Vec::new(), runs: Vec::new(), reason }
}

fn merge_runs(state: &State, policy: &MergePolicy, turn: &Turn, group: Range<usize>, reason: String) -> Job {
    // Behind the group nothing is left that its deletes could hide.
    let bottom = group.end == state.runs.len();
    let group = &state.runs[group];
    let tables: Vec<Arc<SstMeta>> = group.iter().flat_map(|run| &run.ssts).cloned().collect();
    let (inputs, moved) = split(&tables, |sst| may_move(sst, policy, turn, !bottom));
    Job { kind: JobKind::Runs, inputs, moved, runs: group.iter().map(|run| run.id).collect(), reason }
}

/// The only run: tables with something to drop are rewritten.
fn rewrite_run(state: &State, turn: &Turn) -> Option<Job> {
    let run = state.runs.first()?;
    let (inputs, moved) = split(&run.ssts, |sst| !worth_rewriting(sst, turn, false));
    if inputs.is_empty() {
        return None;
    }
    let reason = "asked for: deletes or expired entries are left".to_owned();
    Some(Job { kind: JobKind::Full, inputs, moved, runs: vec![run.id], reason })
}

/// A table of a run may move where it is not small (else small ones would pile up) and rewriting it would drop nothing.
fn may_move(sst: &SstMeta, policy: &MergePolicy, turn: &Turn, keeps_deletes: bool) -> bool {
    !worth_rewriting(sst, turn, keeps_deletes) && sst.size >= policy.table_size / 2
}

/// Tables of the original do not say what they hold.
fn worth_rewriting(sst: &SstMeta, turn: &Turn, keeps_deletes: bool) -> bool {
    let deletes = sst.delete_count != Some(0) && !(keeps_deletes && sst.delete_count.is_some());
    let expired = sst.entry_count.is_none() || sst.min_expire_at.is_some_and(|at| at <= turn.now_ms);
    turn.rewrite_all || deletes || expired
}

/// The first group of runs that may be merged, and why.
fn pick_runs(state: &State, policy: &MergePolicy) -> Option<(Range<usize>, String)> {
    let runs = &state.runs;
    let sizes: Vec<u64> = runs.iter().map(size).collect();
    for start in 0..runs.len() {
        let end = similar_until(&sizes, start, policy);
        if end - start < policy.min_runs as usize {
            continue;
        }
        let (group, front) = (start..end, &runs[..start]);
        let of = |runs: &Range<usize>| format!("{} runs of similar size", runs.len());
        if !overlap(tables(front), tables(&runs[group.clone()])) {
            return Some((group.clone(), of(&group)));
        }
        // Newer runs in front that overlap have to come along, where that does not cost more than the merge itself.
        let bytes_in_front: u64 = sizes[..start].iter().sum();
        let fits = inputs_of(&runs[..end]) <= policy.max_inputs as usize;
        if fits && bytes_in_front <= sizes[group.clone()].iter().sum() {
            let why = format!("{}, with the {start} smaller ones in front of them", of(&group));
            return Some((0..end, why));
        }
    }
    let most = policy.max_runs as usize;
    (runs.len() > policy.run_limit as usize)
        .then(|| (0..most, format!("{} runs, {} are the limit", runs.len(), policy.run_limit)))
}

/// Where the runs from `start` on stop to be similar to it.
fn similar_until(sizes: &[u64], start: usize, policy: &MergePolicy) -> usize {
    let last = sizes.len().min(start + policy.max_runs as usize);
    (start + 1..last).find(|i| !policy.similar(sizes[*i], sizes[start])).unwrap_or(last)
}

fn size(run: &SortedRun) -> u64 {
    run.ssts.iter().map(|sst| sst.size).sum()
}

fn tables(runs: &[SortedRun]) -> impl Iterator<Item = &Arc<SstMeta>> {
    runs.iter().flat_map(|run| &run.ssts)
}

fn inputs_of(runs: &[SortedRun]) -> usize {
    count_inputs(tables(runs).collect())
}

fn count_inputs(tables: Vec<&Arc<SstMeta>>) -> usize {
    chains(tables, |sst| (&sst.min_key[..], &sst.max_key[..])).len()
}
