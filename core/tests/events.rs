//! What an observer hears, and that nobody pays for it where there is none.

#![cfg(feature = "write")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod host;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::executor::block_on;
use isledb_core::host::{Event, Host, MemoryStore, Observer, Requests};
use isledb_core::maybe::BoxFuture;
use isledb_core::read::{ReaderOptions, ScanOptions};
use isledb_core::tail::{TailOptions, TailStart};
use isledb_core::write::{WriteBatch, WriterOptions};
use isledb_core::{Db, DbOptions};

use host::TestHost;

/// Keeps every event as a line.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<String>>>);

impl Observer for Diary {
    fn observe(&self, event: &Event<'_>) {
        let ok = |ok: bool| if ok { "ok" } else { "failed" };
        let line = match event {
            Event::Write { puts, deletes, bytes } => format!("write {puts}+{deletes} {bytes} B"),
            Event::WriteRefused { .. } => "refused".to_owned(),
            Event::Backpressure { pending_bytes } => format!("backpressure {}", *pending_bytes > 0),
            Event::BlobPut { result, .. } => format!("blob put {} B", result.unwrap()),
            Event::Flush { result, .. } => format!("flush {:?}", result.map(|flushed| flushed.entries).ok()),
            Event::Refresh { result, age_ms, .. } => format!("refresh {:?} age {age_ms}", result.ok()),
            Event::Get { result, view_age_ms, .. } => format!("get {:?} age {view_age_ms}", result.ok()),
            Event::ScanEnd { entries, limited, error, .. } => {
                format!("scan {entries} limited {limited} {}", ok(error.is_none()))
            }
            Event::BlobFetch { result, .. } => format!("blob fetch {:?} B", result.ok()),
            Event::CacheLookup { part, hit } => format!("{part:?} {}", if *hit { "hit" } else { "miss" }),
            Event::RangeRead { requests, result, .. } => format!("range x{requests} {}", result.unwrap() > 0),
            Event::Delivered { changes, lag_ms, lag_slots } => {
                format!("delivered {changes} lag {lag_ms} ms {lag_slots} slots")
            }
            other => format!("{other:?}"),
        };
        self.0.lock().unwrap().push(line);
    }
}

impl Diary {
    /// The lines since the last call.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

fn watched() -> (Db, Diary, TestHost) {
    let (host, diary) = (TestHost::new(), Diary::default());
    let store = Arc::new(MemoryStore::new(Arc::new(host.clone())));
    let observer: Arc<dyn Observer> = Arc::new(diary.clone());
    let options = DbOptions { probe: false, observer: Some(observer), ..DbOptions::default() };
    (Db::open(store, Arc::new(host.clone()), "db", options).unwrap(), diary, host)
}

#[test]
fn a_writer_tells_of_writes_blobs_flushes_and_waiting() {
    let (db, diary, _) = watched();
    block_on(async {
        let options = WriterOptions {
            memtable_size: 4096,
            max_pending_memtables: 1,
            blob_threshold: 2048,
            ..WriterOptions::default()
        };
        let writer = db.writer(options).await.unwrap();
        diary.take();
        writer.put(b"key", b"value").await.unwrap();
        writer.delete(b"key").await.unwrap();
        writer.put(b"", b"value").await.unwrap_err();
        let mut batch = WriteBatch::new();
        batch.put(b"a", b"1").put(b"b", b"2").delete(b"c");
        writer.write(batch).await.unwrap();
        assert_eq!(diary.take(), ["write 1+0 8 B", "write 0+1 3 B", "refused", "write 2+1 5 B"]);
        writer.flush().await.unwrap();
        assert_eq!(diary.take(), ["flush Some(5)"]);
        writer.flush().await.unwrap();
        assert_eq!(diary.take(), [""; 0], "nothing to flush");
        writer.put(b"large", &[7; 5000]).await.unwrap();
        writer.put(b"fills", &[8; 2000]).await.unwrap();
        assert_eq!(diary.take(), ["write 1+0 5005 B", "write 1+0 2005 B"]);
        for key in [b"x", b"y", b"z"] {
            writer.put(key, &[9; 2040]).await.unwrap();
        }
        let lines = diary.take();
        assert!(lines.iter().any(|line| line == "backpressure true"), "{lines:?}");
        assert!(lines.iter().any(|line| line == "blob put 5000 B"), "{lines:?}");
        assert!(lines.iter().any(|line| line == "flush Some(1)"), "{lines:?}");
    });
}

#[test]
fn a_reader_tells_of_views_look_ups_scans_and_what_it_fetched() {
    let (db, diary, host) = watched();
    block_on(async {
        let writer =
            db.writer(WriterOptions { blob_threshold: 1000, ..WriterOptions::default() }).await.unwrap();
        writer.put(b"k", b"v").await.unwrap();
        writer.put(b"large", &[1; 1000]).await.unwrap();
        writer.flush().await.unwrap();
        let reader = db.reader(ReaderOptions::default()).await.unwrap();
        diary.take();
        host.advance(Duration::from_millis(250));
        assert!(reader.get(b"k").await.unwrap().is_some());
        assert_eq!(
            diary.take(),
            ["Tail miss", "Tail miss", "range x1 true", "Block miss", "get Some(true) age 250"]
        );
        assert!(reader.get(b"k").await.unwrap().is_some());
        assert_eq!(diary.take(), ["Tail hit", "Block hit", "get Some(true) age 250"]);
        assert!(reader.get(b"nothing").await.unwrap().is_none());
        assert_eq!(diary.take().last().unwrap(), "get Some(false) age 250");
        reader.get(b"").await.unwrap_err();
        assert_eq!(diary.take(), ["get None age 250"]);
        assert!(!reader.refresh().await.unwrap());
        assert_eq!(diary.take(), ["refresh Some(false) age 250"]);
        assert!(reader.view().get(b"large").await.unwrap().is_some());
        let lines = diary.take();
        assert_eq!(lines[lines.len() - 2..], ["blob fetch Some(1000) B", "get Some(true) age 0"]);
        let mut scan = reader.scan(ScanOptions::default().limit(1)).await.unwrap();
        while scan.next().await.unwrap().is_some() {}
        drop(scan);
        assert_eq!(diary.take().last().unwrap(), "scan 1 limited true ok");
    });
}

#[test]
fn a_tailer_tells_how_far_it_is_behind() {
    let (db, diary, host) = watched();
    block_on(async {
        let writer = db.writer(WriterOptions::default()).await.unwrap();
        for value in [b"1", b"2"] {
            writer.put(b"k", value).await.unwrap();
            writer.flush().await.unwrap();
        }
        host.advance(Duration::from_secs(3));
        let options = TailOptions { start: TailStart::Begin, ..TailOptions::default() };
        let mut tailer = db.tailer(options).await.unwrap();
        diary.take();
        while tailer.try_next().await.unwrap().is_some() {}
        let delivered: Vec<String> =
            diary.take().into_iter().filter(|line| line.starts_with("delivered")).collect();
        let expected = [
            "delivered 1 lag 3000 ms 1 slots",
            "delivered 1 lag 3000 ms 0 slots",
            "delivered 0 lag 0 ms 0 slots",
        ];
        assert_eq!(delivered[..3], expected);
    });
}

/// Whose clocks nobody may read.
struct Timeless;

impl Host for Timeless {
    fn now_unix_ns(&self) -> u64 {
        panic!("the wall clock was read")
    }
    fn monotonic_ns(&self) -> u64 {
        panic!("the monotonic clock was read")
    }
    fn fill_random(&self, _: &mut [u8]) {}
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

#[test]
fn without_an_observer_no_clock_is_read_and_no_event_is_made() {
    let store = Arc::new(MemoryStore::new(Arc::new(TestHost::new())));
    let requests = Requests::new(store, Arc::new(Timeless));
    let begun = requests.begin();
    requests.observe(|| panic!("an event was made"));
    requests.ended(begun, |_| panic!("an event was made"));
}
