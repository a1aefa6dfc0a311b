//! How long the component takes until it serves, and 64 reads in one call of a guest.
//!
//! ```sh
//! cargo bench -p isledb-wasmtime --bench startup
//! ```

#![allow(clippy::unwrap_used, reason = "a benchmark that fails says where")]

#[path = "../tests/guests/mod.rs"]
mod guests;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use isledb::host::ObjectStore;
use isledb::read::ReaderOptions;
use isledb::write::WriterOptions;
use isledb::{Db, DbOptions, TokioHost};
use isledb_component_build::READER;
use isledb_wasmtime::{Database, Engine, EngineOptions, Instance};

use guests::slow::Slow;
use guests::{component_file, memory, open_options, place};

const READS: usize = 64;
const EACH_READ: Duration = Duration::from_millis(20);
/// What one call of so many reads may take.
const AIM: Duration = Duration::from_millis(40);

#[tokio::main]
async fn main() {
    let bytes = std::fs::read(component_file(READER)).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let options = EngineOptions { aot_cache: Some(cache.path().join("aot")), ..EngineOptions::default() };
    let engine = Engine::new(options).unwrap();
    println!("wasmtime, reader of {} bytes; the best and the median of several", bytes.len());
    let begun = Instant::now();
    let component = engine.load(&bytes).unwrap();
    println!("compile it, once a machine            {:>12}", shown(begun.elapsed()));
    measure("load its machine code", 20, async || drop(engine.load(&bytes).unwrap())).await;

    let store = memory();
    let keys = fill(store.clone()).await;
    measure("instantiate", 200, async || {
        drop(Instance::start(&component, place(store.clone(), "db")).await.unwrap());
    })
    .await;
    measure("instantiate, open, first get", 100, async || {
        let database = Database::open(&component, place(store.clone(), "db"), open_options()).await.unwrap();
        assert!(database.get(keys[0].clone()).await.unwrap().is_some());
    })
    .await;
    measure("the same natively: open, first get", 100, async || {
        let reader = native(store.clone()).await;
        assert!(reader.get(&keys[0]).await.unwrap().is_some());
    })
    .await;

    // Each value is an object of its own, and all stand in one block, which the first get brings.
    let (first, rest) = keys.split_first().unwrap();
    let mut taken = Vec::new();
    for _ in 0..10 {
        let slow = Slow::new(store.clone(), EACH_READ);
        let database = Database::open(&component, place(slow.clone(), "db"), open_options()).await.unwrap();
        database.get(first.clone()).await.unwrap();
        slow.gets.store(0, Ordering::SeqCst);
        let begun = Instant::now();
        let values = database.get_many(rest.to_vec()).await.unwrap();
        taken.push(begun.elapsed());
        assert!(values.iter().all(Option::is_some));
        assert_eq!(slow.gets.load(Ordering::SeqCst), READS as u64, "one read a value, no other");
    }
    let best = report("64 reads of 20 ms in one call", &mut taken);
    println!("{} the aim of {}", if best < AIM { "within" } else { "beyond" }, shown(AIM));
    let rest: Vec<Bytes> = rest.iter().map(|key| Bytes::from(key.clone())).collect();
    let mut taken = Vec::new();
    for _ in 0..10 {
        let reader = native(Slow::new(store.clone(), EACH_READ)).await;
        reader.get(first).await.unwrap();
        let begun = Instant::now();
        reader.get_many(&rest).await.unwrap();
        taken.push(begun.elapsed());
    }
    report("the same natively", &mut taken);
}

async fn native(store: Arc<dyn ObjectStore>) -> isledb::read::Reader {
    let db = Db::open(store, Arc::new(TokioHost::new()), "db", DbOptions::default()).unwrap();
    db.reader(ReaderOptions::default()).await.unwrap()
}

/// One key more than there are reads.
async fn fill(store: Arc<dyn ObjectStore>) -> Vec<Vec<u8>> {
    let db = Db::open(store, Arc::new(TokioHost::new()), "db", DbOptions::default()).unwrap();
    let options = WriterOptions { blob_threshold: 1_000, ..WriterOptions::default() };
    let writer = db.writer(options).await.unwrap();
    let keys: Vec<Vec<u8>> = (0..=READS).map(|i| format!("key/{i:03}").into_bytes()).collect();
    for (i, key) in keys.iter().enumerate() {
        writer.put(key, format!("value {i} ").repeat(400).as_bytes()).await.unwrap();
    }
    writer.close().await.unwrap();
    keys
}

async fn measure(what: &str, times: usize, mut run: impl AsyncFnMut()) {
    let mut taken = Vec::new();
    for _ in 0..times {
        let begun = Instant::now();
        run().await;
        taken.push(begun.elapsed());
    }
    report(what, &mut taken);
}

fn report(what: &str, taken: &mut [Duration]) -> Duration {
    taken.sort();
    println!("{what:36} {:>12} {:>12}", shown(taken[0]), shown(taken[taken.len() / 2]));
    taken[0]
}

fn shown(duration: Duration) -> String {
    format!("{:.3} ms", duration.as_secs_f64() * 1e3)
}
