//! Damaged buckets: whatever a byte says, a reader answers rightly or names what is wrong. It never panics, never hangs
//! and never answers wrongly; for buckets of the original, whose documents have no checksum, the last cannot be promised.

#![cfg(feature = "write")]
#![allow(clippy::unwrap_used, reason = "what a test cannot unwrap fails it")]

mod bucket;

use std::sync::Arc;

use bytes::Bytes;
use futures::executor::block_on;
use isledb_core::Result;
use isledb_core::format::sst::TableOptions;
use isledb_core::host::{GetOptions, MemoryStore, ObjectStore, PutCondition};
use isledb_core::read::{BlockCache, Reader, ReaderOptions, ScanOptions};

use bucket::made::Made;
use bucket::{TestClock, collect, fixtures, load, source};

/// Everything that a reader shows.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    forwards: Vec<(Bytes, Bytes)>,
    /// By a reverse scan, turned round again.
    backwards: Vec<(Bytes, Bytes)>,
    /// By a get of each key.
    singly: Vec<Option<Bytes>>,
    /// By one get of them all.
    together: Vec<Option<Bytes>>,
}

/// What a fresh reader without a cache shows.
async fn read_all(store: &MemoryStore, prefix: &str, keys: &[Bytes]) -> Result<Shown> {
    let mut source = source(Arc::new(store.clone()), TestClock::new(), prefix);
    source.cache = Arc::new(BlockCache::new(0));
    let reader = Reader::open(source, ReaderOptions::default()).await?;
    let forwards = collect(reader.scan(ScanOptions::default()).await?).await;
    let backwards = collect(reader.scan(ScanOptions::default().reversed()).await?).await;
    let together = reader.get_many(keys).await;
    let mut singly = Vec::new();
    for key in keys {
        singly.push(reader.get(key).await?);
    }
    let mut backwards = backwards?;
    backwards.reverse();
    Ok(Shown { forwards: forwards?, backwards, singly, together: together? })
}

async fn objects(store: &MemoryStore) -> Vec<(String, Bytes)> {
    let mut objects = Vec::new();
    for meta in store.list("", None).await.unwrap().objects {
        let got = store.get(&meta.key, GetOptions::default()).await.unwrap();
        objects.push((meta.key.clone(), got.body.collect(&meta.key, meta.size).await.unwrap()));
    }
    objects
}

async fn put(store: &MemoryStore, key: &str, body: Bytes) {
    store.put(key, body, PutCondition::None).await.unwrap();
}

/// Three tables of every kind of index, a snapshot, and a window of which one entry is inline.
fn small_bucket() -> Made {
    let mut made = Made::new(MemoryStore::new(TestClock::new()));
    let shapes = [4096, 64, 4096];
    for (i, block_size) in shapes.into_iter().enumerate() {
        let options = TableOptions { block_size, ..TableOptions::default() };
        let keys: Vec<_> = (0..6).map(|k| format!("k{:02}", k * 2 + i).into_bytes()).collect();
        let value = format!("value of table {i}").into_bytes();
        let entries = keys.iter().enumerate().map(|(n, key)| {
            let put = (n + i) % 4 != 0;
            (&key[..], (i * 6 + n + 1) as u64, put.then_some(&value[..]))
        });
        let meta = made.table(options, entries);
        made.add(&meta);
        if i == 1 {
            made.snapshot();
        }
    }
    made.publish();
    made
}

#[test]
fn every_flipped_byte_and_every_truncation_of_a_bucket_of_ours() {
    let made = small_bucket();
    block_on(async {
        let store = &made.store;
        let keys: Vec<Bytes> = (0..16).map(|k| Bytes::from(format!("k{k:02}"))).collect();
        let right = read_all(store, "db", &keys).await.unwrap();
        assert!(right.forwards.len() > 5);
        assert_eq!((&right.backwards, &right.together), (&right.forwards, &right.singly));
        let (mut named, mut harmless) = (0, 0);
        let mut check = |what: String, read: Result<Shown>| match read {
            Ok(read) => {
                assert_eq!(read, right, "{what}");
                harmless += 1;
            }
            Err(error) => {
                assert!(error.object().is_some_and(|object| object.starts_with("db/")), "{what}: {error}");
                named += 1;
            }
        };
        for (key, body) in objects(store).await {
            for at in 0..body.len() {
                let mut damaged = body.to_vec();
                damaged[at] ^= 1 << (at % 8);
                put(store, &key, damaged.into()).await;
                check(format!("{key}: byte {at}"), read_all(store, "db", &keys).await);
                put(store, &key, body.slice(..at)).await;
                check(format!("{key}: cut to {at}"), read_all(store, "db", &keys).await);
            }
            put(store, &key, body).await;
        }
        println!("{named} named errors, {harmless} right answers");
        assert!(named > harmless);
    });
}

#[test]
fn damaged_buckets_of_the_original_never_panic_or_hang() {
    for name in ["ttl", "blobs-low-threshold", "snapshot-tail"] {
        let store = load(&fixtures().join(name).join("bucket"), TestClock::new());
        block_on(async {
            let keys: Vec<Bytes> =
                read_all(&store, "db", &[]).await.unwrap().forwards.into_iter().map(|(key, _)| key).collect();
            let keys = &keys[..keys.len().min(5)];
            for (key, body) in objects(&store).await {
                for at in (0..body.len()).step_by(37) {
                    let mut damaged = body.to_vec();
                    damaged[at] ^= 1 << (at % 8);
                    put(&store, &key, damaged.into()).await;
                    let _ = read_all(&store, "db", keys).await;
                }
                for at in (0..body.len()).step_by(331) {
                    put(&store, &key, body.slice(..at)).await;
                    let _ = read_all(&store, "db", keys).await;
                }
                put(&store, &key, body).await;
            }
        });
    }
}

#[test]
fn a_blob_that_is_not_what_its_name_says_is_named() {
    let store = load(&fixtures().join("blobs-low-threshold").join("bucket"), TestClock::new());
    block_on(async {
        for (key, body) in objects(&store).await.into_iter().filter(|(key, _)| key.contains("/blobs/")) {
            let mut damaged = body.to_vec();
            damaged[body.len() / 2] ^= 4;
            put(&store, &key, damaged.into()).await;
            if let Err(error) = read_all(&store, "db", &[]).await {
                assert_eq!(error.object(), Some(&key[..]));
                assert_eq!(error.kind(), isledb_core::ErrorKind::Corrupt);
            }
            put(&store, &key, body).await;
        }
    });
}
