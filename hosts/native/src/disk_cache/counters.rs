//! What a disk cache did.

use std::sync::atomic::{AtomicU64, Ordering};

use metrics::counter;

/// What a [`DiskCache`](super::DiskCache) of this process did since it was opened. A read counts each chunk that it touches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskCacheCounters {
    /// Chunks that were found.
    pub hits: u64,
    /// Chunks that were not.
    pub misses: u64,
    /// Bytes that reads got from the cache.
    pub read_bytes: u64,
    /// Bytes of chunks that were written to the cache.
    pub written_bytes: u64,
    /// Chunks that made room for others.
    pub evictions: u64,
    /// Chunks that did not stand the check of their content: damage, or somebody writing at that moment. Misses as well.
    pub rejected: u64,
    /// Chunks that were not kept because too many waited to be written.
    pub skipped: u64,
    /// What the file system refused: opening, reading, writing.
    pub errors: u64,
}

/// The counters, and the same for a recorder of [`metrics`].
#[derive(Debug, Default)]
pub(super) struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    read_bytes: AtomicU64,
    written_bytes: AtomicU64,
    evictions: AtomicU64,
    rejected: AtomicU64,
    skipped: AtomicU64,
    errors: AtomicU64,
}

impl Counters {
    pub(super) fn hits(&self, chunks: u64, bytes: u64) {
        self.hits.fetch_add(chunks, Ordering::Relaxed);
        self.read_bytes.fetch_add(bytes, Ordering::Relaxed);
        counter!("isledb_disk_cache_hits_total").increment(chunks);
        counter!("isledb_disk_cache_read_bytes_total").increment(bytes);
    }

    pub(super) fn misses(&self, chunks: u64) {
        self.misses.fetch_add(chunks, Ordering::Relaxed);
        counter!("isledb_disk_cache_misses_total").increment(chunks);
    }

    pub(super) fn written(&self, bytes: u64) {
        self.written_bytes.fetch_add(bytes, Ordering::Relaxed);
        counter!("isledb_disk_cache_written_bytes_total").increment(bytes);
    }

    pub(super) fn eviction(&self) {
        self.evictions.fetch_add(1, Ordering::Relaxed);
        counter!("isledb_disk_cache_evictions_total").increment(1);
    }

    pub(super) fn rejected(&self) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
        counter!("isledb_disk_cache_rejected_total").increment(1);
    }

    pub(super) fn skipped(&self, chunks: u64) {
        self.skipped.fetch_add(chunks, Ordering::Relaxed);
        counter!("isledb_disk_cache_skipped_total").increment(chunks);
    }

    pub(super) fn error(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        counter!("isledb_disk_cache_errors_total").increment(1);
    }

    pub(super) fn now(&self) -> DiskCacheCounters {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        DiskCacheCounters {
            hits: of(&self.hits),
            misses: of(&self.misses),
            read_bytes: of(&self.read_bytes),
            written_bytes: of(&self.written_bytes),
            evictions: of(&self.evictions),
            rejected: of(&self.rejected),
            skipped: of(&self.skipped),
            errors: of(&self.errors),
        }
    }
}
