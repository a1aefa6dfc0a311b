//! The feed over databases in memory, against the history that was written into them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails should stop where it fails")]

mod batch;
mod bootstrap;
mod filter;
mod follow;
mod limits;
mod model;
mod timeline;
mod waiting;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures::executor::block_on;

use super::{Change, ChangeOp, Cursor, TailOptions, TailStart, Tailer};
use crate::error::Result;
use crate::format::blob::BlobId;
use crate::format::layout::Layout;
use crate::format::manifest::{Compaction, Current, Op, Role, SortedRun, SstMeta};
use crate::format::sst::{Kind, TableBuilder, TableOptions};
use crate::format::value::Value;
use crate::host::testing::VirtualClock;
use crate::host::{
    GetOptions, GetResult, Host, ListPage, MemoryStore, Meter, Metered, Moment, MultipartUpload, ObjectMeta,
    ObjectStore, PutCondition, Requests, Version,
};
use crate::manifest::{ClaimOptions, Draft, ManifestStorage, ManifestView, ObjectManifest, Publisher};
use crate::maybe::BoxFuture;
use crate::read::{BlockCache, ReadSource};

/// A write that was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Write {
    slot: u64,
    sequence: u64,
    key: Bytes,
    op: ChangeOp,
}

fn put(key: &str, value: &str) -> (Bytes, ChangeOp) {
    let value = Bytes::copy_from_slice(value.as_bytes());
    (Bytes::copy_from_slice(key.as_bytes()), ChangeOp::Put { value, expires_at_ms: None })
}

fn delete(key: &str) -> (Bytes, ChangeOp) {
    (Bytes::copy_from_slice(key.as_bytes()), ChangeOp::Delete)
}

/// One database in memory, everything that was ever committed to it, and the clock of everybody who works on it.
struct Bench {
    clock: VirtualClock,
    store: Arc<dyn ObjectStore>,
    meter: Meter,
    slow: Arc<AtomicBool>,
    layout: Layout,
    publisher: Publisher,
    history: Vec<Write>,
    sequence: u64,
    /// Values of at least this many bytes are put into blobs.
    blob_threshold: usize,
}

/// Answers each get only at the second poll while `slow` is set: so that a future can be dropped half way.
struct Slow {
    inner: MemoryStore,
    slow: Arc<AtomicBool>,
}

impl ObjectStore for Slow {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        Box::pin(async move {
            if self.slow.load(Ordering::Relaxed) {
                let mut polled = false;
                futures::future::poll_fn(|context| {
                    context.waker().wake_by_ref();
                    if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
            }
            self.inner.get(key, options).await
        })
    }

    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<ObjectMeta>> {
        self.inner.head(key)
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        condition: PutCondition,
    ) -> BoxFuture<'a, Result<Version>> {
        self.inner.put(key, body, condition)
    }

    fn put_multipart<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>> {
        self.inner.put_multipart(key)
    }

    fn list<'a>(&'a self, prefix: &'a str, start_after: Option<&'a str>) -> BoxFuture<'a, Result<ListPage>> {
        self.inner.list(prefix, start_after)
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        self.inner.delete(keys)
    }
}

impl Bench {
    fn new() -> Bench {
        let clock = VirtualClock::at_unix_ms(1_790_000_000_000);
        let slow = Arc::new(AtomicBool::new(false));
        let memory = Slow { inner: MemoryStore::new(Arc::new(clock.clone())), slow: slow.clone() };
        let store = Metered::new(Arc::new(memory));
        let meter = store.meter();
        let store: Arc<dyn ObjectStore> = Arc::new(store);
        let layout = Layout::new("db").unwrap();
        let publisher = claim(&store, &clock, &layout, Role::Writer);
        let (history, sequence, blob_threshold) = (Vec::new(), 0, usize::MAX);
        Bench { clock, store, meter, slow, layout, publisher, history, sequence, blob_threshold }
    }

    fn source(&self) -> ReadSource {
        source(&self.store, &self.clock, &self.layout)
    }

    fn open(&self, start: TailStart) -> Result<Tailer> {
        self.open_with(TailOptions { start, ..TailOptions::default() })
    }

    fn open_with(&self, options: TailOptions) -> Result<Tailer> {
        block_on(Tailer::open(self.source(), options))
    }

    /// A new writer takes over.
    fn reclaim(&mut self) {
        self.publisher = claim(&self.store, &self.clock, &self.layout, Role::Writer);
    }

    /// Commits one flush.
    fn flush(&mut self, writes: &[(Bytes, ChangeOp)]) {
        let slot = self.publisher.view().current.next_slot();
        let first = self.history.len();
        for (key, op) in writes {
            self.sequence += 1;
            self.history.push(Write { slot, sequence: self.sequence, key: key.clone(), op: op.clone() });
        }
        let table = self.upload(&self.history[first..], 0);
        let draft = Draft::flush(table, Moment::now(&self.clock));
        block_on(self.publisher.publish(draft)).unwrap();
        assert_eq!(self.current().next_seq, slot + 1);
    }

    /// Writes a table of these entries.
    fn upload(&self, writes: &[Write], level: i32) -> Arc<SstMeta> {
        let mut sorted: Vec<&Write> = writes.iter().collect();
        sorted.sort_by(|a, b| (&a.key, b.sequence).cmp(&(&b.key, a.sequence)));
        let mut builder = TableBuilder::new(TableOptions { block_size: 256, ..TableOptions::default() });
        let mut has_blob_refs = false;
        for write in sorted {
            let mut value = Vec::new();
            let stored = match &write.op {
                ChangeOp::Delete => Value::Delete { expire_at_ms: None },
                ChangeOp::Put { value, expires_at_ms } if value.len() >= self.blob_threshold => {
                    let id = BlobId::of(value);
                    self.put(&self.layout.blob(&id), value.clone());
                    has_blob_refs = true;
                    Value::Blob { id, expire_at_ms: *expires_at_ms }
                }
                ChangeOp::Put { value, expires_at_ms } => {
                    Value::Inline { value: value.clone(), expire_at_ms: *expires_at_ms }
                }
            };
            stored.encode_into(&mut value);
            let kind = if stored.is_delete() { Kind::Delete } else { Kind::Set };
            builder.add(&write.key, write.sequence, kind, &value).unwrap();
        }
        let summary = builder.finish().unwrap();
        let mut random = [0; 8];
        self.clock.fill_random(&mut random);
        let id = format!("1-{}-{}-{}.sst", summary.seq_lo, summary.seq_hi, u64::from_le_bytes(random));
        self.put(&self.layout.sst(&id), builder.take_output());
        Arc::new(SstMeta {
            id,
            epoch: 1,
            seq_lo: summary.seq_lo,
            seq_hi: summary.seq_hi,
            min_key: summary.min_key,
            max_key: summary.max_key,
            size: summary.size,
            level,
            has_blob_refs,
            meta_offset: Some(summary.meta_offset),
            ..SstMeta::default()
        })
    }

    /// Merges everything into one run. The flushed tables stay: the feed needs them.
    fn compact(&mut self) {
        let state = self.publisher.view().state().clone();
        let mut newest: BTreeMap<Bytes, Write> = BTreeMap::new();
        for write in &self.history {
            newest.insert(write.key.clone(), write.clone());
        }
        let writes: Vec<Write> = newest.into_values().collect();
        if writes.is_empty() {
            return;
        }
        let run = SortedRun { id: state.next_sorted_run_id, ssts: vec![self.upload(&writes, 1)] };
        let mut maintenance = claim(&self.store, &self.clock, &self.layout, Role::Maintenance);
        let op = Op::Compaction(Compaction {
            remove_sstable_ids: state.tables().map(|table| table.id.clone()).collect(),
            remove_sorted_run_ids: Vec::new(),
            add_sstables: Vec::new(),
            add_sorted_run: Some(run),
        });
        block_on(maintenance.publish(Draft { op, reliances: Vec::new(), moved: Vec::new() })).unwrap();
        self.reclaim();
    }

    fn snapshot(&mut self) {
        assert!(block_on(self.publisher.write_snapshot()).unwrap());
    }

    fn current(&self) -> Current {
        let key = self.layout.current();
        let fetched = block_on(requests(&self.store, &self.clock).get(&key)).unwrap();
        Current::decode(&key, &fetched.body).unwrap()
    }

    /// Changes CURRENT behind everybody's back; the next writer claims anew.
    fn change_current(&mut self, change: impl FnOnce(&mut Current)) {
        let mut current = self.current();
        change(&mut current);
        self.put(&self.layout.current(), current.encode());
        self.publisher = claim(&self.store, &self.clock, &self.layout, Role::Writer);
    }

    fn put(&self, key: &str, body: Bytes) {
        block_on(self.store.put(key, body, PutCondition::None)).unwrap();
    }

    fn remove(&self, key: String) {
        block_on(self.store.delete(&[key])).unwrap();
    }

    /// The flushed tables by slot, oldest first.
    fn tables(&self) -> Vec<(u64, SstMeta)> {
        let end = self.current().next_seq;
        let entries = (1..end).filter_map(|slot| {
            let key = self.layout.log(slot);
            let fetched = block_on(requests(&self.store, &self.clock).get(&key)).ok()?;
            match crate::format::manifest::LogEntry::decode(&key, slot, &fetched.body).unwrap().op {
                Op::AddSstable(table) => Some((slot, (*table).clone())),
                _ => None,
            }
        });
        entries.collect()
    }
}

fn requests(store: &Arc<dyn ObjectStore>, clock: &VirtualClock) -> Requests {
    Requests::new(store.clone(), Arc::new(clock.clone()))
}

fn source(store: &Arc<dyn ObjectStore>, clock: &VirtualClock, layout: &Layout) -> ReadSource {
    let requests = requests(store, clock);
    ReadSource {
        manifest: Arc::new(ObjectManifest::new(requests.clone(), layout.clone())),
        requests,
        layout: layout.clone(),
        cache: Arc::new(BlockCache::new(1 << 20)),
        trust: Default::default(),
    }
}

fn claim(store: &Arc<dyn ObjectStore>, clock: &VirtualClock, layout: &Layout, role: Role) -> Publisher {
    let storage: Arc<dyn ManifestStorage> =
        Arc::new(ObjectManifest::new(requests(store, clock), layout.clone()));
    let host: Arc<dyn Host> = Arc::new(clock.clone());
    block_on(async {
        let view = ManifestView::load(storage.as_ref(), host.as_ref()).await?;
        Publisher::claim(storage, host, role, &ClaimOptions::default(), view).await
    })
    .unwrap()
}

fn drain(tailer: &mut Tailer) -> Vec<Change> {
    let mut changes = Vec::new();
    while let Some(change) = block_on(tailer.try_next()).unwrap() {
        assert_eq!(tailer.cursor(), change.cursor);
        changes.push(change);
    }
    changes
}

/// What changes and history have in common.
fn writes(changes: &[Change]) -> Vec<(u64, Bytes, ChangeOp)> {
    changes.iter().map(|change| (change.sequence, change.key.clone(), change.op.clone())).collect()
}

fn written(history: &[Write]) -> Vec<(u64, Bytes, ChangeOp)> {
    history.iter().map(|write| (write.sequence, write.key.clone(), write.op.clone())).collect()
}

/// The cursor as another process would get it.
fn kept(cursor: &Cursor) -> Cursor {
    cursor.to_string().parse().unwrap()
}
