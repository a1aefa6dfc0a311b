//! Reads from a warm cache and from a store in memory: the time of the engine alone, on one core.
//!
//! Before each measurement the allocations of one call (or of one entry) are counted and printed.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

use std::alloc::{GlobalAlloc, Layout as AllocLayout, System};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures::FutureExt;
use futures::executor::block_on;
use isledb_core::format::sst::{Compression, TableOptions};
use isledb_core::host::MemoryStore;
use isledb_core::read::{BlockCache, Reader, ReaderOptions, Scan, ScanOptions, TryNext};

#[path = "../tests/bucket/mod.rs"]
mod bucket;

use bucket::made::Made;
use bucket::{TestClock, source};

/// The system's allocator, counted.
struct Counted;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: AllocLayout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: AllocLayout) {
        unsafe { System.dealloc(block, layout) }
    }
    unsafe fn realloc(&self, block: *mut u8, layout: AllocLayout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counted = Counted;

fn allocations(of: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    of();
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

/// Rows of a database, over all its tables.
const ROWS: u64 = 400_000;
const VALUE: usize = 100;

fn key(i: u64) -> Vec<u8> {
    format!("key{i:013}").into_bytes()
}

fn value(i: u64) -> Vec<u8> {
    let mut value = format!("{:016x}{:016x}", i.wrapping_mul(0x9e37_79b9_7f4a_7c15), i).into_bytes();
    value.resize(VALUE, b'.');
    value
}

/// A reader of [`ROWS`] rows, spread row by row over so many tables.
fn reader(tables: u64, compression: Compression, cache_bytes: u64) -> Reader {
    let mut made = Made::new(MemoryStore::new(TestClock::new()));
    for table in 0..tables {
        let options = TableOptions { compression: compression.clone(), ..TableOptions::default() };
        let meta = made.build(options, |add| {
            for i in (table..ROWS).step_by(tables as usize) {
                add(&key(i), i + 1, Some(&value(i)));
            }
        });
        made.add(&meta);
    }
    made.publish();
    let mut source = source(Arc::new(made.store.clone()), TestClock::new(), "db");
    source.cache = Arc::new(BlockCache::new(cache_bytes));
    block_on(Reader::open(source, ReaderOptions::default())).unwrap()
}

/// Shows every row; the bytes of keys and values.
fn read_all(mut scan: Scan) -> u64 {
    let mut bytes = 0;
    loop {
        match scan.try_next().unwrap() {
            TryNext::Entry(entry) => bytes += black_box(entry.key.len() + entry.value.len()) as u64,
            TryNext::Wait => match block_on(scan.next()).unwrap() {
                Some(entry) => bytes += (entry.key.len() + entry.value.len()) as u64,
                None => return bytes,
            },
            TryNext::End => return bytes,
        }
    }
}

fn everything(reader: &Reader, reverse: bool) -> Scan {
    block_on(reader.scan(ScanOptions { reverse, ..ScanOptions::default() })).unwrap()
}

const GIB: u64 = 1024 * 1024 * 1024;

fn gets(c: &mut Criterion) {
    let mut group = c.benchmark_group("get, warm");
    for tables in [1, 8] {
        let reader = reader(tables, Compression::Snappy, GIB);
        read_all(everything(&reader, false));
        // Keys of 32 blocks stay in the processor's caches, those of 1,024 blocks come from memory.
        let spread = |keys: u64| -> Vec<Vec<u8>> { (0..keys).map(|i| key(i * 397 % ROWS)).collect() };
        let absent = spread(32).iter().map(|key| [key, &b"x"[..]].concat()).collect();
        for (what, keys, there) in
            [("32 keys", spread(32), true), ("1024 keys", spread(1024), true), ("absent", absent, false)]
        {
            let get = |key: &Vec<u8>| {
                let value = reader.get(key).now_or_never().unwrap().unwrap();
                assert_eq!(value.is_some(), there);
            };
            keys.iter().for_each(get);
            let count = allocations(|| keys.iter().for_each(get)) as f64 / keys.len() as f64;
            println!("get, warm, {what}, {tables} tables: {count:.2} allocations");
            let mut next = keys.iter().cycle();
            group
                .bench_function(format!("{what}, {tables} tables"), |b| b.iter(|| get(next.next().unwrap())));
        }
    }
    group.finish();
}

/// 64 keys by one call, from all over the rows.
fn multi_gets(c: &mut Criterion) {
    const KEYS: u64 = 64;
    let mut group = c.benchmark_group("get of 64 keys, warm");
    group.throughput(Throughput::Elements(KEYS));
    for tables in [1, 8] {
        let reader = reader(tables, Compression::Snappy, GIB);
        read_all(everything(&reader, false));
        let lots: Vec<Vec<Bytes>> = (0..64)
            .map(|lot| (0..KEYS).map(|i| key((lot * KEYS + i) * 39_989 % ROWS).into()).collect())
            .collect();
        let get = |keys: &Vec<Bytes>| {
            let values = reader.get_many(keys).now_or_never().unwrap().unwrap();
            assert!(black_box(values).iter().all(Option::is_some));
        };
        let count = allocations(|| lots.iter().for_each(get)) as f64 / (lots.len() as u64 * KEYS) as f64;
        println!("get of 64 keys, warm, {tables} tables: {count:.2} allocations a key");
        let mut next = lots.iter().cycle();
        group.bench_function(format!("{tables} tables"), |b| b.iter(|| get(next.next().unwrap())));
    }
    group.finish();
}

fn scans(c: &mut Criterion) {
    let mut group = c.benchmark_group("scan");
    group.sample_size(10);
    for (what, tables, compression, cache_bytes) in [
        ("warm, one table", 1, Compression::Snappy, GIB),
        ("warm, 8 overlapping tables", 8, Compression::Snappy, GIB),
        ("no cache, one table, snappy", 1, Compression::Snappy, 0),
        ("no cache, one table, not compressed", 1, Compression::None, 0),
    ] {
        let reader = reader(tables, compression, cache_bytes);
        for reverse in [false, true] {
            let what = if reverse { format!("{what}, in reverse") } else { what.to_owned() };
            let bytes = read_all(everything(&reader, reverse));
            assert_eq!(bytes, ROWS * (16 + VALUE as u64));
            let count = allocations(|| assert_eq!(read_all(everything(&reader, reverse)), bytes)) as f64;
            println!("scan, {what}: {:.3} allocations an entry", count / ROWS as f64);
            group.throughput(Throughput::Bytes(bytes));
            group.bench_function(what, |b| b.iter(|| read_all(everything(&reader, reverse))));
        }
    }
    group.finish();
}

criterion_group!(benches, gets, multi_gets, scans);
criterion_main!(benches);
