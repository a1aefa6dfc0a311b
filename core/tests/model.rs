//! Writer, reader and tailer against a model: a list of writes, of which a prefix is committed.
//!
//! What is tried at random: puts of all sizes (blobs too), TTLs, deletes, batches, flushes, clocks that go on, writers that are
//! closed or just dropped, writers that take over from a live one, readers that keep an old view, tailers that go on from
//! the text of their cursor, and bootstraps that begin anywhere.

#![cfg(feature = "write")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod host;
mod why;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::executor::block_on;
use isledb_core::format::sst::{Compression, TableLayout, TableOptions};
use isledb_core::host::{MemoryStore, ObjectStore};
use isledb_core::read::{Reader, ReaderOptions, ScanOptions, View};
use isledb_core::tail::{Change, ChangeOp, Cursor, TailOptions, TailStart, Tailer};
use isledb_core::write::{WriteBatch, Writer, WriterOptions};
use isledb_core::{Db, DbOptions, Error};
use proptest::prelude::*;

use host::TestHost;

/// One write of a key: its value and expiry, or `None` for a delete.
type Written = Option<(Bytes, Option<u64>)>;

#[derive(Debug, Clone)]
enum WriteOp {
    Put { key: u8, length: usize, ttl_ms: Option<u64> },
    Delete { key: u8 },
}

#[derive(Debug, Clone)]
enum Step {
    Write(WriteOp),
    Batch(Vec<WriteOp>),
    Flush,
    Close,
    Drop,
    TakeOver,
    Advance(u64),
    Read,
    KeepView,
    Tail(usize),
    Bootstrap,
}

fn write_op() -> impl Strategy<Value = WriteOp> {
    let length = prop_oneof![4 => 0..40_usize, 1 => 200..400_usize];
    let ttl_ms = prop_oneof![3 => Just(None), 1 => (1..2_000_u64).prop_map(Some)];
    prop_oneof![
        4 => (0..16_u8, length, ttl_ms).prop_map(|(key, length, ttl_ms)| WriteOp::Put { key, length, ttl_ms }),
        1 => (0..16_u8).prop_map(|key| WriteOp::Delete { key }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => write_op().prop_map(Step::Write),
        3 => prop::collection::vec(write_op(), 0..8).prop_map(Step::Batch),
        6 => Just(Step::Flush),
        1 => Just(Step::Close),
        1 => Just(Step::Drop),
        1 => Just(Step::TakeOver),
        2 => (1..1_500_u64).prop_map(Step::Advance),
        4 => Just(Step::Read),
        1 => Just(Step::KeepView),
        3 => (0..12_usize).prop_map(Step::Tail),
        1 => Just(Step::Bootstrap),
    ]
}

/// How a writer makes its tables.
fn table_options() -> impl Strategy<Value = TableOptions> {
    let codec = prop_oneof![Just(Compression::None), Just(Compression::Snappy)];
    let layout = prop_oneof![Just(TableLayout::Edge), Just(TableLayout::Original)];
    (prop_oneof![Just(64_u32), Just(512), Just(4096)], codec, layout, prop_oneof![Just(0_u32), Just(10)])
        .prop_map(|(block_size, compression, layout, filter_bits_per_key)| TableOptions {
            block_size,
            compression,
            layout,
            filter_bits_per_key,
            ..TableOptions::default()
        })
}

fn key(n: u8) -> Vec<u8> {
    // Keys that are prefixes of one another, and bytes at the edges.
    match n {
        0 => vec![0],
        1 => vec![0, 0],
        2 => vec![0xff],
        3 => vec![0xff, 0xff],
        n if n % 2 == 0 => format!("key{}", n / 4).into_bytes(),
        n => format!("key{}/{n}", n / 4).into_bytes(),
    }
}

struct World {
    host: TestHost,
    store: Arc<dyn ObjectStore>,
    options: WriterOptions,
    writer: Option<Writer>,
    /// Every write by its sequence number, from 1 on.
    writes: Vec<(Bytes, Written)>,
    committed: usize,
    reader: Reader,
    kept: Option<(View, usize)>,
    tailer: Tailer,
    tailed: usize,
    bootstraps: Vec<(Tailer, BTreeMap<Bytes, Bytes>)>,
}

impl World {
    async fn new(table: TableOptions) -> World {
        let host = TestHost::new();
        let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new(Arc::new(host.clone())));
        let options = WriterOptions { table, blob_threshold: 150, ..WriterOptions::default() };
        let db = open(&store, &host);
        let reader = db.reader(ReaderOptions::default()).await.unwrap();
        let start = TailOptions { start: TailStart::Begin, ..TailOptions::default() };
        let tailer = db.tailer(start).await.unwrap();
        World {
            host,
            store,
            options,
            writer: None,
            writes: Vec::new(),
            committed: 0,
            reader,
            kept: None,
            tailer,
            tailed: 0,
            bootstraps: Vec::new(),
        }
    }

    async fn open_writer(&mut self) -> Writer {
        if self.writer.is_none() {
            let writer = open(&self.store, &self.host).writer(self.options.clone()).await.unwrap();
            assert_eq!(writer.committed_sequence(), self.committed as u64, "sequences go on where they were");
            self.writes.truncate(self.committed);
            self.writer = Some(writer);
        }
        self.writer.clone().unwrap()
    }

    fn value(&self, length: usize) -> Bytes {
        let unit = format!("{}:", self.writes.len());
        unit.bytes().cycle().take(length).collect()
    }

    /// Writes to the model, and returns what the engine is to be told.
    fn note(&mut self, op: &WriteOp) -> (Bytes, Written, Option<Duration>) {
        let (key, written, ttl) = match op {
            WriteOp::Put { key: n, length, ttl_ms } => {
                let expires_at = ttl_ms.map(|ttl_ms| self.host.now_ms() + ttl_ms);
                let written = Some((self.value(*length), expires_at));
                (key(*n), written, ttl_ms.map(Duration::from_millis))
            }
            WriteOp::Delete { key: n } => (key(*n), None, None),
        };
        self.writes.push((key.clone().into(), written.clone()));
        (key.into(), written, ttl)
    }

    async fn apply(&mut self, step: &Step) {
        match step {
            Step::Write(op) => {
                let writer = self.open_writer().await;
                let (key, written, ttl) = self.note(op);
                let sequence = match (written, ttl) {
                    (Some((value, _)), Some(ttl)) => writer.put_with_ttl(&key, &value, ttl).await,
                    (Some((value, _)), None) => writer.put(&key, &value).await,
                    (None, _) => writer.delete(&key).await,
                };
                assert_eq!(sequence.unwrap(), self.writes.len() as u64);
            }
            Step::Batch(ops) => {
                let writer = self.open_writer().await;
                let mut batch = WriteBatch::new();
                for op in ops {
                    let (key, written, ttl) = self.note(op);
                    match (written, ttl) {
                        (Some((value, _)), Some(ttl)) => batch.put_with_ttl(&key, &value, ttl),
                        (Some((value, _)), None) => batch.put(&key, &value),
                        (None, _) => batch.delete(&key),
                    };
                }
                assert_eq!(writer.write(batch).await.unwrap(), self.writes.len() as u64);
            }
            Step::Flush => {
                let writer = self.open_writer().await;
                assert_eq!(writer.flush().await.unwrap(), self.writes.len() as u64);
                self.committed = self.writes.len();
            }
            Step::Close => {
                if let Some(writer) = self.writer.take() {
                    writer.close().await.unwrap();
                    self.committed = self.writes.len();
                }
            }
            Step::Drop => {
                self.writer = None;
                self.writes.truncate(self.committed);
            }
            Step::TakeOver => {
                let Some(old) = self.writer.take() else { return };
                let pending = self.writes.len() > self.committed;
                self.open_writer().await;
                if pending {
                    assert!(matches!(old.flush().await, Err(Error::Fenced { .. })));
                }
            }
            Step::Advance(ms) => self.host.advance(Duration::from_millis(*ms)),
            Step::Read => {
                self.reader.refresh().await.unwrap();
                let view = self.reader.view();
                self.check_view(&view, self.committed).await;
                if let Some((view, committed)) = &self.kept {
                    self.check_view(view, *committed).await;
                }
            }
            Step::KeepView => {
                self.reader.refresh().await.unwrap();
                self.kept = Some((self.reader.view(), self.committed));
            }
            Step::Tail(most) => {
                for _ in 0..*most {
                    let Some(change) = self.tailer.try_next().await.unwrap() else {
                        assert_eq!(self.tailed, self.committed, "the feed has all that is committed");
                        break;
                    };
                    self.check_change(change);
                }
                // Another process goes on from the text of the cursor.
                let cursor: Cursor = self.tailer.cursor().to_string().parse().unwrap();
                let options = TailOptions { start: TailStart::Cursor(cursor), ..TailOptions::default() };
                self.tailer = open(&self.store, &self.host).tailer(options).await.unwrap();
            }
            Step::Bootstrap => {
                let options = TailOptions { start: TailStart::Bootstrap, ..TailOptions::default() };
                let tailer = open(&self.store, &self.host).tailer(options).await.unwrap();
                self.bootstraps.push((tailer, BTreeMap::new()));
            }
        }
    }

    fn check_change(&mut self, change: Change) {
        let (key, written) = &self.writes[self.tailed];
        self.tailed += 1;
        assert!(self.tailed <= self.committed, "only what is committed");
        assert_eq!((&change.key, change.sequence), (key, self.tailed as u64));
        let op = match written {
            None => ChangeOp::Delete,
            Some((value, expires_at_ms)) => {
                ChangeOp::Put { value: value.clone(), expires_at_ms: *expires_at_ms }
            }
        };
        assert_eq!(change.op, op);
    }

    /// The live entries with all writes up to `committed`.
    fn expected(&self, committed: usize, expired_too: bool) -> BTreeMap<Bytes, Bytes> {
        let now_ms = self.host.now_ms();
        let mut newest = BTreeMap::new();
        for (key, written) in &self.writes[..committed] {
            newest.insert(key.clone(), written.clone());
        }
        let live = newest.into_iter().filter_map(|(key, written)| {
            let (value, expires_at) = written?;
            (expired_too || expires_at.is_none_or(|at| at > now_ms)).then_some((key, value))
        });
        live.collect()
    }

    async fn check_view(&self, view: &View, committed: usize) {
        let expected = self.expected(committed, false);
        for n in 0..16 {
            let key = key(n);
            let got = view.get(&key).await.unwrap();
            assert_eq!(got.as_ref(), expected.get(&key[..]), "get {key:?} of {committed} writes");
            why::agrees_with_get(view, &key).await;
        }
        let mut scan = view.scan(&ScanOptions::default());
        let mut scanned = Vec::new();
        while let Some(entry) = scan.next().await.unwrap() {
            scanned.push((entry.key, entry.value));
        }
        assert_eq!(scanned, expected.into_iter().collect::<Vec<_>>(), "scan of {committed} writes");
    }

    /// Everybody catches up.
    async fn finish(mut self) {
        self.apply(&Step::Flush).await;
        self.apply(&Step::Read).await;
        while self.tailed < self.committed {
            let change = self.tailer.try_next().await.unwrap().unwrap();
            self.check_change(change);
        }
        assert!(self.tailer.try_next().await.unwrap().is_none());
        let expected = self.expected(self.committed, true);
        for (mut tailer, mut map) in std::mem::take(&mut self.bootstraps) {
            while let Some(change) = tailer.try_next().await.unwrap() {
                match change.op {
                    ChangeOp::Put { value, .. } => map.insert(change.key, value),
                    ChangeOp::Delete => map.remove(&change.key),
                };
            }
            assert_eq!(map, expected, "a bootstrap and what follows it are the present state");
        }
    }
}

fn open(store: &Arc<dyn ObjectStore>, host: &TestHost) -> Db {
    let options = DbOptions { probe: false, ..DbOptions::default() };
    Db::open(store.clone(), Arc::new(host.clone()), "db", options).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_does_what_the_model_does(table in table_options(), steps in prop::collection::vec(step(), 1..80)) {
        block_on(async {
            let mut world = World::new(table).await;
            for step in &steps {
                world.apply(step).await;
            }
            world.finish().await;
        });
    }
}
