//! The check of a whole database: silent on what is sound, and of each kind of damage it names the object and nothing else.

#![cfg(all(feature = "write", feature = "ed25519"))]
#![allow(clippy::unwrap_used, reason = "what a test cannot unwrap fails it")]

mod bucket;
mod host;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::executor::block_on;
use isledb_core::format::manifest::{BloomMeta, Current, Op, Snapshot, SstMeta};
use isledb_core::format::sst::TableOptions;
use isledb_core::host::{GetOptions, MemoryStore, Metered, ObjectStore, PutCondition};
use isledb_core::signature::{Ed25519Signer, Ed25519Verifier, SignaturePolicy, Trust};
use isledb_core::verify::FindingKind::{Corrupt, Disagrees, Missing, Orphan, Size, Untrusted};
use isledb_core::verify::{Finding, FindingKind, Summary, Verification, VerifyOptions};
use isledb_core::write::WriterOptions;
use isledb_core::{Db, DbOptions, Error};

use bucket::faults::Faults;
use bucket::made::Made;
use bucket::{TestClock, fixtures, load, names, source};
use host::TestHost;

/// What the check of a bucket tells, and what it returns.
fn verify(store: &MemoryStore, prefix: &str, deep: bool) -> (Vec<Finding>, Result<Summary, Error>) {
    let options = VerifyOptions { deep, ..VerifyOptions::default() };
    let source = source(Arc::new(store.clone()), TestClock::new(), prefix);
    let mut findings = Vec::new();
    let verification = Verification::new(source, options).unwrap();
    let outcome = block_on(verification.run(|finding| findings.push(finding)));
    (findings, outcome)
}

/// Object (without prefix) and kind of each finding.
fn told(findings: &[Finding]) -> Vec<(&str, FindingKind)> {
    findings.iter().map(|finding| (finding.object.strip_prefix("db/").unwrap(), finding.kind)).collect()
}

async fn body(store: &MemoryStore, key: &str) -> Bytes {
    let got = store.get(key, GetOptions::default()).await.unwrap();
    got.body.collect(key, got.meta.size).await.unwrap()
}

fn keys(store: &MemoryStore, part: &str) -> Vec<String> {
    let page = block_on(store.list(&format!("db/{part}"), None)).unwrap();
    assert!(!page.more && !page.objects.is_empty(), "{part}");
    page.objects.into_iter().map(|object| object.key).collect()
}

/// Runs `check` on a copy of the bucket in which one object is what `change` makes of it (`None`: gone).
fn damaged(
    store: &MemoryStore,
    key: &str,
    change: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>,
    check: impl FnOnce(&MemoryStore),
) {
    block_on(async {
        let right = body(store, key).await;
        match change(right.to_vec()) {
            Some(wrong) => drop(store.put(key, wrong.into(), PutCondition::None).await.unwrap()),
            None => drop(store.delete(&[key.to_owned()]).await.unwrap()),
        }
        right
    });
    check(store);
}

/// Sound again.
fn restore(store: &MemoryStore, key: &str, right: Bytes) {
    block_on(store.put(key, right, PutCondition::None)).unwrap();
}

/// A database with a snapshot, a window, blobs, and tables with indexes of one and of two levels.
fn filled() -> MemoryStore {
    let host = Arc::new(TestHost::new());
    let store = MemoryStore::new(host.clone());
    let db = Db::open(Arc::new(store.clone()), host, "db", DbOptions::default()).unwrap();
    let table = TableOptions { block_size: 64, ..TableOptions::default() };
    block_on(async {
        let options = WriterOptions { blob_threshold: 500, table, ..WriterOptions::default() };
        let writer = db.writer(options).await.unwrap();
        for flush in 0..36_u32 {
            let count = if flush == 7 { 700 } else { 3 };
            for i in 0..count {
                let key = format!("key{:05}", flush * 13 + i);
                writer.put(key.as_bytes(), format!("value {flush} {i}").as_bytes()).await.unwrap();
            }
            if flush % 9 == 0 {
                writer.put(format!("blob{flush}").as_bytes(), &vec![flush as u8; 600]).await.unwrap();
                writer.delete(b"key00002").await.unwrap();
            }
            writer.flush().await.unwrap();
        }
        writer.close().await.unwrap();
    });
    store
}

#[test]
fn a_sound_database_gives_no_finding() {
    let store = filled();
    for deep in [false, true] {
        let (findings, summary) = verify(&store, "db", deep);
        assert_eq!(findings, [], "deep: {deep}");
        let summary = summary.unwrap();
        assert_eq!((summary.tables, summary.snapshots, summary.blobs), (36, 1, 4), "{summary:?}");
        assert_eq!((summary.problems, summary.orphans, summary.feed_tables), (0, 0, 0));
        assert_eq!(summary.log_entries, 37, "claim and flushes");
        let objects = block_on(store.list("db/", None)).unwrap().objects;
        assert_eq!(summary.objects, objects.len() as u64);
        assert_eq!(summary.bytes, objects.iter().map(|object| object.size).sum::<u64>());
        assert!(summary.blob_orphans_known);
    }
    let (findings, outcome) = verify(&store, "elsewhere", false);
    assert!(findings.is_empty() && matches!(outcome, Err(Error::NoDatabase { .. })));
}

#[test]
fn what_is_gone_or_cut_is_named_alone() {
    let store = filled();
    let last = |part: &str| keys(&store, part).pop().unwrap();
    let first = |part: &str| keys(&store, part).remove(0);
    let gone = |_: Vec<u8>| None;
    let cut = |bytes: Vec<u8>| Some(bytes[..bytes.len() - 3].to_vec());
    type Change = fn(Vec<u8>) -> Option<Vec<u8>>;
    let cases: [(String, Change, FindingKind); 8] = [
        (last("sstable/"), gone, Missing),
        (first("sstable/"), cut, Size),
        (first("blobs/"), gone, Missing),
        (last("manifest/log/"), gone, Missing),
        (last("manifest/log/"), cut, Corrupt),
        // Below the window: only the feed needs it.
        (first("manifest/log/"), gone, Missing),
        (first("manifest/log/"), cut, Corrupt),
        (last("blobs/"), |_| Some(vec![1; 600]), Corrupt),
    ];
    for (key, change, kind) in cases {
        let right = block_on(body(&store, &key));
        damaged(&store, &key, change, |store| {
            for deep in [false, true] {
                let (findings, summary) = verify(store, "db", deep);
                let content = key.contains("/blobs/") && kind == Corrupt;
                let expected = if content && !deep { vec![] } else { vec![(&key[3..], kind)] };
                assert_eq!(told(&findings), expected, "deep: {deep}, {findings:?}");
                assert_eq!(summary.unwrap().problems, expected.len() as u64);
            }
        });
        restore(&store, &key, right);
    }
}

#[test]
fn a_manifest_that_cannot_be_read_is_named_and_ends_the_check() {
    let store = filled();
    let snapshot = keys(&store, "manifest/snapshots/").remove(0);
    for (key, kind) in [("db/manifest/CURRENT", Corrupt), (&snapshot, Corrupt), (&snapshot, Missing)] {
        let right = block_on(body(&store, key));
        let flip = |mut bytes: Vec<u8>| {
            bytes[40] ^= 1;
            (kind == Corrupt).then_some(bytes)
        };
        damaged(&store, key, flip, |store| {
            let (findings, outcome) = verify(store, "db", false);
            assert_eq!(told(&findings), [(&key[3..], kind)]);
            assert_eq!(outcome.unwrap_err().object(), Some(key));
        });
        restore(&store, key, right);
    }
}

/// Found by reading for what a hostile bucket could ask for: a CURRENT of a few bytes said that 2^60 entries are kept, and the check
/// asked for each of them, and kept a finding for each.
#[test]
fn a_feed_that_is_said_to_be_endless_ends() {
    let store = MemoryStore::new(TestClock::new());
    let current =
        Current { log_seq_start: 1 << 60, next_seq: 1 << 60, feed_floor_seq: Some(1), ..Current::default() };
    block_on(store.put("db/manifest/CURRENT", current.encode(), PutCondition::None)).unwrap();
    let (findings, summary) = verify(&store, "db", false);
    let missing = findings.iter().filter(|finding| finding.kind == Missing);
    assert_eq!(missing.count(), 1025, "a lot one by one, then all the rest in one line");
    assert!(findings.last().is_some_and(|last| last.message.contains(&((1u64 << 60) - 1).to_string())));
    assert!(summary.unwrap().problems >= 1025);
}

/// Found by reading: the end of a container at the end of 64 bits was computed without a check, which a build with overflow checks
/// ends by a panic, and another takes for an empty range.
#[test]
fn a_bloom_container_that_no_object_can_have_is_refused() {
    let meta = SstMeta { id: "a.sst".into(), size: 100, ..SstMeta::default() };
    for (offset, sound) in [(100, true), (99, false), (i64::MAX as u64, true), (u64::MAX - 20, false)] {
        let bloom = BloomMeta { bits_per_key: 10, k: 6, offset, length: 64 };
        let mut snapshot = Snapshot::default();
        snapshot.l0.push(Arc::new(SstMeta { bloom, ..meta.clone() }));
        assert_eq!(Snapshot::decode("snapshot", &snapshot.encode()).is_ok(), sound, "{offset}");
    }
}

#[test]
fn every_flipped_byte_of_a_table_is_found_by_reading_it() {
    let store = filled();
    let tables = keys(&store, "sstable/");
    // The large one, and one that refers to a blob.
    let sizes: Vec<usize> = tables.iter().map(|key| block_on(body(&store, key)).len()).collect();
    let large = sizes.iter().enumerate().max_by_key(|(_, size)| **size).unwrap().0;
    for (at, step) in [(large, 97), (0, 7)] {
        let key = &tables[at];
        let right = block_on(body(&store, key));
        for offset in (0..right.len()).step_by(step) {
            let flip = |mut bytes: Vec<u8>| {
                bytes[offset] ^= 1 << (offset % 8);
                Some(bytes)
            };
            damaged(&store, key, flip, |store| {
                let (findings, outcome) = verify(store, "db", true);
                assert!(outcome.unwrap().problems > 0, "byte {offset} of {}", right.len());
                assert!(findings.iter().all(|finding| finding.object == *key), "byte {offset}: {findings:?}");
                assert!(findings.iter().all(|finding| finding.kind != Orphan));
            });
        }
        restore(&store, key, right);
    }
}

#[test]
fn what_nothing_names_is_an_orphan_with_its_age() {
    let store = filled();
    let strays = [
        "db/sstable/9-1-2-1.sst".to_owned(),
        format!("db/blobs/ff/{}.blob", "f".repeat(64)),
        "db/blobs/aa/stray".to_owned(),
        format!("db/manifest/log/{:020}.json", 0),
        format!("db/manifest/log/{:020}.json", 999),
        "db/manifest/snapshots/0ujsszwN8NRY24YaXiTIE2VWDTS.manifest".to_owned(),
        "db/manifest/probe/0ujsszwN8NRY24YaXiTIE2VWDTS".to_owned(),
        "db/manifest/else".to_owned(),
    ];
    for key in &strays {
        restore(&store, key, Bytes::from_static(b"12345"));
    }
    // Beside the three folders of a database may be others.
    restore(&store, "db/other/manifest/CURRENT", Bytes::from_static(b"{}"));
    for deep in [false, true] {
        let (findings, summary) = verify(&store, "db", deep);
        let mut found: Vec<&str> = findings.iter().map(|finding| &finding.object[..]).collect();
        found.sort_unstable();
        let mut wanted: Vec<&str> = strays.iter().map(String::as_str).collect();
        wanted.sort_unstable();
        assert_eq!(found, wanted);
        assert!(findings.iter().all(|finding| finding.kind == Orphan && finding.bytes == Some(5)));
        assert!(findings.iter().all(|finding| finding.age_ms.is_some()));
        let summary = summary.unwrap();
        assert_eq!((summary.problems, summary.orphans, summary.orphan_bytes), (0, 8, 40));
    }
}

#[test]
fn an_orphan_that_maintenance_has_marked_is_told_as_marked() {
    let store = filled();
    let (table, blob) = ("9-1-2-1.sst", "f".repeat(64));
    let strays = [format!("db/sstable/{table}"), format!("db/blobs/ff/{blob}.blob")];
    for key in &strays {
        restore(&store, key, Bytes::from_static(b"12345"));
    }
    let messages = |store: &MemoryStore| -> Vec<String> {
        let (findings, _) = verify(store, "db", false);
        assert!(findings.iter().all(|finding| finding.kind == Orphan), "{findings:?}");
        let of = |key: &String| findings.iter().find(|finding| finding.object == *key).unwrap();
        strays.iter().map(|key| of(key).message.clone()).collect()
    };
    assert_eq!(messages(&store), ["nothing names this table", "no table refers to this blob"]);

    let at = "2026-01-02T03:04:05Z";
    let mark = format!(
        r#"{{"sst_id":"{table}","first_seen_unreferenced_at":"{at}","last_seen_unreferenced_at":"{at}"}}"#
    );
    restore(
        &store,
        "db/manifest/gc/pending-sst/pending.json",
        format!(r#"{{"version":1,"marks":[{mark}]}}"#).into(),
    );
    let name = format!(r#"{{"id":"{blob}","named_at":"{at}"}}"#);
    restore(&store, "db/manifest/gc/blobs.json", format!(r#"{{"version":1,"blobs":[{name}]}}"#).into());
    let marked = "maintenance has marked it for deletion";
    assert_eq!(
        messages(&store),
        [format!("nothing names this table; {marked}"), format!("no table refers to this blob; {marked}")]
    );
}

#[test]
fn a_manifest_that_misdescribes_a_table_is_caught() {
    type Lie = (fn(&mut SstMeta), FindingKind);
    let lies: [Lie; 9] = [
        (|_| (), Orphan),
        (|meta| meta.min_key = Bytes::from_static(b"a"), Disagrees),
        (|meta| meta.max_key = Bytes::from_static(b"z"), Disagrees),
        (|meta| meta.seq_lo += 1, Disagrees),
        (|meta| meta.seq_hi += 5, Orphan), // an upper bound: nothing is lost
        (|meta| meta.entry_count = Some(3), Disagrees),
        (|meta| meta.delete_count = Some(2), Disagrees),
        (|meta| meta.max_expire_at = Some(5), Disagrees),
        (|meta| meta.checksum = format!("sha256:{}", "0".repeat(64)), Corrupt),
    ];
    for (i, (lie, kind)) in lies.into_iter().enumerate() {
        let mut made = Made::new(MemoryStore::new(TestClock::new()));
        let entries = [(&b"k1"[..], 7, Some(&b"v"[..])), (b"k2", 8, None)];
        let mut meta = (*made.table(TableOptions::default(), entries)).clone();
        lie(&mut meta);
        let meta = Arc::new(meta);
        made.add(&meta);
        made.publish();
        let (findings, outcome) = verify(&made.store, "db", true);
        let name = format!("sstable/{}", meta.id);
        let expected = if kind == Orphan { vec![] } else { vec![(&name[..], kind)] };
        assert_eq!(told(&findings), expected, "lie {i}: {findings:?}");
        assert_eq!(outcome.unwrap().problems, expected.len() as u64);
        assert_eq!(verify(&made.store, "db", false).0, [], "only reading it tells");
    }
}

#[test]
fn buckets_of_the_original_are_sound_and_their_orphans_are_known() {
    let mut orphans = BTreeMap::new();
    for name in names() {
        let store = load(&fixtures().join(&name).join("bucket"), TestClock::new());
        let text = std::fs::read(fixtures().join(&name).join("expected.json")).unwrap();
        let expected: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let prefix = expected["prefix"].as_str().unwrap();
        for deep in [false, true] {
            let (findings, summary) = verify(&store, prefix, deep);
            let summary = summary.unwrap_or_else(|error| panic!("{name}: {error}"));
            let problems: Vec<_> = findings.iter().filter(|finding| finding.kind.is_problem()).collect();
            assert!(problems.is_empty(), "{name}, deep {deep}: {problems:?}");
            assert!(summary.blob_orphans_known, "{name}");
            if summary.orphans > 0 {
                let kinds: Vec<_> = ["/sstable/", "/blobs/", "/log/", "/snapshots/"]
                    .into_iter()
                    .filter_map(|part| {
                        let count = findings.iter().filter(|finding| finding.object.contains(part)).count();
                        (count > 0).then(|| format!("{count} {}", part.trim_matches('/')))
                    })
                    .collect();
                orphans.insert(name.clone(), kinds.join(", "));
            }
        }
    }
    // What the original leaves behind: inputs of merges and tables of retention, which wait in its mark set; blobs that
    // merges dropped, which it never deletes; tables and entries of commits that broke off; log entries below a snapshot.
    let known = [
        ("blobs-compacted", "2 sstable, 3 blobs"),
        ("everything", "7 sstable"),
        ("fenced-writer", "1 sstable"),
        ("gc-orphan-marks", "1 sstable"),
        ("get-scan-disagree", "9 sstable"),
        ("lsn-compacted", "5 sstable"),
        ("one-run", "8 sstable"),
        ("orphan-log", "1 sstable, 1 log"),
        ("retention-empties", "3 sstable"),
        ("retention-fifo", "4 sstable"),
        ("retention-window", "4 sstable"),
        ("run-of-many-tables", "4 sstable"),
        ("runs-merged", "20 sstable"),
        ("several-runs-and-l0", "12 sstable"),
        ("signed", "8 sstable"),
        ("snapshot", "8 sstable, 12 log"),
        ("snapshot-tail", "8 sstable, 5 log"),
        ("tombstones-compacted", "6 sstable"),
        ("ttl-compacted", "2 sstable"),
    ];
    let known: BTreeMap<_, _> = known.map(|(name, kinds)| (name.to_owned(), kinds.to_owned())).into();
    assert_eq!(orphans, known);
}

#[test]
fn a_check_costs_what_it_says() {
    let store = filled();
    let metered = Metered::new(Arc::new(store.clone()));
    let meter = metered.meter();
    let source = source(Arc::new(metered), TestClock::new(), "db");
    let verification = Verification::new(source.clone(), VerifyOptions::default()).unwrap();
    block_on(verification.run(|_| ())).unwrap();
    let cost = meter.cost();
    // CURRENT, snapshot, three documents of maintenance, 37 entries; tail and list of 4 tables that name blobs.
    assert_eq!((cost.get, cost.list, cost.head, cost.put), (2 + 3 + 37 + 8, 3, 0, 0), "{cost:?}");
    let verification =
        Verification::new(source, VerifyOptions { deep: true, ..VerifyOptions::default() }).unwrap();
    block_on(verification.run(|_| ())).unwrap();
    let progress = verification.progress();
    let tables: u64 =
        keys(&store, "sstable/").iter().map(|key| block_on(body(&store, key)).len() as u64).sum();
    assert_eq!(progress.done_bytes(), progress.total_bytes());
    assert!(progress.done_bytes() > tables * 9 / 10, "tables without their containers, and blobs");
    for concurrency in [0, VerifyOptions::MAX_CONCURRENCY + 1] {
        let options = VerifyOptions { concurrency, ..VerifyOptions::default() };
        let refused = options.validate().unwrap_err();
        assert!(refused.to_string().contains("concurrency"), "{refused}");
    }
}

#[test]
fn a_table_that_nobody_signed_is_told_where_signatures_are_asked_for() {
    let verify = |name: &str, policy| {
        let store = load(&fixtures().join(name).join("bucket"), TestClock::new());
        // The key that signed the fixture; see the README beside it.
        let seed: [u8; 32] = std::array::from_fn(|i| i as u8);
        let key = Ed25519Signer::new(&seed).public_key();
        let verifier = Arc::new(Ed25519Verifier::new(&[key]).unwrap());
        let mut source = source(Arc::new(store), TestClock::new(), "db");
        source.trust = Trust::new(Some(verifier), Some(policy), false).unwrap();
        let options = VerifyOptions { deep: true, ..VerifyOptions::default() };
        let mut kinds = Vec::new();
        let verification = Verification::new(source, options).unwrap();
        block_on(verification.run(|finding| kinds.push(finding.kind))).unwrap();
        kinds.retain(|kind| kind.is_problem());
        kinds
    };
    assert_eq!(verify("signed", SignaturePolicy::Require), []);
    assert_eq!(verify("ttl", SignaturePolicy::Require), [Untrusted, Untrusted]);
    assert_eq!(verify("ttl", SignaturePolicy::Off), []);
}

#[test]
fn what_goes_while_it_is_checked_is_no_finding() {
    let mut made = Made::new(MemoryStore::new(TestClock::new()));
    let tables =
        [b"a", b"b"].map(|key| made.table(TableOptions::default(), [(&key[..], 1, Some(&b"v"[..]))]));
    tables.iter().for_each(|meta| made.add(meta));
    made.publish();
    let store = made.store.clone();
    let gone = made.layout.sst(&tables[0].id);
    let entry = made.layout.log(3);
    // Retention removes a table, and it is deleted, when the manifest was read and before anything is listed.
    let faults = Faults::new(Arc::new(store.clone()));
    let (made, key) = (Mutex::new(Some(made)), gone.clone());
    faults.set(move |asked| {
        if asked.contains("manifest/gc/")
            && let Some(mut made) = made.lock().unwrap().take()
        {
            made.log(Op::RemoveSstables(vec![key.rsplit('/').next().unwrap().to_owned()]));
            made.publish();
            made.remove(&key);
        }
        None
    });
    let source = source(Arc::new(faults), TestClock::new(), "db");
    let verification = Verification::new(source, VerifyOptions::default()).unwrap();
    let mut findings = Vec::new();
    block_on(verification.run(|finding| findings.push(finding))).unwrap();
    assert!(
        !block_on(store.list("db/sstable/", None)).unwrap().objects.iter().any(|object| object.key == gone)
    );
    // The entry that did it lies beyond the log that was read.
    assert_eq!(told(&findings), [(&entry[3..], Orphan)]);
}
