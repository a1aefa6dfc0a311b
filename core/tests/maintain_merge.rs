//! Merges where something is in the way: filters, damage, failing stores, wrong clocks, a live original, another owner.

#![cfg(feature = "maintain")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod host;
mod maintain;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::executor::block_on;
use isledb_core::format::sst::{Compression, TableOptions};
use isledb_core::host::{Event, Host, MemoryStore, Metered, ObjectStore, Observer, PutCondition};
use isledb_core::maintain::plan::debt::Debt;
use isledb_core::maintain::plan::merge::{JobKind, MergePolicy};
use isledb_core::maintain::{
    CompactionFilter, Compactor, CompactorOptions, FilterEntry, FilterValue, Maintenance, MaintenanceOptions,
    MergeOptions, Verdict,
};
use isledb_core::manifest::{BigEndianLsn, State};
use isledb_core::read::{ReaderOptions, ScanOptions};
use isledb_core::write::{Writer, WriterOptions};
use isledb_core::{Db, DbOptions, Error, Result};

use host::TestHost;
use maintain::faults::{Faults, Uploads};
use maintain::{eager, names, unnamed_tables};

struct Bench {
    host: TestHost,
    store: Arc<dyn ObjectStore>,
    db: Db,
}

impl Bench {
    fn new() -> Bench {
        let host = TestHost::new();
        let store = Arc::new(MemoryStore::new(Arc::new(host.clone())));
        Bench::on(host, store, DbOptions::default())
    }

    fn on(host: TestHost, store: Arc<dyn ObjectStore>, options: DbOptions) -> Bench {
        let options = DbOptions { probe: false, ..options };
        let db = Db::open(store.clone(), Arc::new(host.clone()), "db", options).unwrap();
        Bench { host, store, db }
    }

    async fn writer(&self) -> Writer {
        self.db.writer(WriterOptions { blob_threshold: 1_000, ..WriterOptions::default() }).await.unwrap()
    }

    async fn owner(&self, merge: MergeOptions) -> Maintenance {
        let options = MaintenanceOptions { merge: Some(merge), gc: None, ..MaintenanceOptions::default() };
        self.db.maintenance(options).await.unwrap()
    }

    async fn state(&self) -> State {
        self.db.load_view().await.unwrap().state().clone()
    }

    async fn get(&self, key: &str) -> Option<Bytes> {
        self.db.reader(ReaderOptions::default()).await.unwrap().get(key.as_bytes()).await.unwrap()
    }

    /// Keys and values of a scan.
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
        names(self.store.as_ref(), "db/sstable/").await
    }
}

async fn flush(writer: &Writer, puts: &[(&str, &str)]) {
    for (key, value) in puts {
        writer.put(key.as_bytes(), value.as_bytes()).await.unwrap();
    }
    writer.flush().await.unwrap();
}

/// Three flushes of the same keys: enough for a merge by the eager policy.
async fn three_flushes(writer: &Writer) {
    for round in ["1", "2", "3"] {
        flush(writer, &[("a", round), ("b", round), ("c", round)]).await;
    }
}

/// Drops what begins with "drop", replaces what begins with "old", and fails at "bad".
#[derive(Default)]
struct ByKey {
    host: Option<(TestHost, Duration)>,
    seen: Mutex<Vec<String>>,
    /// The times of all batches.
    times_ms: Mutex<Vec<u64>>,
}

impl CompactionFilter for ByKey {
    fn name(&self) -> &str {
        "by-key"
    }
    fn filter(&self, now_ms: u64, batch: &[FilterEntry<'_>]) -> Result<Vec<Verdict>> {
        self.times_ms.lock().unwrap().push(now_ms);
        if let Some((host, by)) = &self.host {
            host.advance(*by);
        }
        batch
            .iter()
            .map(|entry| {
                let key = std::str::from_utf8(entry.key).unwrap();
                let what = match entry.value {
                    FilterValue::Inline(value) => {
                        std::str::from_utf8(value).unwrap().chars().take(8).collect()
                    }
                    FilterValue::Blob(_) => "blob".to_owned(),
                };
                self.seen.lock().unwrap().push(format!("{key}={what}"));
                Ok(match key {
                    _ if key.starts_with("drop") => Verdict::Drop,
                    _ if key.starts_with("old") => Verdict::Replace(Bytes::from_static(b"new")),
                    _ if key.starts_with("bad") => {
                        return Err(Error::Unavailable { object: "plugin".into(), message: "trap".into() });
                    }
                    _ => Verdict::Keep,
                })
            })
            .collect()
    }
}

#[test]
fn a_filter_keeps_drops_and_replaces() {
    block_on(async {
        let bench = Bench::new();
        let writer = bench.writer().await;
        for round in ["1", "2", "3"] {
            flush(&writer, &[("drop/x", round), ("keep", round), ("old", round)]).await;
        }
        bench.owner(eager()).await.run_once().await.unwrap();
        // Older versions lie in a run now; these three go to level 0 above it.
        flush(&writer, &[("drop/x", "4"), ("keep", "4")]).await;
        flush(&writer, &[("drop/y", "4"), ("large", &"v".repeat(2_000))]).await;
        writer.delete(b"keep").await.unwrap();
        flush(&writer, &[("old", "4")]).await;
        let filter = Arc::new(ByKey::default());
        let policy = MergePolicy { min_runs: 4, max_runs: 8, run_limit: 8, max_inputs: 8, ..eager().policy };
        let merge = MergeOptions { filter: Some(filter.clone()), policy, ..eager() };
        let mut owner = bench.owner(merge).await;
        let report = owner.run_once().await.unwrap();
        assert_eq!(report.merges.len(), 1);
        let seen = filter.seen.lock().unwrap().clone();
        assert_eq!(*filter.times_ms.lock().unwrap(), [bench.host.now_ms()], "one batch, at the store's time");
        assert_eq!(seen, ["drop/x=4", "drop/y=4", "large=blob", "old=4"], "newest live puts, in order");
        assert_eq!(bench.get("drop/x").await, None, "the older version below stays hidden");
        assert_eq!(bench.get("drop/y").await, None);
        assert_eq!(bench.get("keep").await, None);
        assert_eq!(bench.get("old").await.unwrap(), "new");
        assert_eq!(bench.get("large").await.unwrap().len(), 2_000);
        let state = bench.state().await;
        assert_eq!(state.runs[0].ssts[0].delete_count, Some(3), "the run below may hold each of them");
        assert!(state.runs[0].ssts[0].has_blob_refs && !state.runs[1].ssts[0].has_blob_refs);

        owner.merge_everything().await.unwrap();
        assert_eq!(bench.content().await.len(), 2);
        let state = bench.state().await;
        assert_eq!((state.runs.len(), state.runs[0].ssts[0].delete_count), (1, Some(0)));
    });
}

#[test]
fn a_failing_filter_fails_the_job_by_its_name_and_removes_nothing() {
    block_on(async {
        let bench = Bench::new();
        let writer = bench.writer().await;
        for round in ["1", "2", "3"] {
            flush(&writer, &[("a", round), ("bad", round)]).await;
        }
        let (before, tables) = (bench.state().await, bench.tables().await);
        let merge = MergeOptions { filter: Some(Arc::new(ByKey::default())), ..eager() };
        let mut owner = bench.owner(merge).await;
        let error = owner.run_once().await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "invalid argument: compaction filter by-key: entries \"a\" to \"bad\": \
             plugin: the store did not serve the request: trap"
        );
        assert_eq!(bench.state().await.l0, before.l0);
        assert_eq!(bench.tables().await, tables);
        assert_eq!(bench.get("bad").await.unwrap(), "3");
    });
}

#[test]
fn missing_and_damaged_inputs_fail_the_job_by_name() {
    block_on(async {
        for damaged in [false, true] {
            let bench = Bench::new();
            let writer = bench.writer().await;
            three_flushes(&writer).await;
            let before = bench.state().await;
            let victim = bench.db.layout().sst(&before.l0[1].id);
            let body = bench.db.requests().get(&victim).await.unwrap().body;
            if damaged {
                let mut damaged = body.to_vec();
                damaged[10] ^= 1;
                bench.store.put(&victim, damaged.into(), PutCondition::None).await.unwrap();
            } else {
                bench.db.requests().delete_unique(std::slice::from_ref(&victim)).await.unwrap();
            }
            let mut owner = bench.owner(eager()).await;
            let error = owner.run_once().await.unwrap_err();
            assert_eq!(error.object(), Some(&victim[..]), "{error}");
            assert_eq!(matches!(error, Error::Corrupt { .. }), damaged, "{error}");
            assert_eq!(bench.state().await.l0, before.l0);
            assert_eq!(unnamed_tables(bench.db.requests()).await, [] as [String; 0]);
            // Brought back, all goes on.
            bench.store.put(&victim, body, PutCondition::None).await.unwrap();
            assert_eq!(owner.run_once().await.unwrap().merges.len(), 1);
            assert_eq!(bench.get("b").await.unwrap(), "3");
        }
    });
}

/// Twelve megabytes in one table: more than one part.
async fn large_flushes(writer: &Writer) {
    for round in 0..3_u8 {
        for n in 0..40_u32 {
            let value = vec![round; 100_000];
            writer.put(format!("key{:04}", n * 3 + u32::from(round)).as_bytes(), &value).await.unwrap();
        }
        writer.flush().await.unwrap();
    }
}

fn in_parts() -> MergeOptions {
    let policy = MergePolicy { table_size: 64 << 20, ..eager().policy };
    let table = TableOptions { compression: Compression::None, ..TableOptions::default() };
    MergeOptions { policy, table, part_size: 5 << 20, ..eager() }
}

#[test]
fn an_upload_that_fails_is_made_again_and_leaves_no_parts() {
    block_on(async {
        let host = TestHost::new();
        let uploads = Uploads::new(Arc::new(MemoryStore::new(Arc::new(host.clone()))));
        let bench = Bench::on(host, Arc::new(uploads.clone()), DbOptions::default());
        let options = WriterOptions { blob_threshold: 1 << 20, ..WriterOptions::default() };
        let writer = bench.db.writer(options).await.unwrap();
        large_flushes(&writer).await;
        let before = bench.content().await;
        let mut owner = bench.owner(in_parts()).await;

        uploads.fail_parts(u32::MAX);
        let error = owner.run_once().await.unwrap_err();
        assert!(matches!(error, Error::Unavailable { .. }), "{error}");
        assert_eq!((uploads.open(), bench.state().await.l0.len()), (0, 3));
        assert_eq!(unnamed_tables(bench.db.requests()).await, [] as [String; 0]);

        uploads.fail_parts(2);
        let begun = uploads.begun();
        let report = owner.run_once().await.unwrap();
        assert_eq!((report.merges.len(), report.merges[0].tables_written), (1, 1));
        assert_eq!((uploads.open(), uploads.begun() - begun), (0, 3), "two that failed and one that did not");
        assert_eq!(unnamed_tables(bench.db.requests()).await, [] as [String; 0]);
        assert_eq!(bench.content().await, before);
    });
}

#[test]
fn tables_that_grew_old_on_the_way_are_uploaded_again() {
    block_on(async {
        let bench = Bench::new();
        let writer = bench.db.writer(WriterOptions::default()).await.unwrap();
        for round in 0..3_u8 {
            for n in 0..60_u32 {
                writer.put(format!("key{n:04}").as_bytes(), &[b'0' + round; 9_000]).await.unwrap();
            }
            writer.flush().await.unwrap();
        }
        let before = bench.content().await;
        // Two batches of the filter, 13 hours apart; the first one's table is finished before the second is judged.
        let slow =
            ByKey { host: Some((bench.host.clone(), Duration::from_secs(13 * 3600))), ..ByKey::default() };
        let merge = MergeOptions { filter: Some(Arc::new(slow)), ..in_parts() };
        let policy = MergePolicy { table_size: 64 << 10, ..merge.policy.clone() };
        let mut owner = bench.owner(MergeOptions { policy, ..merge }).await;
        let report = owner.run_once().await.unwrap();
        assert_eq!(report.merges.len(), 1);
        assert!(report.merges[0].tables_written > 5);
        assert_eq!(bench.content().await, before);
        assert_eq!(unnamed_tables(bench.db.requests()).await, [] as [String; 0], "the old uploads are gone");
    });
}

/// The store goes silent when the entry has its slot: the next pass finds it, and nothing is merged twice.
#[test]
fn an_entry_whose_outcome_was_open_is_settled_by_the_next_pass() {
    block_on(async {
        let host = TestHost::new();
        let faults = Faults::new(Arc::new(MemoryStore::new(Arc::new(host.clone()))));
        let bench = Bench::on(host, Arc::new(faults.clone()), DbOptions::default());
        let writer = bench.writer().await;
        three_flushes(&writer).await;
        let mut owner = bench.owner(eager()).await;
        let silent = Arc::new(AtomicBool::new(false));
        let gate = silent.clone();
        faults.set(move |request, key| {
            if request == "put" && key.starts_with("db/manifest/log/") {
                gate.store(true, Ordering::Relaxed);
                return None;
            }
            let unavailable = || Error::Unavailable { object: key.into(), message: "silence".into() };
            gate.load(Ordering::Relaxed).then(unavailable)
        });
        let error = owner.run_once().await.unwrap_err();
        assert!(matches!(error, Error::OutcomeUnknown { retry: true, .. }), "{error}");
        faults.set(|_, _| None);
        assert_eq!(owner.run_once().await.unwrap().merges, []);
        let state = bench.state().await;
        assert_eq!((state.l0.len(), state.runs.len()), (0, 1));
        assert_eq!(bench.get("b").await.unwrap(), "3");
        assert_eq!(unnamed_tables(bench.db.requests()).await, [] as [String; 0]);
        owner.close().await.unwrap();
    });
}

#[test]
fn one_owner_a_handle_and_none_without_a_database() {
    block_on(async {
        let bench = Bench::new();
        let none = bench.db.maintenance(MaintenanceOptions::default()).await;
        assert!(matches!(none, Err(Error::NoDatabase { .. })));
        let writer = bench.writer().await;
        three_flushes(&writer).await;
        let mut first = bench.owner(eager()).await;
        let second = bench.db.maintenance(MaintenanceOptions::default()).await;
        assert!(matches!(second, Err(Error::InvalidArgument { .. })));
        let elsewhere = Bench::on(bench.host.clone(), bench.store.clone(), DbOptions::default());
        let polite = MaintenanceOptions { takeover: false, ..MaintenanceOptions::default() };
        assert!(matches!(elsewhere.db.maintenance(polite).await, Err(Error::Fenced { .. })));
        let mut compactor = Compactor::open(&elsewhere.db, CompactorOptions::default()).await.unwrap();
        assert_eq!(compactor.run_compaction().await.unwrap().debt.l0_tables, 3);
        for _ in 0..2 {
            assert!(matches!(first.run_once().await, Err(Error::Fenced { role: "maintenance", .. })));
        }
        assert!(matches!(first.run().await, Err(Error::Fenced { .. })), "a service ends");
        drop(first);
        let third = bench.owner(eager()).await;
        assert!(third.previous_owner().is_some());
        assert!(!compactor.is_fenced() && compactor.run_compaction().await.is_err() && compactor.is_fenced());
    });
}

/// By the store's time the values have years to live, whatever the clock of the process that merges says.
#[test]
fn what_expires_goes_by_the_stores_clock() {
    block_on(async {
        let bench = Bench::new();
        let writer = bench.writer().await;
        for round in 0..3 {
            writer.put_with_ttl(b"year", b"v", Duration::from_secs(365 * 86_400)).await.unwrap();
            writer.put_with_ttl(b"second", b"v", Duration::from_secs(1)).await.unwrap();
            flush(&writer, &[("k", &round.to_string())]).await;
        }
        bench.host.advance(Duration::from_secs(2));
        flush(&writer, &[("k", "later")]).await;
        let ahead = TestHost::new();
        ahead.advance(Duration::from_secs(10 * 365 * 86_400));
        let fast = Bench::on(ahead, bench.store.clone(), DbOptions::default());
        fast.owner(eager()).await.merge_everything().await.unwrap();
        let state = bench.state().await;
        let sst = &state.runs[0].ssts[0];
        assert_eq!(
            (sst.entry_count, sst.delete_count),
            (Some(2), Some(0)),
            "the second is over, the year is not"
        );
        assert!(sst.min_expire_at.is_some() && sst.max_expire_at.is_none(), "not all of them expire");
        assert_eq!(bench.content().await.len(), 2);
    });
}

#[test]
fn beside_an_original_two_entries_wait_for_its_next_one() {
    block_on(async {
        let bench = Bench::new();
        let writer = bench.writer().await;
        three_flushes(&writer).await;
        let options = MaintenanceOptions {
            merge: Some(eager()),
            beside_original: true,
            ..MaintenanceOptions::default()
        };
        let mut owner = bench.db.maintenance(options).await.unwrap();
        let report = owner.run_once().await.unwrap();
        assert_eq!((report.merges.len(), report.waits_for_writer), (1, false), "the claim was the first");
        three_flushes(&writer).await;
        assert_eq!(owner.run_once().await.unwrap().merges.len(), 2, "level 0, and two runs of similar size");
        let report = owner.merge_everything().await.unwrap();
        assert_eq!((report.merges.len(), report.waits_for_writer), (0, false), "nothing is left");
        flush(&writer, &[("a", "4")]).await;
        owner.merge_everything().await.unwrap();
        flush(&writer, &[("a", "5")]).await;
        owner.merge_everything().await.unwrap();
        let slot = bench.db.load_view().await.unwrap().current.next_seq;
        assert_eq!(bench.get("a").await.unwrap(), "5");
        three_flushes(&writer).await;
        let report = owner.run_once().await.unwrap();
        assert_eq!((report.merges.len(), report.waits_for_writer), (2, false));
        assert_eq!(bench.db.load_view().await.unwrap().current.next_seq, slot + 5);
    });
}

#[test]
fn lsns_move_with_a_merge() {
    block_on(async {
        let host = TestHost::new();
        let store = Arc::new(MemoryStore::new(Arc::new(host.clone())));
        let bench =
            Bench::on(host, store, DbOptions { lsn: Some(Arc::new(BigEndianLsn)), ..DbOptions::default() });
        let writer = bench.writer().await;
        for lsn in 1..=30_u64 {
            writer.put(&lsn.to_be_bytes(), b"v").await.unwrap();
        }
        writer.flush().await.unwrap();
        for lsn in 1..=10_u64 {
            writer.delete(&lsn.to_be_bytes()).await.unwrap();
        }
        writer.flush().await.unwrap();
        let lsns = async || {
            let current = bench.db.load_view().await.unwrap().current;
            (current.low_watermark_lsn, current.max_committed_lsn)
        };
        assert_eq!(lsns().await, (Some(1), Some(30)));
        bench.owner(eager()).await.merge_everything().await.unwrap();
        assert_eq!(lsns().await, (Some(11), Some(30)));
    });
}

#[test]
fn puts_wait_for_merges_where_level_0_is_full() {
    block_on(async {
        let bench = Bench::new();
        let options = WriterOptions {
            l0_limit: Some(3),
            put_deadline: Duration::from_secs(2),
            ..WriterOptions::default()
        };
        let writer = bench.db.writer(options).await.unwrap();
        three_flushes(&writer).await;
        let refused = writer.put(b"d", b"4").await;
        assert!(matches!(refused, Err(Error::Backpressure { waited_ms: 1_000.., .. })), "{refused:?}");
        writer.flush().await.unwrap();
        bench.owner(eager()).await.run_once().await.unwrap();
        writer.put(b"d", b"4").await.unwrap();
        writer.flush().await.unwrap();
        assert_eq!(bench.get("d").await.unwrap(), "4");
    });
}

#[derive(Default)]
struct Heard(Mutex<Vec<String>>, AtomicU64);

impl Observer for Heard {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::MergeBegun { kind, tables, .. } => {
                self.0.lock().unwrap().push(format!("{kind} of {tables} begun"))
            }
            Event::MergeProgress { bytes, of } => {
                assert!(bytes <= of && *bytes >= self.1.swap(*bytes, Ordering::Relaxed));
            }
            Event::MergeEnd { kind, result, .. } => {
                self.0.lock().unwrap().push(format!("{kind} ended {}", result.is_ok()));
            }
            _ => {}
        }
    }
}

#[test]
fn tables_of_other_keys_move_unread_and_watchers_hear_of_it() {
    block_on(async {
        let host = TestHost::new();
        let store = Arc::new(MemoryStore::new(Arc::new(host.clone())));
        let heard = Arc::new(Heard::default());
        let observer: Option<Arc<dyn Observer>> = Some(heard.clone());
        let bench = Bench::on(host, store, DbOptions { observer, ..DbOptions::default() });
        let table = TableOptions { compression: Compression::None, ..TableOptions::default() };
        let writer = bench
            .db
            .writer(WriterOptions { table: table.clone(), ..WriterOptions::default() })
            .await
            .unwrap();
        let mut owner = bench.owner(MergeOptions { table, ..eager() }).await;
        for part in ["a", "b"] {
            for n in 0..3 {
                for i in 0..30 {
                    writer.put(format!("{part}/{n}/{i:02}").as_bytes(), &[n; 100]).await.unwrap();
                }
                writer.flush().await.unwrap();
            }
            let before = bench.content().await;
            let report = owner.run_once().await.unwrap();
            assert_eq!(bench.content().await, before);
            if part == "b" {
                let [level0, runs] = &report.merges[..] else { panic!("{report:?}") };
                assert_eq!((level0.kind, runs.kind), (JobKind::Level0, JobKind::Runs));
                assert!(runs.tables_moved >= 4, "{runs:?}");
                assert!(runs.tables_read < 4, "only what is small: {runs:?}");
            }
        }
        let state = bench.state().await;
        assert!(state.runs.len() == 1 && state.runs[0].is_disjoint());
        let heard = heard.0.lock().unwrap().clone();
        assert_eq!(heard[..2], ["level0 of 3 begun", "level0 ended true"]);
        assert_eq!(heard.len(), 6);
    });
}

/// Once it told of what had waited before the merge.
#[test]
fn the_debt_is_what_a_pass_leaves() {
    block_on(async {
        let bench = Bench::new();
        let writer = bench.writer().await;
        three_flushes(&writer).await;
        let mut owner = bench.owner(eager()).await;
        let left = owner.merge_everything().await.unwrap().debt;
        assert_eq!(left, Debt { runs: 1, ..Debt::default() });
    });
}

#[test]
fn the_rate_is_kept() {
    block_on(async {
        let bench = Bench::new();
        let writer = bench.db.writer(WriterOptions::default()).await.unwrap();
        large_flushes(&writer).await;
        let began_ms = bench.host.now_ms();
        let merge = MergeOptions { bytes_per_second: Some(8 << 20), ..in_parts() };
        bench.owner(merge).await.run_once().await.unwrap();
        let took_ms = bench.host.now_ms() - began_ms;
        // Nearly nothing is read, for the flushes are compressed; 12 MB are written at 8 MiB/s.
        assert!((1_000..4_000).contains(&took_ms), "{took_ms} ms");
    });
}

#[test]
fn a_pass_costs_what_the_table_of_costs_says() {
    block_on(async {
        let host = TestHost::new();
        let metered = Metered::new(Arc::new(MemoryStore::new(Arc::new(host.clone()))));
        let meter = metered.meter();
        let bench = Bench::on(host, Arc::new(metered), DbOptions::default());
        let writer = bench.writer().await;
        flush(&writer, &[("a", "1")]).await;
        let span = meter.span();
        let mut owner = bench.owner(eager()).await;
        assert_eq!((span.cost().requests(), span.cost().round_trips), (4, 4), "claim");
        let span = meter.span();
        owner.run_once().await.unwrap();
        assert_eq!((span.cost().requests(), span.cost().get), (1, 1), "nothing waits");
        flush(&writer, &[("a", "2")]).await;
        flush(&writer, &[("a", "3")]).await;
        let span = meter.span();
        owner.run_once().await.unwrap();
        let cost = span.cost();
        // Two looks at CURRENT, three small tables; a table, a slot, CURRENT.
        assert_eq!((cost.get, cost.put, cost.delete, cost.round_trips), (2 + 3, 3, 0, 6));
        let span = meter.span();
        let options = MaintenanceOptions { gc: None, ..MaintenanceOptions::default() };
        let plan = Maintenance::dry_run(&bench.db, &options).await.unwrap();
        assert_eq!((span.cost().requests(), span.cost().put), (1, 0));
        assert_eq!((plan.merge, plan.debt.runs), (None, 1));
        assert!(owner.owner().starts_with("isledb~") && bench.host.now_unix_ns() > 0);
    });
}
