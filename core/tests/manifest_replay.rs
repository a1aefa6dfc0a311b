//! Which entries count: the outcomes that the original's rule gives, and that going on from an earlier state gives the same.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop where it fails")]

use std::sync::Arc;

use isledb_core::format::ksuid::Ksuid;
use isledb_core::format::manifest::{
    Compaction, Current, FenceToken, LogEntry, Op, Role, SortedRun, SstMeta,
};
use isledb_core::format::time::Timestamp;
use isledb_core::manifest::{Replay, State};
use proptest::prelude::*;

fn table(id: &str) -> Arc<SstMeta> {
    Arc::new(SstMeta { id: id.to_owned(), size: 1, ..SstMeta::default() })
}

fn entry(seq: u64, role: Role, epoch: u64, op: Op) -> LogEntry {
    LogEntry { id: Ksuid::default(), seq, role, epoch, ts: Timestamp::ZERO, op, effects: None }
}

fn claim(seq: u64, epoch: u64) -> LogEntry {
    let op = Op::FenceClaim { role: Role::Writer, epoch, owner: "w".into(), claimed_at: Timestamp::ZERO };
    entry(seq, Role::Writer, epoch, op)
}

fn add(seq: u64, epoch: u64, id: &str) -> LogEntry {
    entry(seq, Role::Writer, epoch, Op::AddSstable(table(id)))
}

fn fence(epoch: u64) -> Option<FenceToken> {
    Some(FenceToken { epoch, owner: "w".into(), claimed_at: Timestamp::ZERO })
}

/// CURRENT over the slots from 1 on.
fn current(entries: &[LogEntry], writer: u64) -> Current {
    let next_seq = entries.last().map_or(1, |entry| entry.seq + 1);
    Current { log_seq_start: 1, next_seq, writer_fence: fence(writer), ..Current::default() }
}

fn visible(state: &State) -> Vec<&str> {
    state.tables().map(|sst| sst.id.as_str()).collect()
}

fn replayed(entries: &[LogEntry], writer: u64) -> Replay {
    Replay::full(&current(entries, writer), None, entries).unwrap()
}

#[test]
fn a_fence_without_its_claim_entry_leaves_the_past_alone() {
    let replay = replayed(&[claim(1, 1), add(2, 1, "a")], 2);
    assert_eq!(visible(&replay.state), ["a"]);
    assert_eq!(replay.state.next_epoch, 2);
}

#[test]
fn an_entry_of_a_fence_without_its_claim_entry_hides_the_past() {
    let entries = [claim(1, 1), add(2, 1, "a"), add(3, 2, "b")];
    assert_eq!(visible(&replayed(&entries, 2).state), ["b"]);
    let before = replayed(&entries[..2], 2);
    assert_eq!(before.extend(&current(&entries, 2), &entries[2..]).unwrap(), None);
}

#[test]
fn an_orphan_that_a_later_claim_swept_in_counts() {
    let replay = replayed(&[claim(1, 1), add(2, 1, "a"), add(3, 1, "b"), claim(4, 2)], 2);
    assert_eq!(visible(&replay.state), ["b", "a"]);
}

#[test]
fn an_entry_of_a_fenced_author_does_not_count() {
    let entries = [claim(1, 1), add(2, 1, "a"), claim(3, 2), add(4, 1, "x")];
    let replay = replayed(&entries, 2);
    assert_eq!(visible(&replay.state), ["a"]);
    assert_eq!((replay.active(Role::Writer), replay.covered_next(), replay.state.log_seq), (2, 5, 4));
}

#[test]
fn a_window_without_any_claim_goes_by_the_fence_of_current() {
    let entries = [add(1, 1, "a"), add(2, 2, "b")];
    assert_eq!(visible(&replayed(&entries, 2).state), ["b"]);
    assert!(!replayed(&entries, 2).window_has_claim(Role::Writer));
    // A claim that comes later brings back what the fence hid.
    let entries = [add(1, 1, "a"), add(2, 2, "b"), claim(3, 2)];
    let before = replayed(&entries[..2], 2);
    assert_eq!(before.extend(&current(&entries, 2), &entries[2..]).unwrap(), None);
    assert_eq!(visible(&replayed(&entries, 2).state), ["b", "a"]);
}

#[test]
fn entries_of_old_without_role_and_epoch_count_until_the_first_claim() {
    let entries = [add(1, 0, "a"), claim(2, 1), add(3, 0, "b")];
    assert_eq!(visible(&replayed(&entries, 1).state), ["a"]);
}

#[test]
fn the_first_claim_extends_the_empty_database() {
    let empty = Replay::full(&Current::default(), None, &[]).unwrap();
    let entries = [claim(1, 1)];
    let extended = empty.extend(&current(&entries, 1), &entries).unwrap().unwrap();
    assert_eq!(extended.state, replayed(&entries, 1).state);
    assert!(extended.window_has_claim(Role::Writer));
}

#[test]
fn a_new_snapshot_needs_no_full_replay_and_a_gap_does() {
    let entries = [claim(1, 1), add(2, 1, "a"), add(3, 1, "b"), add(4, 1, "c")];
    let lagging = replayed(&entries[..2], 1);
    let mut after = current(&entries, 1);
    after.log_seq_start = 3;
    let extended = lagging.extend(&after, &entries[2..]).unwrap().unwrap();
    let full = Replay::full(&after, Some(lagging.state.to_snapshot()), &entries[2..]).unwrap();
    assert_eq!(extended.state, full.state);
    assert!(!extended.window_has_claim(Role::Writer));
    after.log_seq_start = 4;
    assert_eq!(lagging.extend(&after, &entries[3..]).unwrap(), None);
}

#[test]
fn a_full_replay_wants_exactly_the_window() {
    let entries = [claim(1, 1), add(2, 1, "a")];
    let all = current(&entries, 1);
    assert!(Replay::full(&all, None, &entries[..1]).is_err());
    assert!(Replay::full(&all, None, &[claim(1, 1), add(3, 1, "a")]).is_err());
    assert_eq!(replayed(&entries[..1], 1).extend(&all, &[add(3, 1, "a")]).unwrap(), None);
}

#[test]
fn apply_follows_the_original() {
    let mut state = State::default();
    state.apply(&add(1, 1, "a"));
    state.apply(&add(2, 1, "b"));
    let run = |id, names: &[&str]| SortedRun { id, ssts: names.iter().map(|name| table(name)).collect() };
    let compaction = |removed: &[&str], runs: &[u32], added: Option<SortedRun>| {
        Op::Compaction(Compaction {
            remove_sstable_ids: removed.iter().map(|id| id.to_string()).collect(),
            remove_sorted_run_ids: runs.to_vec(),
            add_sstables: Vec::new(),
            add_sorted_run: added,
        })
    };
    // Inputs that are not there are ignored, and the new run's id moves the counter.
    let op = compaction(&["a", "b", "gone"], &[9], Some(run(4, &["c", "d"])));
    state.apply(&entry(3, Role::Maintenance, 1, op));
    assert_eq!(visible(&state), ["c", "d"]);
    assert_eq!((state.next_sorted_run_id, state.log_seq), (5, 3));
    // A table of another level is a run of its own, at the front.
    let mut high = (*table("e")).clone();
    (high.level, high.epoch) = (1, 41);
    state.apply(&entry(4, Role::Writer, 1, Op::AddSstable(Arc::new(high))));
    assert_eq!(visible(&state), ["e", "c", "d"]);
    assert_eq!((state.runs[0].id, state.next_sorted_run_id, state.next_epoch), (5, 6, 42));
    // A run that loses its last table goes; an unknown operation only takes its slot.
    state.apply(&entry(5, Role::Maintenance, 1, Op::RemoveSstables(vec!["e".into(), "c".into()])));
    state.apply(&entry(6, Role::Writer, 1, Op::Unknown("later".into())));
    assert_eq!((visible(&state), state.runs.len(), state.log_seq), (vec!["d"], 1, 6));
    // A checkpoint is the state itself.
    let mut checkpoint = State { log_seq: 2, next_epoch: 7, ..State::default() }.to_snapshot();
    checkpoint.l0.push(table("z"));
    state.apply(&entry(7, Role::Writer, 1, Op::Checkpoint(Box::new(checkpoint))));
    assert_eq!((visible(&state), state.next_epoch, state.log_seq), (vec!["z"], 7, 7));
}

proptest! {
    /// Whatever claims, fences and stale entries there are: where going on is allowed, it gives what a full replay gives.
    #[test]
    fn extend_gives_what_full_gives(
        steps in proptest::collection::vec((0_u8..4, 1_u64..4, 0_u64..4, any::<bool>()), 1..12),
        cuts in proptest::collection::vec(0_usize..12, 0..4),
    ) {
        let mut entries: Vec<LogEntry> = Vec::new();
        let mut known = Replay::full(&Current::default(), None, &[]).unwrap();
        let (mut start, mut snapshot) = (1_u64, None);
        for (i, (kind, epoch, fenced, snapshot_now)) in steps.into_iter().enumerate() {
            let slot = i as u64 + 1;
            entries.push(match kind {
                0 => claim(slot, epoch),
                _ => add(slot, epoch, &slot.to_string()),
            });
            let mut now = current(&entries, fenced);
            now.log_seq_start = start;
            let full = Replay::full(&now, snapshot.clone(), &entries[start as usize - 1..]).unwrap();
            if !cuts.contains(&i) {
                let from = known.covered_next().max(1) as usize - 1;
                known = match known.extend(&now, &entries[from..]).unwrap() {
                    Some(extended) => {
                        prop_assert_eq!(&extended.state, &full.state);
                        for role in Role::ALL {
                            prop_assert_eq!(extended.active(role), full.active(role));
                        }
                        prop_assert_eq!(extended.window_has_claim(Role::Writer), full.window_has_claim(Role::Writer));
                        extended
                    }
                    None => full.clone(),
                };
            }
            if snapshot_now {
                snapshot = Some(full.state.to_snapshot());
                start = slot + 1;
            }
        }
    }
}
