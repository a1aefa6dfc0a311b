//! Every way to read against a model, over tables in any order: the highest sequence wins, and of equal ones the table that
//! stands earlier in the state.

#![cfg(feature = "write")]
#![allow(clippy::unwrap_used, reason = "what a test cannot unwrap fails it")]

mod bucket;
mod why;

use std::ops::Bound;
use std::sync::Arc;
use std::task::{Context, Waker};

use bytes::Bytes;
use futures::executor::block_on;
use futures::{Future, pin_mut};
use isledb_core::format::sst::{Compression, TableOptions};
use isledb_core::host::MemoryStore;
use isledb_core::read::{BlockCache, Entry, Reader, ReaderOptions, Scan, ScanOptions, TryNext};
use proptest::prelude::*;

use bucket::made::Made;
use bucket::modelled::{Does, all_keys, database, model, tables, value};
use bucket::{TestClock, open, source};

async fn reader(made: &Made) -> Reader {
    open(Arc::new(made.store.clone()), TestClock::new(), "db").await.unwrap()
}

/// A reader whose cache keeps nothing.
async fn uncached(made: &Made) -> Reader {
    let mut source = source(Arc::new(made.store.clone()), TestClock::new(), "db");
    source.cache = Arc::new(BlockCache::new(0));
    Reader::open(source, ReaderOptions::default()).await.unwrap()
}

type Shown = (Vec<u8>, (u64, Vec<u8>));

fn shown(entry: Entry) -> Shown {
    (entry.key.to_vec(), (entry.sequence, entry.value.to_vec()))
}

async fn all(mut scan: Scan) -> Vec<Shown> {
    let mut all = Vec::new();
    while let Some(entry) = scan.next().await.unwrap() {
        all.push(shown(entry));
    }
    all
}

/// A way through a scan.
#[derive(Debug, Clone)]
enum Move {
    Next,
    Prev,
    /// As far as it goes without waiting, then by waiting.
    TryNext,
    TryPrev,
    Seek(Vec<u8>),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        4 => Just(Move::Next),
        4 => Just(Move::Prev),
        2 => Just(Move::TryNext),
        2 => Just(Move::TryPrev),
        1 => prop::collection::vec(0u8..5, 0..4).prop_map(Move::Seek),
    ];
    // In runs, so that a walk gets somewhere.
    prop::collection::vec((one, 1usize..6), 1..30)
        .prop_map(|runs| runs.into_iter().flat_map(|(one, times)| vec![one; times]).collect())
}

/// Makes the same moves over a scan and over a list; they must show the same.
async fn walk(mut scan: Scan, entries: &[Shown], reverse: bool, moves: &[Move]) {
    let mut gap = if reverse { entries.len() } else { 0 };
    for (i, one) in moves.iter().enumerate() {
        let onward = match one {
            Move::Next | Move::TryNext => true,
            Move::Prev | Move::TryPrev => false,
            Move::Seek(key) => {
                scan.seek(key);
                gap = entries.partition_point(|(k, _)| k < key);
                continue;
            }
        };
        let tried = match one {
            Move::TryNext => scan.try_next().unwrap(),
            Move::TryPrev => scan.try_prev().unwrap(),
            _ => TryNext::Wait,
        };
        let got = match (tried, onward) {
            (TryNext::Entry(entry), _) => Some(entry),
            (TryNext::End, _) => None,
            (TryNext::Wait, true) => scan.next().await.unwrap(),
            (TryNext::Wait, false) => scan.prev().await.unwrap(),
        };
        let wanted = if onward != reverse {
            gap += 1;
            entries.get(gap - 1)
        } else {
            gap = gap.wrapping_sub(1);
            entries.get(gap)
        };
        assert_eq!(got.map(shown).as_ref(), wanted, "move {i}: {one:?}");
        // Beyond either end it stays at that end.
        gap = if gap == usize::MAX { 0 } else { gap.min(entries.len()) };
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn gets_and_scans_equal_the_model(
        tables in tables(7),
        shapes in prop::collection::vec(any::<u8>(), 1..4),
        l0 in 0usize..5,
        run_length in 1usize..4,
        from in prop::collection::vec(0u8..4, 0..3),
        to in prop::collection::vec(0u8..4, 0..3),
        seek in prop::collection::vec(0u8..4, 1..3),
        many in prop::collection::vec(prop::collection::vec(0u8..5, 1..4), 0..40),
    ) {
        let made = database(&tables, &shapes, l0, run_length);
        let model = model(&tables);
        block_on(async {
            let reader = reader(&made).await;
            for key in all_keys() {
                let got = reader.get_entry(&key).await.unwrap().map(|entry| (entry.sequence, entry.value.to_vec()));
                prop_assert_eq!(got, model.get(&key).cloned(), "{:?}", key);
                why::agrees_with_get(&reader.view(), &key).await;
            }
            let keys: Vec<Bytes> = many.into_iter().map(Bytes::from).collect();
            let singly: Vec<_> = keys.iter().map(|key| model.get(&key[..]).cloned()).collect();
            for reader in [&reader, &self::reader(&made).await, &uncached(&made).await] {
                let together = reader.get_many_entries(&keys).await.unwrap();
                for (key, entry) in keys.iter().zip(&together) {
                    prop_assert!(entry.as_ref().is_none_or(|entry| entry.key == key));
                }
                let together: Vec<_> = together.into_iter().map(|found| found.map(|entry| shown(entry).1)).collect();
                prop_assert_eq!(&together, &singly);
                let values = reader.view().get_many(&keys).await.unwrap();
                prop_assert!(values.iter().map(Option::as_deref).eq(singly.iter().map(|one| one.as_ref().map(|(_, value)| &value[..]))));
            }
            let options = ScanOptions {
                start: Bound::Included(from.clone().into()),
                end: Bound::Excluded(to.clone().into()),
                ..ScanOptions::default()
            };
            let wanted = |above: &[u8]| -> Vec<_> {
                let within = |key: &[u8]| key >= &from[..] && key < &to[..] && key >= above;
                model.iter().filter(|(key, _)| within(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
            };
            let forwards = all(reader.scan(options.clone()).await.unwrap()).await;
            prop_assert_eq!(&forwards, &wanted(&[]));
            for reader in [reader.clone(), uncached(&made).await] {
                let mut backwards = all(reader.scan(options.clone().reversed()).await.unwrap()).await;
                backwards.reverse();
                prop_assert_eq!(&backwards, &forwards);
            }
            let mut scan = reader.scan(options).await.unwrap();
            scan.seek(&seek);
            let after_seek = scan.next().await.unwrap().map(|entry| entry.key.to_vec());
            prop_assert_eq!(after_seek, wanted(&seek).first().map(|(key, _)| key.clone()));
            Ok(())
        })?;
    }

    #[test]
    fn a_walk_in_both_directions_equals_one_over_the_model(
        tables in tables(5),
        shapes in prop::collection::vec(any::<u8>(), 1..4),
        l0 in 0usize..5,
        run_length in 1usize..4,
        from in prop::collection::vec(0u8..4, 0..2),
        to in prop::option::of(prop::collection::vec(0u8..4, 0..2)),
        reverse in any::<bool>(),
        moves in moves(),
    ) {
        let made = database(&tables, &shapes, l0, run_length);
        let within = |key: &[u8]| key >= &from[..] && to.as_ref().is_none_or(|to| key < &to[..]);
        let entries: Vec<_> = model(&tables).into_iter().filter(|(key, _)| within(key)).collect();
        let options = ScanOptions {
            start: Bound::Included(from.clone().into()),
            end: to.clone().map_or(Bound::Unbounded, |to| Bound::Excluded(to.into())),
            reverse,
            ..ScanOptions::default()
        };
        block_on(async {
            walk(reader(&made).await.scan(options.clone()).await.unwrap(), &entries, reverse, &moves).await;
            walk(uncached(&made).await.scan(options).await.unwrap(), &entries, reverse, &moves).await;
        });
    }

    #[test]
    fn a_pinned_view_never_changes_whatever_is_written(
        before in tables(3),
        after in tables(3),
    ) {
        let mut made = database(&before, &[0], 1, 2);
        let model = model(&before);
        let entries: Vec<_> = model.clone().into_iter().collect();
        block_on(async {
            let reader = reader(&made).await;
            let view = reader.view();
            for (i, versions) in after.iter().enumerate() {
                let meta = made.build_stored(TableOptions::default(), |add| {
                    versions.iter().for_each(|(key, sequence, _)| add(key, 1000 * (i as u64 + 1) + sequence, b"\0new"));
                });
                made.add(&meta);
                made.publish();
                prop_assert!(reader.refresh().await.unwrap());
                prop_assert_eq!(&all(view.scan(&ScanOptions::default())).await, &entries);
                let mut backwards = all(view.scan(&ScanOptions::default().reversed())).await;
                backwards.reverse();
                prop_assert_eq!(&backwards, &entries);
                for (key, ..) in versions {
                    let got = view.get(key).await.unwrap().map(|value| value.to_vec());
                    prop_assert_eq!(got, model.get(key).map(|(_, value)| value.clone()));
                    prop_assert_eq!(reader.get(key).await.unwrap(), Some(Bytes::from_static(b"new")));
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_scan_that_is_dropped_at_any_await_loses_nothing(
        tables in tables(5),
        drops in prop::collection::vec(0usize..5, 1..20),
        reverse in any::<bool>(),
    ) {
        let made = database(&tables, &[0], 1, 2);
        let mut wanted: Vec<Vec<u8>> = model(&tables).into_keys().collect();
        if reverse {
            wanted.reverse();
        }
        let reader = block_on(reader(&made));
        let mut scan = block_on(reader.scan(ScanOptions { reverse, ..ScanOptions::default() })).unwrap();
        let mut shown: Vec<Vec<u8>> = Vec::new();
        let mut drops = drops.into_iter();
        loop {
            let polls = drops.next().unwrap_or(usize::MAX);
            match poll_some(scan.next(), polls) {
                Some(Ok(Some(entry))) => shown.push(entry.key.to_vec()),
                Some(Ok(None)) => break,
                Some(Err(error)) => panic!("{error}"),
                None => {}
            }
        }
        prop_assert_eq!(shown, wanted);
    }
}

/// The outcome of a future that is dropped after so many polls.
fn poll_some<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    pin_mut!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..polls {
        if let std::task::Poll::Ready(outcome) = future.as_mut().poll(&mut context) {
            return Some(outcome);
        }
    }
    None
}

#[test]
fn at_equal_sequence_the_table_that_stands_first_wins_also_over_a_put() {
    let tables = [vec![(b"k".to_vec(), 5, Does::Delete)], vec![(b"k".to_vec(), 5, Does::Put)]];
    for l0 in [0, 2] {
        let reader = block_on(reader(&database(&tables, &[0], l0, 1)));
        assert_eq!(block_on(reader.get(b"k")).unwrap(), None);
        assert_eq!(
            block_on(async { reader.scan(ScanOptions::default()).await.unwrap().next().await }).unwrap(),
            None
        );
    }
}

#[test]
fn an_older_run_in_front_of_a_newer_one_does_not_hide_it() {
    let tables = [vec![(b"k".to_vec(), 5, Does::Put)], vec![(b"k".to_vec(), 9, Does::Put)]];
    let reader = block_on(reader(&database(&tables, &[0], 0, 1)));
    assert_eq!(block_on(reader.get(b"k")).unwrap(), Some(Bytes::from(value(1, 9))));
}

#[test]
fn a_run_whose_tables_overlap_is_merged() {
    let older = vec![(b"a".to_vec(), 1, Does::Put), (b"m".to_vec(), 2, Does::Put)];
    let newer =
        vec![(b"b".to_vec(), 7, Does::Put), (b"m".to_vec(), 8, Does::Put), (b"z".to_vec(), 9, Does::Put)];
    let reader = block_on(reader(&database(&[older, newer], &[0], 0, 2)));
    assert_eq!(block_on(reader.get(b"m")).unwrap(), Some(Bytes::from(value(1, 8))));
    let shown = block_on(async {
        bucket::collect(reader.scan(ScanOptions::default()).await.unwrap()).await.unwrap()
    });
    assert_eq!(shown.iter().map(|(key, _)| &key[..]).collect::<Vec<_>>(), [b"a", b"b", b"m", b"z"]);
}

/// Tables whose index partitions are fetched one by one: they are too large to come whole.
#[test]
fn walks_through_many_partitions_of_large_tables() {
    let mut made = Made::new(MemoryStore::new(TestClock::new()));
    let mut run = Vec::new();
    let key = |i: u64| format!("k{i:06}").into_bytes();
    let value =
        |i: u64| format!("{:032x}", u128::from(i).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060)).into_bytes();
    let stored = |i: u64| [&b"\0"[..], &value(i).repeat(2)].concat();
    let tables = [(0..2000, 3), (2000..4000, 1), (0..4000, 7)];
    for (keys, step) in tables {
        let options =
            TableOptions { block_size: 200, compression: Compression::None, ..TableOptions::default() };
        let meta = made.build_stored(options, |add| {
            for i in keys.clone().step_by(step) {
                // Of some keys so many versions that they fill blocks of their own.
                for version in (0..if i % 50 == 0 { 20 } else { 1 }).rev() {
                    let stored = if i % 11 == 0 && version == 19 { b"\x02".to_vec() } else { stored(i) };
                    add(&key(i), 1 + i * 100 + step as u64 * 20 + version, &stored);
                }
            }
        });
        assert!(meta.size > 64 * 1024, "{}", meta.size);
        run.push(meta);
    }
    made.add_run(vec![run.remove(0), run.remove(0)]);
    made.snapshot();
    made.add(&run[0]);
    made.publish();
    block_on(async {
        let forwards = all(uncached(&made).await.scan(ScanOptions::default()).await.unwrap()).await;
        assert!(forwards.len() > 2500, "{}", forwards.len());
        assert!(forwards.is_sorted());
        for reader in [reader(&made).await, uncached(&made).await] {
            let mut backwards = all(reader.scan(ScanOptions::default().reversed()).await.unwrap()).await;
            backwards.reverse();
            assert!(backwards == forwards);
            let mut moves = Vec::new();
            for i in 0..300u64 {
                let one = match i % 5 {
                    0 => Move::Seek(key(i * 1_237 % 4_100)),
                    1 | 3 => Move::Prev,
                    _ => Move::Next,
                };
                moves.extend(vec![one; 1 + (i % 7) as usize]);
            }
            walk(reader.scan(ScanOptions::default()).await.unwrap(), &forwards, false, &moves).await;
        }
    });
}
