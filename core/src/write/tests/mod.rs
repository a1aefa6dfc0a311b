//! The writer over a store that yields around every request and fails as told.

mod blobs;
mod cancel;
mod faults;
mod faulty;
mod flushing;
mod host;
mod limits;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use self::faulty::FaultyStore;
use self::host::TestHost;
use super::{Writer, WriterOptions};
use crate::error::Result;
use crate::format::layout::Layout;
use crate::format::manifest::{Op, Role, SstMeta};
use crate::format::sst::{Block, MAX_BLOCK_BYTES, PartitionAt, Table, TableOpen};
use crate::format::value::Value;
use crate::host::{GetOptions, Host, MemoryStore, ObjectStore, Requests, RetryPolicy};
use crate::manifest::{ManifestStorage, ManifestView, ObjectManifest, Publisher};

/// Key and sequence number of an entry: what must be in the database exactly once.
type Entries = BTreeMap<(Vec<u8>, u64), Value>;

/// One database and everybody who works on it.
struct Bench {
    host: TestHost,
    store: FaultyStore,
    layout: Layout,
}

impl Bench {
    fn new() -> Bench {
        Bench::seeded(1)
    }

    fn seeded(seed: u64) -> Bench {
        let host = TestHost::new(seed);
        let store = FaultyStore::new(MemoryStore::new(Arc::new(host.clone())));
        Bench { host, store, layout: Layout::new("db").unwrap() }
    }

    fn requests(&self, store: Arc<dyn ObjectStore>) -> Requests {
        let host: Arc<dyn Host> = Arc::new(self.host.clone());
        let policy = RetryPolicy { deadline_ms: 5_000, ..RetryPolicy::default() };
        Requests { policy, ..Requests::new(store, host) }
    }

    fn writer(&self, options: WriterOptions) -> Writer {
        self.try_writer(options).unwrap()
    }

    fn try_writer(&self, options: WriterOptions) -> Result<Writer> {
        self.open(Arc::new(self.store.clone()), options)
    }

    fn open(&self, store: Arc<dyn ObjectStore>, options: WriterOptions) -> Result<Writer> {
        let requests = self.requests(store);
        self.host.run(async {
            options.validate()?;
            let manifest = Arc::new(ObjectManifest::new(requests.clone(), self.layout.clone()));
            let view = ManifestView::load(manifest.as_ref(), &self.host).await?;
            let host = requests.host.clone();
            let publisher = Publisher::claim(manifest, host, Role::Writer, &options.claim(), view).await?;
            Ok(Writer::new(requests, self.layout.clone(), publisher, options))
        })
    }

    fn view(&self) -> ManifestView {
        let requests = self.requests(Arc::new(self.store.inner.clone()));
        let manifest = ObjectManifest::new(requests, self.layout.clone());
        self.host.run(ManifestView::load(&manifest, &self.host)).unwrap()
    }

    fn tables(&self) -> Vec<Arc<SstMeta>> {
        self.view().state().l0.clone()
    }

    fn object(&self, key: &str) -> Bytes {
        self.host.run(async {
            let got = self.store.inner.get(key, GetOptions::default()).await.unwrap();
            let size = got.meta.size;
            got.body.collect(key, size).await.unwrap()
        })
    }

    fn names(&self, prefix: &str) -> Vec<String> {
        let page = self.host.run(self.store.inner.list(prefix, None)).unwrap();
        page.objects.into_iter().map(|object| object.key).collect()
    }

    /// All entries of all tables, each of which must be there exactly once; blobs are put in place.
    fn entries(&self) -> Entries {
        let mut entries = Entries::new();
        for meta in self.tables() {
            let object = self.object(&self.layout.sst(&meta.id));
            let mut count = 0;
            for (key, sequence, value) in read_table(&meta, object) {
                assert!(meta.covers(&key) && (meta.seq_lo..=meta.seq_hi).contains(&sequence));
                let value = match value {
                    Value::Blob { id, expire_at_ms } => {
                        assert!(meta.has_blob_refs);
                        Value::Inline { value: self.object(&self.layout.blob(&id)), expire_at_ms }
                    }
                    value => value,
                };
                assert!(
                    entries.insert((key, sequence), value).is_none(),
                    "sequence {sequence} is there twice"
                );
                count += 1;
            }
            assert_eq!(meta.entry_count, Some(count));
        }
        entries
    }

    /// The tables that the log ever committed, in the order of its slots.
    fn published(&self) -> Vec<String> {
        let requests = self.requests(Arc::new(self.store.inner.clone()));
        let manifest = ObjectManifest::new(requests, self.layout.clone());
        let current = self.view().current;
        let mut ids = Vec::new();
        for slot in 1..current.next_seq {
            let raw = self.host.run(manifest.read_log(slot)).unwrap();
            let entry = crate::format::manifest::LogEntry::decode("entry", slot, &raw).unwrap();
            if let Op::AddSstable(meta) = entry.op {
                ids.push(meta.id.clone());
            }
        }
        ids
    }
}

/// The entries of a table, decoded from its object.
fn read_table(meta: &SstMeta, object: Bytes) -> Vec<(Vec<u8>, u64, Value)> {
    let name: Arc<str> = meta.id.as_str().into();
    let table = object.slice(..meta.size as usize);
    let opened = Table::open(&name, meta.size, 0, table.clone()).unwrap();
    let TableOpen::Ready(opened) = opened else { panic!("all of it was given") };
    let mut entries = Vec::new();
    for i in 0..opened.partitions() {
        let partition = match opened.partition(i) {
            PartitionAt::Resident(partition) => partition,
            PartitionAt::Stored(range) => {
                opened.decode_partition(i, table.slice(range.start as usize..range.end as usize)).unwrap()
            }
        };
        for b in 0..partition.len() {
            let handle = partition.handle(b);
            let stored = handle.stored();
            let stored = table.slice(stored.start as usize..stored.end as usize);
            let block = Block::decode(&name, handle, stored, opened.checksum(), MAX_BLOCK_BYTES).unwrap();
            let mut iter = block.iter();
            let mut more = iter.seek_to_first().unwrap();
            while more {
                let value = Value::decode(&name, None, iter.value()).unwrap();
                entries.push((iter.user_key().to_vec(), iter.sequence(), value));
                more = iter.next().unwrap();
            }
        }
    }
    entries
}

fn inline(value: &[u8]) -> Value {
    Value::Inline { value: Bytes::copy_from_slice(value), expire_at_ms: None }
}

const DELETED: Value = Value::Delete { expire_at_ms: None };

fn entries<const N: usize>(list: [(&[u8], u64, Value); N]) -> Entries {
    list.into_iter().map(|(key, sequence, value)| ((key.to_vec(), sequence), value)).collect()
}

/// Small memtables, short deadlines.
fn small() -> WriterOptions {
    WriterOptions {
        memtable_size: 4_096,
        max_pending_memtables: 2,
        put_deadline: Duration::from_secs(10),
        flush_deadline: Duration::from_secs(5),
        ..WriterOptions::default()
    }
}
