//! Every bucket that the original wrote is read as the original read it, through `get` and through `scan`.
//!
//! In two buckets the original disagrees with itself; there the answer that follows from the commit order is wanted:
//! `get-scan-disagree` (a merged older run stands in front of a newer one: its scan is right) and `orphan-equal-seq` (a
//! swept put and a later delete share a sequence number: its get is right).

#![allow(clippy::unwrap_used, reason = "what a test cannot unwrap fails it")]

mod bucket;
mod why;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use futures::executor::block_on;
use isledb_core::format::blob::BlobId;
use isledb_core::read::{Reader, ScanOptions, TryNext};
use serde_json::Value;

use bucket::{TestClock, base64, collect, fixtures, load, names, open};

/// What `expected.json` says of a value: its length and SHA-256.
type Expected = BTreeMap<Vec<u8>, (u64, String)>;

fn document(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(fixtures().join(name).join("expected.json")).unwrap()).unwrap()
}

fn expected(name: &str, document: &Value) -> Expected {
    let entries = document["entries"].as_array().unwrap().iter().map(|entry| {
        let value = (entry["len"].as_u64().unwrap(), entry["sha256"].as_str().unwrap().to_owned());
        (base64(entry["key"].as_str().unwrap()), value)
    });
    let mut expected: Expected = entries.collect();
    for mismatch in document["get_mismatches"].as_array().unwrap() {
        let key = base64(mismatch["key"].as_str().unwrap());
        if name == "orphan-equal-seq" {
            assert_eq!(mismatch["get_found"].as_bool(), Some(false), "{mismatch}");
            expected.remove(&key);
        }
    }
    expected
}

/// Every key that the script of the bucket puts or deletes.
fn keys_of_script(name: &str) -> BTreeSet<Vec<u8>> {
    let script = std::fs::read_to_string(fixtures().join(name).join("ops.ndjson")).unwrap();
    let operations = script.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    operations.filter_map(|op| op["key"].as_str().map(base64)).filter(|key| !key.is_empty()).collect()
}

fn summary(value: &Bytes) -> (u64, String) {
    (value.len() as u64, BlobId::of(value).to_string())
}

fn reader(name: &str, prefix: &str) -> Reader {
    let clock = TestClock::new();
    let store = load(&fixtures().join(name).join("bucket"), clock.clone());
    block_on(open(Arc::new(store), clock, prefix)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn every_bucket_of_the_original_reads_as_expected() {
    let names = names();
    assert_eq!(names.len(), 44);
    for name in names {
        let document = document(&name);
        let expected = expected(&name, &document);
        let reader = reader(&name, document["prefix"].as_str().unwrap());
        block_on(async {
            assert!(reader.exists(), "{name}");
            for key in expected.keys().cloned().chain(keys_of_script(&name)) {
                let got = reader.get(&key).await.unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(got.as_ref().map(summary), expected.get(&key).cloned(), "{name}: get {key:?}");
                why::agrees_with_get(&reader.view(), &key).await;
            }
            let scan = reader.scan(ScanOptions::default()).await.unwrap();
            let shown = collect(scan).await.unwrap_or_else(|error| panic!("{name}: {error}"));
            let shown: Vec<_> = shown.iter().map(|(key, value)| (key.to_vec(), summary(value))).collect();
            assert_eq!(shown, expected.into_iter().collect::<Vec<_>>(), "{name}: scan");
        });
    }
}

#[test]
fn the_state_is_the_one_that_the_original_saw() {
    for name in names() {
        let document = document(&name);
        let view = reader(&name, document["prefix"].as_str().unwrap()).view();
        let state = view.manifest().state();
        let ids = |list: &Value| -> Vec<String> {
            list.as_array().unwrap().iter().map(|table| table["id"].as_str().unwrap().to_owned()).collect()
        };
        let l0: Vec<_> = state.l0.iter().map(|table| table.id.clone()).collect();
        assert_eq!(l0, ids(&document["l0"]), "{name}");
        assert_eq!(state.runs.len() as u64, document["run_count"].as_u64().unwrap(), "{name}");
        assert_eq!(state.next_epoch, document["next_epoch"].as_u64().unwrap(), "{name}");
        assert_eq!(
            view.manifest().current.max_committed_lsn,
            document["max_committed_lsn"].as_u64(),
            "{name}"
        );
        assert_eq!(
            view.manifest().current.low_watermark_lsn,
            document["low_watermark_lsn"].as_u64(),
            "{name}"
        );
    }
}

#[test]
fn bounds_prefix_limit_and_seek_cut_the_same_list() {
    for name in ["everything", "several-runs-and-l0", "two-level-snappy", "l0-many"] {
        let reader = reader(name, "db");
        block_on(async {
            let all = collect(reader.scan(ScanOptions::default()).await.unwrap()).await.unwrap();
            for (from, to) in [(0, 1), (1, all.len() / 2), (all.len() / 3, all.len() - 1)] {
                let range = ScanOptions::range(all[from].0.clone(), all[to].0.clone());
                let part = collect(reader.scan(range.clone()).await.unwrap()).await.unwrap();
                assert_eq!(part, all[from..to], "{name}");
                let limited = collect(reader.scan(range.clone().limit(7)).await.unwrap()).await.unwrap();
                assert_eq!(limited, all[from..to.min(from + 7)], "{name}");
            }
            let prefix = all[all.len() / 2].0.slice(..2);
            let shown =
                collect(reader.scan(ScanOptions::prefix(prefix.clone())).await.unwrap()).await.unwrap();
            let wanted: Vec<_> = all.iter().filter(|(key, _)| key.starts_with(&prefix)).cloned().collect();
            assert_eq!(shown, wanted, "{name}");

            let mut scan = reader.scan(ScanOptions::default()).await.unwrap();
            for at in [all.len() / 2, 0, all.len() - 1, 3] {
                scan.seek(&all[at].0);
                let entry = scan.next().await.unwrap().unwrap();
                assert_eq!((entry.key, entry.value), all[at], "{name}");
                let after = scan.next().await.unwrap().map(|entry| entry.key);
                assert_eq!(after, all.get(at + 1).map(|(key, _)| key.clone()), "{name}");
            }
        });
    }
}

#[test]
fn what_is_loaded_comes_without_waiting() {
    let reader = reader("one-run", "db");
    block_on(async {
        let mut scan = reader.scan(ScanOptions::default()).await.unwrap();
        assert_eq!(scan.try_next().unwrap(), TryNext::Wait);
        let mut shown = 1;
        scan.next().await.unwrap().unwrap();
        let mut waits = 0;
        loop {
            match scan.try_next().unwrap() {
                TryNext::Entry(_) => shown += 1,
                TryNext::Wait => {
                    waits += 1;
                    shown += u32::from(scan.next().await.unwrap().is_some());
                }
                TryNext::End => break,
            }
        }
        assert_eq!(shown, 400);
        assert!(waits < 10, "{waits}");
    });
}
