//! The planners of garbage collection by tables of cases: nothing here sends a request.

mod blobs;
mod history;
mod marks;
mod storage;

use std::sync::Arc;

use crate::format::gc::{GcCheckpoint, Mark, PendingMarks, Sighting};
use crate::format::ksuid::Ksuid;
use crate::format::manifest::{Compaction, Current, Effect, Effects, LogEntry, Op, Role, SortedRun, SstMeta};
use crate::format::time::Timestamp;
use crate::maintain::plan::sweep::{self, Listed, Seen, SweepPlan};
use crate::manifest::State;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const NOW_MS: u64 = 1_800_000_000_000;
/// Stores date in whole seconds, so what is noted is noted a second late.
const NOTED_MS: u64 = NOW_MS + 1_000;
const GRACE_MS: u64 = 10 * MINUTE_MS;

fn at(ms: u64) -> Timestamp {
    Timestamp::from_unix_ms(ms)
}

fn table(id: &str) -> Arc<SstMeta> {
    Arc::new(SstMeta { id: id.to_owned(), size: 100, ..SstMeta::default() })
}

fn state(live: &[&str]) -> State {
    State { l0: live.iter().map(|id| table(id)).collect(), ..State::default() }
}

fn entry(seq: u64, op: Op) -> LogEntry {
    let (id, ts) = (Ksuid::default(), Timestamp::ZERO);
    LogEntry { id, seq, role: Role::Maintenance, epoch: 1, ts, op, effects: None }
}

fn adds(seq: u64, id: &str) -> LogEntry {
    entry(seq, Op::AddSstable(table(id)))
}

fn removes(seq: u64, ids: &[&str]) -> LogEntry {
    entry(seq, Op::RemoveSstables(ids.iter().map(|id| (*id).to_owned()).collect()))
}

fn merges(seq: u64, inputs: &[&str], outputs: &[&str]) -> LogEntry {
    let run = SortedRun { id: 0, ssts: outputs.iter().map(|id| table(id)).collect() };
    entry(
        seq,
        Op::Compaction(Compaction {
            remove_sstable_ids: inputs.iter().map(|id| (*id).to_owned()).collect(),
            add_sorted_run: Some(run),
            ..Compaction::default()
        }),
    )
}

fn sets_view_age(seq: u64, max_view_age_ms: u64) -> LogEntry {
    let effects = Effects { max_view_age_ms: Effect::Set(max_view_age_ms), ..Effects::default() };
    LogEntry { effects: Some(effects), ..removes(seq, &[]) }
}

/// A mark of ours, first seen so long ago.
fn mark(id: &str, age_ms: u64, add_seq: u64) -> Mark {
    Mark {
        version: 1,
        sst_id: id.to_owned(),
        first_seen_unreferenced_at: at(NOW_MS - age_ms),
        last_seen_unreferenced_at: at(NOW_MS - age_ms),
        first_seen_seq: add_seq + 1,
        last_seen_seq: add_seq + 1,
        first_reason: "log_compaction_remove".to_owned(),
        last_reason: "log_compaction_remove".to_owned(),
        add_seq: Some(add_seq),
        size: Some(100),
        ..Mark::default()
    }
}

fn sighting(age_ms: u64, next_seq: u64, log_seq_start: u64, floor: u64) -> Sighting {
    Sighting {
        seen_at: at(NOW_MS - age_ms),
        next_seq,
        log_seq_start,
        feed_floor_seq: Some(floor),
        max_view_age_ms: Some(HOUR_MS),
    }
}

/// What a run saw, with room to change one thing a test.
struct Look {
    current: Current,
    state: State,
    before: State,
    marks: PendingMarks,
    checkpoint: GcCheckpoint,
    entries: Vec<LogEntry>,
    orphans: Vec<Listed>,
    superseded: Option<Vec<String>>,
}

impl Look {
    /// A database of 20 slots whose window begins at 10, whose floor is 5, and that was watched for a day.
    fn new() -> Look {
        let current = Current {
            log_seq_start: 10,
            next_seq: 20,
            feed_floor_seq: Some(5),
            max_view_age_ms: Some(HOUR_MS),
            change_retention_ms: Some(HOUR_MS),
            ..Current::default()
        };
        let checkpoint = GcCheckpoint {
            last_applied_seq: 20,
            sightings: vec![sighting(24 * HOUR_MS, 5, 3, 3), sighting(MINUTE_MS, 20, 10, 5)],
            ..GcCheckpoint::default()
        };
        Look {
            current,
            state: state(&["live.sst"]),
            before: state(&[]),
            marks: PendingMarks::default(),
            checkpoint,
            entries: Vec::new(),
            orphans: Vec::new(),
            superseded: None,
        }
    }

    fn marked(marks: Vec<Mark>) -> Look {
        Look { marks: PendingMarks { version: 1, marks }, ..Look::new() }
    }

    fn plan(&self) -> SweepPlan {
        self.plan_at(NOW_MS)
    }

    fn plan_at(&self, now_ms: u64) -> SweepPlan {
        let seen = Seen {
            now_ms,
            current: &self.current,
            state: &self.state,
            before: &self.before,
            marks: &self.marks,
            checkpoint: &self.checkpoint,
            entries: &self.entries,
            examined_to: self.current.next_slot(),
            orphans: &self.orphans,
            superseded_snapshots: self.superseded.as_deref(),
        };
        sweep::plan(&seen, GRACE_MS)
    }

    /// The next run, with what this one stored.
    fn goes_on(&mut self, plan: SweepPlan) {
        self.marks = plan.marks;
        self.checkpoint = plan.checkpoint;
        self.entries.clear();
    }
}

fn due(plan: &SweepPlan) -> Vec<&str> {
    plan.due.iter().map(|mark| mark.sst_id.as_str()).collect()
}
