//! How fast tables are read and written on one core, in MB/s of what a user stores, and how often they allocate.
//!
//! Before each benchmark one run is counted: `allocations` are calls of the allocator, over all entries of that run.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark that cannot go on fails; criterion's macro is public"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use isledb_core::format::sst::{
    Block, BlockHandle, Compression, IndexPartition, Kind, MAX_BLOCK_BYTES, PartitionAt, Table, TableBuilder,
    TableOpen, TableOptions,
};

/// The system's allocator, counted.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system's allocator with the same arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const KEYS: u64 = 50_000;

/// Keys of 16 bytes, values of 100 that a compressor halves.
fn entries() -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    (0..KEYS)
        .map(|i| {
            let mut value = vec![0];
            while value.len() < 100 {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                value.extend_from_slice(format!("{:08x} field ", random as u32).as_bytes());
            }
            value.truncate(100);
            (format!("user{:012}", i * 7919).into_bytes(), value)
        })
        .collect()
}

fn raw_bytes(entries: &[(Vec<u8>, Vec<u8>)]) -> u64 {
    entries.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum()
}

fn build(options: TableOptions, entries: &[(Vec<u8>, Vec<u8>)]) -> (Vec<Bytes>, u64) {
    let mut builder = TableBuilder::new(options);
    let mut pieces = Vec::new();
    for (i, (key, value)) in entries.iter().enumerate() {
        builder.add(key, i as u64 + 1, Kind::Set, value).unwrap();
        if i % 4096 == 0 {
            pieces.push(builder.take_output());
        }
    }
    let summary = builder.finish().unwrap();
    pieces.push(builder.take_output());
    (pieces, summary.meta_offset)
}

fn options(compression: Compression) -> TableOptions {
    TableOptions { compression, key_hashes: false, ..TableOptions::default() }
}

fn compressions() -> [(&'static str, Compression); 2] {
    [("none", Compression::None), ("snappy", Compression::Snappy)]
}

/// A table in memory with all its partitions.
struct Open {
    table: Table,
    bytes: Bytes,
    tail_offset: u64,
    partitions: Vec<IndexPartition>,
}

impl Open {
    fn new(compression: Compression, entries: &[(Vec<u8>, Vec<u8>)]) -> Open {
        let (pieces, meta_offset) = build(options(compression), entries);
        let bytes = Bytes::from(pieces.concat());
        let size = bytes.len() as u64;
        let tail_offset = Table::tail_range(Some(meta_offset), size).start;
        let table = open(&bytes, tail_offset);
        let partitions = (0..table.partitions())
            .map(|i| match table.partition(i) {
                PartitionAt::Resident(partition) => partition,
                PartitionAt::Stored(range) => {
                    table.decode_partition(i, bytes.slice(range.start as usize..range.end as usize)).unwrap()
                }
            })
            .collect();
        Open { table, bytes, tail_offset, partitions }
    }

    fn handles(&self) -> Vec<BlockHandle> {
        self.partitions.iter().flat_map(|part| (0..part.len()).map(|i| part.handle(i))).collect()
    }

    fn decode(&self, handle: BlockHandle) -> Block {
        let range = handle.stored();
        let stored = self.bytes.slice(range.start as usize..range.end as usize);
        Block::decode(self.table.object(), handle, stored, self.table.checksum(), MAX_BLOCK_BYTES).unwrap()
    }
}

fn open(bytes: &Bytes, tail_offset: u64) -> Table {
    let object: Arc<str> = Arc::from("bench.sst");
    match Table::open(&object, bytes.len() as u64, tail_offset, bytes.slice(tail_offset as usize..)).unwrap()
    {
        TableOpen::Ready(table) => table,
        TableOpen::NeedMore(range) => panic!("{range:?}"),
    }
}

/// Counts the allocations of one run.
fn count(name: &str, per: u64, of: &str, run: impl FnOnce()) {
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    run();
    let calls = ALLOCATIONS.load(Ordering::Relaxed) - before;
    println!("{name}: {calls} allocations for {per} {of} ({:.4} each)", calls as f64 / per as f64);
}

fn decode(criterion: &mut Criterion) {
    let entries = entries();
    let mut group = criterion.benchmark_group("block/decode");
    group.throughput(Throughput::Bytes(raw_bytes(&entries)));
    for (name, compression) in compressions() {
        let open = Open::new(compression, &entries);
        let handles = open.handles();
        let run = || {
            for &handle in &handles {
                black_box(open.decode(handle));
            }
        };
        count(&format!("block/decode/{name}"), handles.len() as u64, "blocks", run);
        group.bench_function(name, |bencher| bencher.iter(run));
    }
    group.finish();
}

fn scan(criterion: &mut Criterion) {
    let entries = entries();
    let open = Open::new(Compression::Snappy, &entries);
    let blocks: Vec<Block> = open.handles().into_iter().map(|handle| open.decode(handle)).collect();
    let mut group = criterion.benchmark_group("block/scan");
    group.throughput(Throughput::Bytes(raw_bytes(&entries)));

    let forwards = || {
        let mut iter = blocks[0].iter();
        let mut seen = 0;
        for block in &blocks {
            iter.reset(block.clone());
            let mut found = iter.seek_to_first().unwrap();
            while found {
                seen += iter.user_key().len() + iter.value_slice().len();
                found = iter.next().unwrap();
            }
        }
        assert_eq!(seen as u64, raw_bytes(&entries));
    };
    count("block/scan/forwards", KEYS, "entries", forwards);
    group.bench_function("forwards", |bencher| bencher.iter(forwards));

    let owned = || {
        let mut iter = blocks[0].iter();
        for block in &blocks {
            iter.reset(block.clone());
            let mut found = iter.seek_to_first().unwrap();
            while found {
                black_box(iter.value());
                found = iter.next().unwrap();
            }
        }
    };
    count("block/scan/forwards, values kept", KEYS, "entries", owned);
    group.bench_function("forwards, values kept", |bencher| bencher.iter(owned));

    let backwards = || {
        let mut iter = blocks[0].iter();
        for block in blocks.iter().rev() {
            iter.reset(block.clone());
            let mut found = iter.seek_to_last().unwrap();
            while found {
                black_box(iter.user_key().len() + iter.value_slice().len());
                found = iter.prev().unwrap();
            }
        }
    };
    count("block/scan/backwards", KEYS, "entries", backwards);
    group.bench_function("backwards", |bencher| bencher.iter(backwards));

    for (name, compression) in compressions() {
        let open = Open::new(compression, &entries);
        let handles = open.handles();
        let run = || {
            let mut iter = blocks[0].iter();
            for &handle in &handles {
                iter.reset(open.decode(handle));
                let mut found = iter.seek_to_first().unwrap();
                while found {
                    black_box(iter.value_slice());
                    found = iter.next().unwrap();
                }
            }
        };
        let name = format!("with decode, {name}");
        count(&format!("block/scan/{name}"), KEYS, "entries", run);
        group.bench_function(name, |bencher| bencher.iter(run));
    }
    group.finish();
}

fn seek(criterion: &mut Criterion) {
    let entries = entries();
    let open = Open::new(Compression::Snappy, &entries);
    let blocks: Vec<Block> = open.handles().into_iter().map(|handle| open.decode(handle)).collect();
    let mut starts = Vec::new();
    for partition in &open.partitions {
        starts.push(starts.last().copied().unwrap_or(0) + partition.len());
    }
    let mut group = criterion.benchmark_group("seek");
    let mut i = 0;
    let mut next = move || {
        i = (i + 7919) % KEYS as usize;
        i
    };

    let mut iter = blocks[0].iter();
    let mut in_block = || {
        let key = &entries[next()].0;
        iter.reset(blocks[blocks.len() / 2].clone());
        black_box(iter.seek_ge(key).unwrap());
    };
    count("seek/block", 1, "seek", &mut in_block);
    group.bench_function("block", |bencher| bencher.iter(&mut in_block));

    let mut iter = blocks[0].iter();
    let mut warm = || {
        let key = &entries[next()].0;
        let at = open.table.find_partition(key).unwrap();
        let partition = &open.partitions[at];
        assert!(partition.may_contain(key));
        let block = starts[at] - partition.len() + partition.find_block(key).unwrap();
        iter.reset(blocks[block].clone());
        assert!(iter.seek_ge(key).unwrap() && iter.user_key() == key.as_slice());
        black_box(iter.value());
    };
    count("seek/index, filter, block", 1, "get", &mut warm);
    group.bench_function("index, filter, block", |bencher| bencher.iter(&mut warm));

    let mut absent = || {
        let mut key = [0; 17];
        key[..16].copy_from_slice(&entries[next()].0);
        let at = open.table.find_partition(&key);
        black_box(at.is_some_and(|at| open.partitions[at].may_contain(&key)))
    };
    count("seek/absent key", 1, "get", || {
        absent();
    });
    group.bench_function("absent key", |bencher| bencher.iter(&mut absent));

    count("open", 1, "table", || drop(open_tail(&open)));
    group.bench_function("open a tail", |bencher| bencher.iter(|| open_tail(&open)));
    group.finish();
}

fn open_tail(table: &Open) -> Table {
    open(&table.bytes, table.tail_offset)
}

fn table_build(criterion: &mut Criterion) {
    let entries = entries();
    let mut group = criterion.benchmark_group("table/build");
    group.throughput(Throughput::Bytes(raw_bytes(&entries)));
    for (name, compression) in compressions() {
        let run = || {
            black_box(build(options(compression.clone()), &entries));
        };
        count(&format!("table/build/{name}"), KEYS, "entries", run);
        group.bench_function(name, |bencher| bencher.iter(run));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(std::time::Duration::from_secs(1))
        .measurement_time(std::time::Duration::from_secs(3));
    targets = decode, scan, seek, table_build
}
criterion_main!(benches);
