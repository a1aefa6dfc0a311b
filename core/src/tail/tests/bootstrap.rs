//! The state first, then the changes: no gap, no repeat, also when views become too old meanwhile.

use super::*;
use crate::error::Error;

/// Longer than a view may be used, shorter than what the feed keeps.
const VIEW_AGE_MS: u64 = 3_700_000;

/// Nothing is missing and nothing comes twice, key by key: what came is a row of successive versions up to the newest, and
/// what stands before it, if anything, is a delete (so the consumer knew the key to be absent).
pub(super) fn check(changes: &[Change], history: &[Write]) {
    let mut by_key: BTreeMap<&Bytes, Vec<&Write>> = BTreeMap::new();
    for write in history {
        by_key.entry(&write.key).or_default().push(write);
    }
    let mut came: BTreeMap<&Bytes, Vec<&Change>> = BTreeMap::new();
    for change in changes {
        came.entry(&change.key).or_default().push(change);
    }
    for (key, versions) in by_key {
        let came = came.remove(key).unwrap_or_default();
        let skipped = versions.len().checked_sub(came.len()).expect("no version comes twice");
        for (change, write) in came.iter().zip(&versions[skipped..]) {
            assert_eq!((change.sequence, &change.op), (write.sequence, &write.op), "{key:?}");
        }
        let known = came.first().is_some_and(|change| change.cursor.is_bootstrapping());
        if !known && skipped > 0 {
            assert_eq!(versions[skipped - 1].op, ChangeOp::Delete, "{key:?}");
        }
    }
    assert!(came.is_empty(), "{came:?}");
}

fn keys(changes: &[Change]) -> Vec<&str> {
    changes.iter().map(|change| std::str::from_utf8(&change.key).unwrap()).collect()
}

#[test]
fn the_state_comes_in_key_order_and_then_the_changes() {
    let mut bench = Bench::new();
    bench.flush(&[put("c", "1"), put("a", "2"), put("b", "3"), delete("c"), put("a", "4")]);
    let mut tailer = bench.open(TailStart::Bootstrap).unwrap();
    bench.flush(&[put("a", "5")]);
    let changes = drain(&mut tailer);
    assert_eq!(keys(&changes), ["a", "b", "a"]);
    let bootstrapping: Vec<bool> = changes.iter().map(|change| change.cursor.is_bootstrapping()).collect();
    assert_eq!(bootstrapping, [true, true, false]);
    check(&changes, &bench.history);
}

#[test]
fn a_bootstrap_that_outlives_its_view_goes_on_in_a_newer_one() {
    let mut bench = Bench::new();
    bench.flush(&[put("a", "1"), put("b", "1"), put("c", "1"), put("d", "1")]);
    let mut tailer = bench.open(TailStart::Bootstrap).unwrap();
    let mut changes = vec![block_on(tailer.next()).unwrap(), block_on(tailer.next()).unwrap()];
    bench.flush(&[put("a", "2"), put("c", "2"), put("d", "2")]);
    bench.compact();
    bench.clock.advance_ms(VIEW_AGE_MS);
    // The scan has these blocks in memory and may finish; a consumer that comes back has not.
    let mut tailer = bench.open(TailStart::Cursor(kept(&tailer.cursor()))).unwrap();
    changes.push(block_on(tailer.next()).unwrap());
    bench.flush(&[put("b", "3"), put("c", "3"), delete("d"), put("e", "3")]);
    bench.clock.advance_ms(VIEW_AGE_MS);
    let mut tailer = bench.open(TailStart::Cursor(kept(&tailer.cursor()))).unwrap();
    changes.extend(drain(&mut tailer));
    // d: the newest view says nothing of it, so its versions before that view are left out, the delete too.
    assert_eq!(keys(&changes), ["a", "b", "c", "e", "a", "b", "c"]);
    check(&changes, &bench.history);
    assert!(!tailer.cursor().to_string().contains(':'), "nothing is held any more: {}", tailer.cursor());
}

#[test]
fn a_view_that_ages_within_one_process_is_replaced() {
    let mut bench = Bench::new();
    let many: Vec<_> = (0..3_000).map(|i| put(&format!("k{i:05}"), &format!("{i:0100}"))).collect();
    bench.flush(&many);
    let mut tailer = bench.open(TailStart::Bootstrap).unwrap();
    let mut changes = Vec::new();
    for i in 0..3_000 {
        changes.push(block_on(tailer.next()).unwrap());
        if i % 1_000 == 500 {
            let (old, new) = (format!("k{:05}", i / 2), format!("k{:05}", 2_999 - i / 7));
            bench.flush(&[put(&old, "changed"), put(&new, "changed")]);
            bench.clock.advance_ms(VIEW_AGE_MS);
        }
    }
    changes.extend(drain(&mut tailer));
    check(&changes, &bench.history);
    // Three keys changed behind the scan; three in front of it, which came with their new values at once.
    assert_eq!(changes.len(), 3_003);
}

#[test]
fn a_bootstrap_that_outlives_the_change_retention_says_so() {
    let mut bench = Bench::new();
    bench.flush(&[put("a", "1"), put("b", "1")]);
    let mut tailer = bench.open(TailStart::Bootstrap).unwrap();
    block_on(tailer.next()).unwrap();
    bench.flush(&[put("a", "2")]);
    let floor = bench.current().next_seq;
    bench.change_current(|current| current.feed_floor_seq = Some(floor));
    let error = bench.open(TailStart::Cursor(tailer.cursor())).unwrap_err();
    let Error::CursorExpired { setting: "change_retention_ms", oldest, .. } = error else {
        panic!("{error}")
    };
    // The half of a state is worth nothing: the cursor that works begins anew.
    let again = drain(&mut bench.open(TailStart::Cursor(oldest.parse().unwrap())).unwrap());
    assert_eq!(keys(&again), ["a", "b"]);
    // Nothing was emitted yet: it may begin anew.
    let fresh = bench.open(TailStart::Bootstrap).unwrap().cursor();
    bench.flush(&[put("b", "2")]);
    assert_eq!(keys(&drain(&mut bench.open(TailStart::Cursor(fresh)).unwrap())), ["a", "b"]);
}

#[test]
fn a_bootstrap_of_nothing_follows_from_there() {
    let mut bench = Bench::new();
    let mut tailer = bench.open(TailStart::Bootstrap).unwrap();
    assert_eq!(drain(&mut tailer), []);
    bench.flush(&[put("a", "1")]);
    check(&drain(&mut tailer), &bench.history);
}
