//! Buckets of the original, taken over by our writer: it goes on where the original stopped, and nothing is lost.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::executor::block_on;
use isledb_core::read::{ReaderOptions, ScanOptions};
use isledb_core::write::{WriteBatch, WriterOptions};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::bucket::{Objects, objects_in, open, store_of};

/// Length and SHA-256 of a value: what the fixtures say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Is {
    length: u64,
    sha256: String,
}

impl Is {
    fn of(value: &[u8]) -> Is {
        let digest = Sha256::digest(value);
        Is { length: value.len() as u64, sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect() }
    }
}

/// A bucket that the original wrote, and what it saw in it.
pub(crate) struct Fixture {
    pub(crate) name: String,
    pub(crate) prefix: String,
    pub(crate) objects: Objects,
    pub(crate) expected: BTreeMap<Bytes, Is>,
    /// Puts of a writer that died between its log object and CURRENT. The next writer takes them into the log, since nobody
    /// was told that they failed.
    unpublished: BTreeMap<Bytes, Is>,
}

/// All of them.
pub(crate) fn fixtures() -> Vec<Fixture> {
    #[derive(Deserialize)]
    struct Expected {
        prefix: String,
        entries: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        key: String,
        len: u64,
        sha256: String,
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/buckets");
    let mut fixtures = Vec::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let Ok(expected) = std::fs::read(path.join("expected.json")) else { continue };
        let expected: Expected = serde_json::from_slice(&expected).unwrap();
        let entries = expected.entries.into_iter().map(|entry| {
            (Bytes::from(STANDARD.decode(entry.key).unwrap()), Is { length: entry.len, sha256: entry.sha256 })
        });
        let (name, expected, prefix) =
            (path.file_name().unwrap().to_string_lossy().into_owned(), entries.collect(), expected.prefix);
        let unpublished = if name == "orphan-log" { never_seen(&path, &expected) } else { BTreeMap::new() };
        fixtures.push(Fixture {
            name,
            prefix,
            objects: objects_in(&path.join("bucket")),
            expected,
            unpublished,
        });
    }
    assert_eq!(fixtures.len(), 44, "buckets of the original");
    fixtures.sort_by(|a, b| a.name.cmp(&b.name));
    fixtures
}

/// What was put and is not there.
fn never_seen(path: &Path, expected: &BTreeMap<Bytes, Is>) -> BTreeMap<Bytes, Is> {
    #[derive(Deserialize)]
    struct Put {
        op: String,
        key: Option<String>,
        value: Option<String>,
    }
    let operations = std::fs::read_to_string(path.join("ops.ndjson")).unwrap();
    let operations = operations.lines().map(|line| serde_json::from_str::<Put>(line).unwrap());
    let puts = operations.filter(|operation| operation.op == "put").map(|put| {
        let [key, value] = [put.key, put.value].map(|text| STANDARD.decode(text.unwrap()).unwrap());
        (Bytes::from(key), Is::of(&value))
    });
    let never_seen: BTreeMap<_, _> = puts.filter(|(key, _)| !expected.contains_key(key)).collect();
    assert!(!never_seen.is_empty());
    never_seen
}

#[test]
fn our_writer_goes_on_where_the_original_stopped() {
    for fixture in fixtures() {
        let Fixture { name, prefix, objects, expected, unpublished } = &fixture;
        let store = store_of(objects);
        let mut sum = expected.clone();
        sum.extend(unpublished.clone());
        block_on(async {
            let db = open(store.clone(), prefix, 5).unwrap();
            let options = WriterOptions {
                blob_threshold: 1_000,
                flush_interval: Duration::ZERO,
                ..WriterOptions::default()
            };
            let writer = db.writer(options).await.unwrap_or_else(|error| panic!("{name}: {error}"));
            // New keys around the old ones, every third old key overwritten, every third deleted; over several flushes.
            for (i, key) in expected.keys().enumerate() {
                match i % 3 {
                    0 => {
                        let value = format!("ours {i}").into_bytes();
                        writer.put(key, &value).await.unwrap_or_else(|error| panic!("{name}: {error}"));
                        sum.insert(key.clone(), Is::of(&value));
                    }
                    1 => {
                        writer.delete(key).await.unwrap();
                        sum.remove(key);
                    }
                    _ => {}
                }
                if i % 100 == 99 {
                    writer.flush().await.unwrap_or_else(|error| panic!("{name}: {error}"));
                }
            }
            let mut batch = WriteBatch::new();
            for (key, value) in
                [(&b"\x00first"[..], vec![1; 10]), (b"zz/blob", vec![2; 5_000]), (b"\xff\xfflast", vec![])]
            {
                batch.put(key, &value);
                sum.insert(Bytes::copy_from_slice(key), Is::of(&value));
            }
            writer.write(batch).await.unwrap();
            writer.close().await.unwrap_or_else(|error| panic!("{name}: {error}"));

            let reader = open(store, prefix, 6).unwrap().reader(ReaderOptions::default()).await.unwrap();
            let (mut scan, mut found) = (reader.scan(ScanOptions::default()).await.unwrap(), BTreeMap::new());
            while let Some(entry) = scan.next().await.unwrap_or_else(|error| panic!("{name}: {error}")) {
                found.insert(entry.key, Is::of(&entry.value));
            }
            for (key, is) in &sum {
                assert_eq!(found.get(key), Some(is), "{name}: scan of {key:?}");
                let got = reader.get(key).await.unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(got.map(|value| Is::of(&value)).as_ref(), Some(is), "{name}: get of {key:?}");
            }
            assert_eq!(found.len(), sum.len(), "{name}: more than the sum");
            for deleted in expected.keys().skip(1).step_by(3) {
                assert_eq!(reader.get(deleted).await.unwrap(), None, "{name}: {deleted:?} was deleted");
            }
        });
    }
}
