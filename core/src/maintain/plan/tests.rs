//! Planner tables.

use std::sync::Arc;

use super::debt::debt;
use super::merge::{Job, JobKind, MergePolicy, Turn, plan, plan_full};
use crate::format::manifest::{Compaction, LogEntry, Op, Role, SortedRun, SstMeta};
use crate::manifest::State;

const MIB: u64 = 1 << 20;

/// A table of the keys `first..=last` that is worth no rewriting for its own sake.
fn table(id: &str, keys: (&str, &str), size: u64) -> Arc<SstMeta> {
    Arc::new(SstMeta {
        id: id.to_owned(),
        min_key: keys.0.to_owned().into(),
        max_key: keys.1.to_owned().into(),
        size,
        entry_count: Some(1),
        delete_count: Some(0),
        level: 1,
        ..SstMeta::default()
    })
}

/// Runs of one table each, front first; the id of the last one is 0.
fn runs(tables: &[((&str, &str), u64)]) -> State {
    let count = tables.len() as u32;
    let run = |(i, (keys, size)): (usize, &((&str, &str), u64))| {
        let id = count - 1 - i as u32;
        SortedRun { id, ssts: vec![table(&format!("r{id}"), *keys, *size)] }
    };
    let runs = tables.iter().enumerate().map(run).collect();
    State { runs, next_sorted_run_id: count, ..State::default() }
}

fn with_l0(mut state: State, count: usize) -> State {
    let level0 =
        |i: usize| Arc::new(SstMeta { level: 0, ..(*table(&format!("f{i}"), ("a", "z"), MIB)).clone() });
    state.l0 = (0..count).rev().map(level0).collect();
    state
}

fn planned(state: &State) -> Option<Job> {
    plan(state, &MergePolicy::default(), &Turn::default())
}

fn ids(tables: &[Arc<SstMeta>]) -> Vec<&str> {
    tables.iter().map(|sst| sst.id.as_str()).collect()
}

/// Applies a job as replay does, with one table for what it writes.
fn apply(state: &mut State, job: &Job, written: Option<Arc<SstMeta>>) {
    let run = SortedRun {
        id: state.next_sorted_run_id,
        ssts: written.into_iter().chain(job.moved.clone()).collect(),
    };
    let compaction = Compaction {
        remove_sstable_ids: job.inputs.iter().map(|sst| sst.id.clone()).collect(),
        remove_sorted_run_ids: job.runs.clone(),
        add_sorted_run: Some(run),
        ..Compaction::default()
    };
    let op = Op::Compaction(compaction);
    state.apply(&LogEntry {
        id: crate::format::ksuid::Ksuid::default(),
        seq: state.log_seq + 1,
        role: Role::Maintenance,
        epoch: 1,
        ts: crate::format::time::Timestamp::ZERO,
        op,
        effects: None,
    });
}

#[test]
fn level_0_is_merged_at_eight_tables_and_not_before() {
    assert_eq!(planned(&with_l0(State::default(), 7)), None);
    let job = planned(&with_l0(State::default(), 8)).unwrap();
    assert_eq!(job.kind, JobKind::Level0);
    assert_eq!(
        ids(&job.inputs),
        ["f7", "f6", "f5", "f4", "f3", "f2", "f1", "f0"],
        "all, in the order of the state"
    );
    assert!(job.moved.is_empty() && job.runs.is_empty());
}

#[test]
fn with_too_many_overlapping_tables_in_level_0_the_oldest_come_first() {
    let state = with_l0(State::default(), 100);
    let job = planned(&state).unwrap();
    assert_eq!(job.inputs.len(), 32);
    assert_eq!((ids(&job.inputs)[0], ids(&job.inputs)[31]), ("f31", "f0"));
    let ascending: Vec<_> = (10..99).map(|i| i.to_string()).collect();
    let l0 = ascending.iter().map(|key| table(key, (key, key), MIB)).collect();
    let job = planned(&State { l0, ..State::default() }).unwrap();
    assert_eq!(job.inputs.len(), 89, "tables that do not overlap are one input");
}

#[test]
fn runs_of_similar_size_are_merged_four_to_eight_at_a_time() {
    let of = |sizes: &[u64]| runs(&sizes.iter().map(|size| (("a", "z"), *size)).collect::<Vec<_>>());
    let merged = |sizes: &[u64]| planned(&of(sizes)).map(|job| job.runs);
    assert_eq!(merged(&[1, 1, 1]), None);
    assert_eq!(merged(&[1, 1, 1, 1]), Some(vec![3, 2, 1, 0]));
    assert_eq!(merged(&[1, 4, 4, 1]), Some(vec![3, 2, 1, 0]), "a ratio of 4 is similar, to the first one");
    assert_eq!(merged(&[1, 5, 1, 1]), None);
    assert_eq!(merged(&[1; 10]), Some(vec![9, 8, 7, 6, 5, 4, 3, 2]), "eight, from the front");
    assert_eq!(merged(&[1, 1, 1, 1, 100, 100, 100]), Some(vec![6, 5, 4, 3]));
}

/// Format document, B.5: the original merges 3, 2, 1, 0, and its result covers the newer run 4.
#[test]
fn a_group_behind_a_newer_run_takes_that_one_along() {
    let overlapping = (("a", "z"), 100);
    let state = runs(&[(("m", "n"), 1), overlapping, overlapping, overlapping, overlapping]);
    let job = planned(&state).unwrap();
    assert_eq!(job.runs, [4, 3, 2, 1, 0]);
}

#[test]
fn a_group_behind_a_newer_run_of_other_keys_is_merged_alone() {
    let old = (("a", "l"), 100);
    let mut state = runs(&[(("m", "n"), 1), old, old, old, old]);
    let job = planned(&state).unwrap();
    assert_eq!(job.runs, [3, 2, 1, 0]);
    apply(&mut state, &job, Some(table("merged", ("a", "l"), 400)));
    let order: Vec<_> = state.runs.iter().map(|run| run.id).collect();
    assert_eq!(order, [5, 4], "in front of the newer run, whose keys it does not have");
}

#[test]
fn large_newer_runs_in_front_are_not_rewritten_for_a_small_group() {
    let small = (("a", "z"), 10);
    assert_eq!(planned(&runs(&[(("m", "n"), 1000), small, small, small, small])), None);
}

#[test]
fn too_many_runs_are_merged_whatever_their_sizes() {
    let sizes: Vec<_> = (0..33).map(|i| (("a", "z"), if i % 2 == 0 { 1 } else { 100 })).collect();
    assert_eq!(planned(&runs(&sizes[1..])), None);
    let job = planned(&runs(&sizes)).unwrap();
    assert_eq!(job.runs, [32, 31, 30, 29, 28, 27, 26, 25]);
}

#[test]
fn tables_of_runs_that_overlap_nothing_move() {
    let wide = 64 * MIB;
    let mut state =
        runs(&[(("a", "c"), wide), (("b", "d"), wide), (("e", "f"), wide), (("g", "h"), MIB * 20)]);
    let job = planned(&state).unwrap();
    assert_eq!(ids(&job.moved), ["r1"], "r0 is too small to stay as it is");
    assert_eq!(ids(&job.inputs), ["r3", "r2", "r0"]);
    apply(&mut state, &job, Some(table("w", ("a", "d"), wide)));
    assert_eq!(state.runs.len(), 1);
    assert_eq!(ids(&state.runs[0].ssts), ["w", "r1"]);

    let rewritten = Turn { rewrite_all: true, ..Turn::default() };
    let state = runs(&[(("a", "b"), wide), (("c", "d"), wide), (("e", "f"), wide), (("g", "h"), wide)]);
    let all = plan(&state, &MergePolicy::default(), &rewritten).unwrap();
    assert_eq!(all.inputs.len(), 4);
    assert!(planned(&state).unwrap().inputs.is_empty());
}

#[test]
fn tables_with_something_to_drop_do_not_move() {
    let wide = 64 * MIB;
    let shape = [(("a", "b"), wide), (("c", "d"), wide), (("e", "f"), wide), (("g", "h"), wide)];
    let with = |change: fn(&mut SstMeta), behind: bool| {
        let mut all = shape.to_vec();
        if behind {
            all.push((("a", "z"), 100 * wide));
        }
        let mut state = runs(&all);
        change(Arc::make_mut(&mut state.runs[0].ssts[0]));
        planned(&state).unwrap().inputs.len()
    };
    assert_eq!(with(|_| {}, false), 0);
    assert_eq!(with(|sst| sst.delete_count = Some(1), false), 1);
    assert_eq!(with(|sst| sst.delete_count = Some(1), true), 0, "its deletes stay needed");
    assert_eq!(with(|sst| sst.min_expire_at = Some(1), false), 0, "later");
    assert_eq!(with(|sst| sst.min_expire_at = Some(0), true), 1);
    assert_eq!(with(|sst| (sst.entry_count, sst.delete_count) = (None, None), true), 1, "the original's");
}

#[test]
fn neither_level_0_nor_the_runs_starve() {
    let policy = MergePolicy::default();
    let mut state = State::default();
    let (mut after_level0, mut flushed, mut most_l0, mut most_runs) = (false, 0, 0, 0);
    let mut kinds = Vec::new();
    // Eight flushes come in during every merge: level 0 is always due.
    for _ in 0..400 {
        for _ in 0..8 {
            flushed += 1;
            let flush = SstMeta { level: 0, ..(*table(&format!("f{flushed}"), ("a", "z"), MIB)).clone() };
            state.l0.insert(0, Arc::new(flush));
        }
        most_l0 = most_l0.max(state.l0.len());
        let turn = Turn { after_level0, ..Turn::default() };
        let job = plan(&state, &policy, &turn).unwrap();
        kinds.push(job.kind);
        after_level0 = job.kind == JobKind::Level0;
        let size = job.bytes();
        let id = format!("m{}", state.next_sorted_run_id);
        apply(&mut state, &job, Some(table(&id, ("a", "z"), size)));
        most_runs = most_runs.max(state.runs.len());
    }
    assert!(
        kinds.windows(2).all(|two| two != [JobKind::Runs, JobKind::Runs]),
        "level 0 waits for one merge at most"
    );
    assert!(most_l0 <= 16, "{most_l0}");
    assert!(most_runs <= 24, "{most_runs} for {flushed} flushes");
}

#[test]
fn a_full_merge_comes_to_one_run_and_then_to_an_end() {
    let policy = MergePolicy::default();
    let mut state = with_l0(runs(&[(("a", "c"), MIB), (("b", "d"), MIB)]), 3);
    let job = plan_full(&state, &policy, &Turn::default()).unwrap();
    assert_eq!((job.kind, job.inputs.len(), &job.runs[..]), (JobKind::Full, 5, &[1, 0][..]));
    apply(&mut state, &job, Some(table("w", ("a", "z"), 5 * MIB)));
    assert_eq!(state.l0.len() + state.runs.len(), 1);
    assert_eq!(plan_full(&state, &policy, &Turn::default()), None);
    Arc::make_mut(&mut state.runs[0].ssts[0]).delete_count = Some(1);
    assert!(plan_full(&state, &policy, &Turn::default()).is_some(), "deletes in the last run hide nothing");
    assert_eq!(plan_full(&State::default(), &policy, &Turn::default()), None);
}

#[test]
fn debt_counts_what_follows() {
    let policy = MergePolicy::default();
    let idle = debt(&with_l0(State::default(), 7), &policy, &Turn::default());
    assert_eq!((idle.jobs, idle.bytes, idle.l0_tables), (0, 0, 7));
    let size = (("a", "z"), 8 * MIB);
    let due = debt(&with_l0(runs(&[size, size, size]), 8), &policy, &Turn::default());
    assert_eq!(
        (due.jobs, due.tables, due.bytes),
        (2, 8 + 4, 8 * MIB + 4 * 8 * MIB),
        "level 0, then four runs"
    );
    assert_eq!((due.l0_tables, due.runs), (8, 3));
}
