//! The disk cache: what it asks of the store and what not, and that a restart finds it again.

#![allow(clippy::unwrap_used)] // functions of tests, which clippy does not take for tests

mod cached;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use isledb::host::{GetOptions, Metered, ObjectStore, PutCondition};
use isledb::read::{ReaderOptions, ScanOptions};
use isledb::write::WriterOptions;
use isledb::{Db, DbOptions, DiskCache, DiskCacheOptions, Error, StoreOptions, TokioHost};

use cached::{Cached, content, get, table};

const CHUNK: u64 = 4096;

#[tokio::test]
async fn what_was_read_once_needs_no_request_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let first = Cached::over_new_store(folder.path(), CHUNK).await;
    let body = first.put_table(0, 100_000).await;
    assert_eq!(get(&first.store, &table(0), Some(30_000..35_000)).await.unwrap(), body[30_000..35_000]);
    assert_eq!(first.requests(), 1);
    assert_eq!(get(&first.store, &table(0), Some(31_000..32_000)).await.unwrap(), body[31_000..32_000]);
    first.cache.settled().await;
    assert_eq!(get(&first.store, &table(0), Some(31_000..32_000)).await.unwrap(), body[31_000..32_000]);

    let second = first.reopened(folder.path(), CHUNK);
    let got = second.store.get(&table(0), options(Some(33_000..34_000))).await.unwrap();
    assert_eq!((got.meta.size, got.range.clone()), (100_000, 33_000..34_000));
    assert_eq!(
        got.meta.version,
        first.bare.head(&table(0)).await.unwrap().version,
        "the version of the store"
    );
    assert_eq!(got.body.collect("", 1_000).await.unwrap(), body[33_000..34_000]);
    assert_eq!(second.requests(), 0);
    assert_eq!(second.cache.counters().read_bytes, 1_000);
}

fn options(range: Option<std::ops::Range<u64>>) -> GetOptions {
    GetOptions { range, if_none_match: None }
}

#[tokio::test]
async fn a_read_costs_one_request_of_a_few_chunks_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let at = Cached::over_new_store(folder.path(), CHUNK).await;
    at.put_table(0, 1_000_000).await;
    // As a reader begins: the end of the object, which tells its size.
    get(&at.store, &table(0), Some(999_000..1_000_000)).await.unwrap();
    let after_tail = at.meter.cost();
    assert_eq!(
        (after_tail.get, after_tail.bytes_read),
        (1, 1_000_000 - 243 * CHUNK),
        "to the border of a chunk"
    );
    at.cache.settled().await;

    // Four bytes: a chunk. Across a border: two, neighbours in one request.
    get(&at.store, &table(0), Some(10_000..10_004)).await.unwrap();
    let (gets, bytes) = at.since(&after_tail);
    assert_eq!((gets, bytes), (1, CHUNK));
    at.cache.settled().await;
    get(&at.store, &table(0), Some(3 * CHUNK - 1..3 * CHUNK + 1)).await.unwrap();
    let (gets, bytes) = at.since(&after_tail);
    assert_eq!((gets, bytes), (2, 2 * CHUNK), "the first of the two is there");
    at.cache.settled().await;

    // Missing on both sides of what is there: still one request.
    let before = at.meter.cost();
    get(&at.store, &table(0), Some(CHUNK..6 * CHUNK)).await.unwrap();
    assert_eq!(at.since(&before), (1, 5 * CHUNK));
    assert_eq!(at.cache.counters().errors, 0);
}

#[tokio::test]
async fn what_is_unknown_is_not_asked_for_beyond_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let at = Cached::over_new_store(folder.path(), CHUNK).await;
    let body = at.put_table(0, 5_000).await;
    // Nobody knows yet that the object ends at 5,000: asking for a whole second chunk would be refused.
    for range in [4_100..4_200, 0..5_000, 4_999..5_000] {
        let got = get(&at.store, &table(0), Some(range.clone())).await.unwrap();
        assert_eq!(got, body[range.start as usize..range.end as usize]);
    }
    assert!(matches!(get(&at.store, &table(0), Some(4_000..5_001)).await, Err(Error::Corrupt { .. })));
    assert!(matches!(get(&at.store, &table(1), Some(0..1)).await, Err(Error::NotFound { .. })));
    assert!(matches!(get(&at.store, &table(1), None).await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn whole_objects_come_from_their_chunks() {
    let folder = tempfile::tempdir().unwrap();
    let at = Cached::over_new_store(folder.path(), CHUNK).await;
    let snapshot = "db/manifest/snapshots/0ujsszwN8NRY24YaXiTIE2VWDTS.manifest";
    let body = content(7, 50_000);
    at.bare.put(snapshot, body.clone(), PutCondition::None).await.unwrap();
    at.bare.put(&table(3), Bytes::new(), PutCondition::None).await.unwrap();
    for requests in [1, 1, 1] {
        assert_eq!(get(&at.store, snapshot, None).await.unwrap(), body);
        at.cache.settled().await;
        assert_eq!(at.requests(), requests);
    }
    assert_eq!(get(&at.store, &table(3), None).await.unwrap(), "");
}

#[tokio::test]
async fn what_changes_is_never_kept() {
    let folder = tempfile::tempdir().unwrap();
    let at = Cached::over_new_store(folder.path(), CHUNK).await;
    for name in
        ["db/manifest/CURRENT", "db/manifest/log/00000000000000000001.json", "db/manifest/gc/checkpoint.json"]
    {
        for round in 0..3 {
            let body = content(round, 9_000);
            let version = at.store.put(name, body.clone(), PutCondition::None).await.unwrap();
            assert_eq!(get(&at.store, name, None).await.unwrap(), body);
            assert_eq!(get(&at.store, name, Some(5..5_000)).await.unwrap(), body[5..5_000]);
            let known = GetOptions { range: None, if_none_match: Some(version) };
            assert!(matches!(at.store.get(name, known).await, Err(Error::NotModified { .. })));
        }
    }
    at.cache.settled().await;
    assert_eq!((at.cache.counters().written_bytes, at.cache.counters().misses), (0, 0));
}

#[tokio::test]
async fn stores_in_one_folder_do_not_mix() {
    let folder = tempfile::tempdir().unwrap();
    let one = Cached::over_new_store(folder.path(), CHUNK).await;
    let other = Cached::over_new_store(folder.path(), CHUNK).await;
    let here = one.put_table(0, 20_000).await;
    let there = content(99, 20_000);
    other.bare.put(&table(0), there.clone(), PutCondition::None).await.unwrap();
    for _ in 0..2 {
        assert_eq!(get(&one.store, &table(0), Some(0..20_000)).await.unwrap(), here);
        assert_eq!(get(&other.store, &table(0), Some(0..20_000)).await.unwrap(), there);
        one.cache.settled().await;
        other.cache.settled().await;
    }
    assert_eq!((one.requests(), other.requests()), (1, 1));
}

/// All at once, overlapping: each chunk is asked for once. One of the callers goes away in the middle.
#[tokio::test]
async fn what_is_under_way_is_not_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let at = Cached::over_slow_store(folder.path(), CHUNK, Duration::from_millis(300)).await;
    let body = at.put_table(0, 100_000).await;
    get(&at.store, &table(0), Some(99_000..100_000)).await.unwrap();
    at.cache.settled().await;
    let before = at.meter.cost();
    let impatient = {
        let store = at.store.clone();
        tokio::spawn(async move { get(&store, &table(0), Some(0..10_000)).await })
    };
    at.until_gets_begin(2).await;
    let reads = (0..20_u64).map(|i| {
        let range = i * 400..i * 400 + 2_000;
        let (store, expected) = (at.store.clone(), body.slice(range.start as usize..range.end as usize));
        async move { assert_eq!(get(&store, &table(0), Some(range)).await.unwrap(), expected) }
    });
    let reads = futures::future::join_all(reads);
    let leaving = async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        impatient.abort();
    };
    futures::join!(reads, leaving);
    assert_eq!(at.since(&before), (1, 3 * CHUNK), "one request for all of them");
}

#[tokio::test]
async fn a_failure_is_everybodys_and_nobodys_for_long() {
    let folder = tempfile::tempdir().unwrap();
    let at = Cached::over_slow_store(folder.path(), CHUNK, Duration::from_millis(5)).await;
    let body = at.put_table(0, 20_000).await;
    at.fail_next_gets(1);
    let (name, all) = (table(0), Some(0..20_000));
    let (one, other) = futures::join!(get(&at.store, &name, all.clone()), get(&at.store, &name, all));
    assert!(matches!(one, Err(Error::Unavailable { .. })) && matches!(other, Err(Error::Unavailable { .. })));
    assert_eq!(get(&at.store, &table(0), Some(0..20_000)).await.unwrap(), body);
}

/// A hundred times its bound goes through; what is used again and again stays.
#[tokio::test]
async fn what_is_used_stays_and_the_bound_holds() {
    let folder = tempfile::tempdir().unwrap();
    let at = Cached::over_new_store(folder.path(), CHUNK).await;
    let hot = at.put_table(0, 64 * CHUNK).await;
    get(&at.store, &table(0), Some(0..64 * CHUNK)).await.unwrap();
    at.put_table(1, 8 << 20).await;
    for round in 0..16 {
        at.cache.settled().await;
        // Uses are noted once a second; here a second passes by setting the notes back.
        cached::age(folder.path(), 2_000);
        assert_eq!(get(&at.store, &table(0), Some(0..64 * CHUNK)).await.unwrap(), hot);
        get(&at.store, &table(1), Some(round << 19..(round + 1) << 19)).await.unwrap();
        at.cache.settled().await;
        assert!(cached::bytes_in(folder.path()) <= at.max_bytes, "{}", cached::bytes_in(folder.path()));
    }
    let counters = at.cache.counters();
    assert!(counters.evictions > 1_000, "{counters:?}");
    assert!(at.requests() <= 1 + 16, "the hot table was read again: {} requests", at.requests());
}

#[tokio::test]
async fn large_reads_pass_by() {
    let folder = tempfile::tempdir().unwrap();
    let at = Cached::over_new_store(folder.path(), CHUNK).await;
    let size = isledb::disk_cache::MAX_READ_BYTES + 1;
    let body = at.put_table(0, size).await;
    assert_eq!(get(&at.store, &table(0), Some(0..size)).await.unwrap(), body);
    assert_eq!(get(&at.store, &table(0), None).await.unwrap(), body);
    at.cache.settled().await;
    assert_eq!((at.requests(), at.cache.counters().written_bytes), (2, 0));
}

#[tokio::test]
async fn a_database_opens_through_it() {
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let url = folder.path().join("db");
    let url = url.to_str().unwrap();
    let store = StoreOptions {
        disk_cache: Some(DiskCacheOptions { max_bytes: 4 << 20, ..DiskCacheOptions::new(cache.path()) }),
        ..StoreOptions::default()
    };
    let open = || isledb::open_with(url, &store, DbOptions::default()).unwrap();
    let writer = open().writer(WriterOptions::default()).await.unwrap();
    for i in 0..500_u32 {
        writer.put(format!("key-{i:05}").as_bytes(), &i.to_le_bytes().repeat(50)).await.unwrap();
    }
    writer.flush().await.unwrap();
    writer.close().await.unwrap();
    let count = || async {
        let reader = open().reader(ReaderOptions::default()).await.unwrap();
        let mut scan = reader.scan(ScanOptions::default()).await.unwrap();
        let mut rows = 0;
        while scan.next().await.unwrap().is_some() {
            rows += 1;
        }
        rows
    };
    assert_eq!(count().await, 500);
    // It is filled beside the read.
    let filled = async {
        while cached::bytes_in(cache.path()) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), filled).await.unwrap();

    // In another process, a cold get asks for CURRENT and nothing else.
    let opened = isledb::open_store(url, &StoreOptions::default()).unwrap();
    let counted = Metered::new(opened.store);
    let meter = counted.meter();
    let disk_cache = DiskCache::open(store.disk_cache.as_ref().unwrap()).unwrap();
    let through = Arc::new(disk_cache.over(Arc::new(counted), &opened.address.unwrap()));
    let db = Db::open(through, Arc::new(TokioHost::new()), &opened.prefix, DbOptions::default()).unwrap();
    let reader = db.reader(ReaderOptions::default()).await.unwrap();
    assert_eq!(reader.get(b"key-00123").await.unwrap().unwrap(), 123_u32.to_le_bytes().repeat(50));
    assert_eq!(meter.cost().requests(), 1);

    let refused = StoreOptions {
        disk_cache: Some(DiskCacheOptions { max_bytes: 7, ..DiskCacheOptions::new(cache.path()) }),
        ..StoreOptions::default()
    };
    let error = isledb::open_with(url, &refused, DbOptions::default()).err().unwrap();
    assert!(error.to_string().contains("disk_cache.max_bytes"), "{error}");
}

/// Of every store that a URL opens, what tells it apart.
#[tokio::test]
async fn stores_have_addresses() {
    let address = |url: &str| isledb::open_store(url, &StoreOptions::default()).unwrap().address;
    let folder = tempfile::tempdir().unwrap();
    let db = |name: &str| address(folder.path().join(name).to_str().unwrap());
    assert_eq!(db("a"), db("b"), "two prefixes of one store");
    assert!(db("a").unwrap().ends_with(folder.path().canonicalize().unwrap().to_str().unwrap()));
    assert_eq!(address("memory:"), None);
    let store = Metered::new(Arc::new(isledb::host::MemoryStore::new(Arc::new(TokioHost::new()))));
    let cache = DiskCache::open(&DiskCacheOptions::new(folder.path())).unwrap();
    assert_eq!(cache.over(Arc::new(store), "x").cache().counters(), isledb::DiskCacheCounters::default());
}
