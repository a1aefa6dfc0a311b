//! The memory of a merge follows its options and not its input: counted by the allocator, against a store that keeps nothing of
//! what is written and copies what is read.

#![cfg(feature = "maintain")]
#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(unsafe_code, reason = "an allocator that counts")]

mod host;
mod maintain;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use futures::executor::block_on;
use isledb_core::format::sst::{Compression, TableOptions};
use isledb_core::host::{
    Body, GetOptions, GetResult, ListPage, MemoryStore, MultipartUpload, ObjectMeta, ObjectStore,
    PutCondition, Version,
};
use isledb_core::maintain::plan::merge::MergePolicy;
use isledb_core::maintain::{MaintenanceOptions, MergeOptions};
use isledb_core::maybe::BoxFuture;
use isledb_core::write::WriterOptions;
use isledb_core::{Db, DbOptions, Result};

use host::TestHost;
use maintain::eager;

/// Bytes that are allocated now, and the most since the last reset.
struct Counting;

static NOW: AtomicU64 = AtomicU64::new(0);
static MOST: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size() as u64, Ordering::Relaxed) + layout.size() as u64;
        MOST.fetch_max(now, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Once told to, forgets the tables that are put, and answers reads with a copy, as a network does.
struct Remote {
    inner: MemoryStore,
    forgets: Arc<AtomicBool>,
}

struct Forgotten;

impl MultipartUpload for Forgotten {
    fn put_part(&mut self, _: Bytes) -> BoxFuture<'static, Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }
    fn complete(self: Box<Self>) -> BoxFuture<'static, Result<Version>> {
        Box::pin(std::future::ready(Ok(Version::new("gone"))))
    }
    fn abort(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

impl ObjectStore for Remote {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        Box::pin(async move {
            let GetResult { meta, range, body } = self.inner.get(key, options).await?;
            let body = body.collect(key, range.end - range.start).await?;
            Ok(GetResult { meta, range, body: Body::once(Bytes::copy_from_slice(&body)) })
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
        if self.forgets.load(Ordering::Relaxed) && key.contains("sstable") {
            return Box::pin(std::future::ready(Ok(Version::new("gone"))));
        }
        self.inner.put(key, body, condition)
    }
    fn put_multipart<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>> {
        if !self.forgets.load(Ordering::Relaxed) {
            return self.inner.put_multipart(key);
        }
        let upload: Box<dyn MultipartUpload> = Box::new(Forgotten);
        Box::pin(std::future::ready(Ok(upload)))
    }
    fn list<'a>(&'a self, prefix: &'a str, start_after: Option<&'a str>) -> BoxFuture<'a, Result<ListPage>> {
        self.inner.list(prefix, start_after)
    }
    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        self.inner.delete(keys)
    }
}

/// Peak bytes of merging 8 flushes of `mib` MiB together, above what the inputs take in memory.
fn peak(mib: u64, merge: MergeOptions) -> u64 {
    block_on(async {
        let host = TestHost::new();
        let forgets = Arc::new(AtomicBool::new(false));
        let inner = MemoryStore::new(Arc::new(host.clone()));
        let store = Arc::new(Remote { inner, forgets: forgets.clone() });
        let options = DbOptions { probe: false, cache_bytes: 0, ..DbOptions::default() };
        let db = Db::open(store, Arc::new(host), "db", options).unwrap();
        let table = TableOptions { compression: Compression::None, ..TableOptions::default() };
        let writer = db
            .writer(WriterOptions { table, memtable_size: 1 << 30, ..WriterOptions::default() })
            .await
            .unwrap();
        let entries = (mib << 20) / 8 / 1_024;
        for round in 0..8_u64 {
            for n in 0..entries {
                writer
                    .put(format!("key{:010}", n * 8 + round).as_bytes(), &[round as u8; 1_000])
                    .await
                    .unwrap();
            }
            writer.flush().await.unwrap();
        }
        drop(writer);
        let options = MaintenanceOptions { merge: Some(merge), gc: None, ..MaintenanceOptions::default() };
        let mut owner = db.maintenance(options).await.unwrap();
        forgets.store(true, Ordering::Relaxed);
        let before = NOW.load(Ordering::Relaxed);
        MOST.store(before, Ordering::Relaxed);
        let report = owner.run_once().await.unwrap();
        assert_eq!((report.merges[0].tables_read, report.merges[0].entries_written), (8, entries * 8));
        MOST.load(Ordering::Relaxed) - before
    })
}

#[test]
fn the_memory_of_a_merge_does_not_follow_its_input() {
    let table = TableOptions { compression: Compression::None, ..TableOptions::default() };
    let policy = MergePolicy { l0_tables: 8, max_inputs: 8, ..eager().policy };
    let small = |table_size: u64| MergeOptions {
        policy: MergePolicy { table_size, ..policy.clone() },
        table: table.clone(),
        read_ahead: 512 << 10,
        ..eager()
    };
    // Tables of 1 MiB, each a put of its own: 8 inputs of 512 KiB, one table and its copy on the way out.
    let (half, whole) = (peak(32, small(1 << 20)), peak(64, small(1 << 20)));
    assert!(whole < 12 << 20, "{whole} bytes at most, to merge 64 MiB");
    assert!(whole < half + half / 4, "{half} bytes for 32 MiB, {whole} for 64 MiB");
    // One table of 64 MiB, in parts of 5 MiB, of which one fills and two are on their way.
    let in_parts = peak(64, MergeOptions { part_size: 5 << 20, ..small(128 << 20) });
    assert!(in_parts < 28 << 20, "{in_parts} bytes at most, to merge 64 MiB into one table");
}
