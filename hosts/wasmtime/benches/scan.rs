//! How fast a component scans beside the native engine: the same 400,000 rows in memory, one core.
//!
//! ```sh
//! bench/scan/run.sh   # the package in Node in the same run, too
//! ```
//!
//! Times are those that this thread had the processor, so that a busy machine does not count; the best of several.

#![allow(clippy::unwrap_used, reason = "a benchmark that fails says where")]

#[path = "../tests/guests/mod.rs"]
mod guests;

use std::sync::Arc;

use isledb::host::ObjectStore;
use isledb::read::ReaderOptions;
use isledb::write::WriterOptions;
use isledb::{Db, DbOptions, TokioHost};
use isledb_component_build::READER;
use isledb_wasmtime::{Database, Engine, EngineOptions, OpenOptions, ScanOptions};

use guests::{component_file, memory, open_options, place};

const ROWS: u64 = 400_000;
const VALUE: usize = 100;
const RUNS: usize = 5;
const WARM: u64 = 256 << 20;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let store = memory();
    fill(store.clone()).await;
    let engine = Engine::new(EngineOptions::default()).unwrap();
    let component = engine.load_file(component_file(READER)).unwrap();
    for (what, cache_bytes) in [("warm scan", WARM), ("scan without a cache", 0)] {
        let natively = native(store.clone(), cache_bytes).await;
        let options = OpenOptions { cache_bytes: Some(cache_bytes), ..open_options() };
        let database = Database::open(&component, place(store.clone(), "db"), options).await.unwrap();
        let guest = guest(&database).await;
        println!(
            "{what}: native {natively:.0} MB/s, component {guest:.0} MB/s, {:.2} of it",
            guest / natively
        );
    }
}

async fn fill(store: Arc<dyn ObjectStore>) {
    let db = Db::open(store, Arc::new(TokioHost::new()), "db", DbOptions::default()).unwrap();
    let writer = db.writer(WriterOptions::default()).await.unwrap();
    for row in 0..ROWS {
        writer.put(format!("key{row:013}").as_bytes(), &[46; VALUE]).await.unwrap();
    }
    writer.close().await.unwrap();
}

async fn native(store: Arc<dyn ObjectStore>, cache_bytes: u64) -> f64 {
    let options = DbOptions { cache_bytes, ..DbOptions::default() };
    let db = Db::open(store, Arc::new(TokioHost::new()), "db", options).unwrap();
    let reader = db.reader(ReaderOptions::default()).await.unwrap();
    best(async || {
        let mut scan = reader.scan(isledb::read::ScanOptions::default()).await.unwrap();
        let mut bytes = 0;
        while let Some(entry) = scan.next().await.unwrap() {
            bytes += entry.key.len() + entry.value.len();
        }
        bytes
    })
    .await
}

async fn guest(database: &Database) -> f64 {
    best(async || {
        let options = ScanOptions { start: None, end: None, prefix: None, limit: None, reverse: false };
        let mut scan = database.scan(options).await.unwrap();
        let mut bytes = 0;
        loop {
            let page = scan.next_page(4_096, 1 << 20).await.unwrap();
            if page.is_empty() {
                return bytes;
            }
            bytes += page.iter().map(|entry| entry.key.len() + entry.value.len()).sum::<usize>();
        }
    })
    .await
}

/// MB/s of the best run of `scan`, which says how many bytes of keys and values it has seen.
async fn best(scan: impl AsyncFn() -> usize) -> f64 {
    let mut best = 0.0_f64;
    // One more, which fills the cache.
    for _ in 0..=RUNS {
        let before = on_processor_ns();
        let bytes = scan().await;
        assert_eq!(bytes as u64, ROWS * (16 + VALUE as u64));
        best = best.max(bytes as f64 * 1e3 / (on_processor_ns() - before) as f64);
    }
    best
}

/// How long this process's first thread has run, by the system's own count.
fn on_processor_ns() -> u64 {
    let counts = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    counts.split(' ').next().unwrap().parse().unwrap()
}
