//! One database in memory, and those who work on it.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures::executor::block_on;
use isledb_core::format::blob::BlobId;
use isledb_core::format::layout::Layout;
use isledb_core::format::manifest::{Role, SstMeta};
use isledb_core::format::sst::{Block, MAX_BLOCK_BYTES, PartitionAt, Table, TableOpen};
use isledb_core::format::value;
use isledb_core::host::{Host, MemoryStore, Meter, Metered, ObjectMeta, ObjectStore, PutCondition, Requests};
use isledb_core::maintain::gc::{Gc, GcOptions, GcPlace, GcReport};
use isledb_core::manifest::{ClaimOptions, Publisher};
use isledb_core::read::{ReaderOptions, ScanOptions};
use isledb_core::write::{Writer, WriterOptions};
use isledb_core::{Db, DbOptions, Result};

use crate::host::TestHost;

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// A bucket with the database under one prefix.
pub(crate) struct Bench {
    pub(crate) host: TestHost,
    pub(crate) store: MemoryStore,
    pub(crate) metered: Arc<Metered>,
    pub(crate) prefix: String,
}

/// A maintenance owner that does nothing but what it is told.
pub(crate) struct Owner {
    pub(crate) publisher: Publisher,
    pub(crate) gc: Gc,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        let host = TestHost::new();
        Bench::over(MemoryStore::new(Arc::new(host.clone())), host, "db")
    }

    pub(crate) fn over(store: MemoryStore, host: TestHost, prefix: &str) -> Bench {
        let metered = Arc::new(Metered::new(Arc::new(store.clone())));
        Bench { host, store, metered, prefix: prefix.to_owned() }
    }

    pub(crate) fn meter(&self) -> Meter {
        self.metered.meter()
    }

    /// A handle of its own, as another process has it: nothing is cached.
    pub(crate) fn db(&self) -> Db {
        let host: Arc<dyn Host> = Arc::new(self.host.clone());
        let options = DbOptions { probe: false, cache_bytes: 0, ..DbOptions::default() };
        Db::open(self.metered.clone(), host, &self.prefix, options).unwrap()
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout::new(&self.prefix).unwrap()
    }

    /// A writer whose values of 64 bytes and more are blobs.
    pub(crate) fn writer(&self) -> Writer {
        let options = WriterOptions { blob_threshold: 64, ..WriterOptions::default() };
        block_on(self.db().writer(options)).unwrap()
    }

    pub(crate) fn place(&self) -> GcPlace {
        let db = self.db();
        GcPlace {
            requests: db.requests().clone(),
            layout: db.layout().clone(),
            manifest: db.manifest().clone(),
            marks: db.marks().clone(),
        }
    }

    /// Claims the maintenance role.
    pub(crate) fn owner(&self) -> Owner {
        self.owner_with(GcOptions { scan_interval: MINUTE, ..GcOptions::default() })
    }

    pub(crate) fn owner_with(&self, options: GcOptions) -> Owner {
        let db = self.db();
        let host: Arc<dyn Host> = Arc::new(self.host.clone());
        block_on(async {
            let view = db.load_view().await.unwrap();
            let (claim, manifest) = (ClaimOptions::default(), db.manifest().clone());
            let publisher = Publisher::claim(manifest, host, Role::Maintenance, &claim, view).await.unwrap();
            let gc = Gc::new(self.place(), options, publisher.view()).unwrap();
            Owner { publisher, gc }
        })
    }

    pub(crate) fn put_object(&self, key: &str, body: &'static [u8]) {
        block_on(self.store.put(key, Bytes::from_static(body), PutCondition::None)).unwrap();
    }

    pub(crate) fn objects(&self) -> Vec<ObjectMeta> {
        let mut all: Vec<ObjectMeta> = Vec::new();
        loop {
            let after = all.last().map(|object| object.key.clone());
            let page = block_on(self.store.list("", after.as_deref())).unwrap();
            all.extend(page.objects);
            if !page.more {
                return all;
            }
        }
    }

    pub(crate) fn names(&self, prefix: &str) -> Vec<String> {
        self.objects().into_iter().map(|object| object.key).filter(|key| key.starts_with(prefix)).collect()
    }

    /// Everything that a new reader shows.
    pub(crate) fn content(&self) -> Vec<(Bytes, Bytes)> {
        block_on(async {
            let reader = self.db().reader(ReaderOptions::default()).await.unwrap();
            let mut scan = reader.scan(ScanOptions::default()).await.unwrap();
            let mut all = Vec::new();
            while let Some(entry) = scan.next().await.unwrap() {
                all.push((entry.key, entry.value));
            }
            all
        })
    }

    /// Live tables and everything that they refer to are there. Returns the blobs.
    pub(crate) fn check_live(&self) -> BTreeSet<BlobId> {
        let view = block_on(self.db().load_view()).unwrap();
        let names: BTreeSet<String> = self.names("").into_iter().collect();
        let layout = self.layout();
        let mut blobs = BTreeSet::new();
        for table in view.state().tables() {
            assert!(names.contains(&layout.sst(&table.id)), "live table {} is gone", table.id);
            blobs.extend(self.blobs_of(table));
        }
        for blob in &blobs {
            assert!(names.contains(&layout.blob(blob)), "blob {blob} of a live table is gone");
        }
        blobs
    }

    /// Every object is live, or a document of its own.
    pub(crate) fn check_no_orphan(&self) {
        let blobs = self.check_live();
        let view = block_on(self.db().load_view()).unwrap();
        let (layout, current) = (self.layout(), view.current.clone());
        let documents = [
            layout.current(),
            layout.pending_marks(),
            layout.gc_checkpoint(),
            layout.gc_blobs(),
            layout.gc_clock(),
        ];
        let oldest = current.log_seq_start.min(current.feed_floor_seq.unwrap_or(0));
        for key in self.names("") {
            let needed = if let Some(slot) = layout.slot_of(&key) {
                slot >= oldest
            } else if let Some(id) = layout.sst_id_of(&key) {
                view.state().table(id).is_some()
            } else if let Some(blob) = layout.blob_id_of(&key) {
                blobs.contains(&blob)
            } else if key.starts_with(&layout.snapshot_prefix()) {
                key == current.snapshot
            } else {
                documents.contains(&key)
            };
            assert!(
                needed,
                "{key} is left (window from {}, floor {:?})",
                current.log_seq_start, current.feed_floor_seq
            );
        }
    }

    fn blobs_of(&self, meta: &SstMeta) -> Vec<BlobId> {
        if !meta.has_blob_refs {
            return Vec::new();
        }
        let host: Arc<dyn Host> = Arc::new(self.host.clone());
        let requests = Requests::new(Arc::new(self.store.clone()), host);
        let object = block_on(requests.get(&self.layout().sst(&meta.id))).unwrap().body;
        let (name, bytes) = (Arc::from(meta.id.as_str()), object.slice(..meta.size as usize));
        let cut = |range: std::ops::Range<u64>| bytes.slice(range.start as usize..range.end as usize);
        let TableOpen::Ready(table) = Table::open(&name, meta.size, 0, bytes.clone()).unwrap() else {
            panic!()
        };
        let mut found = Vec::new();
        for i in 0..table.partitions() {
            let partition = match table.partition(i) {
                PartitionAt::Resident(partition) => partition,
                PartitionAt::Stored(range) => table.decode_partition(i, cut(range)).unwrap(),
            };
            for handle in (0..partition.len()).map(|block| partition.handle(block)) {
                let stored = cut(handle.stored());
                let block = Block::decode(&name, handle, stored, table.checksum(), MAX_BLOCK_BYTES).unwrap();
                let mut entries = block.iter();
                let mut more = entries.seek_to_first().unwrap();
                while more {
                    found.extend(value::blob_of(&name, entries.value_slice()).unwrap());
                    more = entries.next().unwrap();
                }
            }
        }
        found
    }
}

impl Owner {
    pub(crate) fn collect(&mut self) -> GcReport {
        self.try_collect().unwrap()
    }

    pub(crate) fn try_collect(&mut self) -> Result<GcReport> {
        block_on(self.gc.run(&mut self.publisher))
    }

    /// Collects every three hours for so many days.
    pub(crate) fn collect_for(&mut self, bench: &Bench, days: u64) -> GcReport {
        let mut total = GcReport::default();
        for _ in 0..days * 8 {
            bench.host.advance(3 * HOUR);
            let report = self.collect();
            total.tables += report.tables;
            total.blobs += report.blobs;
            total.log_entries += report.log_entries;
            total.snapshots += report.snapshots;
            total.bytes += report.bytes;
        }
        total
    }

    pub(crate) fn remove(&mut self, ids: &[String]) {
        use isledb_core::manifest::{Attempt, Draft};
        let published = block_on(self.publisher.publish(Draft::removal(ids.to_vec()))).unwrap();
        assert!(matches!(published, Attempt::Committed(_)));
    }

    pub(crate) fn live(&mut self) -> Vec<Arc<SstMeta>> {
        block_on(self.publisher.refresh()).unwrap();
        self.publisher.view().state().tables().cloned().collect()
    }
}

/// Polls so many times, then drops the future where it stands.
pub(crate) fn polled<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..polls {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return Some(done);
        }
    }
    None
}
