//! `get` and `scan` against a model, over tables in any order: the highest sequence wins, and of equal ones the table that
//! stands earlier in the state.

#![cfg(feature = "write")]
#![allow(clippy::unwrap_used, reason = "what a test cannot unwrap fails it")]

mod bucket;
mod why;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::task::{Context, Waker};

use bytes::Bytes;
use futures::executor::block_on;
use futures::{Future, pin_mut};
use isledb_core::format::manifest::SstMeta;
use isledb_core::format::sst::{TableLayout, TableOptions};
use isledb_core::host::MemoryStore;
use isledb_core::read::{Entry, Reader, ScanOptions};
use proptest::prelude::*;

use bucket::made::Made;
use bucket::{TestClock, open};

/// One version: key, sequence, and whether it is a put.
type Versions = Vec<(Vec<u8>, u64, bool)>;

/// The value of a version says which one it is.
fn value(rank: usize, sequence: u64) -> Vec<u8> {
    format!("{sequence} of table {rank}").repeat(1 + (sequence as usize * 7 + rank) % 30).into_bytes()
}

fn options(shape: u8) -> TableOptions {
    TableOptions {
        block_size: [64, 200, 4096][shape as usize % 3],
        filter_bits_per_key: if shape.is_multiple_of(2) { 10 } else { 0 },
        layout: if shape % 5 < 3 { TableLayout::Edge } else { TableLayout::Original },
        ..TableOptions::default()
    }
}

/// What a reader must show: by key the newest version of all tables, puts only.
fn model(tables: &[Versions]) -> BTreeMap<Vec<u8>, (u64, Vec<u8>)> {
    let mut newest: BTreeMap<&[u8], (u64, Reverse<usize>, bool)> = BTreeMap::new();
    for (rank, versions) in tables.iter().enumerate() {
        for (key, sequence, put) in versions {
            let version = (*sequence, Reverse(rank), *put);
            let best = newest.entry(key).or_insert(version);
            *best = (*best).max(version);
        }
    }
    let puts = newest.into_iter().filter(|(_, (_, _, put))| *put);
    puts.map(|(key, (sequence, rank, _))| (key.to_vec(), (sequence, value(rank.0, sequence)))).collect()
}

/// A database whose level 0 and runs hold these tables, in the order of the state.
fn database(tables: &[Versions], shapes: &[u8], l0: usize, run_length: usize) -> Made {
    let mut made = Made::new(MemoryStore::new(TestClock::new()));
    let metas: Vec<Arc<SstMeta>> = tables
        .iter()
        .enumerate()
        .map(|(rank, versions)| {
            let values: Vec<_> =
                versions.iter().map(|(_, sequence, put)| put.then(|| value(rank, *sequence))).collect();
            let entries = versions
                .iter()
                .zip(&values)
                .map(|((key, sequence, _), value)| (&key[..], *sequence, value.as_deref()));
            made.table(options(shapes[rank % shapes.len()]), entries)
        })
        .collect();
    let l0 = l0.min(metas.len());
    // What is added last stands first.
    for run in metas[l0..].chunks(run_length).rev() {
        made.add_run(run.to_vec());
    }
    made.snapshot();
    for meta in metas[..l0].iter().rev() {
        made.add(meta);
    }
    made.publish();
    made
}

fn versions() -> impl Strategy<Value = Versions> {
    let version = (prop::collection::vec(0u8..4, 1..4), 1u64..40, prop::bool::weighted(0.8));
    prop::collection::vec(version, 1..60).prop_map(|mut versions| {
        versions.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        versions.dedup_by(|a, b| (&a.0, a.1) == (&b.0, b.1));
        versions
    })
}

async fn reader(made: &Made) -> Reader {
    open(Arc::new(made.store.clone()), TestClock::new(), "db").await.unwrap()
}

fn all_keys() -> Vec<Vec<u8>> {
    let mut keys = vec![];
    for a in 0..4u8 {
        keys.push(vec![a]);
        for b in 0..4u8 {
            keys.push(vec![a, b]);
            keys.extend((0..4u8).map(|c| vec![a, b, c]));
        }
    }
    keys
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn get_and_scan_equal_the_model(
        tables in prop::collection::vec(versions(), 1..7),
        shapes in prop::collection::vec(any::<u8>(), 1..4),
        l0 in 0usize..5,
        run_length in 1usize..4,
        from in prop::collection::vec(0u8..4, 0..3),
        to in prop::collection::vec(0u8..4, 0..3),
        seek in prop::collection::vec(0u8..4, 1..3),
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
            let options = ScanOptions {
                start: Bound::Included(from.clone().into()),
                end: Bound::Excluded(to.clone().into()),
                ..ScanOptions::default()
            };
            let wanted = |above: &[u8]| -> Vec<_> {
                let within = |key: &[u8]| key >= &from[..] && key < &to[..] && key >= above;
                model.iter().filter(|(key, _)| within(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
            };
            let mut scan = reader.scan(options).await.unwrap();
            let mut shown = Vec::new();
            while let Some(Entry { key, value, sequence, .. }) = scan.next().await.unwrap() {
                shown.push((key.to_vec(), (sequence, value.to_vec())));
            }
            prop_assert_eq!(shown, wanted(&[]));
            scan.seek(&seek);
            let after_seek = scan.next().await.unwrap().map(|entry| entry.key.to_vec());
            prop_assert_eq!(after_seek, wanted(&seek).first().map(|(key, _)| key.clone()));
            Ok(())
        })?;
    }

    #[test]
    fn a_scan_that_is_dropped_at_any_await_loses_nothing(
        tables in prop::collection::vec(versions(), 1..5),
        drops in prop::collection::vec(0usize..5, 1..20),
    ) {
        let made = database(&tables, &[0], 1, 2);
        let wanted: Vec<Vec<u8>> = model(&tables).into_keys().collect();
        let reader = block_on(reader(&made));
        let mut scan = block_on(reader.scan(ScanOptions::default())).unwrap();
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
    let tables = [vec![(b"k".to_vec(), 5, false)], vec![(b"k".to_vec(), 5, true)]];
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
    let tables = [vec![(b"k".to_vec(), 5, true)], vec![(b"k".to_vec(), 9, true)]];
    let reader = block_on(reader(&database(&tables, &[0], 0, 1)));
    assert_eq!(block_on(reader.get(b"k")).unwrap(), Some(Bytes::from(value(1, 9))));
}

#[test]
fn a_run_whose_tables_overlap_is_merged() {
    let older = vec![(b"a".to_vec(), 1, true), (b"m".to_vec(), 2, true)];
    let newer = vec![(b"b".to_vec(), 7, true), (b"m".to_vec(), 8, true), (b"z".to_vec(), 9, true)];
    let reader = block_on(reader(&database(&[older, newer], &[0], 0, 2)));
    assert_eq!(block_on(reader.get(b"m")).unwrap(), Some(Bytes::from(value(1, 8))));
    let shown = block_on(async {
        bucket::collect(reader.scan(ScanOptions::default()).await.unwrap()).await.unwrap()
    });
    assert_eq!(shown.iter().map(|(key, _)| &key[..]).collect::<Vec<_>>(), [b"a", b"b", b"m", b"z"]);
}
