//! Tables: marked, held, due.

use super::*;
use crate::maintain::plan::sweep::WaitsFor;

#[test]
fn what_an_entry_removes_is_marked_with_what_is_known_of_it() {
    let look = Look {
        before: state(&["known.sst"]),
        entries: vec![
            adds(15, "flushed.sst"),
            merges(16, &["flushed.sst", "known.sst"], &["2-0-0-77-0001.sst"]),
            merges(17, &["2-0-0-77-0001.sst"], &["2-0-0-78-0001.sst"]),
            removes(18, &["unknown.sst"]),
        ],
        state: state(&["live.sst", "2-0-0-78-0001.sst"]),
        ..Look::new()
    };
    let plan = look.plan();
    assert_eq!((plan.marked, plan.unmarked, due(&plan)), (4, 0, vec![]));
    let marked: Vec<_> = plan
        .marks
        .marks
        .iter()
        .map(|m| (m.sst_id.as_str(), m.first_seen_seq, m.first_reason.as_str(), m.add_seq, m.size))
        .collect();
    assert_eq!(
        marked,
        [
            // A merge's output never was in the feed.
            ("2-0-0-77-0001.sst", 17, "log_compaction_remove", Some(0), Some(100)),
            // The slot is known, or else one that came later.
            ("flushed.sst", 16, "log_compaction_remove", Some(15), Some(100)),
            ("known.sst", 16, "log_compaction_remove", Some(15), Some(100)),
            ("unknown.sst", 18, "log_remove_sstable", Some(17), None),
        ]
    );
    assert!(
        plan.marks.marks.iter().all(|m| m.first_seen_unreferenced_at == at(NOTED_MS) && m.due_at.is_zero())
    );
    assert_eq!(plan.checkpoint.last_applied_seq, 20);
}

#[test]
fn a_table_that_only_moved_is_not_marked() {
    let look = Look {
        entries: vec![merges(16, &["live.sst", "gone.sst"], &["live.sst"])],
        state: state(&["live.sst"]),
        ..Look::new()
    };
    assert_eq!(look.plan().marked, 1);
    // Nor where it went later, by another entry: then that one counts.
    let look = Look {
        entries: vec![merges(16, &["moved.sst"], &["moved.sst"]), removes(19, &["moved.sst"])],
        ..Look::new()
    };
    let plan = look.plan();
    assert_eq!((plan.marked, plan.marks.marks[0].first_seen_seq), (1, 19));
}

#[test]
fn a_second_sighting_moves_only_the_last_one() {
    let look =
        Look { entries: vec![removes(18, &["a.sst"])], ..Look::marked(vec![mark("a.sst", HOUR_MS / 2, 3)]) };
    let plan = look.plan();
    let [mark] = plan.marks.marks.as_slice() else { panic!("{plan:?}") };
    assert_eq!((plan.marked, mark.first_seen_seq, mark.last_seen_seq), (0, 4, 18));
    assert_eq!(
        (mark.first_reason.as_str(), mark.last_reason.as_str()),
        ("log_compaction_remove", "log_remove_sstable")
    );
    assert_eq!(mark.first_seen_unreferenced_at, at(NOW_MS - HOUR_MS / 2));
    assert_eq!(mark.last_seen_unreferenced_at, at(NOTED_MS));
}

#[test]
fn a_live_table_loses_its_mark() {
    let plan = Look::marked(vec![mark("live.sst", 9 * HOUR_MS, 1)]).plan();
    assert_eq!((plan.unmarked, plan.marks.marks.len(), due(&plan)), (1, 0, vec![]));
}

#[test]
fn a_table_is_due_after_its_wait_and_below_the_floor() {
    for (age_ms, add_seq, expected) in [
        (HOUR_MS, 4, None),
        (HOUR_MS - 1, 4, Some(WaitsFor::Views { until_ms: NOW_MS + 1 })),
        (HOUR_MS, 5, Some(WaitsFor::Feed { slot: 5 })),
        (9 * HOUR_MS, 19, Some(WaitsFor::Feed { slot: 19 })),
        (9 * HOUR_MS, 0, None),
    ] {
        let plan = Look::marked(vec![mark("a.sst", age_ms, add_seq)]).plan();
        let held: Vec<_> = plan.held.iter().map(|held| held.waits_for).collect();
        assert_eq!(held, expected.into_iter().collect::<Vec<_>>(), "{age_ms} {add_seq}");
        assert_eq!(due(&plan).len(), usize::from(expected.is_none()));
        assert_eq!(plan.marks.marks.len(), 1, "the mark stays until the table is gone");
    }
}

#[test]
fn without_a_floor_the_feed_protects_nothing() {
    let mut look = Look::marked(vec![mark("a.sst", HOUR_MS, 19)]);
    look.current.feed_floor_seq = None;
    assert_eq!(due(&look.plan()), ["a.sst"]);
}

#[test]
fn the_grace_counts_where_views_are_short() {
    let mut look = Look::marked(vec![mark("a.sst", GRACE_MS - 1, 1), mark("b.sst", GRACE_MS, 1)]);
    look.current.max_view_age_ms = Some(1_000);
    look.checkpoint.sightings.iter_mut().for_each(|seen| seen.max_view_age_ms = Some(1_000));
    let plan = look.plan();
    assert_eq!((due(&plan), plan.wait_ms), (vec!["b.sst"], GRACE_MS));
}

#[test]
fn a_due_time_of_somebody_else_is_kept_where_it_is_later() {
    let later = Mark { due_at: at(NOW_MS + 1), ..mark("a.sst", 9 * HOUR_MS, 1) };
    let earlier = Mark { due_at: at(1), ..mark("b.sst", MINUTE_MS, 1) };
    let plan = Look::marked(vec![later, earlier]).plan();
    assert_eq!(due(&plan), [""; 0]);
    assert_eq!(plan.held[0].waits_for, WaitsFor::Views { until_ms: NOW_MS + 1 });
    assert_eq!(plan.held[1].waits_for, WaitsFor::Views { until_ms: NOW_MS + 59 * MINUTE_MS });
}

#[test]
fn a_mark_of_the_original_counts_from_when_we_see_it() {
    let theirs = Mark { add_seq: None, size: None, ..mark("a.sst", 900 * HOUR_MS, 6) };
    let orphan =
        Mark { first_seen_seq: 0, last_seen_seq: 0, ..Mark { sst_id: "b.sst".into(), ..theirs.clone() } };
    let mut look = Look::marked(vec![theirs, orphan]);
    let plan = look.plan();
    assert_eq!(due(&plan), [""; 0]);
    let adopted: Vec<_> =
        plan.marks.marks.iter().map(|m| (m.first_seen_unreferenced_at, m.add_seq)).collect();
    assert_eq!(adopted, [(at(NOTED_MS), Some(6)), (at(NOTED_MS), Some(19))]);
    assert_eq!(plan.marks.marks[0].first_reason, "log_compaction_remove");
    look.goes_on(plan);
    look.current.feed_floor_seq = Some(7);
    assert_eq!(due(&look.plan_at(NOTED_MS + HOUR_MS - 1)), [""; 0]);
    assert_eq!(due(&look.plan_at(NOTED_MS + HOUR_MS)), ["a.sst"], "the other one was there until slot 19");
}

#[test]
fn a_time_that_has_not_come_yet_is_not_waited_for() {
    let mut ahead = mark("a.sst", 0, 1);
    ahead.first_seen_unreferenced_at = at(NOW_MS + 900 * HOUR_MS);
    let plan = Look::marked(vec![ahead]).plan();
    assert_eq!(plan.marks.marks[0].first_seen_unreferenced_at, at(NOTED_MS));
}

#[test]
fn without_notes_nothing_is_due_before_a_whole_wait() {
    let mut look = Look::marked(vec![mark("a.sst", 900 * HOUR_MS, 1)]);
    look.checkpoint.sightings.clear();
    let plan = look.plan();
    assert_eq!((due(&plan), plan.log_below, plan.floor), (vec![], 0, None));
    look.goes_on(plan);
    assert_eq!(due(&look.plan_at(NOTED_MS + HOUR_MS)), ["a.sst"]);
}

#[test]
fn what_no_entry_tells_of_is_marked_when_a_scan_finds_it() {
    let listed = |id: &str| Listed { id: id.to_owned(), size: 7 };
    let mut look = Look::marked(vec![mark("marked.sst", MINUTE_MS, 1)]);
    look.orphans = ["live.sst", "marked.sst", "new.sst"].map(listed).to_vec();
    let plan = look.plan();
    assert_eq!(plan.marked, 1);
    let new = plan.marks.marks.iter().find(|mark| mark.sst_id == "new.sst").unwrap();
    assert_eq!((new.first_reason.as_str(), new.add_seq, new.first_seen_seq), ("orphan_scan", Some(19), 20));
}

#[test]
fn a_merge_output_is_known_by_its_name_alone() {
    for (id, never_in_feed) in [
        ("2-0-0-1776247921123456789-0001.sst", true),
        ("2-0-0-1776247921123456789-12345.sst", true),
        ("2-1-7-1776247921123456789.sst", false),
        ("2-0-0-1776247921123456789.sst", false),
        ("2-0-0--1.sst", false),
        ("x-0-0-1-1.sst", false),
        ("2-0-0-1-1", false),
    ] {
        let plan = Look { entries: vec![removes(18, &[id])], ..Look::new() }.plan();
        assert_eq!(plan.marks.marks[0].add_seq, Some(if never_in_feed { 0 } else { 17 }), "{id}");
    }
}
