//! Merges against a model: whatever is flushed, merged, interrupted and merged again, `get`, `scan` and the change feed say what a
//! list of all writes says.

#![cfg(feature = "maintain")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod host;
mod maintain;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::executor::block_on;
use isledb_core::format::sst::{Compression, TableLayout, TableOptions};
use isledb_core::host::{MemoryStore, ObjectStore};
use isledb_core::maintain::{Maintenance, MaintenanceOptions, MergeOptions, Report};
use isledb_core::read::{ReaderOptions, ScanOptions, View};
use isledb_core::tail::{ChangeOp, TailOptions, TailStart, Tailer};
use isledb_core::write::{Writer, WriterOptions};
use isledb_core::{Db, DbOptions, Error, Result};
use proptest::prelude::*;

use host::TestHost;
use maintain::{Yielding, eager, poll_times, unnamed_tables};

const KEYS: u8 = 48;

/// Value and expiry, or `None` for a delete.
type Content = Option<(Bytes, Option<u64>)>;

#[derive(Debug, Clone)]
enum Step {
    /// Writes of some neighbouring keys, and a flush.
    Flush(Vec<(u8, Written)>),
    Advance(u64),
    Merge,
    MergeEverything,
    /// A pass that is dropped at its n-th poll.
    Interrupt(u32),
    /// Another owner takes the role.
    TakeOver,
    KeepView,
}

#[derive(Debug, Clone)]
enum Written {
    Put { length: usize, ttl_ms: Option<u64> },
    Delete,
}

fn written() -> impl Strategy<Value = Written> {
    let length = prop_oneof![6 => 0..300_usize, 1 => 400..600_usize];
    let ttl_ms = prop_oneof![4 => Just(None), 1 => (1..4_000_u64).prop_map(Some)];
    prop_oneof![
        4 => (length, ttl_ms).prop_map(|(length, ttl_ms)| Written::Put { length, ttl_ms }),
        1 => Just(Written::Delete),
    ]
}

fn flush() -> impl Strategy<Value = Step> {
    (0..KEYS, 1..KEYS).prop_flat_map(|(from, width)| {
        let key = (0..width).prop_map(move |n| (from + n) % KEYS);
        prop::collection::vec((key, written()), 1..24).prop_map(Step::Flush)
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => flush(),
        2 => (1..3_000_u64).prop_map(Step::Advance),
        4 => Just(Step::Merge),
        1 => Just(Step::MergeEverything),
        3 => (1..120_u32).prop_map(Step::Interrupt),
        1 => Just(Step::TakeOver),
        1 => Just(Step::KeepView),
    ]
}

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
    if n.is_multiple_of(3) {
        format!("key{n:02}").into_bytes()
    } else {
        format!("key{n:02}/long").into_bytes()
    }
}

struct World {
    host: TestHost,
    store: Arc<dyn ObjectStore>,
    db: Db,
    merge: MergeOptions,
    writer: Writer,
    owner: Option<Maintenance>,
    /// Every write by its sequence number, from 1 on.
    writes: Vec<(Bytes, Content)>,
    kept: Option<(View, usize)>,
    tailer: Tailer,
    tailed: usize,
}

impl World {
    async fn new(table: TableOptions) -> World {
        let host = TestHost::new();
        let memory = MemoryStore::new(Arc::new(host.clone()));
        let store: Arc<dyn ObjectStore> = Arc::new(Yielding(Arc::new(memory)));
        let db = open(&store, &host);
        let options = WriterOptions { table: table.clone(), blob_threshold: 400, ..WriterOptions::default() };
        let writer = db.writer(options).await.unwrap();
        let start = TailOptions { start: TailStart::Begin, ..TailOptions::default() };
        let tailer = db.tailer(start).await.unwrap();
        let merge = MergeOptions { table, ..eager() };
        World {
            host,
            store,
            db,
            merge,
            writer,
            owner: None,
            writes: Vec::new(),
            kept: None,
            tailer,
            tailed: 0,
        }
    }

    async fn owner(&mut self) -> Maintenance {
        match self.owner.take() {
            Some(owner) => owner,
            None => {
                let merge = Some(self.merge.clone());
                let options = MaintenanceOptions { merge, ..MaintenanceOptions::default() };
                open(&self.store, &self.host).maintenance(options).await.unwrap()
            }
        }
    }

    async fn apply(&mut self, step: &Step) {
        match step {
            Step::Flush(writes) => {
                for (n, written) in writes {
                    self.write(*n, written).await;
                }
                self.writer.flush().await.unwrap();
            }
            Step::Advance(ms) => self.host.advance(Duration::from_millis(*ms)),
            Step::Merge => {
                self.pass(false).await;
            }
            Step::MergeEverything => {
                self.pass(true).await;
                self.check_size().await;
            }
            Step::Interrupt(polls) => {
                let mut owner = self.owner().await;
                if let Some(done) = poll_times(owner.run_once(), *polls) {
                    done.unwrap();
                }
                self.owner = Some(owner);
            }
            Step::TakeOver => {
                let mut old = self.owner().await;
                let mut new = self.owner().await;
                assert!(matches!(old.run_once().await, Err(Error::Fenced { .. })));
                assert!(old.is_fenced());
                new.run_once().await.unwrap();
                self.owner = Some(new);
            }
            Step::KeepView => {
                let reader = self.db.reader(ReaderOptions::default()).await.unwrap();
                self.kept = Some((reader.view(), self.writes.len()));
            }
        }
        self.check().await;
    }

    async fn write(&mut self, n: u8, written: &Written) {
        let key = key(n);
        let value = match written {
            Written::Delete => {
                self.writer.delete(&key).await.unwrap();
                None
            }
            Written::Put { length, ttl_ms } => {
                let unit = format!("{}:", self.writes.len());
                let value: Bytes = unit.bytes().cycle().take(*length).collect();
                match ttl_ms {
                    None => self.writer.put(&key, &value).await.unwrap(),
                    Some(ms) => {
                        self.writer.put_with_ttl(&key, &value, Duration::from_millis(*ms)).await.unwrap()
                    }
                };
                Some((value, ttl_ms.map(|ms| self.host.now_ms() + ms)))
            }
        };
        self.writes.push((key.into(), value));
    }

    async fn pass(&mut self, everything: bool) -> Report {
        let mut owner = self.owner().await;
        let report = if everything { owner.merge_everything().await } else { owner.run_once().await };
        self.owner = Some(owner);
        assert_eq!(unnamed_tables(self.db.requests()).await, [] as [String; 0], "nothing is left behind");
        report.unwrap()
    }

    fn expected(&self, writes: usize) -> BTreeMap<Bytes, Bytes> {
        let now_ms = self.host.now_ms();
        let newest: BTreeMap<_, _> = self.writes[..writes].iter().cloned().collect();
        let live = newest.into_iter().filter_map(|(key, written)| {
            let (value, expires_at) = written?;
            expires_at.is_none_or(|at| at > now_ms).then_some((key, value))
        });
        live.collect()
    }

    async fn check(&mut self) {
        let reader = self.db.reader(ReaderOptions::default()).await.unwrap();
        self.check_view(&reader.view(), self.writes.len()).await;
        if let Some((view, writes)) = &self.kept {
            self.check_view(view, *writes).await;
        }
        while let Some(change) = self.tailer.try_next().await.unwrap() {
            let (key, written) = &self.writes[self.tailed];
            self.tailed += 1;
            assert_eq!((&change.key, change.sequence), (key, self.tailed as u64));
            let op = match written {
                None => ChangeOp::Delete,
                Some((value, at)) => ChangeOp::Put { value: value.clone(), expires_at_ms: *at },
            };
            assert_eq!(change.op, op);
        }
        assert_eq!(self.tailed, self.writes.len(), "the feed has every change");
        self.check_state().await;
    }

    async fn check_view(&self, view: &View, writes: usize) {
        let expected = self.expected(writes);
        for n in 0..KEYS {
            let key = key(n);
            let got = view.get(&key).await.unwrap();
            assert_eq!(got.as_ref(), expected.get(&key[..]), "get {key:?}");
        }
        let mut scan = view.scan(&ScanOptions::default());
        let mut scanned = Vec::new();
        while let Some(entry) = scan.next().await.unwrap() {
            scanned.push((entry.key, entry.value));
        }
        assert_eq!(scanned, expected.into_iter().collect::<Vec<_>>());
    }

    /// What the format asks of runs, and what the original goes by: newer runs in front.
    async fn check_state(&self) {
        let view = self.db.load_view().await.unwrap();
        let state = view.state();
        for run in &state.runs {
            assert!(
                run.is_disjoint() && run.ssts.iter().all(|sst| sst.level == 1 && sst.entry_count.is_some())
            );
        }
        for (i, front) in state.runs.iter().enumerate() {
            for behind in state.runs[i + 1..].iter().flat_map(|run| &run.ssts) {
                let covers = |sst: &&Arc<_>| overlap(sst, behind);
                assert!(
                    front.ssts.iter().filter(covers).all(|sst| sst.seq_hi > behind.seq_lo),
                    "a run in front holds what is newer"
                );
            }
        }
    }

    /// After a merge of everything the tables hold what is live and nothing else.
    async fn check_size(&self) {
        let view = self.db.load_view().await.unwrap();
        let state = view.state();
        let live = self.expected(self.writes.len());
        let entries: u64 = state.tables().map(|sst| sst.entry_count.unwrap()).sum();
        let deletes: u64 = state.tables().map(|sst| sst.delete_count.unwrap()).sum();
        assert_eq!((entries, deletes), (live.len() as u64, 0));
        assert!(state.l0.is_empty() && state.runs.len() <= 1);
    }
}

fn overlap(a: &isledb_core::format::manifest::SstMeta, b: &isledb_core::format::manifest::SstMeta) -> bool {
    a.min_key <= b.max_key && b.min_key <= a.max_key
}

fn open(store: &Arc<dyn ObjectStore>, host: &TestHost) -> Db {
    let options = DbOptions { probe: false, ..DbOptions::default() };
    Db::open(store.clone(), Arc::new(host.clone()), "db", options).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn merges_change_nothing_that_can_be_read(
        table in table_options(),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        block_on(async {
            let mut world = World::new(table).await;
            for step in &steps {
                world.apply(step).await;
            }
            world.apply(&Step::Merge).await;
            world.apply(&Step::MergeEverything).await;
        });
    }
}

/// A job that is dropped at any of its awaits costs its time only: the next pass does it, and leaves nothing behind.
#[test]
fn a_pass_may_be_dropped_at_every_await() {
    block_on(async {
        let mut ended = 0;
        for polls in 1.. {
            let mut world = World::new(TableOptions::default()).await;
            for n in 0..3 {
                let put = |i: u8| (n + i, Written::Put { length: 150, ttl_ms: None });
                for (n, written) in (0..24).map(put).chain([(n, Written::Delete)]) {
                    world.write(n, &written).await;
                }
                world.writer.flush().await.unwrap();
            }
            let mut owner = world.owner().await;
            let done = poll_times(owner.run_once(), polls);
            world.owner = Some(owner);
            world.check().await;
            let report = world.pass(false).await;
            world.check().await;
            let state = world.db.load_view().await.unwrap().state().clone();
            assert_eq!((state.l0.len(), state.runs.len()), (0, 1), "dropped at poll {polls}");
            if let Some(done) = done {
                done.unwrap();
                assert_eq!(report.merges, []);
                ended += 1;
            }
            if ended == 3 {
                assert!(polls > 20, "{polls} polls: too few to have met every await");
                return;
            }
        }
    });
}

/// The tables of one full merge are hardly larger than what is live.
#[test]
fn after_a_full_merge_live_tables_take_little_more_than_live_data() {
    block_on(async {
        let host = TestHost::new();
        let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new(Arc::new(host.clone())));
        let db = open(&store, &host);
        let table = TableOptions { compression: Compression::None, ..TableOptions::default() };
        let writer =
            db.writer(WriterOptions { table: table.clone(), ..WriterOptions::default() }).await.unwrap();
        for round in 0..6_u32 {
            for n in 0..4_000_u32 {
                let key = format!("user/{:08}", n * 7 % 4_000);
                if (n + round) % 5 == 0 {
                    writer.delete(key.as_bytes()).await.unwrap();
                } else {
                    writer.put(key.as_bytes(), &[round as u8; 100]).await.unwrap();
                }
            }
            writer.flush().await.unwrap();
        }
        let merge = Some(MergeOptions { table, ..MergeOptions::default() });
        let mut owner =
            db.maintenance(MaintenanceOptions { merge, ..MaintenanceOptions::default() }).await.unwrap();
        let before: u64 = db.load_view().await.unwrap().state().tables().map(|sst| sst.size).sum();
        owner.merge_everything().await.unwrap();
        let view = db.load_view().await.unwrap();
        let after: u64 = view.state().tables().map(|sst| sst.size).sum();
        let mut scan =
            db.reader(ReaderOptions::default()).await.unwrap().scan(ScanOptions::default()).await.unwrap();
        let mut live = 0;
        while let Some(entry) = scan.next().await.unwrap() {
            live += (entry.key.len() + entry.value.len()) as u64;
        }
        assert!(before > 4 * live, "there was something to drop");
        assert!(after * 10 <= live * 12, "{after} bytes of tables for {live} of live data");
        let again: Result<Report> = owner.merge_everything().await;
        assert_eq!(again.unwrap().merges, [], "nothing is left to do");
    });
}
