//! A small bucket that we wrote, with every kind of object in it: each byte flipped, each object cut short, each one missing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::executor::block_on;
use isledb_core::format::sst::{Compression, TableOptions};
use isledb_core::read::ReaderOptions;
use isledb_core::write::WriterOptions;
use isledb_core::{Error, ErrorKind, Result};

use crate::bucket::{Answer, Objects, objects_of, open, read_all, store_of};

const PREFIX: &str = "some/db";

fn options() -> WriterOptions {
    WriterOptions {
        blob_threshold: 300,
        flush_interval: Duration::ZERO,
        table: TableOptions { block_size: 256, compression: Compression::Snappy, ..TableOptions::default() },
        ..WriterOptions::default()
    }
}

/// A bucket, and what must be read from it: so many flushes, among them a table with two index levels and a blob.
fn bucket(flushes: u32) -> (Objects, BTreeMap<Bytes, Bytes>) {
    let store = store_of(&Objects::new());
    let mut expected = BTreeMap::new();
    block_on(async {
        let writer = open(store.clone(), PREFIX, 2).unwrap().writer(options()).await.unwrap();
        for flush in 0..flushes {
            let (key, value) =
                (Bytes::from(format!("k{:02}", flush % 7)), Bytes::from(format!("value {flush}")));
            writer.put(&key, &value).await.unwrap();
            expected.insert(key, value);
            if flush == 1 {
                let (key, value) = (Bytes::from("blob"), Bytes::from(vec![b'b'; 400]));
                writer.put(&key, &value).await.unwrap();
                expected.insert(key, value);
                writer.delete(b"k00").await.unwrap();
                expected.remove(&b"k00"[..]);
                for row in 0..60u32 {
                    let (key, value) =
                        (Bytes::from(format!("row/{row:04}")), Bytes::from(format!("{row:12}")));
                    writer.put(&key, &value).await.unwrap();
                    expected.insert(key, value);
                }
            }
            writer.flush().await.unwrap();
        }
        writer.close().await.unwrap();
    });
    let objects = objects_of(store.as_ref());
    for part in ["manifest/CURRENT", "manifest/log/", "sstable/", "blobs/"] {
        assert!(
            objects.keys().any(|key| key.starts_with(&format!("{PREFIX}/{part}"))),
            "no {part}: {:?}",
            objects.keys()
        );
    }
    (objects, expected)
}

/// Few objects.
fn small() -> (Objects, BTreeMap<Bytes, Bytes>) {
    bucket(3)
}

/// Enough commits for a snapshot.
fn with_snapshot() -> (Objects, BTreeMap<Bytes, Bytes>) {
    let (objects, expected) = bucket(40);
    assert!(objects.keys().any(|key| key.contains("/snapshots/")), "{:?}", objects.keys());
    (objects, expected)
}

/// What a test allows an error to be: one that says which object, or that there is no database.
fn is_named(error: &Error, what: &str) {
    match error.kind() {
        ErrorKind::Corrupt | ErrorKind::Unsupported | ErrorKind::NotFound => {
            let object = error.object().map(str::to_owned).unwrap_or_else(|| error.to_string());
            assert!(object.contains(PREFIX), "{what}: {error} does not name an object");
        }
        _ => panic!("{what}: {error:?}"),
    }
}

/// The right answer, or a named error, from each of the ways to read.
fn right_or_named(
    answer: Result<Answer>,
    expected: &BTreeMap<Bytes, Bytes>,
    keys: &[Bytes],
    what: &str,
) -> bool {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            is_named(&error, what);
            return false;
        }
    };
    let mut right = true;
    match answer.scanned {
        Ok(scanned) => assert!(scanned == *expected, "{what}: a wrong answer by scan"),
        Err(error) => {
            is_named(&error, what);
            right = false;
        }
    }
    for (key, got) in keys.iter().zip(answer.got) {
        match got {
            Ok(got) => assert!(got.as_ref() == expected.get(key), "{what}: {key:?} is {got:?}"),
            Err(error) => {
                is_named(&error, what);
                right = false;
            }
        }
    }
    right
}

/// Keys to get: one of each table and of some blocks, the blob, the deleted one, and one that never was.
fn keys(expected: &BTreeMap<Bytes, Bytes>) -> Vec<Bytes> {
    let few = expected.keys().enumerate().filter(|(i, key)| !key.starts_with(b"row/") || i % 20 == 0);
    few.map(|(_, key)| key.clone()).chain([Bytes::from("k00"), Bytes::from("none")]).collect()
}

/// A bucket with one object replaced; `None` takes it away.
fn with(objects: &Objects, key: &str, body: Option<Bytes>) -> Objects {
    let mut objects = objects.clone();
    match body {
        Some(body) => objects.insert(key.to_owned(), body),
        None => objects.remove(key),
    };
    objects
}

#[test]
fn undamaged_they_are_right() {
    for (objects, expected) in [small(), with_snapshot()] {
        let keys = keys(&expected);
        assert!(right_or_named(read_all(store_of(&objects), PREFIX, &keys), &expected, &keys, "undamaged"));
    }
}

/// Flips bits of one byte after the other, and counts those that made a difference, and all.
fn flip(
    (objects, expected): &(Objects, BTreeMap<Bytes, Bytes>),
    bits: [u8; 4],
    chosen: impl Fn(&str, usize) -> bool,
) -> (u32, u32) {
    let keys = keys(expected);
    let (mut noticed, mut all) = (0, 0);
    for (key, body) in objects {
        for at in (0..body.len()).filter(|at| chosen(key, *at)) {
            let mut damaged = body.to_vec();
            damaged[at] ^= bits[at % 4];
            let what = format!("{key}, byte {at} of {}", body.len());
            let store = store_of(&with(objects, key, Some(damaged.into())));
            all += 1;
            let right = right_or_named(read_all(store, PREFIX, &keys), expected, &keys, &what);
            noticed += u32::from(!right);
        }
    }
    (noticed, all)
}

#[test]
fn every_byte_of_a_small_bucket_flipped() {
    let (noticed, all) = flip(&small(), [0x01, 0x80, 0x20, 0xff], |_, _| true);
    // 0x20 turns a letter into the other case, which a checksum in hex may have. Log objects whose bytes CURRENT carries, and the original's filters, are never read; most of the rest must show.
    assert!(noticed * 3 > all, "only {noticed} of {all} flips were noticed: is anything read at all?");
}

#[test]
fn every_other_byte_of_a_manifest_with_a_snapshot_flipped() {
    let (noticed, all) = flip(&with_snapshot(), [0x01, 0x80, 0x40, 0xff], |key, at| {
        (key.ends_with("/CURRENT") || key.contains("/snapshots/")) && at % 2 == 0
    });
    // Under another name the checksum is a field that nobody knows, and the document one of the original's, which have none:
    // the six letters of the name, in two documents.
    assert!(
        all - noticed <= 12,
        "{noticed} of {all} flips were noticed: all other bytes are under a checksum"
    );
}

#[test]
fn every_object_cut_short() {
    let (objects, expected) = small();
    let keys = keys(&expected);
    for (key, body) in &objects {
        let step = (body.len() / 100).max(1);
        for length in (0..body.len()).step_by(step) {
            let what = format!("{key}, {length} of {} bytes", body.len());
            let store = store_of(&with(&objects, key, Some(body.slice(..length))));
            right_or_named(read_all(store, PREFIX, &keys), &expected, &keys, &what);
        }
    }
}

#[test]
fn every_object_missing() {
    let (objects, expected) = with_snapshot();
    let keys = keys(&expected);
    for key in objects.keys() {
        let store = store_of(&with(&objects, key, None));
        let right =
            right_or_named(read_all(store, PREFIX, &keys), &expected, &keys, &format!("{key} missing"));
        let needed = ["manifest/CURRENT", "sstable/", "blobs/"].iter().any(|part| key.contains(part));
        assert!(!(right && needed), "{key} is missing and nobody noticed");
    }
}

/// A writer on a damaged bucket: it refuses, or goes on; what it acknowledges is there, and nothing else goes wrong.
#[test]
fn writers_refuse_or_go_on() {
    let (objects, expected) = small();
    for (key, body) in objects.iter().filter(|(key, _)| key.contains("/manifest/")) {
        for at in (0..body.len()).step_by(5) {
            let mut damaged = body.to_vec();
            damaged[at] ^= 0x10;
            let what = format!("{key}, byte {at}");
            let store = store_of(&with(&objects, key, Some(damaged.into())));
            let written: Result<()> = block_on(async {
                let writer = open(store.clone(), PREFIX, 3)?.writer(options()).await?;
                writer.put(b"new", b"value").await?;
                writer.close().await
            });
            match written {
                Ok(()) => {
                    let reader = open(store.clone(), PREFIX, 4).unwrap();
                    let got: Result<Option<Bytes>> =
                        block_on(async { reader.reader(ReaderOptions::default()).await?.get(b"new").await });
                    assert_eq!(
                        got.unwrap_or_else(|error| panic!("{what}: {error}")).as_deref(),
                        Some(&b"value"[..])
                    );
                    let keys = [Bytes::from("k01")];
                    let mut sum = expected.clone();
                    sum.insert(Bytes::from("new"), Bytes::from("value"));
                    right_or_named(read_all(Arc::clone(&store), PREFIX, &keys), &sum, &keys, &what);
                }
                Err(error) => is_named(&error, &what),
            }
        }
    }
}
