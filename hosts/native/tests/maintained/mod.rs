//! A load, and all that goes on beside it: merges, reads of every kind, a tailer. What a write does follows from its number
//! alone, so that every reader knows what the database must hold after so many of them.

#![allow(dead_code, reason = "the test and the benchmark use their own parts")]
#![allow(clippy::unwrap_used, reason = "a load that goes wrong has failed")]

mod model;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use isledb::format::sst::{Compression, TableOptions};
use isledb::host::{Event, MemoryStore, Observer};
use isledb::maintain::plan::merge::MergePolicy;
use isledb::maintain::{MaintenanceOptions, MergeOptions};
use isledb::read::{ReaderOptions, ScanOptions, View};
use isledb::tail::{ChangeOp, TailOptions, TailStart};
use isledb::write::WriterOptions;
use isledb::{BackgroundWriter, Db, DbOptions, TokioHost};

use model::Model;

/// How much is loaded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Different keys; each is put once before any is written again.
    pub(crate) keys: u32,
    /// Writes in all. One in eight of those after the first of each key is a delete, the others overwrite.
    pub(crate) writes: u32,
    /// Bytes of a memtable, and so about those of a flush.
    pub(crate) memtable_size: u64,
    /// Bytes at which a merged table ends.
    pub(crate) table_size: u64,
}

/// What it came to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Outcome {
    /// From the first put until all is committed, merges and reads beside it.
    pub(crate) loaded: Duration,
    /// Of one merge of everything at the end, alone.
    pub(crate) full_merge: Duration,
    /// Flushes, and the bytes of their tables.
    pub(crate) flushes: u64,
    /// See `flushes`.
    pub(crate) flushed_bytes: u64,
    /// Merges beside the load, and the bytes of the tables that they wrote.
    pub(crate) merges: u64,
    /// See `merges`.
    pub(crate) merged_bytes: u64,
    /// Whole scans that were compared with the model, half of them of a view that was pinned for a while.
    pub(crate) scans: u64,
    /// Single reads that were compared with it.
    pub(crate) gets: u64,
    /// Changes that the tailer compared.
    pub(crate) changes: u64,
    /// Live keys in the end, and the bytes of them and their values.
    pub(crate) live_keys: u64,
    /// See `live_keys`.
    pub(crate) live_bytes: u64,
    /// Bytes of the tables in the end.
    pub(crate) table_bytes: u64,
}

impl Outcome {
    /// Bytes that were written to tables, for each byte that was flushed.
    pub(crate) fn write_amplification(&self) -> f64 {
        (self.flushed_bytes + self.merged_bytes) as f64 / self.flushed_bytes as f64
    }

    /// Bytes of tables for each byte of live keys and values.
    pub(crate) fn space_amplification(&self) -> f64 {
        self.table_bytes as f64 / self.live_bytes as f64
    }
}

/// Counts flushes and merges.
#[derive(Default)]
struct Watch {
    flushes: AtomicU64,
    flushed_bytes: AtomicU64,
    merges: AtomicU64,
    merged_bytes: AtomicU64,
}

impl Observer for Watch {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::Flush { result: Ok(flushed), .. } => {
                self.flushes.fetch_add(1, Ordering::Relaxed);
                self.flushed_bytes.fetch_add(flushed.bytes, Ordering::Relaxed);
            }
            Event::MergeEnd { result: Ok(bytes), .. } if *bytes > 0 => {
                self.merges.fetch_add(1, Ordering::Relaxed);
                self.merged_bytes.fetch_add(*bytes, Ordering::Relaxed);
            }
            _ => {}
        }
    }
}

/// What all of them share.
struct World {
    store: Arc<MemoryStore>,
    watch: Arc<Watch>,
    load: Load,
    /// Everything is committed.
    loaded: AtomicBool,
}

impl World {
    /// A handle of its own, as another process has it.
    fn db(&self) -> Db {
        let observer: Option<Arc<dyn Observer>> = Some(self.watch.clone());
        let options = DbOptions { probe: false, observer, ..DbOptions::default() };
        Db::open(self.store.clone(), Arc::new(TokioHost::new()), "db", options).unwrap()
    }

    fn is_loaded(&self) -> bool {
        self.loaded.load(Ordering::Acquire)
    }
}

/// Tables as large as what is in them: compression would hide what is not live.
fn table() -> TableOptions {
    TableOptions { compression: Compression::None, ..TableOptions::default() }
}

/// Loads with merges beside it, read and tailed all along. Panics at the first wrong read or change.
pub(crate) async fn run(load: Load) -> Outcome {
    let store = Arc::new(MemoryStore::new(Arc::new(TokioHost::new())));
    let world = Arc::new(World { store, watch: Arc::default(), load, loaded: AtomicBool::new(false) });
    let options = WriterOptions {
        table: table(),
        memtable_size: load.memtable_size,
        // Merges must keep up: without them the load would come to a halt.
        l0_limit: Some(24),
        put_deadline: Duration::from_secs(3600),
        ..WriterOptions::default()
    };
    let writer = BackgroundWriter::spawn(world.db().writer(options).await.unwrap());
    let policy = MergePolicy { table_size: load.table_size, ..MergePolicy::default() };
    let merge = MergeOptions { policy, table: table(), ..MergeOptions::default() };
    let options = MaintenanceOptions {
        merge: Some(merge),
        check_interval: Duration::from_millis(10),
        ..MaintenanceOptions::default()
    };
    let mut owner = world.db().maintenance(options).await.unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let merging = tokio::spawn(async move {
        tokio::select! {
            ended = owner.run() => panic!("maintenance ended: {ended:?}"),
            _ = stopped => owner,
        }
    });
    let reading = tokio::spawn(read(world.clone()));
    let tailing = tokio::spawn(tail(world.clone()));

    let began = Instant::now();
    write(&world, writer).await;
    let mut outcome = Outcome { loaded: began.elapsed(), ..Outcome::default() };
    world.loaded.store(true, Ordering::Release);
    (outcome.scans, outcome.gets) = reading.await.unwrap();
    outcome.changes = tailing.await.unwrap();
    stop.send(()).unwrap();
    let mut owner = merging.await.unwrap();
    let counted = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let watch = &world.watch;
    (outcome.flushes, outcome.flushed_bytes) = (counted(&watch.flushes), counted(&watch.flushed_bytes));
    (outcome.merges, outcome.merged_bytes) = (counted(&watch.merges), counted(&watch.merged_bytes));

    let began = Instant::now();
    owner.merge_everything().await.unwrap();
    outcome.full_merge = began.elapsed();
    let view = world.db().reader(ReaderOptions::default()).await.unwrap().view();
    let mut model = Model::new(load);
    model.advance(load.writes);
    (outcome.live_keys, outcome.live_bytes) = check_scan(&view, &model).await;
    outcome.table_bytes = view.manifest().state().tables().map(|sst| sst.size).sum();
    outcome
}

async fn write(world: &World, mut writer: BackgroundWriter) {
    for n in 0..world.load.writes {
        let (key, value) = (world.load.key(n), world.load.value(n));
        let sequence = match value {
            Some(value) => writer.put(&key, &value).await.unwrap(),
            None => writer.delete(&key).await.unwrap(),
        };
        assert_eq!(sequence, u64::from(n) + 1);
        if n % 256 == 0 {
            tokio::task::yield_now().await;
        }
    }
    writer.shutdown().await.unwrap();
}

/// How many of the writes a view shows.
fn writes_in(view: &View) -> u32 {
    u32::try_from(view.manifest().next_sequence().saturating_sub(1)).unwrap()
}

/// Pins views, and reads each in every way: at once, and once more when the tables below it have been merged away.
async fn read(world: Arc<World>) -> (u64, u64) {
    let reader = world.db().reader(ReaderOptions::default()).await.unwrap();
    let (mut scans, mut gets, mut model) = (0, 0, Model::new(world.load));
    loop {
        let last = world.is_loaded();
        reader.refresh().await.unwrap();
        let view = reader.view();
        model.advance(writes_in(&view));
        let merges = world.watch.merges.load(Ordering::Relaxed);
        check_scan(&view, &model).await;
        let seed = u64::from(model.writes());
        for i in 0..200 {
            let key = model::mixed(seed * 1_000 + i) as u32 % world.load.keys;
            check_get(&view, &model, key).await;
        }
        // A merge or two, or a moment.
        for _ in 0..50 {
            if last || world.is_loaded() || world.watch.merges.load(Ordering::Relaxed) > merges + 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        check_scan(&view, &model).await;
        (scans, gets) = (scans + 2, gets + 200);
        if last {
            assert_eq!(model.writes(), world.load.writes, "everything was committed");
            return (scans, gets);
        }
    }
}

async fn check_get(view: &View, model: &Model, key: u32) {
    let (name, expected) = (model::name(key), model.value(key));
    let got = view.get(&name).await.unwrap();
    assert!(got == expected, "key {key} after {} writes: {got:?}", model.writes());
}

/// Compares a whole scan with the model. The number of live keys, and the bytes of them and their values.
async fn check_scan(view: &View, model: &Model) -> (u64, u64) {
    let mut scan = view.scan(&ScanOptions::default());
    let (mut keys, mut bytes) = (0, 0);
    for (name, value) in model.live() {
        let entry = scan.next().await.unwrap();
        let entry = entry.unwrap_or_else(|| panic!("{name:?} is missing after {} writes", model.writes()));
        assert!(entry.key == name && entry.value == value, "{:?}, expected {name:?}", entry.key);
        keys += 1;
        bytes += (name.len() + value.len()) as u64;
    }
    let beyond = scan.next().await.unwrap();
    assert!(beyond.is_none(), "{beyond:?} after {} writes", model.writes());
    (keys, bytes)
}

/// Follows the feed from its beginning: every write, once, in order.
async fn tail(world: Arc<World>) -> u64 {
    let options =
        TailOptions { start: TailStart::Begin, poll_ms: 10, idle_poll_ms: 50, ..TailOptions::default() };
    let mut tailer = world.db().tailer(options).await.unwrap();
    for n in 0..world.load.writes {
        let change = tailer.next().await.unwrap();
        let expected = match world.load.value(n) {
            Some(value) => ChangeOp::Put { value, expires_at_ms: None },
            None => ChangeOp::Delete,
        };
        assert_eq!((change.sequence, &change.key), (u64::from(n) + 1, &world.load.key(n)));
        assert!(change.op == expected, "write {n}: {:?}", change.op);
    }
    let beyond = tailer.try_next().await.unwrap();
    assert!(beyond.is_none(), "{beyond:?}");
    world.load.writes.into()
}
