//! What a call costs through the component: as many requests at once, and as few rounds, as the engine has natively. And keys
//! outside of its prefix, which it never reaches.

#![allow(clippy::unwrap_used, reason = "what a test cannot unwrap fails it")]

mod guests;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use isledb::host::{
    GetOptions, GetResult, ListPage, MultipartUpload, ObjectMeta, ObjectStore, PutCondition, Version,
};
use isledb::maybe::BoxFuture;
use isledb::write::WriterOptions;
use isledb::{Db, DbOptions, TokioHost};
use isledb_wasmtime::{Database, Error, OpenOptions};
use wasmtime::component::ResourceAny;

use guests::{component, memory, open_options, place};

/// Takes its time with each get, and counts those that wait.
struct Slow {
    inner: Arc<dyn ObjectStore>,
    gets: AtomicU64,
    waiting: AtomicU64,
    most: AtomicU64,
}

impl Slow {
    fn new(inner: Arc<dyn ObjectStore>) -> Arc<Slow> {
        Arc::new(Slow { inner, gets: 0.into(), waiting: 0.into(), most: 0.into() })
    }

    async fn wait(&self) {
        self.gets.fetch_add(1, Ordering::SeqCst);
        let waiting = self.waiting.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(waiting, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(200)).await;
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

impl ObjectStore for Slow {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, isledb::Result<GetResult>> {
        Box::pin(async move {
            self.wait().await;
            self.inner.get(key, options).await
        })
    }

    fn get_ranges<'a>(
        &'a self,
        key: &'a str,
        ranges: &'a [Range<u64>],
    ) -> BoxFuture<'a, isledb::Result<Vec<Bytes>>> {
        self.inner.get_ranges(key, ranges)
    }

    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, isledb::Result<ObjectMeta>> {
        self.inner.head(key)
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        condition: PutCondition,
    ) -> BoxFuture<'a, isledb::Result<Version>> {
        self.inner.put(key, body, condition)
    }

    fn put_multipart<'a>(&'a self, key: &'a str) -> BoxFuture<'a, isledb::Result<Box<dyn MultipartUpload>>> {
        self.inner.put_multipart(key)
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        start_after: Option<&'a str>,
    ) -> BoxFuture<'a, isledb::Result<ListPage>> {
        self.inner.list(prefix, start_after)
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, isledb::Result<Vec<isledb::Result<()>>>> {
        self.inner.delete(keys)
    }
}

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
    let slow = Slow::new(store);
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
    let slow = Slow::new(store);
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
