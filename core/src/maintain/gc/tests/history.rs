//! What was seen when: the wait for views, the floor, the log, the snapshots.

use proptest::prelude::*;

use super::*;
use crate::maintain::plan::sweep::SHORTEST_WAIT_MS;

fn wait_ms(look: &Look) -> u64 {
    look.plan().wait_ms
}

#[test]
fn the_longest_view_age_of_the_last_such_period_counts() {
    let with = |age_ms, then_ms| {
        let mut look = Look::new();
        let old = Sighting { max_view_age_ms: Some(then_ms), ..sighting(age_ms, 5, 3, 3) };
        look.checkpoint.sightings = vec![old, sighting(MINUTE_MS, 20, 10, 5)];
        // It was valid until it was seen to be another one, a minute ago.
        wait_ms(&look)
    };
    assert_eq!(with(9 * HOUR_MS, 5 * HOUR_MS), 5 * HOUR_MS);
    assert_eq!(with(9 * HOUR_MS, MINUTE_MS), HOUR_MS);

    let mut look = Look::new();
    let old = |age_ms| Sighting { max_view_age_ms: Some(5 * HOUR_MS), ..sighting(age_ms, 5, 3, 3) };
    let ended = |age_ms| vec![old(30 * HOUR_MS), sighting(age_ms, 6, 3, 3), sighting(MINUTE_MS, 20, 10, 5)];
    look.checkpoint.sightings = ended(5 * HOUR_MS);
    assert_eq!(wait_ms(&look), 5 * HOUR_MS, "a view of that time may still be in use");
    look.checkpoint.sightings = ended(5 * HOUR_MS + 1);
    assert_eq!(wait_ms(&look), HOUR_MS);
}

#[test]
fn a_view_age_that_came_and_went_between_two_looks_counts() {
    let mut look =
        Look { entries: vec![sets_view_age(18, 7 * HOUR_MS), sets_view_age(19, HOUR_MS)], ..Look::new() };
    let plan = look.plan();
    assert_eq!(plan.wait_ms, 7 * HOUR_MS);
    look.goes_on(plan);
    assert_eq!(look.plan_at(NOW_MS + 6 * HOUR_MS).wait_ms, 7 * HOUR_MS);
    assert_eq!(look.plan_at(NOW_MS + 7 * HOUR_MS + 2_000).wait_ms, HOUR_MS);
}

#[test]
fn the_floor_rises_over_what_was_seen_covered_the_change_retention_ago() {
    let mut look = Look::new();
    look.checkpoint.sightings =
        vec![sighting(2 * HOUR_MS, 8, 3, 3), sighting(HOUR_MS, 12, 3, 3), sighting(MINUTE_MS, 20, 10, 5)];
    assert_eq!(look.plan().floor, Some(12));
    look.current.change_retention_ms = Some(HOUR_MS + 1);
    assert_eq!(look.plan().floor, Some(8));
    look.current.change_retention_ms = Some(0);
    assert_eq!(look.plan().floor, Some(20), "what is seen now was seen in this very second");
    look.current.change_retention_ms = None;
    assert_eq!(look.plan().floor, Some(12), "an hour where CURRENT does not say");
    look.current.feed_floor_seq = Some(12);
    assert_eq!(look.plan().floor, None);
    look.current.feed_floor_seq = None;
    assert_eq!(look.plan().floor, None, "without a floor there is nothing to raise");
}

#[test]
fn the_log_goes_below_window_and_floor_as_both_were_seen_long_enough_ago() {
    let mut look = Look::new();
    for (log_seq_start, floor, below) in [(9, 4, 4), (3, 8, 3), (3, 3, 3)] {
        look.checkpoint.sightings =
            vec![sighting(SHORTEST_WAIT_MS, 12, log_seq_start, floor), sighting(MINUTE_MS, 20, 10, 5)];
        assert_eq!(look.plan().log_below, below);
    }
    look.checkpoint.sightings = vec![sighting(SHORTEST_WAIT_MS - 1, 12, 9, 9)];
    assert_eq!(look.plan().log_below, 0);
    // An hour at least, also where views are short; longer where they are long.
    look.checkpoint.sightings = vec![sighting(SHORTEST_WAIT_MS, 12, 9, 9)];
    look.checkpoint.sightings[0].max_view_age_ms = Some(1_000);
    look.current.max_view_age_ms = Some(1_000);
    assert_eq!(look.plan().log_below, 9);
    look.current.max_view_age_ms = Some(2 * HOUR_MS);
    assert_eq!(look.plan().log_below, 0);
}

#[test]
fn snapshots_go_so_long_after_they_were_seen_to_be_superseded() {
    let (named, old) = (Ksuid::new(7, [7; 16]).to_string(), Ksuid::new(8, [8; 16]).to_string());
    let mut look = Look::new();
    look.current.snapshot = format!("db/manifest/snapshots/{named}.manifest");
    look.superseded = Some(vec![named, old.clone()]);
    let plan = look.plan();
    assert!(plan.snapshots.is_empty());
    let noted: Vec<_> = plan.checkpoint.unnamed_snapshots.iter().map(|s| (s.id.clone(), s.seen_at)).collect();
    assert_eq!(noted, [(old.clone(), at(NOTED_MS))]);
    look.goes_on(plan);
    assert!(look.plan_at(NOTED_MS + HOUR_MS - 1).snapshots.is_empty());
    let plan = look.plan_at(NOTED_MS + HOUR_MS);
    assert_eq!(plan.snapshots, [old]);
    look.goes_on(plan);
    look.superseded = Some(Vec::new());
    assert!(look.plan().checkpoint.unnamed_snapshots.is_empty(), "what is gone is forgotten");
}

#[test]
fn the_checkpoint_says_what_the_original_reads_in_it() {
    let mut look = Look::new();
    look.checkpoint.last_seen_log_seq_start = 12;
    let checkpoint = look.plan().checkpoint;
    assert_eq!((checkpoint.last_applied_seq, checkpoint.last_seen_log_seq_start), (20, 12), "neither falls");
    assert_eq!((checkpoint.version, checkpoint.updated_at), (1, at(NOW_MS)));
}

proptest! {
    /// However runs follow one another, what is kept is bounded, in order, and allows nothing that a full history does not.
    #[test]
    fn notes_are_thinned_out_without_allowing_more(
        gaps in proptest::collection::vec(1u64..20 * MINUTE_MS, 1..400),
        ages in proptest::collection::vec(1u64..4, 400),
        retention_hours in 0u64..50,
    ) {
        let mut look = Look::new();
        look.checkpoint.sightings.clear();
        look.current.change_retention_ms = Some(retention_hours * HOUR_MS);
        look.current.feed_floor_seq = Some(1);
        let (mut now_ms, mut full) = (NOW_MS, Vec::new());
        for (run, gap) in gaps.into_iter().enumerate() {
            now_ms += gap;
            look.current.next_seq = 20 + run as u64;
            look.current.max_view_age_ms = Some(ages[run / 16 % ages.len()] * HOUR_MS);
            let plan = look.plan_at(now_ms);
            full.push((now_ms + 1_000, look.current.next_seq, look.current.max_view_age_ms.unwrap()));
            let allowed = full.iter().filter(|(seen, ..)| seen + retention_hours * HOUR_MS <= now_ms);
            let allowed = allowed.map(|(_, next, _)| *next).max();
            prop_assert!(plan.floor <= allowed, "{:?} > {:?}", plan.floor, allowed);
            let ends = full.iter().skip(1).map(|next| next.0).chain([now_ms]);
            let needed = full.iter().zip(ends).filter(|((.., age), end)| now_ms.saturating_sub(*end) <= *age);
            prop_assert!(plan.wait_ms >= needed.map(|((.., age), _)| *age).max().unwrap());
            prop_assert!(plan.checkpoint.sightings.len() <= 256);
            prop_assert!(plan.checkpoint.sightings.is_sorted_by_key(|seen| seen.seen_at));
            look.goes_on(plan);
        }
    }
}
