//! Views: how long one may be used, and what a reader does when an object that one names is not there.

#![cfg(feature = "write")]
#![allow(clippy::unwrap_used, reason = "what a test cannot unwrap fails it")]

mod bucket;

use std::sync::Arc;

use bytes::Bytes;
use futures::executor::block_on;
use isledb_core::format::manifest::{Compaction, Op, SortedRun, SstMeta};
use isledb_core::format::sst::TableOptions;
use isledb_core::host::{MemoryStore, Meter, Metered, ObjectStore};
use isledb_core::read::{Reader, ReaderOptions, ScanOptions};
use isledb_core::{Error, ErrorKind};

use bucket::faults::Faults;
use bucket::made::Made;
use bucket::{TestClock, collect, source};

/// One hour: what databases that we make allow.
const MAX_VIEW_AGE_MS: u64 = 3_600_000;

fn made() -> Made {
    Made::new(MemoryStore::new(TestClock::new()))
}

/// A table of ten keys with this prefix.
fn table(made: &mut Made, prefix: &str, sequence: u64) -> Arc<SstMeta> {
    let entries: Vec<_> = (0..10).map(|i| (format!("{prefix}{i}").into_bytes(), sequence + i)).collect();
    let entries = entries.iter().map(|(key, sequence)| (&key[..], *sequence, Some(&b"value"[..])));
    made.table(TableOptions::default(), entries)
}

/// A reader with its own clock, a meter around its store, and faults within.
async fn reader(made: &Made) -> (Reader, Arc<TestClock>, Meter, Faults) {
    let clock = TestClock::new();
    let faults = Faults::new(Arc::new(made.store.clone()));
    let store = Metered::new(Arc::new(faults.clone()));
    let meter = store.meter();
    let source = source(Arc::new(store), clock.clone(), "db");
    let reader = Reader::open(source, ReaderOptions::default()).await.unwrap();
    (reader, clock, meter, faults)
}

fn delete(made: &Made, meta: &SstMeta) {
    block_on(made.store.delete(&[made.layout.sst(&meta.id)])).unwrap();
}

/// Replaces `old` by `new`, as a compaction does.
fn replace(made: &mut Made, old: &SstMeta, new: &Arc<SstMeta>) {
    made.log(Op::Compaction(Compaction {
        remove_sstable_ids: vec![old.id.clone()],
        add_sorted_run: Some(SortedRun { id: 0, ssts: vec![new.clone()] }),
        ..Compaction::default()
    }));
}

#[test]
fn a_prefix_without_a_database_opens_empty() {
    block_on(async {
        let (reader, _, meter, _) = reader(&made()).await;
        assert!(!reader.exists());
        assert_eq!(reader.get(b"k").await.unwrap(), None);
        assert!(collect(reader.scan(ScanOptions::default()).await.unwrap()).await.unwrap().is_empty());
        assert_eq!(meter.cost().get, 1);
    });
}

#[test]
fn a_database_that_appears_is_seen_after_a_refresh() {
    let mut made = made();
    let (reader, ..) = block_on(reader(&made));
    let meta = table(&mut made, "k", 1);
    made.add(&meta);
    made.publish();
    block_on(async {
        assert_eq!(reader.get(b"k3").await.unwrap(), None);
        assert!(reader.refresh().await.unwrap());
        assert!(reader.exists());
        assert_eq!(reader.get(b"k3").await.unwrap(), Some(Bytes::from_static(b"value")));
        let entry = reader.get_entry(b"k3").await.unwrap().unwrap();
        assert_eq!((entry.sequence, entry.expires_at_ms), (4, None));
    });
}

#[test]
fn an_empty_key_is_an_invalid_argument() {
    let error = block_on(async { reader(&made()).await.0.get(b"").await.unwrap_err() });
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[test]
fn reading_past_the_age_of_the_view_refreshes_it_once() {
    let mut made = made();
    let meta = table(&mut made, "k", 1);
    made.add(&meta);
    made.publish();
    block_on(async {
        let (reader, clock, meter, _) = reader(&made).await;
        reader.get(b"k1").await.unwrap().unwrap();
        clock.advance_ms(MAX_VIEW_AGE_MS);
        let before = meter.span();
        reader.get(b"k1").await.unwrap().unwrap();
        assert_eq!(before.cost().get, 0);
        clock.advance_ms(1);
        // Those who find it too old together refresh it together.
        let (one, other) = futures::join!(reader.get(b"k1"), reader.get(b"k2"));
        one.unwrap().unwrap();
        other.unwrap().unwrap();
        assert_eq!(before.cost().get, 1);
    });
}

#[test]
fn a_reader_may_refresh_earlier_than_it_must() {
    let mut made = made();
    let meta = table(&mut made, "k", 1);
    made.add(&meta);
    made.publish();
    let clock = TestClock::new();
    let source = source(Arc::new(made.store.clone()), clock.clone(), "db");
    block_on(async {
        let options = ReaderOptions { refresh_after_ms: Some(1000), ..ReaderOptions::default() };
        let reader = Reader::open(source, options).await.unwrap();
        let meta = table(&mut made, "l", 11);
        made.add(&meta);
        made.publish();
        clock.advance_ms(1000);
        assert_eq!(reader.get(b"l1").await.unwrap(), None);
        clock.advance_ms(1);
        assert!(reader.get(b"l1").await.unwrap().is_some());
    });
}

#[test]
fn a_pinned_view_expires() {
    let mut made = made();
    let meta = table(&mut made, "k", 1);
    made.add(&meta);
    made.publish();
    block_on(async {
        let (reader, clock, ..) = reader(&made).await;
        let view = reader.view();
        let mut scan = reader.scan(ScanOptions::default()).await.unwrap();
        view.get(b"k1").await.unwrap().unwrap();
        clock.advance_ms(MAX_VIEW_AGE_MS + 1);
        let expired = Error::ViewExpired { age_ms: MAX_VIEW_AGE_MS + 1, limit_ms: MAX_VIEW_AGE_MS };
        assert_eq!(view.get(b"k1").await.unwrap_err(), expired);
        assert_eq!(scan.next().await.unwrap_err(), expired);
        assert_eq!(view.scan(&ScanOptions::default()).next().await.unwrap_err(), expired);
        reader.get(b"k1").await.unwrap().unwrap();
    });
}

#[test]
fn a_pinned_view_does_not_see_what_comes_later() {
    let mut made = made();
    let meta = table(&mut made, "k", 1);
    made.add(&meta);
    made.publish();
    let (reader, ..) = block_on(reader(&made));
    let view = reader.view();
    let later = table(&mut made, "l", 11);
    made.add(&later);
    made.publish();
    block_on(async {
        reader.refresh().await.unwrap();
        assert_eq!(view.get(b"l1").await.unwrap(), None);
        assert_eq!(collect(view.scan(&ScanOptions::default())).await.unwrap().len(), 10);
        assert_eq!(collect(reader.scan(ScanOptions::default()).await.unwrap()).await.unwrap().len(), 20);
    });
}

#[test]
fn a_missing_table_that_the_manifest_names_is_corruption() {
    let mut made = made();
    let meta = table(&mut made, "k", 1);
    made.add(&meta);
    made.publish();
    delete(&made, &meta);
    let object = made.layout.sst(&meta.id);
    block_on(async {
        let (reader, _, meter, _) = reader(&made).await;
        let corrupt =
            |error: Error| matches!(&error, Error::Corrupt { object: named, .. } if *named == object);
        assert!(corrupt(reader.get(b"k1").await.unwrap_err()));
        // CURRENT, the table, and CURRENT once more.
        assert_eq!(meter.cost().get, 3);
        let mut scan = reader.scan(ScanOptions::default()).await.unwrap();
        assert!(corrupt(scan.next().await.unwrap_err()));
        assert!(corrupt(scan.next().await.unwrap_err()));
        assert!(corrupt(reader.view().get(b"k1").await.unwrap_err()));
    });
}

#[test]
fn a_forbidden_table_is_a_lack_of_permission() {
    let mut made = made();
    let meta = table(&mut made, "k", 1);
    made.add(&meta);
    made.publish();
    block_on(async {
        let (reader, _, meter, faults) = reader(&made).await;
        let object = made.layout.sst(&meta.id);
        let forbidden = Error::Permission { object: object.clone(), message: "403".into() };
        let answer = forbidden.clone();
        faults.set(move |key| (key == object).then(|| answer.clone()));
        assert_eq!(reader.get(b"k1").await.unwrap_err(), forbidden);
        assert_eq!(meter.cost().get, 3);
    });
}

#[test]
fn a_table_that_was_compacted_away_is_read_from_its_successor() {
    // S3 answers 403 for a missing name to whoever may not list.
    for forbidden in [false, true] {
        let mut made = made();
        let meta = table(&mut made, "k", 1);
        made.add(&meta);
        made.publish();
        let (reader, _, _, faults) = block_on(reader(&made));
        let scan = block_on(reader.scan(ScanOptions::default())).unwrap();
        let view = reader.view();

        let merged = table(&mut made, "k", 1);
        replace(&mut made, &meta, &merged);
        made.publish();
        delete(&made, &meta);
        if forbidden {
            let object = made.layout.sst(&meta.id);
            let answer = Error::Permission { object: object.clone(), message: "403".into() };
            faults.set(move |key| (key == object).then(|| answer.clone()));
        }
        block_on(async {
            assert!(reader.get(b"k1").await.unwrap().is_some());
            // A scan that has shown nothing yet begins on the newer view.
            assert_eq!(collect(scan).await.unwrap().len(), 10);
            // A view that was pinned stays what it is.
            assert_eq!(view.get(b"k1").await.unwrap_err().kind(), ErrorKind::Expired);
            assert_eq!(
                view.scan(&ScanOptions::default()).next().await.unwrap_err().kind(),
                ErrorKind::Expired
            );
        });
    }
}

#[test]
fn a_scan_that_has_begun_does_not_change_its_view() {
    let mut made = made();
    let tables = [table(&mut made, "k", 1), table(&mut made, "l", 11)];
    made.add_run(tables.to_vec());
    made.snapshot();
    made.publish();
    let (reader, ..) = block_on(reader(&made));
    let mut scan = block_on(reader.scan(ScanOptions::default())).unwrap();
    for _ in 0..10 {
        block_on(scan.next()).unwrap().unwrap();
    }
    made.log(Op::RemoveSstables(vec![tables[1].id.clone()]));
    made.publish();
    delete(&made, &tables[1]);
    assert_eq!(block_on(scan.next()).unwrap_err().kind(), ErrorKind::Expired);
}

#[test]
fn an_unavailable_store_is_asked_again() {
    let mut made = made();
    let meta = table(&mut made, "k", 1);
    made.add(&meta);
    made.publish();
    block_on(async {
        let (reader, _, meter, faults) = reader(&made).await;
        let failures = std::sync::atomic::AtomicU32::new(3);
        faults.set(move |key| {
            use std::sync::atomic::Ordering::Relaxed;
            let fails = failures.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok();
            fails.then(|| Error::Unavailable { object: key.to_owned(), message: "503".into() })
        });
        assert!(reader.get(b"k1").await.unwrap().is_some());
        assert_eq!(meter.cost().get, 1 + 3 + 1);
    });
}

#[test]
fn wait_for_a_sequence_returns_when_it_is_visible() {
    let mut made = made();
    let meta = table(&mut made, "k", 1);
    made.add(&meta);
    made.publish();
    let (reader, _, meter, _) = block_on(reader(&made));
    block_on(reader.wait_for(10)).unwrap();
    assert_eq!(meter.cost().get, 1);
    let later = table(&mut made, "l", 11);
    made.add(&later);
    made.publish();
    block_on(reader.wait_for(20)).unwrap();
    assert_eq!(meter.cost().get, 2);
    assert!(block_on(reader.get(b"l9")).unwrap().is_some());
}
