//! Every option has a default that is named here, and what is out of bounds is refused by name.
//!
//! The patterns name every field, so a new option does not compile before its default stands here. A tidy test holds
//! `docs/limits.md` to the same list.

#![cfg(all(feature = "write", feature = "maintain"))]
#![allow(clippy::unwrap_used, reason = "a test")]

mod host;

use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use isledb_core::format::sst::{ChecksumKind, Compression, TableFlavour, TableLayout, TableOptions};
use isledb_core::host::{MemoryStore, RetryPolicy};
use isledb_core::maintain::gc::GcOptions;
use isledb_core::maintain::plan::merge::MergePolicy;
use isledb_core::maintain::retain::{Retention, RetentionCompactorOptions, RetentionMode};
use isledb_core::maintain::{CompactorOptions, MaintenanceOptions, MergeOptions};
use isledb_core::manifest::ClaimOptions;
use isledb_core::read::{CatchUpOptions, ReaderOptions, ScanOptions, TailingReaderOptions};
use isledb_core::tail::{TailOptions, TailStart};
use isledb_core::verify::VerifyOptions;
use isledb_core::write::WriterOptions;
use isledb_core::{Db, DbOptions, Error, Result};

use host::TestHost;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn is_default_retry(policy: RetryPolicy) {
    let RetryPolicy { first_delay_ms, max_delay_ms, attempt_timeout_ms, deadline_ms } = policy;
    assert_eq!((first_delay_ms, max_delay_ms), (50, 5_000));
    assert_eq!((attempt_timeout_ms, deadline_ms), (15_000, 60_000));
}

fn is_default_table(options: TableOptions) {
    let TableOptions {
        block_size,
        compression,
        filter_bits_per_key,
        layout,
        flavour,
        checksum,
        restart_interval,
        key_hashes,
    } = options;
    assert_eq!((block_size, filter_bits_per_key, restart_interval), (4096, 10, 16));
    assert!(matches!(compression, Compression::Snappy));
    assert_eq!((layout, flavour, checksum), (TableLayout::Edge, TableFlavour::Pebble, ChecksumKind::Crc32c));
    assert!(key_hashes);
}

fn is_default_policy(policy: MergePolicy) {
    let MergePolicy { l0_tables, min_runs, max_runs, size_ratio, run_limit, max_inputs, table_size } = policy;
    assert_eq!((l0_tables, min_runs, max_runs, size_ratio), (8, 4, 8, 4));
    assert_eq!((run_limit, max_inputs, table_size), (32, 32, 64 * MIB));
}

fn is_default_merge(options: MergeOptions) {
    let MergeOptions { policy, table, bloom_container, read_ahead, part_size, bytes_per_second, filter } =
        options;
    is_default_policy(policy);
    is_default_table(table);
    assert!(bloom_container && bytes_per_second.is_none() && filter.is_none());
    assert_eq!((read_ahead, part_size), (2 * MIB, 8 * MIB));
}

#[test]
fn of_the_database() {
    let DbOptions {
        manifest,
        marks,
        retry,
        cache_bytes,
        probe,
        observer,
        verifier,
        signatures,
        signer,
        verify_checksums,
        lsn,
    } = DbOptions::default();
    is_default_retry(retry);
    assert_eq!(cache_bytes, 64 * MIB);
    assert!(probe && !verify_checksums);
    assert!(manifest.is_none() && marks.is_none() && observer.is_none() && lsn.is_none());
    assert!(verifier.is_none() && signatures.is_none() && signer.is_none());
}

#[test]
fn of_writing() {
    let WriterOptions {
        memtable_size,
        flush_interval,
        max_pending_memtables,
        blob_threshold,
        max_key,
        max_value,
        max_batch,
        table,
        bloom_container,
        owner,
        takeover,
        beside_original,
        max_view_age,
        change_retention,
        upload_concurrency,
        part_size,
        signer,
        l0_limit,
        put_deadline,
        flush_deadline,
    } = WriterOptions::default();
    assert_eq!((memtable_size, max_pending_memtables, blob_threshold), (16 * MIB, 4, 256 * KIB));
    assert_eq!((max_key, max_value, max_batch), (65_527, 256 * MIB, 64 * MIB));
    assert_eq!((upload_concurrency, part_size), (4, 32 * MIB));
    assert_eq!((flush_interval, put_deadline, flush_deadline), (seconds(1), seconds(30), seconds(60)));
    assert_eq!((max_view_age, change_retention), (None, None));
    assert_eq!(owner, "isledb");
    assert!(bloom_container && takeover && !beside_original && signer.is_none() && l0_limit.is_none());
    is_default_table(table);

    let ClaimOptions {
        owner,
        takeover,
        beside_original,
        max_view_age_ms,
        change_retention_ms,
        deadline_ms,
        lsn,
    } = ClaimOptions::default();
    assert_eq!((owner.as_str(), takeover, beside_original, deadline_ms), ("isledb", true, false, 60_000));
    assert!(max_view_age_ms.is_none() && change_retention_ms.is_none() && lsn.is_none());
}

#[test]
fn of_reading() {
    let ReaderOptions { refresh_after_ms, read_ahead_bytes } = ReaderOptions::default();
    assert_eq!((refresh_after_ms, read_ahead_bytes), (None, 8 << 20));
    let ScanOptions { start, end, prefix, limit, reverse } = ScanOptions::default();
    assert_eq!((start, end, prefix, limit, reverse), (Bound::Unbounded, Bound::Unbounded, None, None, false));
    let CatchUpOptions { min_key, max_key, start_after_key, limit } = CatchUpOptions::default();
    assert_eq!((min_key, max_key, start_after_key, limit), (None, None, None, None));
    let TailingReaderOptions { refresh_interval_ms, reader } = TailingReaderOptions::default();
    assert_eq!((refresh_interval_ms, reader), (1_000, ReaderOptions::default()));
    let TailOptions { start, prefix, start_key, end_key, poll_ms, idle_poll_ms, max_buffer_bytes } =
        TailOptions::default();
    assert_eq!((start, prefix), (TailStart::Now, None));
    assert_eq!((start_key, end_key), (Bound::Unbounded, Bound::Unbounded));
    assert_eq!((poll_ms, idle_poll_ms, max_buffer_bytes), (500, 5_000, 64 * MIB));
    let VerifyOptions { deep, concurrency } = VerifyOptions::default();
    assert_eq!((deep, concurrency), (false, 8));
}

#[test]
fn of_maintenance() {
    let MaintenanceOptions {
        merge,
        retention,
        gc,
        marks,
        check_interval,
        owner,
        takeover,
        beside_original,
        max_view_age,
        change_retention,
        deadline,
        max_requests,
        max_memory_bytes,
    } = MaintenanceOptions::default();
    assert_eq!((max_requests, max_memory_bytes), (None, None));
    is_default_merge(merge.unwrap());
    assert!(retention.is_none() && marks.is_none());
    let GcOptions { interval, grace, scan_interval, max_deletes } = gc.unwrap();
    assert_eq!((interval, grace), (seconds(60), seconds(600)));
    assert_eq!((scan_interval, max_deletes), (seconds(86_400), 10_000));
    let Retention { mode, period, count, allow_everything } = Retention::default();
    assert_eq!((mode, count, allow_everything), (RetentionMode::Fifo, 10, false));
    assert_eq!(period, seconds(7 * 86_400));
    assert_eq!((check_interval, deadline), (seconds(5), seconds(60)));
    assert_eq!((owner.as_str(), takeover, beside_original), ("isledb", true, false));
    assert_eq!((max_view_age, change_retention), (None, None));

    let CompactorOptions {
        l0_compaction_threshold,
        min_sources,
        max_sources,
        size_threshold,
        target_sst_size,
        table,
        filter,
        check_interval,
        owner_id,
    } = CompactorOptions::default();
    assert_eq!((l0_compaction_threshold, min_sources, max_sources, size_threshold), (8, 4, 8, 4));
    assert_eq!((target_sst_size, check_interval, owner_id.as_str()), (64 * MIB, seconds(5), "isledb"));
    assert!(filter.is_none());
    is_default_table(table);

    let RetentionCompactorOptions {
        mode,
        retention_period,
        retention_count,
        check_interval,
        owner_id,
        gc_mark_storage,
    } = RetentionCompactorOptions::default();
    assert_eq!((mode, retention_period, retention_count), (RetentionMode::Fifo, seconds(7 * 86_400), 10));
    assert_eq!((check_interval, owner_id.as_str()), (seconds(60), "isledb"));
    assert!(gc_mark_storage.is_none());
}

fn open(options: DbOptions) -> Result<Db> {
    let host = Arc::new(TestHost::new());
    Db::open(Arc::new(MemoryStore::new(host.clone())), host, "db", options)
}

/// Opening says the name of the option.
#[track_caller]
fn refused(name: &str, outcome: Result<()>) {
    match outcome {
        Err(Error::InvalidArgument { what }) => assert!(what.contains(name), "{name}: {what}"),
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn a_database_is_not_opened_with_what_is_out_of_bounds() {
    type Change = fn(&mut DbOptions);
    let cases: [(&str, Change); 9] = [
        ("retry.first_delay_ms", |o| o.retry.first_delay_ms = 0),
        ("retry.first_delay_ms", |o| o.retry.first_delay_ms = 60_001),
        ("retry.max_delay_ms", |o| o.retry.max_delay_ms = 49),
        ("retry.max_delay_ms", |o| o.retry.max_delay_ms = 600_001),
        ("retry.attempt_timeout_ms", |o| o.retry.attempt_timeout_ms = 0),
        ("retry.attempt_timeout_ms", |o| o.retry.attempt_timeout_ms = 600_001),
        ("retry.deadline_ms", |o| o.retry.deadline_ms = 0),
        ("retry.deadline_ms", |o| o.retry.deadline_ms = 86_400_001),
        ("cache_bytes", |o| o.cache_bytes = (1 << 40) + 1),
    ];
    for (name, change) in cases {
        let mut options = DbOptions::default();
        change(&mut options);
        refused(name, open(options).map(drop));
    }
}

#[test]
fn no_writer_reader_or_tailer_is_opened_with_what_is_out_of_bounds() {
    let db = open(DbOptions::default()).unwrap();
    type Change = fn(&mut WriterOptions);
    let writers: [(&str, Change); 6] = [
        ("table.block_size", |o| o.table.block_size = (16 << 20) + 1),
        ("table.filter_bits_per_key", |o| o.table.filter_bits_per_key = 101),
        ("table.restart_interval", |o| o.table.restart_interval = 65_537),
        ("memtable_size", |o| o.memtable_size = (1 << 30) + 1),
        ("upload_concurrency", |o| o.upload_concurrency = 0),
        ("max_pending_memtables", |o| o.max_pending_memtables = 65),
    ];
    block_on(async {
        for (name, change) in writers {
            let mut options = WriterOptions::default();
            change(&mut options);
            refused(name, db.writer(options).await.map(drop));
        }
        let reader = ReaderOptions { refresh_after_ms: Some(7 * 86_400_000 + 1), ..ReaderOptions::default() };
        refused("refresh_after_ms", db.reader(reader).await.map(drop));
        for read_ahead_bytes in [(64 << 10) - 1, (1 << 30) + 1] {
            let reader = ReaderOptions { read_ahead_bytes, ..ReaderOptions::default() };
            refused("read_ahead_bytes", db.reader(reader).await.map(drop));
        }
        let tailers = [
            ("poll_ms", TailOptions { poll_ms: 0, ..TailOptions::default() }),
            ("idle_poll_ms", TailOptions { idle_poll_ms: 499, ..TailOptions::default() }),
            ("max_buffer_bytes", TailOptions { max_buffer_bytes: 0, ..TailOptions::default() }),
        ];
        for (name, options) in tailers {
            refused(name, db.tailer(options).await.map(drop));
        }
        let tailing = TailingReaderOptions { refresh_interval_ms: 0, ..TailingReaderOptions::default() };
        refused("refresh_interval_ms", db.tailing_reader(tailing).await.map(drop));
    });
    for concurrency in [0, 65] {
        let options = VerifyOptions { concurrency, ..VerifyOptions::default() };
        refused("concurrency", db.verification(options).map(drop));
    }
    refused("limit", CatchUpOptions { limit: Some(0), ..CatchUpOptions::default() }.validate());
}

#[test]
fn no_maintenance_is_opened_with_what_is_out_of_bounds() {
    type Change = fn(&mut MaintenanceOptions, &mut MergeOptions);
    let cases: [(&str, Change); 14] = [
        ("check_interval", |o, _| o.check_interval = Duration::from_millis(9)),
        ("deadline", |o, _| o.deadline = Duration::ZERO),
        ("max_view_age", |o, _| o.max_view_age = Some(Duration::from_millis(999))),
        ("change_retention", |o, _| o.change_retention = Some(Duration::MAX)),
        ("owner", |o, _| o.owner = String::new()),
        ("l0_tables", |_, m| m.policy.l0_tables = 0),
        ("min_runs", |_, m| m.policy.min_runs = 1),
        ("max_runs", |_, m| m.policy.max_runs = 3),
        ("size_ratio", |_, m| m.policy.size_ratio = 0),
        ("run_limit", |_, m| m.policy.run_limit = 7),
        ("max_inputs", |_, m| m.policy.max_inputs = 1_025),
        ("table_size", |_, m| m.policy.table_size = 4095),
        ("part_size", |_, m| m.part_size = (5 << 20) - 1),
        ("table.block_size", |_, m| m.table.block_size = u32::MAX),
    ];
    for (name, change) in cases {
        let (mut options, mut merge) = (MaintenanceOptions::default(), MergeOptions::default());
        change(&mut options, &mut merge);
        options.merge = Some(merge);
        refused(name, options.validate());
    }
}
