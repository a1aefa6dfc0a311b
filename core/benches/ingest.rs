//! The whole write path without a network: puts, memtables, tables, commits, into a store in memory, on one core.
//!
//! Before each benchmark one run is counted: `allocations` are calls of the allocator, by all of the engine.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark that cannot go on fails; criterion's macro is public"
)]

mod counting;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures::executor::block_on;
use isledb_core::format::layout::Layout;
use isledb_core::format::manifest::Role;
use isledb_core::format::sst::{Compression, TableOptions};
use isledb_core::host::{Host, MemoryStore, Requests};
use isledb_core::manifest::{ManifestView, ObjectManifest, Publisher};
use isledb_core::maybe::BoxFuture;
use isledb_core::write::{Writer, WriterOptions};

/// Time goes by one nanosecond a look; only pauses of no length end, so that no request is given up.
struct Ticks(AtomicU64);

impl Host for Ticks {
    fn now_unix_ns(&self) -> u64 {
        1_790_000_000_000_000_000 + self.0.fetch_add(1, Ordering::Relaxed)
    }

    fn monotonic_ns(&self) -> u64 {
        self.now_unix_ns()
    }

    fn fill_random(&self, buf: &mut [u8]) {
        let seed = self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        buf.iter_mut().zip(seed.to_le_bytes().iter().cycle()).for_each(|(byte, seed)| *byte = *seed);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        if duration.is_zero() { Box::pin(std::future::ready(())) } else { Box::pin(std::future::pending()) }
    }
}

fn writer(options: WriterOptions) -> Writer {
    let host: Arc<dyn Host> = Arc::new(Ticks(AtomicU64::new(0)));
    let requests = Requests::new(Arc::new(MemoryStore::new(host.clone())), host.clone());
    let layout = Layout::new("db").unwrap();
    let manifest = Arc::new(ObjectManifest::new(requests.clone(), layout.clone()));
    block_on(async {
        let view = ManifestView::load(manifest.as_ref(), host.as_ref()).await.unwrap();
        let publisher = Publisher::claim(manifest, host, Role::Writer, &options.claim(), view).await.unwrap();
        Writer::new(requests, layout, publisher, options)
    })
}

/// Keys of 16 random digits, values that a compressor halves.
fn entries(bytes: usize, value_bytes: usize) -> Vec<([u8; 16], Vec<u8>)> {
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    (0..bytes / (16 + value_bytes))
        .map(|_| {
            let mut key = [0; 16];
            key.copy_from_slice(format!("{:016x}", next()).as_bytes());
            let mut value = Vec::with_capacity(value_bytes + 16);
            while value.len() < value_bytes {
                value.extend_from_slice(format!("{:08x} field ", next() as u32).as_bytes());
            }
            value.truncate(value_bytes);
            (key, value)
        })
        .collect()
}

fn load(entries: &[([u8; 16], Vec<u8>)], options: WriterOptions) {
    let writer = writer(options);
    block_on(async {
        for (key, value) in entries {
            writer.put(key, value).await.unwrap();
        }
        writer.close().await.unwrap();
    });
}

fn ingest(c: &mut Criterion) {
    let mut group = c.benchmark_group("ingest");
    group.sample_size(10);
    for value_bytes in [100, 4_000] {
        let entries = entries(64 << 20, value_bytes);
        let bytes = entries.len() * (16 + value_bytes);
        group.throughput(Throughput::Bytes(bytes as u64));
        for (codec, compression) in [("snappy", Compression::Snappy), ("no compression", Compression::None)] {
            let table = TableOptions { compression, ..TableOptions::default() };
            let options = WriterOptions { table, ..WriterOptions::default() };
            let allocations = counting::allocations(|| load(&entries, options.clone()));
            println!(
                "ingest, values of {value_bytes}, {codec}: {} entries, {allocations} allocations",
                entries.len()
            );
            group.bench_function(format!("values of {value_bytes} bytes, {codec}"), |b| {
                b.iter(|| load(&entries, options.clone()));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, ingest);
criterion_main!(benches);
