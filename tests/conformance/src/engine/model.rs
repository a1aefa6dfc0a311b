//! What a database must show: a sorted map, and operations drawn from a seed.

use std::collections::BTreeMap;

use bytes::Bytes;
use isledb_core::Db;
use isledb_core::read::{Reader, ReaderOptions, ScanOptions};
use isledb_core::write::{WriteBatch, Writer};

/// Keys and values that a reader must see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Model(pub(super) BTreeMap<Vec<u8>, Vec<u8>>);

/// Numbers that are the same at every run.
pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) fn new(seed: u64) -> Numbers {
        Numbers(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    /// Some bytes, now and then more than a block, now and then a blob.
    pub(super) fn value(&mut self) -> Vec<u8> {
        let length = match self.below(40) {
            0 => 0,
            1 => 3_000 + self.below(3_000),
            _ => self.below(200),
        };
        (0..length).map(|_| self.below(256) as u8).collect()
    }
}

impl Model {
    /// Writes some random operations to the writer and to the model.
    pub(super) async fn write(&mut self, writer: &Writer, numbers: &mut Numbers, operations: u64) {
        for _ in 0..operations {
            let key = format!("key/{:04}", numbers.below(300)).into_bytes();
            match numbers.below(10) {
                0 | 1 => {
                    writer.delete(&key).await.unwrap();
                    self.0.remove(&key);
                }
                2 => {
                    let mut batch = WriteBatch::new();
                    for i in 0..numbers.below(5) {
                        let (key, value) = ([&key[..], &[b'+', i as u8]].concat(), numbers.value());
                        batch.put(&key, &value);
                        self.0.insert(key, value);
                    }
                    batch.delete(&key);
                    self.0.remove(&key);
                    writer.write(batch).await.unwrap();
                }
                _ => {
                    let value = numbers.value();
                    writer.put(&key, &value).await.unwrap();
                    self.0.insert(key, value);
                }
            }
        }
    }

    /// A fresh handle's reader must show exactly this, by scan and by get.
    pub(super) async fn must_be_in(&self, db: &Db) {
        self.must_be_seen_by(&db.reader(ReaderOptions::default()).await.unwrap()).await;
    }

    pub(super) async fn must_be_seen_by(&self, reader: &Reader) {
        let found = Model(scan(reader, ScanOptions::default()).await.into_iter().collect());
        for (key, value) in &self.0 {
            let seen = found.0.get(key);
            assert!(seen == Some(value), "{}: {:?} bytes", key.escape_ascii(), seen.map(Vec::len));
            let got = reader.get(key).await.unwrap();
            assert!(
                got.as_deref() == Some(&value[..]),
                "get {}: {:?} bytes",
                key.escape_ascii(),
                got.map(|got| got.len())
            );
        }
        let strangers: Vec<_> = found.0.keys().filter(|key| !self.0.contains_key(*key)).collect();
        assert!(strangers.is_empty(), "{strangers:?} were never put, or were deleted");
        assert_eq!(reader.get(b"key/none").await.unwrap(), None);
    }
}

/// The keys and values of a scan, which must ascend.
pub(super) async fn scan(reader: &Reader, options: ScanOptions) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut scan = reader.scan(options).await.unwrap();
    let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    while let Some(entry) = scan.next().await.unwrap() {
        let (key, value): (Bytes, Bytes) = (entry.key, entry.value);
        assert!(
            found.last().is_none_or(|(last, _)| last[..] < key[..]),
            "{} is out of order",
            key.escape_ascii()
        );
        found.push((key.to_vec(), value.to_vec()));
    }
    found
}
