//! isledb beside SlateDB, one after the other for each measurement, on one core each.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures::future::join_all;
use isledb_peers::{isle, rows, slate};
use tokio::runtime::Runtime;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn gets(c: &mut Criterion) {
    let runtime = runtime();
    for tables in [1, 8] {
        let db = runtime.block_on(isle::load(tables)).unwrap();
        let ours = runtime.block_on(isle::warm_reader(&db)).unwrap();
        let store = runtime.block_on(slate::load(tables)).unwrap();
        let theirs = runtime.block_on(slate::warm_reader(&store)).unwrap();

        let keys = rows::spread(1024);
        let mut group = c.benchmark_group(format!("get, warm, {tables} tables"));
        group.bench_function("isledb", |b| {
            let mut next = keys.iter().cycle();
            b.iter(|| runtime.block_on(ours.get(next.next().unwrap())).unwrap().unwrap());
        });
        group.bench_function("slatedb", |b| {
            let mut next = keys.iter().cycle();
            b.iter(|| runtime.block_on(theirs.get(next.next().unwrap())).unwrap().unwrap());
        });
        group.finish();

        // SlateDB has no multi-get: 64 gets at once is what its users write.
        let mut group = c.benchmark_group(format!("64 keys at once, warm, {tables} tables"));
        group.bench_function("isledb", |b| {
            let mut next = keys.chunks(64).cycle();
            b.iter(|| black_box(runtime.block_on(ours.get_many(next.next().unwrap())).unwrap()));
        });
        group.bench_function("slatedb", |b| {
            let mut next = keys.chunks(64).cycle();
            b.iter(|| black_box(runtime.block_on(join_all(next.next().unwrap().iter().map(|key| theirs.get(key))))));
        });
        group.finish();

        for (what, reverse) in [("scan", false), ("reverse scan", true)] {
            let mut group = c.benchmark_group(format!("{what}, warm, {tables} tables"));
            group.sample_size(10).throughput(Throughput::Bytes(rows::bytes()));
            group.bench_function("isledb", |b| {
                b.iter(|| assert_eq!(runtime.block_on(isle::scan(&ours, reverse)).unwrap(), rows::bytes()));
            });
            group.bench_function("slatedb", |b| {
                b.iter(|| assert_eq!(runtime.block_on(slate::scan(&theirs, reverse)).unwrap(), rows::bytes()));
            });
            group.finish();
        }

        // Ours reads the tables of the flushes, theirs the files of its write-ahead log; neither caches what it reads.
        let mut group = c.benchmark_group(format!("change feed, {tables} commits"));
        group.sample_size(10).throughput(Throughput::Bytes(rows::bytes()));
        group.bench_function("isledb", |b| {
            b.iter(|| assert_eq!(runtime.block_on(isle::tail(&db)).unwrap(), rows::bytes()));
        });
        group.bench_function("slatedb", |b| {
            b.iter(|| assert_eq!(runtime.block_on(slate::tail(&store)).unwrap(), rows::bytes()));
        });
        group.finish();
    }
}

/// From the first put to the last committed byte, with the table built.
fn ingest(c: &mut Criterion) {
    let runtime = runtime();
    let mut group = c.benchmark_group("ingest, 8 commits");
    group.sample_size(10).throughput(Throughput::Bytes(rows::bytes()));
    group.bench_function("isledb", |b| b.iter(|| runtime.block_on(isle::load(8)).unwrap()));
    group.bench_function("slatedb", |b| b.iter(|| runtime.block_on(slate::load(8)).unwrap()));
    group.finish();
}

criterion_group!(benches, gets, ingest);
criterion_main!(benches);
