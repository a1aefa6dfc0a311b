//! What reading costs, pinned: serial rounds, requests and bytes of every case that a reader can show.
//!
//! Round trips come first: on S3 a small GET takes 25 ms, as long as 700 KB of transfer. Tables have their real size of
//! 64 MiB where a case reads inside of them.

#![cfg(feature = "write")]
#![allow(clippy::unwrap_used, reason = "what a test cannot unwrap fails it")]

mod bucket;

use std::sync::Arc;

use futures::executor::block_on;
use isledb_core::format::manifest::SstMeta;
use isledb_core::format::sst::TableOptions;
use isledb_core::host::{Cost, MemoryStore, Meter, Metered};
use isledb_core::read::{ReadSource, Reader, ReaderOptions, ScanOptions};

use bucket::made::Made;
use bucket::{TestClock, source};

const KIB: u64 = 1024;
const BIG: u64 = 64 * 1024 * KIB;

/// Key `i`, of 16 bytes.
fn key(i: u64) -> Vec<u8> {
    format!("key{i:013}").into_bytes()
}

/// `length` bytes, of which a third compresses.
fn value(i: u64, length: usize) -> Vec<u8> {
    let mut state = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut value = Vec::with_capacity(length + 8);
    while value.len() < length * 2 / 3 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        value.extend_from_slice(&state.to_le_bytes());
    }
    value.resize(length, b'.');
    value
}

/// How the keys of a table are spread: `first`, `first + step`, ...
#[derive(Clone, Copy)]
struct Keys {
    first: u64,
    step: u64,
}

/// A table of about `size` bytes, with values of `length` bytes and the sequences from `sequence` on.
fn table(made: &mut Made, size: u64, length: usize, keys: Keys, sequence: u64) -> Arc<SstMeta> {
    let entries = size / (length as u64 * 2 / 3 + 24);
    made.build(TableOptions::default(), |add| {
        for i in 0..entries {
            let n = keys.first + i * keys.step;
            add(&key(n), sequence + i, Some(&value(n, length)));
        }
    })
}

fn made() -> Made {
    Made::new(MemoryStore::new(TestClock::new()))
}

/// What a reader of it needs, nothing cached, and the meter around its store.
fn metered(made: &Made) -> (ReadSource, Meter) {
    let store = Metered::new(Arc::new(made.store.clone()));
    let meter = store.meter();
    (source(Arc::new(store), TestClock::new(), "db"), meter)
}

async fn open(source: &ReadSource) -> Reader {
    Reader::open(source.clone(), ReaderOptions::default()).await.unwrap()
}

/// Reads `key`, which must have its value.
async fn get(reader: &Reader, i: u64, length: usize) {
    assert_eq!(reader.get(&key(i)).await.unwrap().unwrap(), value(i, length));
}

#[track_caller]
fn within(what: &str, cost: Cost, round_trips: u64, requests: u64, bytes: u64) {
    println!("{what}: {} rounds, {} requests, {} bytes", cost.round_trips, cost.get, cost.bytes_read);
    assert_eq!((cost.round_trips, cost.get), (round_trips, requests), "{what}: rounds and requests");
    assert!(cost.bytes_read <= bytes, "{what}: {} bytes are more than {bytes}", cost.bytes_read);
    assert_eq!((cost.head, cost.list, cost.put, cost.delete), (0, 0, 0, 0), "{what}: a reader only gets");
}

#[test]
fn open_costs_one_round_and_a_second_for_a_snapshot() {
    let mut made = made();
    for i in 0..30 {
        let meta = table(&mut made, 4 * KIB, 100, Keys { first: i * 1000, step: 1 }, 1 + i * 1000);
        made.add(&meta);
    }
    made.publish();
    let (source, meter) = metered(&made);
    block_on(open(&source));
    within("open, 30 entries in the window", meter.cost(), 1, 1, 28 * KIB);

    made.snapshot();
    let meta = table(&mut made, 4 * KIB, 100, Keys { first: 50_000, step: 1 }, 50_001);
    made.add(&meta);
    made.publish();
    let (source, meter) = metered(&made);
    let reader = block_on(open(&source));
    assert_eq!(reader.view().manifest().state().l0.len(), 31);
    within("open, with snapshot", meter.cost(), 2, 2, 28 * KIB + 31 * 600);
}

#[test]
fn first_get_of_eight_disjoint_tables() {
    let mut made = made();
    // Only one of them is asked; the others are as large, and are not built.
    for i in 0..8 {
        let size = if i == 3 { BIG } else { 256 * KIB };
        let mut meta = table(&mut made, size, 100, Keys { first: i << 32, step: 1 }, 1 + (i << 32));
        if i != 3 {
            Arc::make_mut(&mut meta).size += BIG;
        }
        made.add(&meta);
    }
    made.publish();
    let (source, meter) = metered(&made);
    block_on(async {
        let reader = open(&source).await;
        get(&reader, (3 << 32) + 54_321, 100).await;
        within("open + first get, 8 disjoint tables", meter.cost(), 4, 4, 64 * KIB);

        // Rows that follow on an open reader, in the same 64 MiB table.
        let span = meter.span();
        get(&reader, (3 << 32) + 54_321 + 45, 100).await;
        within("next get, same partition", span.cost(), 1, 1, 4 * KIB);

        let span = meter.span();
        get(&reader, (3 << 32) + 354_321, 100).await;
        within("next get, other partition", span.cost(), 2, 2, 12 * KIB);

        let span = meter.span();
        let absent = [key((3 << 32) + 354_322), b"x".to_vec()].concat();
        assert_eq!(reader.get(&absent).await.unwrap(), None);
        within("absent key, partition cached", span.cost(), 0, 0, 0);

        let span = meter.span();
        let absent = [key((3 << 32) + 154_322), b"x".to_vec()].concat();
        assert_eq!(reader.get(&absent).await.unwrap(), None);
        within("absent key, partition not cached", span.cost(), 1, 1, 8 * KIB);

        let span = meter.span();
        get(&reader, (3 << 32) + 54_321, 100).await;
        within("the same get again", span.cost(), 0, 0, 0);
    });

    // A table of its own, to see a scan and the next get in another table.
    let other = table(&mut made, 4096 * KIB, 100, Keys { first: 9 << 32, step: 1 }, 1 + (9 << 32));
    made.add(&other);
    made.publish();
    let (source, meter) = metered(&made);
    block_on(async {
        let reader = open(&source).await;
        get(&reader, (3 << 32) + 54_321, 100).await;
        let span = meter.span();
        get(&reader, (9 << 32) + 12_345, 100).await;
        within("next get, other table", span.cost(), 3, 3, 16 * KIB);
    });
}

#[test]
fn first_get_of_eight_overlapping_tables() {
    let mut made = made();
    for i in 0..8 {
        let meta = table(&mut made, BIG, 400, Keys { first: i, step: 8 }, 1 + (i << 32));
        assert!(meta.size > BIG * 9 / 10, "{}", meta.size);
        made.add(&meta);
    }
    made.publish();
    let (source, meter) = metered(&made);
    block_on(async {
        let reader = open(&source).await;
        // A key for which no filter of a newer table errs: each does for one key in a hundred, and that costs one block.
        get(&reader, 8 * 54_321 + 3, 400).await;
    });
    within("open + first get, 8 overlapping tables", meter.cost(), 4, 18, 128 * KIB);
}

#[test]
fn first_get_of_two_hundred_disjoint_tables_with_snapshot() {
    let mut made = made();
    let mut tables = Vec::new();
    for i in 0..200 {
        let size = if i == 77 { BIG } else { 256 * KIB };
        tables.push(table(&mut made, size, 400, Keys { first: i << 32, step: 1 }, 1 + (i << 32)));
    }
    made.add_run(tables);
    made.snapshot();
    made.publish();
    let (source, meter) = metered(&made);
    block_on(async {
        let reader = open(&source).await;
        get(&reader, (77 << 32) + 54_321, 400).await;
    });
    within("open + first get, 200 disjoint tables with snapshot", meter.cost(), 5, 5, 192 * KIB);
}

#[test]
fn short_scan_of_one_table() {
    let mut made = made();
    let meta = table(&mut made, BIG / 8, 100, Keys { first: 0, step: 1 }, 1);
    made.add(&meta);
    made.publish();
    // Wherever it begins in its block.
    for from in (50_000..50_040).step_by(3) {
        let (source, meter) = metered(&made);
        block_on(async {
            let reader = open(&source).await;
            let options =
                ScanOptions { start: std::ops::Bound::Included(key(from).into()), ..ScanOptions::default() };
            let mut scan = reader.scan(options.limit(10)).await.unwrap();
            let mut shown = 0;
            while scan.next().await.unwrap().is_some() {
                shown += 1;
            }
            assert_eq!(shown, 10);
        });
        within("open + scan of 10 rows", meter.cost(), 4, 4, 64 * KIB);
    }
}

#[test]
fn small_tables_come_whole_with_their_tail() {
    let mut made = made();
    let meta = table(&mut made, 50 * KIB, 100, Keys { first: 0, step: 1 }, 1);
    assert!(meta.size <= 64 * KIB);
    made.add(&meta);
    made.publish();
    let (source, meter) = metered(&made);
    block_on(async {
        let reader = open(&source).await;
        get(&reader, 123, 100).await;
        within("open + first get, one small table", meter.cost(), 2, 2, 64 * KIB + KIB);
        let span = meter.span();
        let mut scan = reader.scan(ScanOptions::default()).await.unwrap();
        while scan.next().await.unwrap().is_some() {}
        within("then a scan of it all", span.cost(), 0, 0, 0);
    });
}

#[test]
fn refresh_is_one_conditional_get() {
    let mut made = made();
    let mut next = 0;
    let mut flush = |made: &mut Made| {
        let meta = table(made, 4 * KIB, 100, Keys { first: next * 1000, step: 1 }, 1 + next * 1000);
        made.add(&meta);
        next += 1;
    };
    (0..20).for_each(|_| flush(&mut made));
    made.publish();
    let (source, meter) = metered(&made);
    block_on(async {
        let reader = open(&source).await;
        let span = meter.span();
        assert!(!reader.refresh().await.unwrap());
        within("refresh, nothing new", span.cost(), 1, 1, 0);

        flush(&mut made);
        made.publish();
        let span = meter.span();
        assert!(reader.refresh().await.unwrap());
        within("refresh, one flush", span.cost(), 1, 1, 28 * KIB);

        // A snapshot moves the window; the state that is known reaches far enough.
        made.snapshot();
        flush(&mut made);
        made.publish();
        let span = meter.span();
        assert!(reader.refresh().await.unwrap());
        assert_eq!(reader.view().manifest().state().l0.len(), 22);
        within("refresh, one flush and a new snapshot", span.cost(), 1, 1, 28 * KIB);
    });
}

/// What it costs to open and to show everything, or the first `limit` entries on the way.
fn scan_cost(made: &Made, limit: Option<u64>, reverse: bool) -> (u64, Cost) {
    let (source, meter) = metered(made);
    let rows = block_on(async {
        let options = ScanOptions { limit, reverse, ..ScanOptions::default() };
        let mut scan = open(&source).await.scan(options).await.unwrap();
        let mut rows = 0;
        while scan.next().await.unwrap().is_some() {
            rows += 1;
        }
        rows
    });
    (rows, meter.cost())
}

#[test]
fn a_long_scan_reads_ahead_in_both_directions() {
    let mut made = made();
    let meta = table(&mut made, BIG / 8, 100, Keys { first: 0, step: 1 }, 1);
    made.add(&meta);
    made.publish();
    let (rows, cost) = scan_cost(&made, None, false);
    assert_eq!(Some(rows), meta.entry_count);
    // 8 MiB: three rounds to the first block, seven doublings to 1 MiB, and one round for every further MiB. Index partitions
    // come beside the blocks in front of theirs.
    within("open + scan of 8 MiB", cost, 17, 25, meta.size + 64 * KIB);
    // Filters and gaps up to 64 KiB may be read too, but nothing twice.
    let (backwards, reverse) = scan_cost(&made, None, true);
    assert_eq!(backwards, rows);
    within("the same in reverse", reverse, 17, 25, meta.size + 64 * KIB);
    assert!(reverse.get <= cost.get);

    let (rows, cost) = scan_cost(&made, Some(10), false);
    within("open + first 10 rows", cost, 4, 4, 64 * KIB);
    let (backwards, reverse) = scan_cost(&made, Some(10), true);
    assert_eq!((rows, backwards), (10, 10));
    within("open + last 10 rows", reverse, 4, 4, 64 * KIB);
}

#[test]
fn a_reverse_scan_over_many_tables_costs_no_more_than_a_forward_one() {
    let mut made = made();
    let rows = 23_301;
    let mut run = Vec::new();
    for i in 0..4 {
        let meta = table(&mut made, BIG / 32, 100, Keys { first: i * rows, step: 1 }, 1 + (i << 32));
        assert_eq!(meta.entry_count, Some(rows));
        run.push(meta);
    }
    made.add_run(run);
    made.snapshot();
    // Two tables over the whole run.
    for i in 0..2 {
        let meta = table(&mut made, BIG / 32, 100, Keys { first: i, step: 4 }, 1 + ((9 + i) << 32));
        made.add(&meta);
    }
    made.publish();
    let (shown, forward) = scan_cost(&made, None, false);
    let (backwards, reverse) = scan_cost(&made, None, true);
    assert_eq!((shown, backwards), (4 * rows, 4 * rows));
    let bytes = 6 * BIG / 32 + 512 * KIB;
    within("open + scan of six tables", forward, 26, 57, bytes);
    within("the same in reverse", reverse, 26, 54, bytes);
    assert!(reverse.get <= forward.get && reverse.round_trips <= forward.round_trips);
}
