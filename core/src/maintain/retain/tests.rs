//! Retention's planners against their tables of cases and against a model.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::{Retention, RetentionMode};
use crate::error::Error;
use crate::format::manifest::{SortedRun, SstMeta};
use crate::format::time::Timestamp;
use crate::maintain::plan::removal::RetentionPlan;
use crate::maintain::plan::window::segment_start_ms;
use crate::manifest::State;

const HOUR_MS: u64 = 3_600_000;
const NOW_MS: u64 = 1_800_000_000_000;

/// A flushed table of one key range, written `age` hours ago.
fn table(id: &str, keys: (&'static str, &'static str), sequences: (u64, u64), age_hours: u64) -> SstMeta {
    SstMeta {
        id: id.to_owned(),
        seq_lo: sequences.0,
        seq_hi: sequences.1,
        min_key: Bytes::from_static(keys.0.as_bytes()),
        max_key: Bytes::from_static(keys.1.as_bytes()),
        size: 100,
        created_at: Timestamp::from_unix_ms(NOW_MS - age_hours * HOUR_MS),
        ..SstMeta::default()
    }
}

/// Tables that do not overlap, `ages` hours old, named by their place.
fn disjoint(ages: &[u64]) -> State {
    let tables = ages.iter().enumerate().map(|(at, age)| {
        let key = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n"][at];
        table(&at.to_string(), (key, key), (at as u64 + 1, at as u64 + 1), *age)
    });
    State { l0: tables.map(Arc::new).collect(), ..State::default() }
}

fn fifo(hours: u64, count: u32) -> Retention {
    Retention { period: Duration::from_millis(hours * HOUR_MS), count, ..Retention::default() }
}

fn window(hours: u64, count: u32, segment_hours: u64) -> Retention {
    let segment = Duration::from_millis(segment_hours * HOUR_MS);
    Retention { mode: RetentionMode::TimeWindow { segment }, ..fifo(hours, count) }
}

fn removed(plan: &RetentionPlan) -> Vec<&str> {
    plan.remove.iter().map(|removal| removal.table.id.as_str()).collect()
}

#[test]
fn by_age_the_oldest_go_and_some_always_stay() {
    let state = disjoint(&[1, 50, 30, 10, 40]);
    for (retention, expected) in [
        (fifo(24, 1), vec!["1", "4", "2"]),
        (fifo(24, 2), vec!["1", "4", "2"]),
        (fifo(24, 3), vec!["1", "4"]),
        (fifo(24, 5), vec![]),
        (fifo(24, 100), vec![]),
        (fifo(50, 1), vec![]),
        (fifo(49, 1), vec!["1"]),
        (fifo(1, 1), vec!["1", "4", "2", "3"]),
    ] {
        let plan = retention.plan(&state, NOW_MS).unwrap();
        assert_eq!(removed(&plan), expected, "{retention:?}");
        assert!(plan.stays.is_empty() && !plan.everything);
    }
}

#[test]
fn by_segments_those_that_ended_before_the_period_go_whole() {
    // NOW_MS is the start of an hour; the segments are of two hours.
    assert_eq!(NOW_MS % HOUR_MS, 0);
    let state = disjoint(&[3, 5, 6, 9, 20, 21]);
    for (retention, expected) in [
        // A segment must have ended more than the period ago, not only begun.
        (window(4, 10, 2), vec!["5", "4", "3"]),
        (window(2, 10, 2), vec!["5", "4", "3", "2", "1"]),
        (window(8, 10, 2), vec!["5", "4"]),
        // A tenth of the count, at least one.
        (window(2, 9, 2), vec!["5", "4", "3", "2", "1"]),
        (window(2, 29, 2), vec!["5", "4", "3"]),
        (window(2, 40, 2), vec!["5"]),
        (window(2, 50, 2), vec![]),
    ] {
        let plan = retention.plan(&state, NOW_MS).unwrap();
        let mut got = removed(&plan);
        got.sort_by_key(|id| std::cmp::Reverse(id.to_string()));
        assert_eq!(got, expected, "{retention:?}");
    }
}

#[test]
fn segments_are_counted_from_the_year_one() {
    const DAY: i64 = 86_400_000;
    let ms = |text: &str| text.parse::<Timestamp>().unwrap().unix_ms();
    for (segment, time, start) in [
        (3_600_000, "2026-04-15T10:12:01.5Z", "2026-04-15T10:00:00Z"),
        (DAY, "2026-04-15T00:00:00Z", "2026-04-15T00:00:00Z"),
        // The year 1 began on a Monday, 1970 on a Thursday.
        (7 * DAY, "2026-04-15T10:12:01Z", "2026-04-13T00:00:00Z"),
        (7 * DAY, "2026-04-13T00:00:00Z", "2026-04-13T00:00:00Z"),
        (7 * DAY, "2026-04-12T23:59:59.999Z", "2026-04-06T00:00:00Z"),
        (7 * DAY, "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        (7 * DAY, "0000-12-31T23:00:00Z", "0000-12-25T00:00:00Z"),
    ] {
        assert_eq!(segment_start_ms(ms(time), segment), ms(start), "{time} by {segment}");
    }
}

#[test]
fn data_time_counts_where_a_table_carries_it() {
    let mut state = disjoint(&[50, 50, 50]);
    let carrying = SstMeta { max_data_time: Some(NOW_MS - HOUR_MS), ..(*state.l0[1]).clone() };
    let merged = SstMeta {
        created_at: Timestamp::from_unix_ms(NOW_MS),
        max_data_time: Some(NOW_MS - 60 * HOUR_MS),
        ..(*state.l0[2]).clone()
    };
    (state.l0[1], state.l0[2]) = (Arc::new(carrying), Arc::new(merged));
    let plan = fifo(24, 1).plan(&state, NOW_MS).unwrap();
    assert_eq!(removed(&plan), ["2", "0"]);
    assert!(plan.remove[0].why.contains("216000000 ms old"), "{}", plan.remove[0].why);
}

#[test]
fn a_table_stays_while_older_versions_behind_it_stay() {
    // Data time by flush, but a merge of the older ones is young: it keeps what overwrote it.
    let old_flush = table("flush", ("c", "f"), (10, 20), 50);
    let merged = table("merged", ("a", "d"), (1, 9), 1);
    let other = table("other", ("g", "h"), (5, 6), 50);
    let young = table("young", ("x", "z"), (30, 31), 0);
    let mut state =
        State { l0: [&young, &old_flush].map(|t| Arc::new(t.clone())).to_vec(), ..State::default() };
    state.runs = vec![SortedRun { id: 0, ssts: [&merged, &other].map(|t| Arc::new(t.clone())).to_vec() }];
    let plan = fifo(24, 1).plan(&state, NOW_MS).unwrap();
    assert_eq!(removed(&plan), ["other"]);
    let [stays] = plan.stays.as_slice() else { panic!("{plan:?}") };
    assert_eq!((stays.table.id.as_str(), stays.behind.id.as_str()), ("flush", "merged"));

    // The other way round nothing is in the way: what is older goes, what overwrote it stays.
    let merged = SstMeta { created_at: old_flush.created_at, ..merged };
    let flush = SstMeta { created_at: young.created_at, ..old_flush };
    state.l0[1] = Arc::new(flush);
    state.runs[0].ssts[0] = Arc::new(merged);
    let mut gone = removed(&fifo(24, 1).plan(&state, NOW_MS).unwrap()).join(" ");
    gone = gone.replace("other merged", "merged other");
    assert_eq!(gone, "merged other");
}

#[test]
fn a_chain_of_overlaps_stays_behind_its_oldest_end() {
    // c overwrites b, which overwrites a; only a is young.
    let state = State {
        l0: vec![
            Arc::new(table("c", ("k", "p"), (21, 30), 40)),
            Arc::new(table("b", ("f", "k"), (11, 20), 50)),
            Arc::new(table("a", ("a", "f"), (1, 10), 1)),
        ],
        ..State::default()
    };
    let plan = fifo(24, 1).plan(&state, NOW_MS).unwrap();
    assert!(plan.remove.is_empty(), "{plan:?}");
    let behind: Vec<_> = plan.stays.iter().map(|s| (s.table.id.as_str(), s.behind.id.as_str())).collect();
    assert_eq!(behind, [("c", "b"), ("b", "a")]);
}

#[test]
fn an_unknown_sequence_number_counts_as_the_highest() {
    let mut state = disjoint(&[50, 1]);
    let unknown =
        SstMeta { seq_lo: 0, seq_hi: 0, max_key: Bytes::from_static(b"z"), ..(*state.l0[0]).clone() };
    state.l0[0] = Arc::new(unknown);
    let plan = fifo(24, 1).plan(&state, NOW_MS).unwrap();
    assert!(plan.remove.is_empty() && plan.stays.len() == 1, "{plan:?}");
}

#[test]
fn everything_goes_only_where_that_is_allowed() {
    let state = disjoint(&[50, 60]);
    let none = Retention { count: 0, ..fifo(24, 0) };
    assert!(matches!(none.validate(), Err(Error::InvalidArgument { what }) if what.contains("count")));
    assert!(
        matches!(none.plan(&state, NOW_MS), Err(Error::InvalidArgument { what }) if what.contains("all 2"))
    );
    let all = Retention { allow_everything: true, ..none };
    all.validate().unwrap();
    assert_eq!(removed(&all.plan(&state, NOW_MS).unwrap()), ["1", "0"]);
    assert!(all.plan(&State::default(), NOW_MS).unwrap().remove.is_empty());
    // By segments one always stays.
    let by_segments = Retention { allow_everything: true, ..window(1, 0, 1) };
    assert_eq!(removed(&by_segments.plan(&state, NOW_MS).unwrap()), ["1"]);
}

#[test]
fn defaults_are_valid_and_what_is_out_of_bounds_is_refused_by_name() {
    let defaults = Retention::default();
    defaults.validate().unwrap();
    assert_eq!((defaults.mode, defaults.count), (RetentionMode::Fifo, 10));
    assert_eq!(defaults.period, Duration::from_secs(7 * 86_400));
    assert_eq!(RetentionMode::TIME_WINDOW, RetentionMode::TimeWindow { segment: Duration::from_secs(3600) });
    type Change = fn(&mut Retention);
    let cases: [(&str, Change); 4] = [
        ("period", |r| r.period = Duration::from_millis(999)),
        ("count", |r| r.count = 1_000_001),
        ("segment", |r| r.mode = RetentionMode::TimeWindow { segment: Duration::from_millis(999) }),
        ("segment", |r| r.mode = RetentionMode::TimeWindow { segment: Duration::MAX }),
    ];
    for (name, change) in cases {
        let mut retention = Retention::default();
        change(&mut retention);
        let error = retention.validate().unwrap_err();
        assert!(matches!(&error, Error::InvalidArgument { what } if what.contains(name)), "{name}: {error}");
    }
}

/// A table of the model: the keys (a byte each) and sequence numbers of its entries.
type Entries = Vec<(u8, u64)>;

/// Flushes of random keys in sequence order; some neighbours merged, which keeps the newest version of each key.
fn histories() -> impl Strategy<Value = Vec<(Entries, u64)>> {
    let flush = proptest::collection::vec(0u8..12, 1..5);
    let flushes = proptest::collection::vec((flush, 0u64..100, any::<bool>()), 1..10);
    flushes.prop_map(|flushes| {
        let mut sequence = 0;
        let mut tables: Vec<(Entries, u64)> = Vec::new();
        for (keys, age_hours, merge) in flushes {
            let mut entries: Entries = Vec::new();
            for key in keys {
                sequence += 1;
                entries.push((key, sequence));
            }
            match tables.last_mut().filter(|_| merge) {
                Some((older, age)) => {
                    older.retain(|(key, _)| entries.iter().all(|(other, _)| other != key));
                    older.extend(entries);
                    *age = (*age).min(age_hours);
                }
                None => tables.push((entries, age_hours)),
            }
        }
        tables
    })
}

fn state_of(tables: &[(Entries, u64)]) -> State {
    let metas = tables.iter().enumerate().rev().map(|(at, (entries, age))| {
        let key = |byte: Option<&u8>| Bytes::copy_from_slice(&[*byte.unwrap()]);
        let keys: Vec<u8> = entries.iter().map(|(key, _)| *key).collect();
        let sequences: Vec<u64> = entries.iter().map(|(_, sequence)| *sequence).collect();
        Arc::new(SstMeta {
            id: at.to_string(),
            min_key: key(keys.iter().min()),
            max_key: key(keys.iter().max()),
            seq_lo: *sequences.iter().min().unwrap(),
            seq_hi: *sequences.iter().max().unwrap(),
            created_at: Timestamp::from_unix_ms(NOW_MS - age * HOUR_MS),
            ..SstMeta::default()
        })
    });
    State { l0: metas.collect(), ..State::default() }
}

fn newest<'a>(tables: impl Iterator<Item = &'a Entries>) -> BTreeMap<u8, u64> {
    let mut newest = BTreeMap::new();
    for (key, sequence) in tables.flatten() {
        let entry = newest.entry(*key).or_insert(*sequence);
        *entry = (*entry).max(*sequence);
    }
    newest
}

proptest! {
    /// Whole keys may vanish, an older version never reappears; and what stays has a reason.
    #[test]
    fn an_older_version_never_reappears(
        tables in histories(),
        hours in 1u64..100,
        count in 0u32..30,
        segment in proptest::option::of(1u64..30),
    ) {
        let state = state_of(&tables);
        let retention = match segment {
            None => fifo(hours, count),
            Some(segment) => window(hours, count, segment),
        };
        let plan = Retention { allow_everything: true, ..retention }.plan(&state, NOW_MS).unwrap();
        let gone = removed(&plan);
        let before = newest(tables.iter().map(|(entries, _)| entries));
        let left = tables.iter().enumerate().filter(|(at, _)| !gone.contains(&at.to_string().as_str()));
        let after = newest(left.map(|(_, (entries, _))| entries));
        for (key, sequence) in after {
            prop_assert_eq!(before.get(&key), Some(&sequence), "key {} went back", key);
        }
        for stays in &plan.stays {
            prop_assert!(!gone.contains(&stays.table.id.as_str()));
            prop_assert!(!gone.contains(&stays.behind.id.as_str()));
            prop_assert!(stays.behind.seq_lo <= stays.table.seq_hi);
        }
        for removal in &plan.remove {
            prop_assert!(removal.data_time_ms < (NOW_MS - hours * HOUR_MS) as i64, "too young");
        }
        if segment.is_none() {
            prop_assert!(tables.len() - gone.len() >= tables.len().min(count as usize));
        }
    }
}
