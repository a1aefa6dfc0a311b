//! What the tests of the disk cache share: stores behind a cache, content that tells where it is from, and the cache's file.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test takes what it needs; functions of tests may panic"
)]

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use isledb::host::{
    Cost, GetOptions, GetResult, ListPage, MemoryStore, Meter, Metered, MultipartUpload, ObjectMeta,
    ObjectStore, PutCondition, Version,
};
use isledb::maybe::BoxFuture;
use isledb::{CachedStore, DiskCache, DiskCacheOptions, Error, Result, TokioHost};

/// The smallest bound: 2 MiB.
pub(crate) const MAX_BYTES: u64 = 2 << 20;

/// A store in memory, counted, behind a cache.
pub(crate) struct Cached {
    pub(crate) store: Arc<CachedStore>,
    pub(crate) cache: DiskCache,
    /// The store itself, not counted.
    pub(crate) bare: Arc<dyn ObjectStore>,
    pub(crate) meter: Meter,
    pub(crate) max_bytes: u64,
    address: String,
    faulty: Arc<Faulty>,
}

impl Cached {
    /// A new store, whose address nobody else has.
    pub(crate) async fn over_new_store(folder: &Path, chunk_bytes: u64) -> Cached {
        Cached::over_slow_store(folder, chunk_bytes, Duration::ZERO).await
    }

    /// The same with a pause before every get.
    pub(crate) async fn over_slow_store(folder: &Path, chunk_bytes: u64, pause: Duration) -> Cached {
        static STORES: AtomicU64 = AtomicU64::new(0);
        let bare: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new(Arc::new(TokioHost::new())));
        let faulty =
            Arc::new(Faulty { inner: bare, pause, failures: AtomicUsize::new(0), gets: AtomicUsize::new(0) });
        let address = format!("test {}", STORES.fetch_add(1, Ordering::Relaxed));
        Cached::new(folder, chunk_bytes, address, faulty)
    }

    fn new(folder: &Path, chunk_bytes: u64, address: String, faulty: Arc<Faulty>) -> Cached {
        let metered = Metered::new(faulty.clone());
        let meter = metered.meter();
        let cache = DiskCache::open(&options(folder, chunk_bytes)).unwrap();
        let store = Arc::new(cache.over(Arc::new(metered), &address));
        Cached { store, cache, bare: faulty.inner.clone(), meter, max_bytes: MAX_BYTES, address, faulty }
    }

    /// The same store behind another cache, as after a restart.
    pub(crate) fn reopened(&self, folder: &Path, chunk_bytes: u64) -> Cached {
        Cached::new(folder, chunk_bytes, self.address.clone(), self.faulty.clone())
    }

    pub(crate) async fn put_table(&self, number: u64, bytes: u64) -> Bytes {
        let body = content(number, bytes);
        self.bare.put(&table(number), body.clone(), PutCondition::None).await.unwrap();
        body
    }

    pub(crate) fn requests(&self) -> u64 {
        self.meter.cost().requests()
    }

    /// Gets and bytes since then.
    pub(crate) fn since(&self, before: &Cost) -> (u64, u64) {
        let now = self.meter.cost();
        (now.get - before.get, now.bytes_read - before.bytes_read)
    }

    /// Returns when so many gets have reached the store.
    pub(crate) async fn until_gets_begin(&self, gets: usize) {
        while self.faulty.gets.load(Ordering::Relaxed) < gets {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    pub(crate) fn fail_next_gets(&self, gets: usize) {
        self.faulty.failures.store(gets, Ordering::Relaxed);
    }
}

pub(crate) fn options(folder: &Path, chunk_bytes: u64) -> DiskCacheOptions {
    DiskCacheOptions {
        max_bytes: MAX_BYTES,
        chunk_bytes: chunk_bytes.try_into().unwrap(),
        ..DiskCacheOptions::new(folder)
    }
}

/// Numbers that look random, the same for every run (splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// The next one below a bound.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// The name of a table.
pub(crate) fn table(number: u64) -> String {
    format!("db/sstable/1-{number}-{number}-{number}.sst")
}

/// Bytes of which every eight tell whose and where they are.
pub(crate) fn content(number: u64, bytes: u64) -> Bytes {
    let words = (0..bytes.div_ceil(8))
        .flat_map(|i| (number << 40 | i).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
    let mut all: Vec<u8> = words.collect();
    all.truncate(bytes as usize);
    all.into()
}

pub(crate) async fn get(store: &Arc<CachedStore>, key: &str, range: Option<Range<u64>>) -> Result<Bytes> {
    let got = store.get(key, GetOptions { range, if_none_match: None }).await?;
    got.body.collect(key, got.range.end - got.range.start).await
}

/// The only file of a cache.
pub(crate) fn file(folder: &Path) -> PathBuf {
    folder.join("isledb.chunks")
}

/// All that lies in a folder, by length.
pub(crate) fn bytes_in(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

/// Moves every use that the cache has noted into the past.
pub(crate) fn age(folder: &Path, by_ms: u64) {
    const PAGE: usize = 4096;
    let mut bytes = std::fs::read(file(folder)).unwrap();
    let set = PAGE + 16 * 4096;
    for at in (0..bytes.len()).step_by(set) {
        for entry in (at..(at + PAGE).min(bytes.len())).step_by(256) {
            let used: [u8; 8] = bytes[entry..entry + 8].try_into().unwrap();
            let used = u64::from_le_bytes(used).saturating_sub(by_ms);
            bytes[entry..entry + 8].copy_from_slice(&used.to_le_bytes());
        }
    }
    std::fs::write(file(folder), bytes).unwrap();
}

/// A store that is slow, and fails when it is told to.
struct Faulty {
    inner: Arc<dyn ObjectStore>,
    pause: Duration,
    failures: AtomicUsize,
    gets: AtomicUsize,
}

impl ObjectStore for Faulty {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        Box::pin(async move {
            self.gets.fetch_add(1, Ordering::Relaxed);
            if self.pause > Duration::ZERO {
                tokio::time::sleep(self.pause).await;
            }
            let fails = |left: usize| left.checked_sub(1);
            if self.failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fails).is_ok() {
                return Err(Error::Unavailable { object: key.to_owned(), message: "told to".to_owned() });
            }
            self.inner.get(key, options).await
        })
    }

    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<ObjectMeta>> {
        self.inner.head(key)
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        condition: PutCondition,
    ) -> BoxFuture<'a, Result<Version>> {
        self.inner.put(key, body, condition)
    }

    fn put_multipart<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>> {
        self.inner.put_multipart(key)
    }

    fn list<'a>(&'a self, prefix: &'a str, start_after: Option<&'a str>) -> BoxFuture<'a, Result<ListPage>> {
        self.inner.list(prefix, start_after)
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        self.inner.delete(keys)
    }
}
