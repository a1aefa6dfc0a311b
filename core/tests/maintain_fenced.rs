//! Another owner takes the role while a merge is under way, at every await of it.

#![cfg(feature = "maintain")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod host;
mod maintain;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures::executor::block_on;
use isledb_core::host::{MemoryStore, Metered, ObjectStore};
use isledb_core::maintain::{Maintenance, MaintenanceOptions};
use isledb_core::read::{ReaderOptions, ScanOptions};
use isledb_core::write::WriterOptions;
use isledb_core::{Db, DbOptions, Error};

use host::TestHost;
use maintain::faults::Faults;
use maintain::{Yielding, eager, names, poll_times, unnamed_tables};

fn open(store: &Arc<dyn ObjectStore>, host: &TestHost) -> Db {
    let options = DbOptions { probe: false, ..DbOptions::default() };
    Db::open(store.clone(), Arc::new(host.clone()), "db", options).unwrap()
}

/// An empty store whose every request takes a poll.
fn place() -> (TestHost, Arc<dyn ObjectStore>, Db) {
    let host = TestHost::new();
    let store: Arc<dyn ObjectStore> = Arc::new(Yielding(Arc::new(MemoryStore::new(Arc::new(host.clone())))));
    let db = open(&store, &host);
    (host, store, db)
}

async fn owner(db: &Db) -> Maintenance {
    let options = MaintenanceOptions { merge: Some(eager()), gc: None, ..MaintenanceOptions::default() };
    db.maintenance(options).await.unwrap()
}

#[test]
fn an_owner_that_is_fenced_in_the_middle_of_a_merge_commits_nothing_and_takes_its_tables_back() {
    block_on(async {
        let mut fenced = 0;
        for polls in 0.. {
            let (host, store, db) = place();
            let writer = db.writer(WriterOptions::default()).await.unwrap();
            for round in 0..3_u8 {
                for n in 0..40 {
                    writer.put(format!("key{n:02}").as_bytes(), &[round; 200]).await.unwrap();
                }
                writer.flush().await.unwrap();
            }
            let rivals_db = open(&store, &host);
            let mut old = owner(&db).await;
            let mut pass = pin!(old.run_once());
            let mut done = None;
            for _ in 0..polls {
                done = poll_fn(|cx| match pass.as_mut().poll(cx) {
                    Poll::Ready(done) => Poll::Ready(Some(done)),
                    Poll::Pending => Poll::Ready(None),
                })
                .await;
                if done.is_some() {
                    break;
                }
            }
            if let Some(done) = done {
                assert_eq!(done.unwrap().merges.len(), 1);
                assert!(
                    fenced > 10,
                    "fenced {fenced} times in {polls} polls: too few to have met every await"
                );
                return;
            }
            let mut rival = owner(&rivals_db).await;
            let merged = match pass.await {
                // Its entry was decided before the claim: the claim helped it.
                Ok(report) => report.merges.len(),
                Err(Error::Fenced { role: "maintenance", .. }) => {
                    fenced += 1;
                    0
                }
                Err(error) => panic!("after {polls} polls: {error}"),
            };
            assert_eq!(unnamed_tables(db.requests()).await, [] as [String; 0], "after {polls} polls");
            let before = db.load_view().await.unwrap();
            assert!(before.state().l0.len() == 3 || before.state().runs.len() == 1, "{merged} merges");
            rival.run_once().await.unwrap();
            let view = db.load_view().await.unwrap();
            assert_eq!((view.state().l0.len(), view.state().runs.len()), (0, 1), "after {polls} polls");
            let reader = db.reader(ReaderOptions::default()).await.unwrap();
            let mut scan = reader.scan(ScanOptions::default()).await.unwrap();
            for n in 0..40 {
                let entry = scan.next().await.unwrap().unwrap();
                assert_eq!(
                    (&entry.key[..], &entry.value[..]),
                    (format!("key{n:02}").as_bytes(), &[2; 200][..])
                );
            }
            assert!(scan.next().await.unwrap().is_none());
        }
    });
}

#[test]
fn an_owner_whose_pass_was_dropped_takes_its_tables_back_once_it_hears_of_the_fence() {
    block_on(async {
        let mut left_open = 0;
        for polls in 0.. {
            let (host, store, db) = place();
            let writer = db.writer(WriterOptions::default()).await.unwrap();
            for round in 0..3_u8 {
                writer.put(b"key", &[round; 200]).await.unwrap();
                writer.flush().await.unwrap();
            }
            let mut old = owner(&db).await;
            if poll_times(old.run_once(), polls).is_some() {
                assert!(left_open > 0, "no drop left tables behind");
                return;
            }
            let _rival = owner(&open(&store, &host)).await;
            left_open += u32::from(!unnamed_tables(db.requests()).await.is_empty());
            match old.run_once().await {
                Err(Error::Fenced { .. }) => {}
                other => panic!("after {polls} polls: {other:?}"),
            }
            assert_eq!(unnamed_tables(db.requests()).await, [] as [String; 0], "after {polls} polls");
        }
    });
}

/// What it merged was committed by the rival that took its role, merged again, and the log entry that said so is gone: it cannot
/// know, and must not take for its own to delete what views still read.
#[test]
fn an_owner_that_will_never_know_whether_its_entry_was_committed_deletes_nothing_when_it_is_closed() {
    block_on(async {
        let host = TestHost::new();
        let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new(Arc::new(host.clone())));
        let faults = Faults::new(store.clone());
        let metered = Metered::new(Arc::new(faults.clone()));
        let meter = metered.meter();
        let (db, rivals_db) =
            (open(&(Arc::new(metered) as Arc<dyn ObjectStore>), &host), open(&store, &host));
        let writer = rivals_db.writer(WriterOptions::default()).await.unwrap();
        let three_flushes = async |round: u8| {
            for flush in 0..3 {
                writer.put(b"key", &[round, flush]).await.unwrap();
                writer.flush().await.unwrap();
            }
        };
        three_flushes(0).await;
        let mut old = owner(&db).await;
        // The store goes silent when the merge has its slot.
        let silent = AtomicBool::new(false);
        faults.set(move |request, key| {
            if request == "put" && key.starts_with("db/manifest/log/") {
                silent.store(true, Ordering::Relaxed);
                return None;
            }
            let unavailable = || Error::Unavailable { object: key.into(), message: "silence".into() };
            silent.load(Ordering::Relaxed).then(unavailable)
        });
        let error = old.run_once().await.unwrap_err();
        assert!(matches!(error, Error::OutcomeUnknown { retry: true, .. }), "{error}");

        let slots = async || names(store.as_ref(), "db/manifest/log/").await;
        let decided = slots().await.pop().unwrap();

        // The rival's claim commits it for its author. Then the log is trimmed.
        let options = MaintenanceOptions { merge: None, ..MaintenanceOptions::default() };
        let mut rival = rivals_db.maintenance(options).await.unwrap();
        for round in 1.. {
            three_flushes(round).await;
            rival.run_once().await.unwrap();
            host.advance(Duration::from_secs(3_600));
            if !slots().await.contains(&decided) {
                break;
            }
            assert!(round < 40, "the log is never trimmed");
        }
        drop(rival);
        let view = rivals_db.reader(ReaderOptions::default()).await.unwrap().view();
        let merged = &view.manifest().state().runs[0].ssts[0].id;
        let mut rival = owner(&rivals_db).await;
        rival.merge_everything().await.unwrap();
        assert!(rival.view().state().table(merged).is_none(), "it was merged again");

        faults.set(|_, _| None);
        for _ in 0..2 {
            let error = old.run_once().await.unwrap_err();
            assert!(matches!(error, Error::OutcomeUnknown { retry: false, .. }), "{error}");
        }
        let requests = meter.cost().requests();
        old.close().await.unwrap();
        assert_eq!(meter.cost().requests(), requests);
        let table = rivals_db.requests().get(&rivals_db.layout().sst(merged)).await;
        assert!(table.is_ok(), "a view still reads it: {table:?}");
    });
}
