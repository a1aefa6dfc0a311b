//! Maintenance on copies of the original's buckets: nothing that can be read changes, neither for us nor for the original, whose
//! replay (the plain one) sees the state that we see, and whose look-ups go by the order of tables.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it expects")]

use std::collections::BTreeMap;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use isledb_core::format::manifest::SstMeta;
use isledb_core::format::sst::{Block, MAX_BLOCK_BYTES, PartitionAt, Table, TableOpen};
use isledb_core::format::value::Value;
use isledb_core::host::{Host, MemoryStore, ObjectStore, PutCondition};
use isledb_core::maintain::plan::merge::MergePolicy;
use isledb_core::maintain::{MaintenanceOptions, MergeOptions};
use isledb_core::maybe::BoxFuture;
use isledb_core::read::{ReaderOptions, ScanOptions};
use isledb_core::{Db, DbOptions};
use isledb_simulation::replay::{self, PlainState, PlainTable};

/// January 2027: the far expiries of the buckets are in 2126, the near ones long past.
const NOW_MS: u64 = 1_800_000_000_000;

struct TestHost(AtomicU64);

impl Host for TestHost {
    fn now_unix_ns(&self) -> u64 {
        NOW_MS * 1_000_000
    }
    fn monotonic_ns(&self) -> u64 {
        self.now_unix_ns()
    }
    fn fill_random(&self, buf: &mut [u8]) {
        let n = self.0.fetch_add(1, Ordering::Relaxed).to_le_bytes();
        buf.iter_mut().zip(n.iter().cycle()).for_each(|(to, from)| *to = *from);
    }
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        if duration < Duration::from_secs(10) {
            return Box::pin(futures::future::ready(()));
        }
        Box::pin(futures::future::pending())
    }
}

/// Nothing here waits for anybody.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
    }
}

struct Copy {
    store: Arc<MemoryStore>,
    db: Db,
    prefix: String,
}

type Content = BTreeMap<Bytes, Bytes>;

impl Copy {
    fn of(bucket: &Path, prefix: &str) -> Copy {
        let host: Arc<dyn Host> = Arc::new(TestHost(AtomicU64::new(1)));
        let store = Arc::new(MemoryStore::new(host.clone()));
        let root = bucket.join("bucket");
        let mut folders = vec![root.clone()];
        while let Some(next) = folders.pop() {
            for entry in std::fs::read_dir(next).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_none_or(|extension| extension != "attrs") {
                    let key = path.strip_prefix(&root).unwrap().to_str().unwrap();
                    let body = Bytes::from(std::fs::read(&path).unwrap());
                    block_on(store.put(key, body, PutCondition::None)).unwrap();
                }
            }
        }
        let db = Db::open(store.clone(), host, prefix, DbOptions::default()).unwrap();
        Copy { store, db, prefix: prefix.trim_end_matches('/').to_owned() }
    }

    fn object(&self, key: &str) -> Option<Bytes> {
        block_on(self.db.requests().get(key)).ok().map(|fetched| fetched.body)
    }

    async fn content(&self) -> Content {
        let reader = self.db.reader(ReaderOptions::default()).await.unwrap();
        let mut scan = reader.scan(ScanOptions::default()).await.unwrap();
        let mut content = Content::new();
        while let Some(entry) = scan.next().await.unwrap() {
            content.insert(entry.key, entry.value);
        }
        content
    }

    /// The plain replay of the objects is the state that we see.
    async fn replays_as_the_original_would(&self) {
        let json = |key: &str| {
            self.object(key).map(|body| serde_json::from_slice::<serde_json::Value>(&body).unwrap())
        };
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        let manifest = format!("{}{slash}manifest", self.prefix);
        let log = |slot: u64| json(&format!("{manifest}/log/{slot:020}.json"));
        let current = json(&format!("{manifest}/CURRENT")).unwrap();
        let snapshot = |key: &str| json(key).as_ref().map(PlainState::of_snapshot);
        let plain = replay::full(&current, snapshot, log).unwrap();
        let view = self.db.load_view().await.unwrap();
        let of = |ssts: &[Arc<SstMeta>]| ssts.iter().map(|sst| Arc::new(as_plain(sst))).collect::<Vec<_>>();
        assert_eq!(plain.l0, of(&view.state().l0));
        let runs: Vec<_> = view.state().runs.iter().map(|run| (u64::from(run.id), of(&run.ssts))).collect();
        assert_eq!(plain.runs, runs);
    }

    /// What the original's Get answers: the first table in the order of the state that has the key decides.
    async fn original_gets(&self, keys: &Content) -> Content {
        let view = self.db.load_view().await.unwrap();
        let tables: Vec<_> = view.state().tables().map(|sst| self.newest_versions(sst)).collect();
        let mut found = Content::new();
        for key in keys.keys() {
            let Some(raw) = tables.iter().find_map(|table| table.get(key)) else { continue };
            let value = Value::decode("a table", None, raw.clone()).unwrap();
            if value.expired(NOW_MS) {
                continue;
            }
            match value {
                Value::Inline { value, .. } => found.insert(key.clone(), value),
                Value::Blob { id, .. } => {
                    found.insert(key.clone(), self.object(&self.db.layout().blob(&id)).unwrap())
                }
                Value::Delete { .. } => None,
            };
        }
        found
    }

    /// Each key of a table with its first version, as stored.
    fn newest_versions(&self, sst: &SstMeta) -> Content {
        let name: Arc<str> = self.db.layout().sst(&sst.id).into();
        let body = self.object(&name).unwrap().slice(..sst.size as usize);
        let slice = |range: std::ops::Range<u64>| body.slice(range.start as usize..range.end as usize);
        let TableOpen::Ready(table) = Table::open(&name, sst.size, 0, body.clone()).unwrap() else {
            panic!("{name} does not open")
        };
        let mut versions = Content::new();
        for i in 0..table.partitions() {
            let partition = match table.partition(i) {
                PartitionAt::Resident(partition) => partition,
                PartitionAt::Stored(range) => table.decode_partition(i, slice(range)).unwrap(),
            };
            for block in 0..partition.len() {
                let handle = partition.handle(block);
                let stored = slice(handle.stored());
                let block = Block::decode(&name, handle, stored, table.checksum(), MAX_BLOCK_BYTES).unwrap();
                let mut entries = block.iter();
                let mut more = entries.seek_to_first().unwrap();
                while more {
                    let key = Bytes::copy_from_slice(entries.user_key());
                    versions.entry(key).or_insert_with(|| entries.value());
                    more = entries.next().unwrap();
                }
            }
        }
        versions
    }
}

fn as_plain(sst: &SstMeta) -> PlainTable {
    PlainTable {
        id: sst.id.clone(),
        epoch: sst.epoch,
        sequences: (sst.seq_lo, sst.seq_hi),
        keys: (sst.min_key.to_vec(), sst.max_key.to_vec()),
        size: sst.size,
        level: i64::from(sst.level),
    }
}

#[test]
fn the_originals_buckets_read_the_same_after_merges() {
    let buckets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/buckets");
    let mut merged = 0;
    for bucket in std::fs::read_dir(buckets).unwrap().map(|entry| entry.unwrap().path()) {
        let Ok(expected) = std::fs::read(bucket.join("expected.json")) else { continue };
        let expected: serde_json::Value = serde_json::from_slice(&expected).unwrap();
        let copy = Copy::of(&bucket, expected["prefix"].as_str().unwrap());
        block_on(async {
            if !copy.db.load_view().await.unwrap().exists() {
                return;
            }
            let policy =
                MergePolicy { l0_tables: 1, min_runs: 2, table_size: 4 << 10, ..MergePolicy::default() };
            let merge = Some(MergeOptions { policy, ..MergeOptions::default() });
            let options = MaintenanceOptions { merge, ..MaintenanceOptions::default() };
            let mut owner = copy.db.maintenance(options).await.unwrap();
            // Only now: the claim makes an entry visible that its author put and never covered (`orphan-log`).
            let before = copy.content().await;
            for everything in [false, true] {
                let pass = if everything { owner.merge_everything().await } else { owner.run_once().await };
                merged += pass.unwrap_or_else(|error| panic!("{}: {error}", bucket.display())).merges.len();
                assert_eq!(copy.content().await, before, "{}", bucket.display());
                copy.replays_as_the_original_would().await;
                // Where the original's Get and Scan disagreed, the merge of all its inputs has settled it.
                if everything {
                    assert_eq!(copy.original_gets(&before).await, before, "{}", bucket.display());
                }
            }
            let view = copy.db.load_view().await.unwrap();
            let state = view.state();
            assert!(state.l0.is_empty() && state.runs.len() <= 1, "{}", bucket.display());
            assert!(state.tables().all(|sst| sst.delete_count == Some(0)), "{}", bucket.display());
            let left: u64 = state.tables().map(|sst| sst.entry_count.unwrap()).sum();
            assert_eq!(left, before.len() as u64, "{}: what is live and nothing else", bucket.display());
        });
        assert!(block_on(copy.store.list("", None)).unwrap().objects.len() < 1_000);
    }
    assert!(merged >= 40, "{merged} merges");
}
