//! Buckets that the original wrote, in memory, and what it takes to read them in a test.

#![allow(dead_code, reason = "each test uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a fixture that cannot be read fails the test")]

pub(crate) mod faults;
#[cfg(feature = "write")]
pub(crate) mod made;
#[cfg(feature = "write")]
pub(crate) mod modelled;
#[cfg(feature = "write")]
pub(crate) mod sparse;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures::executor::block_on;
use isledb_core::format::layout::Layout;
use isledb_core::host::{Host, MemoryStore, ObjectStore, PutCondition, Requests};
use isledb_core::manifest::ObjectManifest;
use isledb_core::maybe::BoxFuture;
use isledb_core::read::{BlockCache, ReadSource, Reader, ReaderOptions, Scan};
use isledb_core::{Result, read};

/// January 2027: the far expiries of the fixtures are in 2126, the near ones long past.
pub(crate) const NOW_MS: u64 = 1_800_000_000_000;

/// A clock that only the test turns.
pub(crate) struct TestClock(AtomicU64);

impl TestClock {
    pub(crate) fn new() -> Arc<TestClock> {
        Arc::new(TestClock(AtomicU64::new(NOW_MS)))
    }

    pub(crate) fn advance_ms(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Host for TestClock {
    fn now_unix_ns(&self) -> u64 {
        self.0.load(Ordering::Relaxed) * 1_000_000
    }
    fn monotonic_ns(&self) -> u64 {
        self.now_unix_ns()
    }
    fn fill_random(&self, buf: &mut [u8]) {
        buf.fill(7);
    }
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        // Pauses between attempts pass at once; time limits of attempts never come.
        if duration < Duration::from_secs(10) {
            return Box::pin(futures::future::ready(()));
        }
        Box::pin(futures::future::pending())
    }
}

/// The folder of all fixtures.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/buckets")
}

/// The names of all fixture buckets.
pub(crate) fn names() -> Vec<String> {
    let entries = std::fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap());
    let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    let names: BTreeSet<String> = folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.into_iter().collect()
}

/// A store with the objects of a bucket folder; sidecars of the original's file store are left out.
pub(crate) fn load(folder: &Path, clock: Arc<dyn Host>) -> MemoryStore {
    let store = MemoryStore::new(clock);
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_none_or(|extension| extension != "attrs") {
                let key = path.strip_prefix(folder).unwrap().to_str().unwrap();
                let body = Bytes::from(std::fs::read(&path).unwrap());
                block_on(store.put(key, body, PutCondition::None)).unwrap();
            }
        }
    }
    store
}

/// What a reader of `store` under `prefix` needs; its cache is empty.
pub(crate) fn source(store: Arc<dyn ObjectStore>, clock: Arc<dyn Host>, prefix: &str) -> ReadSource {
    let layout = Layout::new(prefix).unwrap();
    let requests = Requests::new(store, clock);
    ReadSource {
        manifest: Arc::new(ObjectManifest::new(requests.clone(), layout.clone())),
        requests,
        layout,
        cache: Arc::new(BlockCache::new(read::DEFAULT_CACHE_BYTES)),
        trust: Default::default(),
    }
}

/// A reader of `store`.
pub(crate) async fn open(store: Arc<dyn ObjectStore>, clock: Arc<dyn Host>, prefix: &str) -> Result<Reader> {
    Reader::open(source(store, clock, prefix), ReaderOptions::default()).await
}

/// Key and value of every entry that a scan shows.
pub(crate) async fn collect(mut scan: Scan) -> Result<Vec<(Bytes, Bytes)>> {
    let mut all = Vec::new();
    while let Some(entry) = scan.next().await? {
        all.push((entry.key, entry.value));
    }
    Ok(all)
}

/// Base64 of a fixture document.
pub(crate) fn base64(text: &str) -> Vec<u8> {
    BASE64_STANDARD.decode(text).unwrap()
}
