//! What a call costs through the component: as many requests at once, and as few rounds, as the engine has natively. And keys
//! outside of its prefix, which it never reaches.

#![allow(clippy::unwrap_used, reason = "what a test cannot unwrap fails it")]

mod guests;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use isledb::host::ObjectStore;
use isledb::write::WriterOptions;
use isledb::{Db, DbOptions, TokioHost};
use isledb_wasmtime::{Database, Error, OpenOptions};
use wasmtime::component::ResourceAny;

use guests::slow::Slow;
use guests::{component, memory, open_options, place};

const EACH_GET: Duration = Duration::from_millis(200);

const KEYS: u64 = 64;

/// Values that no codec makes smaller, so large that no two of them are neighbours.
async fn fill(store: Arc<dyn ObjectStore>, prefix: &str) -> Vec<Vec<u8>> {
    let db = Db::open(store, Arc::new(TokioHost::new()), prefix, DbOptions::default()).unwrap();
    let writer = db.writer(WriterOptions::default()).await.unwrap();
    let mut keys = Vec::new();
    for i in 0..KEYS {
        let mut word = i + 1;
        let noise = std::iter::repeat_with(|| {
            word ^= word << 13;
            word ^= word >> 7;
            word ^= word << 17;
            word.to_le_bytes()
        });
        let value: Vec<u8> = noise.take(12_500).flatten().collect();
        keys.push(format!("key/{i:03}").into_bytes());
        writer.put(&keys[i as usize], &value).await.unwrap();
    }
    writer.close().await.unwrap();
    keys
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_reads_of_one_call_are_in_flight_at_once() {
    let store = memory();
    let keys = fill(store.clone(), "db").await;
    let component = component(isledb_component_build::READER);
    let database = Database::open(&component, place(store.clone(), "db"), open_options()).await.unwrap();
    let expected = database.get_many(keys.clone()).await.unwrap();
    assert!(expected.iter().all(|value| value.as_ref().is_some_and(|value| value.len() == 100_000)));

    // Calls beside one another on one guest: each reads a block of its own.
    let slow = Slow::new(store, EACH_GET);
    // Nothing is kept, so every call reads.
    let options = OpenOptions { cache_bytes: Some(0), ..open_options() };
    let database = Database::open(&component, place(slow.clone(), "db"), options).await.unwrap();
    slow.most.store(0, Ordering::SeqCst);
    let calls = keys.iter().map(|key| database.get(key.clone()));
    let values = futures::future::try_join_all(calls).await.unwrap();
    assert_eq!(values, expected);
    let most = slow.most.load(Ordering::SeqCst);
    assert!(most >= KEYS, "{most} reads in flight at once for {KEYS} calls");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_outside_of_the_prefix_are_refused_and_never_asked_for() {
    let store = memory();
    fill(store.clone(), "other").await;
    let slow = Slow::new(store, EACH_GET);
    let component = component(isledb_component_build::READER);
    let database = Database::open(&component, place(slow.clone(), "db"), open_options()).await.unwrap();
    assert!(!database.exists().await.unwrap());
    let asked = slow.gets.load(Ordering::SeqCst);
    for prefix in ["other", "", "dbx", "d"] {
        let params = (prefix.to_owned(), open_options());
        type Opened = (Result<ResourceAny, isledb_wasmtime::Failure>,);
        let (opened,): Opened = database
            .instance()
            .call(Some("isledb:storage/read@0.1.0"), "[static]database.open", params)
            .await
            .unwrap();
        let failure = opened.err().unwrap();
        assert_eq!(failure.code, "permission", "{prefix:?}: {}", failure.message);
        assert!(failure.message.contains("outside of the prefix"), "{}", failure.message);
    }
    assert_eq!(slow.gets.load(Ordering::SeqCst), asked, "the store was asked");
    assert!(!database.refresh().await.unwrap(), "the guest goes on");
    assert_eq!(database.get("").await.unwrap_err().code(), Some("invalid-argument"));
    assert!(matches!(database.get("").await, Err(Error::Engine { retryable: false, .. })));
}
