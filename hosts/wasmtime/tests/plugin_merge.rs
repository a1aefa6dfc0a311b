//! Plugins inside the engine: merges with a filter, commits with an LSN extractor.

#![allow(clippy::unwrap_used, reason = "a test")]

mod plugin;

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use isledb::host::{Host, MemoryStore, ObjectStore};
use isledb::maintain::plan::merge::MergePolicy;
use isledb::maintain::{
    CompactionFilter, FilterEntry, FilterValue, Maintenance, MaintenanceOptions, MergeOptions, Verdict,
};
use isledb::read::{ReaderOptions, ScanOptions};
use isledb::write::WriterOptions;
use isledb::{Db, DbOptions, TokioHost};
use isledb_wasmtime::plugin::{CompactionFilterPlugin, LsnPlugin};
use proptest::prelude::*;

use plugin::{engine, example, filter};

const DAY_MS: u64 = 86_400_000;

/// `examples/expire_by_prefix.rs`, inside the engine.
struct Native;

impl CompactionFilter for Native {
    fn name(&self) -> &str {
        "native"
    }

    fn filter(&self, now_ms: u64, batch: &[FilterEntry<'_>]) -> isledb::Result<Vec<Verdict>> {
        let old = |prefix: &str, key: &[u8]| {
            let rest = std::str::from_utf8(key).ok()?.strip_prefix(prefix)?;
            let at_ms: u64 = rest.split('/').next()?.parse().ok()?;
            (at_ms.saturating_add(DAY_MS) <= now_ms).then_some(())
        };
        let judge = |entry: &FilterEntry<'_>| match entry.value {
            _ if old("session/", entry.key).is_some() => Verdict::Drop,
            FilterValue::Inline(value) if value.len() > 64 && old("log/", entry.key).is_some() => {
                Verdict::Replace(Bytes::copy_from_slice(&value[..64]))
            }
            _ => Verdict::Keep,
        };
        Ok(batch.iter().map(judge).collect())
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// The example, compiled once.
fn expire() -> Arc<CompactionFilterPlugin> {
    static PLUGIN: OnceLock<Arc<CompactionFilterPlugin>> = OnceLock::new();
    let load = || CompactionFilterPlugin::new(engine(), "expire.wasm", &example("expire_by_prefix")).unwrap();
    PLUGIN.get_or_init(|| Arc::new(load())).clone()
}

/// Puts and deletes, committed together.
type Flush = Vec<(String, Option<Vec<u8>>)>;

struct Bench {
    store: Arc<dyn ObjectStore>,
    db: Db,
}

impl Bench {
    fn new(options: DbOptions) -> Bench {
        let host: Arc<dyn Host> = Arc::new(TokioHost::new());
        let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new(host.clone()));
        let options = DbOptions { probe: false, ..options };
        let db = Db::open(store.clone(), host, "db", options).unwrap();
        Bench { store, db }
    }

    /// Commits these puts and deletes, one flush a list.
    async fn write(&self, flushes: &[Flush]) {
        let options = WriterOptions { blob_threshold: 1000, ..WriterOptions::default() };
        let writer = self.db.writer(options).await.unwrap();
        for flush in flushes {
            for (key, value) in flush {
                match value {
                    Some(value) => writer.put(key.as_bytes(), value).await.unwrap(),
                    None => writer.delete(key.as_bytes()).await.unwrap(),
                };
            }
            writer.flush().await.unwrap();
        }
        writer.close().await.unwrap();
    }

    async fn owner(&self, filter: Arc<dyn CompactionFilter>) -> Maintenance {
        let policy = MergePolicy { l0_tables: 1, table_size: 16 << 10, ..MergePolicy::default() };
        let merge = MergeOptions { policy, filter: Some(filter), ..MergeOptions::default() };
        let options = MaintenanceOptions { merge: Some(merge), gc: None, ..MaintenanceOptions::default() };
        self.db.maintenance(options).await.unwrap()
    }

    async fn content(&self) -> Vec<(Bytes, Bytes)> {
        let reader = self.db.reader(ReaderOptions::default()).await.unwrap();
        let mut scan = reader.scan(ScanOptions::default()).await.unwrap();
        let mut content = Vec::new();
        while let Some(entry) = scan.next().await.unwrap() {
            content.push((entry.key, entry.value));
        }
        content
    }

    async fn tables(&self) -> Vec<String> {
        let page = self.store.list("db/sstable/", Default::default()).await.unwrap();
        page.objects.into_iter().map(|object| object.key).collect()
    }
}

/// Puts and deletes in up to five flushes, among keys that the rule is about, and keys that only look like it.
fn flushes() -> impl Strategy<Value = Vec<Flush>> {
    // Long ago, and long to come: between writing and merging no time passes that matters.
    let time = prop_oneof![Just("1"), Just("1700000000000"), Just("99999999999999"), Just(""), Just("x")];
    let key = (prop_oneof![Just("session/"), Just("log/"), Just("logs/"), Just("")], time, 0..6u8)
        .prop_map(|(prefix, time, number)| format!("{prefix}{time}/{number}"));
    let value = prop_oneof![
        4 => (0..130usize).prop_map(|length| Some(vec![b'v'; length])),
        1 => Just(Some(vec![b'b'; 1500])),
        1 => Just(None),
    ];
    prop::collection::vec(prop::collection::vec((key, value), 1..40), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_plugin_leaves_what_a_native_filter_of_the_same_rule_leaves(flushes in flushes()) {
        let left = |filter: Arc<dyn CompactionFilter>| block_on(async {
            let bench = Bench::new(DbOptions::default());
            bench.write(&flushes).await;
            let mut owner = bench.owner(filter).await;
            owner.run_once().await.unwrap();
            owner.merge_everything().await.unwrap();
            let state = bench.db.load_view().await.unwrap().state().clone();
            let entries: Vec<_> = state.tables().map(|t| (t.min_key.clone(), t.max_key.clone(), t.delete_count)).collect();
            (bench.content().await, entries)
        });
        prop_assert_eq!(left(expire()), left(Arc::new(Native)));
    }
}

/// The first batch is judged and its table is under way when the second traps.
#[test]
fn a_trap_in_the_middle_fails_the_job_by_name_and_leaves_the_bucket_as_it_was() {
    block_on(async {
        let bench = Bench::new(DbOptions::default());
        let puts = |first: char| {
            (0..5000).map(|i| (format!("{first}/{i:05}"), Some(vec![b'v'; 100]))).collect::<Vec<_>>()
        };
        bench.write(&[puts('a'), puts('z')]).await;
        let (content, tables) = (bench.content().await, bench.tables().await);
        // The first key of the batch begins with z: trap; else keep all.
        let traps = filter(
            "(if (i32.eq (i32.load8_u (i32.load (local.get $entries))) (i32.const 122)) (then unreachable))
             (call $answer (i32.const 0) (call $allocate (i32.mul (local.get $count) (i32.const 12))) (local.get $count))",
        );
        let plugin = Arc::new(CompactionFilterPlugin::new(engine(), "traps.wasm", &traps).unwrap());
        let mut owner = bench.owner(plugin.clone()).await;
        let error = owner.run_once().await.unwrap_err().to_string();
        let start = format!("invalid argument: compaction filter {}: entries \"z/", plugin.name());
        assert!(error.starts_with(&start), "{error}");
        assert!(
            error.ends_with("it trapped in `filter`: wasm trap: wasm `unreachable` instruction executed"),
            "{error}"
        );
        assert_eq!(bench.tables().await, tables, "no input is gone, and nothing lies about");
        assert!(bench.content().await == content);
        // The same owner does its work once the filter does.
        drop(owner);
        bench.owner(Arc::new(Native)).await.run_once().await.unwrap();
        assert!(bench.content().await == content);
    });
}

#[test]
fn a_replacement_that_is_too_large_fails_the_job() {
    block_on(async {
        let bench = Bench::new(DbOptions::default());
        bench
            .write(&[vec![("a".into(), Some(b"1".to_vec()))], vec![("a".into(), Some(b"2".to_vec()))]])
            .await;
        let nine_mib = "(local $at i32)
            (local.set $at (call $allocate (i32.const 12)))
            (i32.store8 (local.get $at) (i32.const 2))
            (i32.store offset=4 (local.get $at) (call $allocate (i32.const 9437184)))
            (i32.store offset=8 (local.get $at) (i32.const 9437184))
            (call $answer (i32.const 0) (local.get $at) (i32.const 1))";
        let plugin = CompactionFilterPlugin::new(engine(), "large.wasm", &filter(nine_mib)).unwrap();
        let error = bench.owner(Arc::new(plugin)).await.run_once().await.unwrap_err().to_string();
        assert!(error.starts_with("invalid argument: compaction filter large.wasm (sha256 "), "{error}");
        assert!(
            error.ends_with("a value of 9437184 bytes for \"a\", at most 8388608 are allowed"),
            "{error}"
        );
        assert_eq!(bench.content().await, [("a".into(), "2".into())]);
    });
}

#[test]
fn an_lsn_plugin_moves_the_numbers_and_fails_a_commit_that_it_cannot_judge() {
    block_on(async {
        let plugin = LsnPlugin::new(engine(), "lsn.wasm", &example("lsn_of_key")).unwrap();
        let bench = Bench::new(DbOptions { lsn: Some(Arc::new(plugin)), ..DbOptions::default() });
        let writer = bench.db.writer(WriterOptions::default()).await.unwrap();
        let key = |lsn: u64| [b"wal/".as_slice(), &lsn.to_be_bytes()].concat();
        for lsn in 100..110 {
            writer.put(&key(lsn), b"consumed").await.unwrap();
        }
        writer.flush().await.unwrap();
        let numbers = async || {
            (bench.db.low_watermark_lsn().await.unwrap(), bench.db.max_committed_lsn().await.unwrap())
        };
        assert_eq!(numbers().await, (Some(100), Some(109)));
        writer.put(b"wal/~~~~~~~~~", b"nine bytes").await.unwrap();
        let error = writer.flush().await.unwrap_err().to_string();
        let start = "invalid argument: LSN extractor: key \"wal/~~~~~~~~~\": plugin lsn.wasm (sha256 ";
        assert!(error.starts_with(start), "{error}");
        assert_eq!(numbers().await, (Some(100), Some(109)));
        assert_eq!(
            bench.content().await.len(),
            10,
            "what was committed is readable, what was not is not visible"
        );
    });
}
