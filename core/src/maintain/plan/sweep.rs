//! Which tables, log entries and snapshots may be deleted, and what has to be remembered until then. Pure.
//!
//! The log is the truth: what an entry removed is marked when its slot is examined, whoever published it, so no mark can be
//! lost with the process that made the entry. What the log does not tell (an upload that was never published, a mark set that
//! was lost) is found by listing.

use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};

use super::sightings;
use crate::format::gc::{GcCheckpoint, Mark, PendingMarks, UnnamedSnapshot};
use crate::format::manifest::{Current, Effect, LogEntry, Op};
use crate::format::time::Timestamp;
use crate::manifest::State;
use crate::mutation::{Mutation, mutated};

/// The shortest wait before a log entry or a snapshot goes: above base age and request life together.
pub const SHORTEST_WAIT_MS: u64 = 3_600_000;
/// `change_retention_ms` where CURRENT does not say.
pub const DEFAULT_CHANGE_RETENTION_MS: u64 = 3_600_000;
/// Most orphans that are marked at once: the mark set is one document.
const MAX_ORPHANS: usize = 10_000;

/// What one run of garbage collection saw.
pub struct Seen<'a> {
    /// A time of the store that was read after everything below: it is no earlier than what was seen, and no later than now.
    pub now_ms: u64,
    /// CURRENT, with nothing decided and not covered behind it.
    pub current: &'a Current,
    /// Its state.
    pub state: &'a State,
    /// What the last look at the manifest had: it knows the tables that went since.
    pub before: &'a State,
    /// The mark set, as loaded before CURRENT was read.
    pub marks: &'a PendingMarks,
    /// The checkpoint, as loaded before CURRENT was read.
    pub checkpoint: &'a GcCheckpoint,
    /// Entries from the checkpoint's slot on, in slot order; gone ones are left out.
    pub entries: &'a [LogEntry],
    /// The slot behind the last examined one.
    pub examined_to: u64,
    /// Tables that a listing *before* CURRENT was read found, and that were written more than the orphan age ago.
    pub orphans: &'a [Listed],
    /// Ids of snapshots that a listing before CURRENT was read found, and that are older than that CURRENT. `None`: nobody
    /// listed.
    pub superseded_snapshots: Option<&'a [String]>,
}

/// An object of a listing, by the last part of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Id of the table.
    pub id: String,
    /// Its bytes.
    pub size: u64,
}

/// What a run does: first store `marks`, then `checkpoint`, then delete, then forget the marks of what is gone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SweepPlan {
    /// The mark set to store; the due ones are still in it.
    pub marks: PendingMarks,
    /// Marks that are new in it.
    pub marked: u64,
    /// Marks that went because their table is live.
    pub unmarked: u64,
    /// Tables to delete, the longest due first.
    pub due: Vec<Mark>,
    /// Tables that have to wait.
    pub held: Vec<Held>,
    /// The checkpoint to store.
    pub checkpoint: GcCheckpoint,
    /// Raise the feed's floor to this slot.
    pub floor: Option<u64>,
    /// Log entries below this slot may go.
    pub log_below: u64,
    /// Ids of snapshots that may go.
    pub snapshots: Vec<String>,
    /// How long a table waits at present, in milliseconds.
    pub wait_ms: u64,
}

/// A table that is not needed for the present state, and still has to stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Id of the table.
    pub id: String,
    /// Why it was marked.
    pub reason: String,
    /// What it waits for.
    pub waits_for: WaitsFor,
}

/// What a marked table waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitsFor {
    /// Views that may still read it; until this time, in Unix milliseconds.
    Views {
        /// When it is due.
        until_ms: u64,
    },
    /// The change feed: its floor has to rise above this slot.
    Feed {
        /// The slot that brought the table, or a later one.
        slot: u64,
    },
}

/// Plans a run. `grace_ms`: tables wait at least so long, whatever the view age.
pub fn plan(seen: &Seen<'_>, grace_ms: u64) -> SweepPlan {
    let mut checkpoint = seen.checkpoint.clone();
    let retention_ms = seen.current.change_retention_ms.unwrap_or(DEFAULT_CHANGE_RETENTION_MS);
    let between_ms = seen.entries.iter().filter_map(set_view_age).max();
    let note = |checkpoint: &mut GcCheckpoint, longest_wait_ms| {
        let sighting = sightings::sighting(seen.current, noted_ms(seen));
        sightings::note(&mut checkpoint.sightings, sighting, between_ms, longest_wait_ms);
    };
    // The wait depends on what was noted, and what must be kept of the notes depends on the wait.
    let mut trial = checkpoint.clone();
    note(&mut trial, u64::MAX >> 1);
    let view_age_ms = sightings::longest_view_age_ms(&trial.sightings, seen.now_ms);
    let wait_ms = view_age_ms.max(grace_ms);
    let log_wait_ms = view_age_ms.max(SHORTEST_WAIT_MS);
    note(&mut checkpoint, retention_ms.max(wait_ms).max(log_wait_ms));

    let mut plan = SweepPlan { wait_ms, ..SweepPlan::default() };
    plan.floor = floor(seen, &checkpoint, retention_ms);
    plan.log_below = sightings::before(&checkpoint.sightings, seen.now_ms, log_wait_ms)
        .map_or(0, |then| then.log_seq_start.min(then.feed_floor_seq.unwrap_or(0)).min(seen.examined_to));
    plan.log_below += u64::from(mutated(Mutation::TrimTakesOneMore));
    plan_snapshots(seen, &mut checkpoint, log_wait_ms, &mut plan);
    plan_tables(seen, &checkpoint, &mut plan);
    checkpoint.last_applied_seq = seen.examined_to;
    checkpoint.last_seen_log_seq_start = checkpoint.last_seen_log_seq_start.max(seen.current.log_seq_start);
    checkpoint.updated_at = Timestamp::from_unix_ms(seen.now_ms);
    plan.checkpoint = checkpoint;
    plan
}

/// When what was seen was seen, at the latest: stores date their objects in whole seconds, rounded down.
fn noted_ms(seen: &Seen<'_>) -> u64 {
    seen.now_ms.saturating_add(1_000)
}

fn set_view_age(entry: &LogEntry) -> Option<u64> {
    match entry.effects?.max_view_age_ms {
        Effect::Set(age_ms) => Some(age_ms),
        _ => None,
    }
}

/// Slots that were seen covered longer than the change retention ago.
fn floor(seen: &Seen<'_>, checkpoint: &GcCheckpoint, retention_ms: u64) -> Option<u64> {
    let present = seen.current.feed_floor_seq?;
    let covered = sightings::before(&checkpoint.sightings, seen.now_ms, retention_ms)?;
    let covered_to = if mutated(Mutation::FloorRisesTooSoon) { u64::MAX } else { covered.next_seq };
    let raised = covered_to.min(seen.current.next_slot());
    (raised > present).then_some(raised)
}

fn plan_snapshots(seen: &Seen<'_>, checkpoint: &mut GcCheckpoint, wait_ms: u64, plan: &mut SweepPlan) {
    let Some(found) = seen.superseded_snapshots else { return };
    let named = |id: &str| seen.current.snapshot.ends_with(&format!("{id}.manifest"));
    // One that was not found is gone.
    let noted = &mut checkpoint.unnamed_snapshots;
    noted.retain(|snapshot| found.contains(&snapshot.id) && !named(&snapshot.id));
    for id in found.iter().filter(|id| !named(id)) {
        if noted.iter().all(|snapshot| snapshot.id != *id) {
            let seen_at = Timestamp::from_unix_ms(noted_ms(seen));
            noted.push(UnnamedSnapshot { id: id.clone(), seen_at });
        }
    }
    let due = |snapshot: &&UnnamedSnapshot| is_due(snapshot.seen_at, wait_ms, seen.now_ms);
    plan.snapshots = noted.iter().filter(due).map(|snapshot| snapshot.id.clone()).collect();
}

fn is_due(since: Timestamp, wait_ms: u64, now_ms: u64) -> bool {
    due_ms(since, wait_ms) <= now_ms
}

fn due_ms(since: Timestamp, wait_ms: u64) -> u64 {
    u64::try_from(since.unix_ms()).unwrap_or(0).saturating_add(wait_ms)
}

fn plan_tables(seen: &Seen<'_>, checkpoint: &GcCheckpoint, plan: &mut SweepPlan) {
    let live: HashSet<&str> = seen.state.tables().map(|table| table.id.as_str()).collect();
    let mut marks: BTreeMap<String, Mark> = BTreeMap::new();
    for mark in &seen.marks.marks {
        if live.contains(mark.sst_id.as_str()) {
            plan.unmarked += 1;
        } else {
            marks.entry(mark.sst_id.clone()).or_insert_with(|| adopt(mark, seen));
        }
    }
    let known = Known::new(seen);
    for (slot, reason, id) in removals(seen.entries) {
        if !live.contains(id) {
            plan.marked += u64::from(upsert(&mut marks, id, slot, reason, seen, &known));
        }
    }
    let orphans = seen.orphans.iter().filter(|orphan| !live.contains(orphan.id.as_str()));
    let unknown: Vec<&Listed> =
        orphans.filter(|orphan| !marks.contains_key(&orphan.id)).take(MAX_ORPHANS).collect();
    for orphan in unknown {
        upsert(&mut marks, &orphan.id, seen.current.next_slot(), "orphan_scan", seen, &known);
        plan.marked += 1;
    }
    // What was unused before there were notes may have been in a view that nobody knows the age of.
    let begin_ms = sightings::begin_ms(&checkpoint.sightings).unwrap_or(seen.now_ms);
    let begin = Timestamp::from_unix_ms(begin_ms);
    for mark in marks.values() {
        match waits_for(mark, begin, seen, plan.wait_ms) {
            None => plan.due.push(mark.clone()),
            Some(waits_for) => {
                plan.held.push(Held {
                    id: mark.sst_id.clone(),
                    reason: mark.first_reason.clone(),
                    waits_for,
                });
            }
        }
    }
    plan.due.sort_by_key(|mark| mark.first_seen_unreferenced_at);
    plan.marks = PendingMarks { version: 1, marks: marks.into_values().collect() };
}

/// A mark that is not ours counts from when we see it: nothing vouches for the clock behind it, and it does not say which slot
/// brought the table, only one that came after.
fn adopt(mark: &Mark, seen: &Seen<'_>) -> Mark {
    let now = Timestamp::from_unix_ms(noted_ms(seen));
    let mut mark = mark.clone();
    mark.version = 1;
    if mark.add_seq.is_none() {
        let removed = match mark.first_seen_seq.max(mark.last_seen_seq) {
            0 => seen.current.next_slot(),
            slot => slot.min(seen.current.next_slot()),
        };
        mark.first_seen_unreferenced_at = now;
        mark.last_seen_unreferenced_at = now;
        mark.add_seq = Some(removed.saturating_sub(1));
    }
    // A time that has not come yet was noted by a clock that has been set back since.
    mark.first_seen_unreferenced_at = mark.first_seen_unreferenced_at.min(now);
    mark
}

/// The tables that entries remove: slot, reason, id. A table that a merge only moved is not removed.
fn removals(entries: &[LogEntry]) -> impl Iterator<Item = (u64, &'static str, &str)> {
    entries.iter().flat_map(|entry| {
        let (reason, ids, kept): (_, &[String], HashSet<&str>) = match &entry.op {
            Op::RemoveSstables(ids) => ("log_remove_sstable", ids, HashSet::new()),
            Op::Compaction(job) => {
                let added = job.added().map(|table| table.id.as_str()).collect();
                ("log_compaction_remove", &job.remove_sstable_ids, added)
            }
            _ => ("", &[], HashSet::new()),
        };
        ids.iter()
            .filter(move |id| !kept.contains(id.as_str()))
            .map(move |id| (entry.seq, reason, id.as_str()))
    })
}

/// What is known of tables that are gone from the state.
struct Known<'a> {
    /// Size and whether it names blobs.
    tables: HashMap<&'a str, (u64, bool)>,
    /// The slots that brought tables, as far as they were examined.
    added: HashMap<&'a str, u64>,
}

impl<'a> Known<'a> {
    fn new(seen: &'a Seen<'_>) -> Known<'a> {
        let mut known = Known { tables: HashMap::new(), added: HashMap::new() };
        let before = seen.before.tables();
        let entries = seen.entries.iter().flat_map(|entry| match &entry.op {
            Op::AddSstable(table) => std::slice::from_ref(table).iter().chain(&[]),
            Op::Compaction(job) => match &job.add_sorted_run {
                Some(run) => job.add_sstables.iter().chain(&run.ssts),
                None => job.add_sstables.iter().chain(&[]),
            },
            _ => [].iter().chain(&[]),
        });
        for table in before.chain(entries) {
            known.tables.insert(&table.id, (table.size, table.has_blob_refs));
        }
        for entry in seen.entries {
            if let Op::AddSstable(table) = &entry.op {
                known.added.insert(&table.id, entry.seq);
            }
        }
        known
    }
}

/// Marks a table; true if it was not marked before.
fn upsert(
    marks: &mut BTreeMap<String, Mark>,
    id: &str,
    slot: u64,
    reason: &str,
    seen: &Seen<'_>,
    known: &Known<'_>,
) -> bool {
    let now = Timestamp::from_unix_ms(noted_ms(seen));
    if let Some(mark) = marks.get_mut(id) {
        (mark.last_seen_unreferenced_at, mark.last_seen_seq) = (now, slot.max(mark.last_seen_seq));
        mark.last_reason = reason.to_owned();
        return false;
    }
    // A merge's output never was in the feed. Of a flush the slot may not be known any more, but the table was there when it was
    // removed.
    let add_seq = match known.added.get(id) {
        Some(slot) => *slot,
        None if is_merge_output(id) => 0,
        None => slot.saturating_sub(1),
    };
    let table = known.tables.get(id);
    let mark = Mark {
        version: 1,
        sst_id: id.to_owned(),
        first_seen_unreferenced_at: now,
        last_seen_unreferenced_at: now,
        first_seen_seq: slot,
        last_seen_seq: slot,
        first_reason: reason.to_owned(),
        last_reason: reason.to_owned(),
        has_blob_refs: table.is_some_and(|(_, blobs)| *blobs),
        due_at: Timestamp::ZERO,
        add_seq: Some(add_seq),
        size: table.map(|(size, _)| *size),
    };
    marks.insert(id.to_owned(), mark);
    true
}

/// By the form of its id, `<epoch>-0-0-<unix_nanos>-<NNNN>.sst`: a flush has its sequence numbers there, and these begin at 1.
fn is_merge_output(id: &str) -> bool {
    let Some(name) = id.strip_suffix(".sst") else { return false };
    let parts: Vec<&str> = name.split('-').collect();
    let digits = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    matches!(parts.as_slice(), [_, "0", "0", _, _]) && parts.iter().all(digits)
}

fn waits_for(mark: &Mark, begin: Timestamp, seen: &Seen<'_>, wait_ms: u64) -> Option<WaitsFor> {
    let since = mark.first_seen_unreferenced_at.max(begin);
    let until_ms = due_ms(since, wait_ms).max(due_ms(mark.due_at, 0));
    if until_ms > seen.now_ms && !mutated(Mutation::CollectWithoutGrace) {
        return Some(WaitsFor::Views { until_ms });
    }
    let slot = mark.add_seq.unwrap_or(0);
    let floor = seen.current.feed_floor_seq?;
    (slot >= floor && !mutated(Mutation::CollectBeforeFloor)).then_some(WaitsFor::Feed { slot })
}
