//! Readers, views, tailers and coordinators need one right: to get objects whose names they know. They write nothing, list
//! nothing, ask for no head; and a store that says 403 for a missing name, as S3 does to whoever may not list, is enough.

#![cfg(feature = "write")]
#![allow(clippy::unwrap_used, reason = "what a test cannot unwrap fails it")]

mod bucket;
mod host;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::executor::block_on;
use isledb_core::format::manifest::{Compaction, Op, SortedRun, SstMeta};
use isledb_core::format::sst::TableOptions;
use isledb_core::host::{
    GetOptions, GetResult, ListPage, MemoryStore, MultipartUpload, ObjectMeta, ObjectStore, PutCondition,
    Version,
};
use isledb_core::maybe::BoxFuture;
use isledb_core::read::{CatchUpOptions, Coordinator, Reader, ReaderOptions, ScanOptions};
use isledb_core::tail::{Change, TailOptions, TailStart, Tailer};
use isledb_core::write::WriterOptions;
use isledb_core::{Db, DbOptions, Error, ErrorKind, Result};

use bucket::made::Made;
use bucket::{TestClock, collect, fixtures, load, source};
use host::TestHost;

/// Lets get what is there. Everything else is refused, and noted.
#[derive(Clone)]
struct GetOnly {
    inner: Arc<dyn ObjectStore>,
    refused: Arc<AtomicU64>,
    /// What CURRENT was a moment ago: the first get of it answers with this.
    before: Arc<Mutex<Option<MemoryStore>>>,
}

impl GetOnly {
    fn new(inner: impl ObjectStore) -> GetOnly {
        GetOnly { inner: Arc::new(inner), refused: Arc::default(), before: Arc::default() }
    }

    /// Nothing but gets was tried.
    fn assert_only_got(&self) {
        assert_eq!(self.refused.load(Ordering::Relaxed), 0);
    }

    fn refuse(&self, what: &str) -> Error {
        self.refused.fetch_add(1, Ordering::Relaxed);
        Error::Permission { object: what.to_owned(), message: "this key may only get".to_owned() }
    }
}

impl ObjectStore for GetOnly {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        Box::pin(async move {
            let before = key.ends_with("CURRENT").then(|| self.before.lock().unwrap().take()).flatten();
            let got = match &before {
                Some(before) => before.get(key, options).await,
                None => self.inner.get(key, options).await,
            };
            got.map_err(|error| match error {
                Error::NotFound { object } => Error::Permission { object, message: "403".to_owned() },
                error => error,
            })
        })
    }
    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<ObjectMeta>> {
        Box::pin(async move { Err(self.refuse(key)) })
    }
    fn put<'a>(&'a self, key: &'a str, _: Bytes, _: PutCondition) -> BoxFuture<'a, Result<Version>> {
        Box::pin(async move { Err(self.refuse(key)) })
    }
    fn put_multipart<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>> {
        Box::pin(async move { Err(self.refuse(key)) })
    }
    fn list<'a>(&'a self, prefix: &'a str, _: Option<&'a str>) -> BoxFuture<'a, Result<ListPage>> {
        Box::pin(async move { Err(self.refuse(prefix)) })
    }
    fn delete<'a>(&'a self, _: &'a [String]) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        Box::pin(async move { Err(self.refuse("some objects")) })
    }
}

fn db(store: Arc<dyn ObjectStore>) -> Db {
    Db::open(store, Arc::new(TestHost::new()), "db", DbOptions::default()).unwrap()
}

async fn drain(tailer: &mut Tailer) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    while let Some(change) = tailer.try_next().await? {
        changes.push(change);
    }
    Ok(changes)
}

fn tail(start: TailStart) -> TailOptions {
    TailOptions { start, ..TailOptions::default() }
}

#[test]
fn everything_that_reads_works() {
    let memory = MemoryStore::new(Arc::new(TestHost::new()));
    let store = GetOnly::new(memory.clone());
    block_on(async {
        let writing = db(Arc::new(memory));
        let writer = writing
            .writer(WriterOptions { blob_threshold: 1_000, ..WriterOptions::default() })
            .await
            .unwrap();
        // So many flushes that there are snapshots, and slots below the window.
        for i in 0..40_u32 {
            writer.put(format!("k{i:02}").as_bytes(), &[i as u8; 10]).await.unwrap();
            writer.put(b"blob", &[i as u8; 2_000]).await.unwrap();
            writer.delete(b"gone").await.unwrap();
            writer.flush().await.unwrap();
        }
        let db = db(Arc::new(store.clone()));
        let reader = db.reader(ReaderOptions::default()).await.unwrap();
        assert_eq!(reader.get(b"k07").await.unwrap().as_deref(), Some(&[7; 10][..]));
        assert_eq!(reader.get(b"blob").await.unwrap().as_deref(), Some(&[39; 2_000][..]));
        assert_eq!(reader.get(b"gone").await.unwrap(), None);
        assert_eq!(collect(reader.scan(ScanOptions::default()).await.unwrap()).await.unwrap().len(), 41);
        let (begin, now) = (db.tailer(tail(TailStart::Begin)).await, db.tailer(tail(TailStart::Now)).await);
        let (mut begin, mut now) = (begin.unwrap(), now.unwrap());
        let mut bootstrap = db.tailer(tail(TailStart::Bootstrap)).await.unwrap();
        assert_eq!(drain(&mut begin).await.unwrap().len(), 120);
        assert_eq!(drain(&mut now).await.unwrap().len(), 0);
        assert_eq!(drain(&mut bootstrap).await.unwrap().len(), 41);

        let coordinator = db.coordinator(ReaderOptions::default()).await.unwrap();
        writer.put(b"new", b"value").await.unwrap();
        writer.flush().await.unwrap();
        let (view, changed) = coordinator.refresh().await.unwrap();
        assert!(changed);
        assert!(view.renew().await.unwrap().get_entry(b"new").await.unwrap().is_some());
        let caught_up =
            view.catch_up(&CatchUpOptions::default(), async |_| Ok::<_, Error>(())).await.unwrap();
        assert_eq!(caught_up.count, 42);
        let mut shared = coordinator.tailer(tail(TailStart::Cursor(now.cursor()))).await.unwrap();
        assert_eq!(shared.next_batch(10, 1_000).await.unwrap().len(), 1);
        for tailer in [&mut begin, &mut now, &mut bootstrap] {
            assert_eq!(&drain(tailer).await.unwrap()[0].key[..], b"new");
        }
        assert!(reader.refresh().await.unwrap());
        reader.wait_for(writer.committed_sequence()).await.unwrap();
    });
    store.assert_only_got();
}

#[test]
fn no_database_and_no_right_cannot_be_told_apart_and_the_error_says_both() {
    let store = GetOnly::new(MemoryStore::new(TestClock::new()));
    let source = source(Arc::new(store.clone()), TestClock::new(), "db");
    let reader = block_on(Reader::open(source.clone(), ReaderOptions::default())).map(drop);
    let tailer = block_on(Tailer::open(source.clone(), TailOptions::default())).map(drop);
    let coordinator = block_on(Coordinator::open(source, ReaderOptions::default())).map(drop);
    for error in [reader.unwrap_err(), tailer.unwrap_err(), coordinator.unwrap_err()] {
        assert_eq!((error.kind(), error.object()), (ErrorKind::Permission, Some("db/manifest/CURRENT")));
        assert!(error.to_string().contains("no such database, or no right to read it"), "{error}");
    }
    store.assert_only_got();
}

/// A table of ten keys with this prefix.
fn table(made: &mut Made, prefix: &str, sequence: u64) -> Arc<SstMeta> {
    let entries: Vec<_> = (0..10).map(|i| (format!("{prefix}{i}").into_bytes(), sequence + i)).collect();
    let entries = entries.iter().map(|(key, sequence)| (&key[..], *sequence, Some(&b"value"[..])));
    made.table(TableOptions::default(), entries)
}

fn made() -> Made {
    Made::new(MemoryStore::new(TestClock::new()))
}

fn delete(made: &Made, object: String) {
    block_on(made.store.delete(&[object])).unwrap();
}

#[test]
fn an_object_of_an_older_view_that_is_gone_leads_to_a_newer_view() {
    let mut made = made();
    let old = table(&mut made, "k", 1);
    made.add(&old);
    made.publish();
    let store = GetOnly::new(made.store.clone());
    let source = source(Arc::new(store.clone()), TestClock::new(), "db");
    let reader = block_on(Reader::open(source, ReaderOptions::default())).unwrap();
    let view = reader.view();
    let new = table(&mut made, "k", 1);
    made.log(Op::Compaction(Compaction {
        remove_sstable_ids: vec![old.id.clone()],
        add_sorted_run: Some(SortedRun { id: 0, ssts: vec![new] }),
        ..Compaction::default()
    }));
    made.publish();
    delete(&made, made.layout.sst(&old.id));
    block_on(async {
        let all = CatchUpOptions::default();
        assert_eq!(view.get(b"k1").await.unwrap_err().kind(), ErrorKind::Expired);
        assert_eq!(view.scan(&ScanOptions::default()).next().await.unwrap_err().kind(), ErrorKind::Expired);
        let stopped = view.catch_up(&all, async |_| Ok::<_, Error>(())).await.unwrap_err();
        assert_eq!(stopped.cause.kind(), ErrorKind::Expired);
        assert!(view.renew().await.unwrap().get(b"k1").await.unwrap().is_some());
        assert!(reader.get(b"k1").await.unwrap().is_some());
        assert_eq!(reader.catch_up_current(&all, async |_| Ok::<_, Error>(())).await.unwrap().count, 10);
    });
    store.assert_only_got();
}

#[test]
fn a_snapshot_that_goes_while_current_is_read_leads_to_the_newer_current() {
    let mut made = made();
    let meta = table(&mut made, "k", 1);
    made.add(&meta);
    made.snapshot();
    made.publish();
    let current = block_on(made.store.get("db/manifest/CURRENT", GetOptions::default())).unwrap();
    let (size, version) = (current.meta.size, current.meta.version.unwrap());
    let body = block_on(current.body.collect("CURRENT", size)).unwrap();
    let before = MemoryStore::new(TestClock::new());
    // No version of the frozen store is one of the living one.
    let frozen = block_on(before.put("db/manifest/CURRENT", body, PutCondition::None)).unwrap();
    assert_ne!(frozen, version);
    let snapshots = block_on(made.store.list("db/manifest/snapshots/", None)).unwrap().objects;
    let later = table(&mut made, "l", 11);
    made.add(&later);
    made.snapshot();
    made.publish();
    delete(&made, snapshots[0].key.clone());

    let store = GetOnly::new(made.store.clone());
    *store.before.lock().unwrap() = Some(before);
    let source = source(Arc::new(store.clone()), TestClock::new(), "db");
    let reader = block_on(Reader::open(source, ReaderOptions::default())).unwrap();
    assert!(block_on(reader.get(b"l3")).unwrap().is_some());
    store.assert_only_got();
}

#[test]
fn a_table_that_was_swept_without_a_floor_expires_the_cursor() {
    // The original swept what it had compacted; its CURRENT says nothing of how far the feed reaches back.
    let folder = fixtures().join("gc-swept");
    let store = GetOnly::new(load(&folder.join("bucket"), TestClock::new()));
    let source = source(Arc::new(store.clone()), TestClock::new(), "db");
    block_on(async {
        let mut tailer = Tailer::open(source.clone(), tail(TailStart::Begin)).await.unwrap();
        let error = drain(&mut tailer).await.unwrap_err();
        let Error::CursorExpired { oldest, .. } = error else { panic!("{error}") };
        let start = TailStart::Cursor(oldest.parse().unwrap());
        assert_eq!(drain(&mut Tailer::open(source.clone(), tail(start)).await.unwrap()).await.unwrap(), []);
        let mut bootstrap = Tailer::open(source, tail(TailStart::Bootstrap)).await.unwrap();
        assert!(!drain(&mut bootstrap).await.unwrap().is_empty());
    });
    store.assert_only_got();
}

#[test]
fn an_object_that_is_there_and_may_not_be_read_is_a_lack_of_permission() {
    let mut made = made();
    let meta = table(&mut made, "k", 1);
    made.add(&meta);
    made.publish();
    delete(&made, made.layout.sst(&meta.id));
    // As far as anybody can tell who gets 403 for it, the same view again.
    let store = GetOnly::new(made.store.clone());
    let source = source(Arc::new(store.clone()), TestClock::new(), "db");
    let object = made.layout.sst(&meta.id);
    block_on(async {
        let reader = Reader::open(source.clone(), ReaderOptions::default()).await.unwrap();
        let error = reader.get(b"k1").await.unwrap_err();
        assert_eq!((error.kind(), error.object()), (ErrorKind::Permission, Some(&object[..])));
        let mut tailer = Tailer::open(source, tail(TailStart::Begin)).await.unwrap();
        let error = drain(&mut tailer).await.unwrap_err();
        assert_eq!((error.kind(), error.object()), (ErrorKind::Permission, Some(&object[..])));
    });
    store.assert_only_got();
}
