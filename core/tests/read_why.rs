//! What `why` says of each table: bounds, filters, the sequence rule, versions, deletes, expiry, blobs.

#![cfg(feature = "write")]
#![allow(clippy::unwrap_used, reason = "what a test cannot unwrap fails it")]

mod bucket;
mod why;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::executor::block_on;
use isledb_core::Error;
use isledb_core::format::sst::{TableLayout, TableOptions};
use isledb_core::host::{MemoryStore, Metered};
use isledb_core::read::{Answer, FilterVerdict, Held, MAX_VERSIONS, ScanOptions, Skip, View};

use bucket::made::Made;
use bucket::{TestClock, fixtures, load, open};
use why::agrees_with_get;

fn made() -> Made {
    Made::new(MemoryStore::new(TestClock::new()))
}

async fn view(made: &Made) -> View {
    open(Arc::new(made.store.clone()), TestClock::new(), "db").await.unwrap().view()
}

fn fixture(name: &str) -> View {
    let clock = TestClock::new();
    let store = load(&fixtures().join(name).join("bucket"), clock.clone());
    block_on(open(Arc::new(store), clock, "db")).unwrap().view()
}

#[test]
fn each_table_says_why_it_takes_part_or_not() {
    let mut made = made();
    let table = |made: &mut Made, sequence: u64, keys: &[&str]| {
        made.build(TableOptions::default(), |add| {
            let numbered = keys.iter().zip(sequence..);
            numbered.for_each(|(key, sequence)| add(key.as_bytes(), sequence, Some(b"value")));
        })
    };
    let run = table(&mut made, 1, &["a", "k", "z"]);
    made.add_run(vec![run]);
    made.snapshot();
    for keys in [&["x", "y"][..], &["a", "z"], &["k"]] {
        let meta = table(&mut made, 10 + 10 * keys.len() as u64, keys);
        made.add(&meta);
    }
    made.publish();
    block_on(async {
        let why = agrees_with_get(&view(&made).await, b"k").await;
        let said: Vec<_> =
            why.sources.iter().map(|s| (s.skipped, s.filter, s.versions.len(), s.run.is_some())).collect();
        assert_eq!(
            said,
            [
                (None, FilterVerdict::Maybe, 1, false),
                (Some(Skip::Filter), FilterVerdict::Absent, 0, false),
                (Some(Skip::Range), FilterVerdict::Unasked, 0, false),
                (Some(Skip::Sequence), FilterVerdict::Maybe, 1, true),
            ]
        );
        assert_eq!((why.winner, why.answer), (Some(0), Answer::Value));
        assert_eq!(why.sources[0].versions[0].sequence, 20);
        assert!(why.sources[0].object.starts_with("db/sstable/"));
        let place = why.sources[0].place.unwrap();
        assert_eq!((place.partition, place.block.offset), (0, 0));
    });
}

#[test]
fn versions_of_a_key_are_followed_over_blocks_and_partitions() {
    for layout in [TableLayout::Edge, TableLayout::Original] {
        let mut made = made();
        let options = TableOptions { block_size: 64, layout, ..TableOptions::default() };
        let value = vec![7; 40];
        let keys: [(&[u8], u64); 3] = [(b"a", 5), (b"k", 300), (b"z", 5)];
        let meta = made.build(options, |add| {
            for (key, count) in keys {
                (0..count).rev().for_each(|sequence| add(key, sequence + 1, Some(&value)));
            }
        });
        made.add(&meta);
        made.publish();
        block_on(async {
            let view = view(&made).await;
            for (key, count) in keys {
                let why = agrees_with_get(&view, key).await;
                let found = &why.sources[0];
                assert_eq!(found.versions.len() as u64, count.min(MAX_VERSIONS as u64));
                assert_eq!(found.more, count > MAX_VERSIONS as u64);
                assert_eq!(found.versions[0].sequence, count);
            }
        });
    }
}

#[test]
fn a_filter_that_lies_is_seen() {
    let mut made = made();
    let options = |bits| TableOptions { filter_bits_per_key: bits, ..TableOptions::default() };
    let entry = |sequence| [(&b"key"[..], sequence, Some(&b"value"[..]))];
    let meta = made.table(options(10), entry(9));
    made.add(&meta);
    made.publish();
    let name = made.layout.sst(&meta.id);
    block_on(async {
        assert_eq!(agrees_with_get(&view(&made).await, b"key").await.answer, Answer::Value);
        // A table that differs in its one key alone. Its separator is the same, so everything behind the data fits, but the
        // filter is that of the other key.
        let mut other = Made::new(MemoryStore::new(TestClock::new()));
        let meta = other.table(options(10), [(&b"kex"[..], 9, Some(&b"value"[..]))]);
        let (mut ours, theirs) = (made.object(&name).to_vec(), other.object(&other.layout.sst(&meta.id)));
        let data_end =
            agrees_with_get(&view(&made).await, b"key").await.sources[0].place.unwrap().block.stored().end;
        assert_eq!(ours.len(), theirs.len());
        ours.truncate(data_end as usize);
        ours.extend_from_slice(&theirs[data_end as usize..]);
        made.replace(&name, ours.into());
        let why = view(&made).await.why(b"key").await.unwrap();
        assert_eq!(why.sources[0].skipped, Some(Skip::Filter));
        assert_eq!(why.sources[0].versions.len(), 1, "what the filter hides is shown");
        assert_eq!((why.answer, why.winner), (Answer::Nothing, None));
    });
}

#[test]
fn deletes_expiries_and_blobs_are_named() {
    let mut answers = Vec::new();
    for name in ["ttl", "blobs-low-threshold", "orphan-equal-seq", "get-scan-disagree", "everything"] {
        let view = fixture(name);
        let script = std::fs::read_to_string(fixtures().join(name).join("ops.ndjson")).unwrap();
        let operations = script.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let keys: BTreeSet<Vec<u8>> = operations
            .filter_map(|op| op["key"].as_str().map(bucket::base64))
            .filter(|key| !key.is_empty())
            .collect();
        for key in keys.iter().step_by(1 + keys.len() / 60) {
            let why = block_on(agrees_with_get(&view, key));
            let versions = why.sources.iter().flat_map(|source| &source.versions);
            let blob = versions.clone().any(|version| matches!(version.held, Held::Blob { .. }));
            answers.push((name, std::mem::discriminant(&why.answer), blob));
        }
    }
    let has = |name: &str, answer: Answer| {
        answers.iter().any(|(of, said, _)| *of == name && *said == std::mem::discriminant(&answer))
    };
    assert!(
        has("ttl", Answer::Expired { at_ms: 0 }) && has("ttl", Answer::Value) && has("ttl", Answer::Deleted)
    );
    assert!(has("orphan-equal-seq", Answer::Deleted), "of equal sequences the later table wins");
    assert!(answers.iter().any(|(name, _, blob)| *name == "blobs-low-threshold" && *blob));
}

#[test]
fn it_costs_three_rounds_and_fetches_no_blob() {
    let clock = TestClock::new();
    let store = load(&fixtures().join("blobs-default").join("bucket"), clock.clone());
    let metered = Metered::new(Arc::new(store.clone()));
    let meter = metered.meter();
    block_on(async {
        let reader = open(Arc::new(store), clock.clone(), "db").await.unwrap();
        let all = bucket::collect(reader.scan(ScanOptions::default()).await.unwrap()).await.unwrap();
        let (key, value) = all.iter().max_by_key(|(_, value)| value.len()).unwrap();
        let view = open(Arc::new(metered), clock, "db").await.unwrap().view();
        let span = meter.span();
        let why = view.why(key).await.unwrap();
        assert!(matches!(why.sources[0].versions[0].held, Held::Blob { .. }));
        let cost = span.cost();
        assert!(cost.round_trips <= 3 && cost.bytes_read < value.len() as u64, "{cost:?}");
        assert!(matches!(view.why(b"").await, Err(Error::InvalidArgument { .. })));
    });
}
