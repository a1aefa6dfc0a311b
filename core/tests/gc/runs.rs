//! Single runs: what goes when, what is told, what is refused, what it costs.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::executor::block_on;
use isledb_core::format::layout::Layout;
use isledb_core::host::PutCondition;
use isledb_core::host::{MemoryStore, ObjectStore};
use isledb_core::maintain::gc::{GcOptions, MemoryMarks, ObjectMarks};
use isledb_core::maintain::plan::sweep::WaitsFor;
use isledb_core::maintain::retain::{Retention, RetentionCompactor, RetentionCompactorOptions};
use isledb_core::maintain::{Maintenance, MaintenanceOptions, MergeOptions};
use isledb_core::{Db, DbOptions, Error};

use crate::bench::{Bench, HOUR, MINUTE};
use crate::host::TestHost;

/// Three flushes, the first two of which are overwritten by the third; then the first two tables are removed.
fn overwritten(bench: &Bench) -> crate::bench::Owner {
    let writer = bench.writer();
    for round in 0..3 {
        block_on(async {
            writer.put(b"key", format!("value {round}").as_bytes()).await.unwrap();
            writer.flush().await.unwrap();
        });
    }
    let mut owner = bench.owner();
    let ids: Vec<String> = owner.live().iter().skip(1).map(|table| table.id.clone()).collect();
    assert_eq!(ids.len(), 2);
    owner.remove(&ids);
    owner
}

#[test]
fn a_removed_table_goes_when_views_and_feed_are_done_with_it() {
    let bench = Bench::new();
    let mut owner = overwritten(&bench);
    let before = bench.content();
    let first = owner.collect();
    assert_eq!((first.marked, first.waiting, first.tables, first.objects()), (2, 2, 0, 0));
    bench.host.advance(HOUR - MINUTE);
    assert_eq!(owner.collect().waiting, 2, "views may be an hour old");
    bench.host.advance(2 * MINUTE);
    let risen = owner.collect();
    assert!(risen.floor.is_some() && risen.tables == 0, "the floor rises first: {risen:?}");
    let gone = owner.collect();
    assert_eq!((gone.tables, gone.waiting), (2, 0));
    assert!(gone.bytes > 500, "{gone:?}");
    assert_eq!(bench.names("db/sstable/").len(), 1);
    assert_eq!(bench.content(), before);
    bench.check_live();
}

#[test]
fn a_dry_run_says_what_waits_for_what_and_writes_nothing() {
    let bench = Bench::new();
    let mut owner = overwritten(&bench);
    owner.collect();
    bench.put_object("db/sstable/9-9-9-9.sst", b"never published");
    let objects = bench.objects();
    let dry = || block_on(bench.place().dry_run(&GcOptions::default())).unwrap();
    let sweep = dry().sweep;
    assert_eq!((sweep.due.len(), sweep.held.len(), sweep.marked), (0, 2, 0));
    assert!(matches!(sweep.held[0].waits_for, WaitsFor::Views { .. }), "{:?}", sweep.held);
    bench.host.advance(25 * HOUR);
    let sweep = dry().sweep;
    assert_eq!(
        (sweep.due.len(), sweep.marked, sweep.floor.is_some()),
        (0, 1, true),
        "the orphan is old enough now"
    );
    assert!(sweep.held.iter().any(|held| held.waits_for == WaitsFor::Feed { slot: 2 }), "{:?}", sweep.held);
    assert_eq!(bench.objects(), objects);

    // What maintenance as a whole would do.
    let options = MaintenanceOptions {
        merge: None,
        retention: Some(Retention { count: 1, ..Retention::default() }),
        ..MaintenanceOptions::default()
    };
    let would = block_on(Maintenance::dry_run(&bench.db(), &options)).unwrap();
    assert_eq!(would.retention.unwrap().unwrap().remove.len(), 0);
    assert!(would.gc.is_some());
    assert_eq!(bench.objects(), objects);
}

/// Prefixes that lie where the outer database lists for what nothing refers to.
#[test]
fn databases_inside_another_one_are_none_of_its_garbage() {
    let outer = Bench::new();
    let mut owner = overwritten(&outer);
    let inner = ["db/sstable", "db/blobs", "db/manifest/probe", "db/manifest/snapshots", "db/manifest/log"];
    let inner = inner.map(|prefix| Bench::over(outer.store.clone(), outer.host.clone(), prefix));
    let big = [b'b'; 100];
    for bench in &inner {
        let writer = bench.writer();
        block_on(async {
            writer.put(b"key", b"value").await.unwrap();
            writer.put(b"blob", &big).await.unwrap();
            writer.flush().await.unwrap();
        });
    }
    let names = |bench: &Bench| {
        let folders = ["sstable/", "manifest/", "blobs/"].map(|folder| format!("{}/{folder}", bench.prefix));
        folders.iter().flat_map(|folder| bench.names(folder)).collect::<Vec<_>>()
    };
    let before: Vec<_> = inner.iter().map(|bench| (names(bench), bench.content())).collect();
    for _ in 0..5 {
        outer.host.advance(30 * HOUR);
        owner.collect();
    }
    let own = |name: &&String| Layout::new("db").unwrap().sst_id_of(name).is_some();
    assert_eq!(outer.names("db/sstable/").iter().filter(own).count(), 1, "its own garbage went");
    for (bench, before) in inner.iter().zip(before) {
        assert_eq!((names(bench), bench.content()), before, "{}", bench.prefix);
    }
}

#[test]
fn what_was_never_published_goes_when_it_is_a_day_old() {
    let bench = Bench::new();
    let mut owner = overwritten(&bench);
    bench.put_object("db/sstable/9-9-9-9.sst", b"never published");
    bench.put_object("db/manifest/probe/0ujtsYcgvSTl8PAuAdqWYSMnLOv", b"");
    bench.put_object("db/blobs/ab/not-a-blob", b"somebody else's");
    bench.put_object("db/elsewhere", b"somebody else's");
    bench.host.advance(24 * HOUR - MINUTE);
    let report = owner.collect();
    assert!(report.scanned && report.probes == 0 && bench.names("db/sstable/9-").len() == 1);
    bench.host.advance(2 * MINUTE);
    assert_eq!(owner.collect().probes, 1);
    owner.collect_for(&bench, 1);
    assert_eq!(bench.names("db/sstable/").len(), 1);
    assert_eq!(
        (bench.names("db/blobs/").len(), bench.names("db/elsewhere").len()),
        (1, 1),
        "not ours to delete"
    );
}

/// A scan is due by the store's time: else an owner whose clock is slow never looks for garbage after one whose clock is right, and
/// one whose clock is fast lists the bucket in every run.
#[test]
fn scans_come_round_whatever_the_clock_of_the_owner_says() {
    for (behind, ahead) in [(48 * HOUR, Duration::ZERO), (Duration::ZERO, 48 * HOUR)] {
        let (store_host, host) = (TestHost::new(), TestHost::new());
        store_host.advance(behind);
        host.advance(ahead);
        let bench = Bench::over(MemoryStore::new(Arc::new(store_host.clone())), host, "db");
        drop(overwritten(&bench));
        let options = GcOptions { scan_interval: 3 * HOUR, ..GcOptions::default() };
        let mut owner = bench.owner_with(options.clone());
        let mut scans = Vec::new();
        for run in 0..13 {
            if owner.collect().scanned {
                scans.push(run);
            }
            store_host.advance(HOUR);
            bench.host.advance(HOUR);
        }
        assert_eq!(scans, [0, 3, 6, 9, 12], "{behind:?} behind, {ahead:?} ahead");

        // Each run by a process of its own, as cron has it.
        let scanned = (0..12).filter(|_| {
            store_host.advance(HOUR);
            bench.host.advance(HOUR);
            bench.owner_with(options.clone()).collect().scanned
        });
        let least = if behind.is_zero() { 4 } else { 3 };
        assert!(scanned.count() >= least, "{behind:?} behind, {ahead:?} ahead");
    }
}

#[test]
fn a_blob_goes_with_its_last_table_and_is_named_beforehand() {
    let bench = Bench::new();
    let writer = bench.writer();
    let blob = [b'b'; 100];
    for key in [b"one", b"two"] {
        block_on(async {
            writer.put(key, &blob).await.unwrap();
            writer.flush().await.unwrap();
        });
    }
    let mut owner = bench.owner();
    let tables = owner.live();
    owner.remove(&[tables[1].id.clone()]);
    owner.collect_for(&bench, 2);
    assert_eq!(
        (bench.names("db/sstable/").len(), bench.names("db/blobs/").len()),
        (1, 1),
        "one table has it still"
    );
    owner.remove(&[tables[0].id.clone()]);
    for _ in 0..3 {
        bench.host.advance(HOUR);
        owner.collect();
    }
    assert_eq!((bench.names("db/sstable/").len(), bench.names("db/blobs/").len()), (0, 1));
    bench.host.advance(2 * MINUTE);
    let named = owner.collect();
    assert_eq!((named.doomed_blobs, named.blobs), (1, 0));
    // A flush of the same value does not rely on a blob that is about to go: its value lies in the table.
    block_on(async {
        writer.put(b"three", &blob).await.unwrap();
        writer.flush().await.unwrap();
    });
    bench.host.advance(HOUR + MINUTE);
    let gone = owner.collect();
    assert_eq!((gone.doomed_blobs, gone.blobs), (1, 1), "condemned");
    assert!(bench.names("db/blobs/").is_empty());
    assert_eq!(bench.content(), [(Bytes::from_static(b"three"), Bytes::from(blob.to_vec()))]);
    bench.host.advance(2 * HOUR + MINUTE);
    assert_eq!(owner.collect().doomed_blobs, 0, "forgotten");
}

#[test]
fn log_and_snapshots_are_trimmed_and_readers_go_on() {
    let bench = Bench::new();
    let writer = bench.writer();
    let mut owner = bench.owner();
    for round in 0..100u32 {
        block_on(async {
            writer.put(b"key", &round.to_be_bytes()).await.unwrap();
            writer.flush().await.unwrap();
        });
        bench.host.advance(MINUTE);
    }
    assert!(bench.names("db/manifest/snapshots/").len() > 1);
    assert!(bench.names("db/manifest/log/").len() > 100);
    owner.collect_for(&bench, 1);
    assert_eq!(bench.names("db/manifest/snapshots/").len(), 1);
    let current = block_on(bench.db().load_view()).unwrap().current;
    assert_eq!(bench.names("db/manifest/log/").len() as u64, current.next_seq - current.log_seq_start);
    assert_eq!(bench.content().len(), 1);
    bench.check_no_orphan();
}

#[test]
fn documents_that_are_not_understood_stop_everything() {
    for (object, body) in [
        ("manifest/gc/pending-sst/pending.json", &br#"{"version":2}"#[..]),
        ("manifest/gc/pending-sst/pending.json", b"not JSON"),
        ("manifest/gc/checkpoint.json", br#"{"version":9}"#),
        ("manifest/gc/blobs.json", br#"{"version":2,"blobs":null}"#),
    ] {
        let bench = Bench::new();
        let mut owner = overwritten(&bench);
        owner.collect();
        bench.host.advance(48 * HOUR);
        let key = format!("db/{object}");
        block_on(bench.store.put(&key, Bytes::copy_from_slice(body), PutCondition::None)).unwrap();
        let objects = bench.objects();
        let error = owner.try_collect().unwrap_err();
        assert_eq!(error.object(), Some(key.as_str()), "{error}");
        assert!(matches!(error, Error::Unsupported { .. } | Error::Corrupt { .. }), "{error}");
        assert_eq!(bench.objects(), objects, "nothing is deleted, nothing written");
    }
}

#[test]
fn lost_documents_cost_time_and_nothing_else() {
    let bench = Bench::new();
    let mut owner = overwritten(&bench);
    let before = bench.content();
    owner.collect();
    bench.host.advance(2 * HOUR);
    let gone: Vec<String> = bench.names("db/manifest/gc/");
    block_on(bench.store.delete(&gone)).unwrap();
    let mut owner = bench.owner();
    let again = owner.collect();
    assert_eq!((again.marked, again.tables), (2, 0), "the log tells what was removed; the wait begins anew");
    owner.collect_for(&bench, 1);
    assert_eq!(bench.names("db/sstable/").len(), 1);
    assert_eq!(bench.content(), before);
}

#[test]
fn marks_may_lie_in_another_store() {
    let bench = Bench::new();
    drop(overwritten(&bench));
    let elsewhere = MemoryStore::new(Arc::new(bench.host.clone()));
    let requests =
        isledb_core::host::Requests::new(Arc::new(elsewhere.clone()), Arc::new(bench.host.clone()));
    let marks = Arc::new(ObjectMarks::new(requests, Layout::new("marks/of/db").unwrap()));
    let options = DbOptions { marks: Some(marks), probe: false, ..DbOptions::default() };
    let db = Db::open(bench.metered.clone(), Arc::new(bench.host.clone()), "db", options).unwrap();
    let maintain = |marks| MaintenanceOptions { merge: None, marks, ..MaintenanceOptions::default() };
    let mut owner = block_on(db.maintenance(maintain(None))).unwrap();
    for _ in 0..4 {
        assert!(block_on(owner.run_once()).unwrap().gc.is_some());
        bench.host.advance(HOUR + MINUTE);
    }
    assert_eq!(bench.names("db/sstable/").len(), 1);
    assert_eq!(bench.names("db/manifest/gc/"), ["db/manifest/gc/clock"]);
    let kept = block_on(elsewhere.list("", None)).unwrap().objects;
    let kept: Vec<_> = kept.into_iter().map(|object| object.key).collect();
    assert_eq!(
        kept,
        ["marks/of/db/manifest/gc/checkpoint.json", "marks/of/db/manifest/gc/pending-sst/pending.json"]
    );
    drop(owner);
    // And an owner may have its own.
    let mut owner =
        block_on(db.maintenance(maintain(Some(Arc::new(MemoryMarks::new(db.layout().clone())))))).unwrap();
    block_on(owner.run_once()).unwrap();
}

/// An executor may take maintenance to another thread at every await.
#[test]
fn a_pass_can_be_sent() {
    fn can_be_sent<T: Send>(future: T) -> T {
        future
    }
    let bench = Bench::new();
    drop(bench.writer());
    let retention = Some(Retention::default());
    let options = MaintenanceOptions { retention, ..MaintenanceOptions::default() };
    let db = bench.db();
    let dry = can_be_sent(Maintenance::dry_run(&db, &options).boxed());
    assert!(block_on(dry).unwrap().gc.is_some());
    let mut owner = block_on(bench.db().maintenance(options)).unwrap();
    assert!(block_on(can_be_sent(owner.run_once().boxed())).unwrap().gc.is_some());
}

#[test]
fn retention_removes_what_is_old_and_the_last_table_only_where_that_is_allowed() {
    let bench = Bench::new();
    let writer = bench.writer();
    for key in 0..4u8 {
        block_on(async {
            writer.put(&[key], b"value").await.unwrap();
            writer.flush().await.unwrap();
        });
        bench.host.advance(24 * HOUR);
    }
    let retention = |allow_everything: bool| Retention {
        period: 48 * HOUR,
        count: u32::from(!allow_everything),
        allow_everything,
        ..Retention::default()
    };
    let options =
        |allow| MaintenanceOptions { merge: None, retention: Some(retention(allow)), ..Default::default() };
    let mut owner = block_on(bench.db().maintenance(options(false))).unwrap();
    let report = block_on(owner.run_once()).unwrap().retention.unwrap();
    assert_eq!((report.removed.len(), report.held, report.slot.is_some()), (2, 0, true));
    let keys: Vec<u8> = bench.content().iter().map(|(key, _)| key[0]).collect();
    assert_eq!(keys, [2, 3]);
    bench.host.advance(480 * HOUR);
    let report = block_on(owner.run_once()).unwrap().retention.unwrap();
    assert_eq!((report.removed.len(), bench.content().len()), (1, 1), "the last one stays");
    let mut owner = block_on(bench.db().maintenance(options(true))).unwrap();
    block_on(owner.run_once()).unwrap();
    assert!(bench.content().is_empty());
}

/// Once such a pass ended at the merge, and a database that had outgrown its budget kept its garbage for good.
#[test]
fn a_merge_beyond_the_budget_is_refused_behind_the_rest_of_the_pass() {
    let bench = Bench::new();
    let writer = bench.writer();
    for _ in 0..4 {
        block_on(async {
            writer.put(b"key", b"value").await.unwrap();
            writer.flush().await.unwrap();
        });
        bench.host.advance(24 * HOUR);
    }
    let mut merge = MergeOptions::default();
    merge.policy.l0_tables = 2;
    let options = MaintenanceOptions {
        merge: Some(merge),
        retention: Some(Retention { period: 60 * HOUR, count: 1, ..Retention::default() }),
        max_memory_bytes: Some(1),
        ..MaintenanceOptions::default()
    };
    let mut owner = block_on(bench.db().maintenance(options)).unwrap();
    let refused = block_on(owner.run_once());
    assert!(matches!(&refused, Err(Error::OverBudget { what: "max_memory_bytes", .. })), "{refused:?}");
    assert_eq!(owner.view().state().l0.len(), 2, "two were old");
    let sweep = block_on(bench.place().dry_run(&GcOptions::default())).unwrap().sweep;
    assert_eq!((sweep.held.len(), sweep.marked), (2, 0), "both are marked");
}

#[test]
fn the_seeds_name_opens_the_same_owner() {
    let bench = Bench::new();
    let writer = bench.writer();
    for key in 0..3u8 {
        block_on(async {
            writer.put(&[key], b"value").await.unwrap();
            writer.flush().await.unwrap();
        });
    }
    bench.host.advance(240 * HOUR);
    let options = RetentionCompactorOptions { retention_count: 2, ..RetentionCompactorOptions::default() };
    assert_eq!((options.check_interval, options.retention_period), (MINUTE, 168 * HOUR));
    let mut compactor = block_on(RetentionCompactor::open(&bench.db(), options.clone())).unwrap();
    let stats = compactor.stats();
    assert_eq!((stats.l0_tables, stats.runs, stats.oldest_ms.is_some()), (3, 0, true));
    let report = block_on(compactor.run_cleanup()).unwrap();
    assert_eq!((report.retention.unwrap().removed.len(), report.gc.unwrap().marked), (1, 1));
    assert!(compactor.stats().bytes < stats.bytes);
    let later = block_on(RetentionCompactor::open(&bench.db(), options)).unwrap();
    assert!(matches!(block_on(compactor.run_cleanup()), Err(Error::Fenced { .. })));
    assert!(compactor.is_fenced() && !later.is_fenced());
    block_on(later.close()).unwrap();
}

#[test]
fn a_run_that_finds_nothing_is_cheap() {
    let bench = Bench::new();
    let mut owner = {
        let writer = bench.writer();
        block_on(async {
            writer.put(b"key", b"value").await.unwrap();
            writer.flush().await.unwrap();
        });
        bench.owner_with(GcOptions::default())
    };
    owner.collect();
    bench.host.advance(MINUTE);
    let meter = bench.meter();
    let before = meter.cost();
    let report = owner.collect();
    let after = meter.cost();
    assert_eq!((report.objects(), report.scanned), (0, false));
    let read = (after.get - before.get, after.head - before.head, after.list - before.list);
    assert_eq!((read, after.put - before.put, after.delete - before.delete), ((5, 1, 0), 2, 0));
    // Within the interval a pass does not even look.
    assert!(block_on(owner.gc.run_if_due(&mut owner.publisher)).unwrap().is_none());
    assert_eq!(meter.cost().requests(), after.requests());
}

/// What is deleted is known from marks and listings: no object is looked up, before its DELETE or after.
#[test]
fn deletes_go_by_the_thousand_and_nothing_is_looked_up_for_them() {
    let bench = Bench::new();
    let mut owner = overwritten(&bench);
    for n in 0..1_200 {
        bench.put_object(&format!("db/sstable/9-9-9-{n}.sst"), b"never published");
    }
    for n in 0..3 {
        bench.put_object(&format!("db/manifest/probe/{n:027}"), b"");
    }
    let meter = bench.meter();
    let (mut tables, mut probes, mut deletes) = (0, 0, 0);
    for _ in 0..12 {
        bench.host.advance(3 * HOUR);
        let before = meter.cost();
        let report = owner.collect();
        let after = meter.cost();
        let looks = (after.get - before.get, after.head - before.head);
        assert_eq!(looks, (5, 1), "as a run that deletes nothing: {report:?}");
        (tables, probes) = (tables + report.tables, probes + report.probes);
        deletes += after.delete - before.delete;
    }
    assert_eq!((tables, probes), (1_202, 3));
    assert_eq!(deletes, 1 + 2 + 1, "the removed ones, those that were never published, and the probes");
}
