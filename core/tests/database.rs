//! The control plane: one writer a handle, the probe, what opening and flushing cost, and where the manifest may lie.

#![cfg(feature = "write")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod host;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::executor::block_on;
use isledb_core::format::layout::Layout;
use isledb_core::host::{
    Cost, GetOptions, GetResult, Host, ListPage, MemoryStore, Meter, Metered, MultipartUpload, ObjectMeta,
    ObjectStore, PutCondition, Requests, Version,
};
use isledb_core::manifest::{ManifestStorage, MemoryManifest, ObjectManifest};
use isledb_core::maybe::BoxFuture;
use isledb_core::read::ReaderOptions;
use isledb_core::write::WriterOptions;
use isledb_core::{Db, DbOptions, Error, Result};

use host::TestHost;

fn host() -> Arc<dyn Host> {
    Arc::new(TestHost::new())
}

fn memory() -> Arc<dyn ObjectStore> {
    Arc::new(MemoryStore::new(host()))
}

fn open(store: Arc<dyn ObjectStore>) -> Db {
    Db::open(store, host(), "db", DbOptions::default()).unwrap()
}

fn metered() -> (Db, Meter) {
    let store = Metered::new(memory());
    let meter = store.meter();
    (open(Arc::new(store)), meter)
}

/// Makes a database with one value.
async fn make(db: &Db) -> Result<()> {
    let writer = db.writer(WriterOptions::default()).await?;
    writer.put(b"k", b"v").await?;
    writer.close().await
}

#[test]
fn what_one_handle_writes_another_reads() {
    let store = memory();
    block_on(async {
        make(&open(store.clone())).await.unwrap();
        let reader = open(store).reader(ReaderOptions::default()).await.unwrap();
        assert!(reader.exists());
        assert_eq!(reader.get(b"k").await.unwrap().as_deref(), Some(&b"v"[..]));
    });
}

#[test]
fn a_prefix_without_a_database_opens_empty() {
    block_on(async {
        let reader = open(memory()).reader(ReaderOptions::default()).await.unwrap();
        assert!(!reader.exists());
        assert_eq!(reader.get(b"k").await.unwrap(), None);
        assert!(!reader.refresh().await.unwrap());
    });
}

#[test]
fn a_handle_has_one_writer_at_a_time() {
    let db = open(memory());
    block_on(async {
        let first = db.writer(WriterOptions::default()).await.unwrap();
        let second = db.writer(WriterOptions::default()).await;
        assert!(matches!(second, Err(Error::InvalidArgument { .. })));
        first.close().await.unwrap();
        let third = db.writer(WriterOptions::default()).await.unwrap();
        assert!(db.writer(WriterOptions::default()).await.is_err());
        drop(third);
        db.writer(WriterOptions::default()).await.unwrap();
    });
}

#[test]
fn another_handle_takes_over_or_is_told_who_holds_the_role() {
    let store = memory();
    block_on(async {
        let old = open(store.clone()).writer(WriterOptions::default()).await.unwrap();
        let polite = WriterOptions { takeover: false, ..WriterOptions::default() };
        let refused = open(store.clone()).writer(polite).await;
        assert!(matches!(refused, Err(Error::Fenced { role: "writer", epoch: 1, .. })));
        let new = open(store).writer(WriterOptions::default()).await.unwrap();
        assert!(new.previous_owner().unwrap().owner.starts_with("isledb~"));
        old.put(b"k", b"lost").await.unwrap();
        assert!(matches!(old.flush().await, Err(Error::Fenced { epoch: 2, .. })));
        assert!(matches!(old.put(b"k", b"lost").await, Err(Error::Fenced { .. })), "it is told for good");
    });
}

#[test]
fn a_flush_is_three_requests_in_three_rounds() {
    let (db, meter) = metered();
    block_on(async {
        let writer = db.writer(WriterOptions::default()).await.unwrap();
        for i in 0..3 {
            let span = meter.span();
            writer.put(b"key", &[i; 100]).await.unwrap();
            writer.flush().await.unwrap();
            let Cost { get, put, list, round_trips, .. } = span.cost();
            assert_eq!((get, put, list, round_trips), (0, 3, 0, 3));
        }
        let span = meter.span();
        writer.flush().await.unwrap();
        writer.close().await.unwrap();
        assert_eq!(span.cost().requests(), 0, "there was nothing to flush");
    });
}

#[test]
fn a_writer_opens_on_a_live_database_in_five_requests_at_most() {
    let (db, meter) = metered();
    block_on(async {
        make(&db).await.unwrap();
        let span = meter.span();
        db.writer(WriterOptions::default()).await.unwrap().close().await.unwrap();
        let cost = span.cost();
        assert_eq!((cost.requests(), cost.round_trips), (3, 3), "all of the window is inline");

        // With a snapshot, and a window behind it.
        let writer = db.writer(WriterOptions::default()).await.unwrap();
        for i in 0..40_u64 {
            writer.put(&i.to_be_bytes(), b"v").await.unwrap();
            writer.flush().await.unwrap();
        }
        writer.close().await.unwrap();
        assert!(!db.load_view().await.unwrap().current.snapshot.is_empty());
        let span = meter.span();
        db.writer(WriterOptions::default()).await.unwrap().close().await.unwrap();
        let cost = span.cost();
        assert_eq!((cost.requests(), cost.round_trips), (4, 4));
    });
}

#[test]
fn the_probe_costs_six_requests_once_and_runs_beside_the_claims_reads() {
    block_on(async {
        let (db, meter) = metered();
        let span = meter.span();
        db.writer(WriterOptions::default()).await.unwrap();
        let with = span.cost();

        let store = Metered::new(memory());
        let meter = store.meter();
        let options = DbOptions { probe: false, ..DbOptions::default() };
        let db = Db::open(Arc::new(store), host(), "db", options).unwrap();
        let span = meter.span();
        db.writer(WriterOptions::default()).await.unwrap();
        let without = span.cost();

        assert_eq!(without.requests(), 4, "CURRENT, the log's list, slot, CURRENT");
        assert_eq!(with.requests(), without.requests() + 6);
        assert_eq!((without.round_trips, with.round_trips), (4, 7), "4 rounds, beside the list's one");
    });
}

/// A store that takes conditions and does not mind them.
struct Careless(MemoryStore);

impl ObjectStore for Careless {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        self.0.get(key, options)
    }
    fn get_ranges<'a>(&'a self, key: &'a str, ranges: &'a [Range<u64>]) -> BoxFuture<'a, Result<Vec<Bytes>>> {
        self.0.get_ranges(key, ranges)
    }
    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<ObjectMeta>> {
        self.0.head(key)
    }
    fn put<'a>(&'a self, key: &'a str, body: Bytes, _: PutCondition) -> BoxFuture<'a, Result<Version>> {
        self.0.put(key, body, PutCondition::None)
    }
    fn put_multipart<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>> {
        self.0.put_multipart(key)
    }
    fn list<'a>(&'a self, prefix: &'a str, start_after: Option<&'a str>) -> BoxFuture<'a, Result<ListPage>> {
        self.0.list(prefix, start_after)
    }
    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        self.0.delete(keys)
    }
}

#[test]
fn a_store_that_ignores_conditions_is_refused_before_anything_is_written() {
    let store = Arc::new(Careless(MemoryStore::new(host())));
    block_on(async {
        let refused = open(store.clone()).writer(WriterOptions::default()).await;
        assert!(matches!(refused, Err(Error::Unsupported { .. })));
        assert!(store.list("", None).await.unwrap().objects.is_empty(), "also the probe is gone again");
    });
}

#[test]
fn the_manifest_may_lie_elsewhere() {
    let layout = Layout::new("manifests/of/db").unwrap();
    let elsewhere = memory();
    let object = ObjectManifest::new(Requests::new(elsewhere.clone(), host()), layout.clone());
    let storages: [Arc<dyn ManifestStorage>; 2] = [Arc::new(object), Arc::new(MemoryManifest::new(layout))];
    for manifest in storages {
        let store = memory();
        let options = DbOptions { manifest: Some(manifest), ..DbOptions::default() };
        block_on(async {
            make(&Db::open(store.clone(), host(), "db", options.clone()).unwrap()).await.unwrap();
            let reader = Db::open(store.clone(), host(), "db", options).unwrap();
            let reader = reader.reader(ReaderOptions::default()).await.unwrap();
            assert_eq!(reader.get(b"k").await.unwrap().as_deref(), Some(&b"v"[..]));
            let tables = store.list("", None).await.unwrap().objects;
            assert!(tables.iter().all(|object| object.key.starts_with("db/sstable/")), "{tables:?}");
            assert!(!open(store).reader(ReaderOptions::default()).await.unwrap().exists());
        });
    }
    let manifest = block_on(elsewhere.list("", None)).unwrap().objects;
    assert!(manifest.iter().all(|object| object.key.starts_with("manifests/of/db/manifest/")));
    assert!(!manifest.is_empty());
}

#[test]
fn a_copied_prefix_opens_under_another_name() {
    let store = memory();
    block_on(async {
        let db = open(store.clone());
        let writer = db.writer(WriterOptions::default()).await.unwrap();
        for i in 0..40_u64 {
            writer.put(&i.to_be_bytes(), b"v").await.unwrap();
            writer.flush().await.unwrap();
        }
        writer.close().await.unwrap();
        let copy = memory();
        for object in store.list("db/", None).await.unwrap().objects {
            let body = store.get(&object.key, GetOptions::default()).await.unwrap().body;
            let body = body.collect(&object.key, object.size).await.unwrap();
            copy.put(&object.key.replacen("db/", "else/where/", 1), body, PutCondition::None).await.unwrap();
        }
        let db = Db::open(copy, host(), "else/where", DbOptions::default()).unwrap();
        let writer = db.writer(WriterOptions::default()).await.unwrap();
        writer.put(&41_u64.to_be_bytes(), b"v").await.unwrap();
        writer.close().await.unwrap();
        let reader = db.reader(ReaderOptions::default()).await.unwrap();
        for i in [0_u64, 39, 41] {
            assert!(reader.get(&i.to_be_bytes()).await.unwrap().is_some(), "{i}");
        }
    });
}
