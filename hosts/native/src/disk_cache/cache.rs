//! The cache of one folder, whatever the stores behind it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use isledb_core::Result;
use isledb_core::host::ObjectStore;
use tokio::sync::Notify;

use super::counters::Counters;
use super::entry::{ChunkId, Facts};
use super::file::ChunkFile;
use super::identity::Identity;
use super::plan;
use super::slots::Geometry;
use super::{CachedStore, DiskCacheCounters, DiskCacheOptions};

/// Bytes that may wait to be written. What comes while the disk is slower than the store is not kept.
const MAX_WAITING_BYTES: u64 = 32 << 20;

/// Chunks of objects in a folder of this machine. Cheap to clone; all clones share one open file. See the [module](super).
#[derive(Clone)]
pub struct DiskCache(Arc<Inner>);

struct Inner {
    file: ChunkFile,
    chunk_bytes: u32,
    counters: Counters,
    waiting_bytes: AtomicU64,
    written: Notify,
}

impl DiskCache {
    /// A cache in a folder, which is made when it is used first. Whether that works is nobody's concern: without it, every
    /// read goes to the store.
    ///
    /// Errors: `InvalidArgument` for options out of their bounds.
    pub fn open(options: &DiskCacheOptions) -> Result<DiskCache> {
        let geometry = options.geometry()?;
        Ok(DiskCache(Arc::new(Inner {
            file: ChunkFile::new(options.directory.clone(), geometry),
            chunk_bytes: options.chunk_bytes,
            counters: Counters::default(),
            waiting_bytes: AtomicU64::new(0),
            written: Notify::new(),
        })))
    }

    /// `store`, read through this cache. `address` tells the store from all others, in every process that shares the folder and
    /// for as long as the folder lives: [`OpenedStore::address`](crate::OpenedStore::address), for one that was opened by URL.
    pub fn over(&self, store: Arc<dyn ObjectStore>, address: &str) -> CachedStore {
        CachedStore::new(self.clone(), store, address)
    }

    /// What it did in this process.
    pub fn counters(&self) -> DiskCacheCounters {
        self.0.counters.now()
    }

    /// Returns when all that was read from stores is written to the folder. A process that ends without waiting loses at most the
    /// chunks that it read last.
    pub async fn settled(&self) {
        loop {
            let mut written = std::pin::pin!(self.0.written.notified());
            written.as_mut().enable();
            if self.0.waiting_bytes.load(Ordering::Acquire) == 0 {
                return;
            }
            written.await;
        }
    }

    pub(super) fn geometry(&self) -> &Geometry {
        self.0.file.geometry()
    }

    pub(super) fn count(&self) -> &Counters {
        &self.0.counters
    }

    /// The chunks of these numbers, as far as they are there; of the last, perhaps only its beginning. Where they are not all of one version of the object, none is.
    pub(super) async fn look_up(&self, object: Identity, numbers: Range<u64>) -> Vec<Option<(Facts, Bytes)>> {
        let (inner, wanted) = (self.0.clone(), numbers.clone());
        let read = move || -> Vec<_> {
            let read = |number| {
                let id = ChunkId { object, number, chunk_bytes: inner.chunk_bytes };
                let (facts, chunk) = inner.file.read(&id, &inner.counters)?;
                Some((facts, Bytes::from(chunk)))
            };
            wanted.map(read).collect()
        };
        let found = match tokio::runtime::Handle::try_current() {
            // The runtime may be shutting down: then nothing is found.
            Ok(runtime) => runtime.spawn_blocking(read).await.unwrap_or_default(),
            Err(_) => read(),
        };
        let mut facts = found.iter().flatten().map(|(facts, _)| facts);
        let first = facts.next();
        if found.is_empty() || facts.any(|facts| Some(facts) != first) {
            return numbers.map(|_| None).collect();
        }
        found
    }

    /// Writes the chunks that begin in `body`, which is `range` of an object, beside whatever else happens. `until_written` is
    /// dropped thereafter.
    pub(super) fn keep<T: Send + 'static>(
        &self,
        object: Identity,
        facts: Facts,
        range: Range<u64>,
        body: Bytes,
        until_written: T,
    ) {
        let chunk_bytes = self.geometry().chunk_bytes();
        let chunks: Vec<(u64, Bytes)> = plan::chunks_within(&range, facts.size, chunk_bytes)
            .filter_map(|(number, bytes)| {
                let start = usize::try_from(bytes.start - range.start).ok()?;
                let end = usize::try_from(bytes.end - range.start).ok()?;
                (end <= body.len()).then(|| (number, body.slice(start..end)))
            })
            .collect();
        let bytes = body.len() as u64;
        if chunks.is_empty() {
            return;
        }
        let inner = self.0.clone();
        if inner.waiting_bytes.fetch_add(bytes, Ordering::AcqRel) + bytes > MAX_WAITING_BYTES {
            inner.counters.skipped(chunks.len() as u64);
            inner.done(bytes);
            return;
        }
        let waiting = Waiting { inner, bytes };
        let write = move || {
            let inner = &waiting.inner;
            for (number, chunk) in chunks {
                let id = ChunkId { object, number, chunk_bytes: inner.chunk_bytes };
                inner.file.write(&id, &facts, &chunk, &inner.counters);
            }
            drop(until_written);
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(write)),
            Err(_) => write(),
        }
    }
}

impl Inner {
    fn done(&self, bytes: u64) {
        self.waiting_bytes.fetch_sub(bytes, Ordering::AcqRel);
        self.written.notify_waiters();
    }
}

/// Bytes that wait, until they are written or given up.
struct Waiting {
    inner: Arc<Inner>,
    bytes: u64,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.inner.done(self.bytes);
    }
}
