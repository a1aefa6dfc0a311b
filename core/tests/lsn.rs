//! LSNs through the doors of a database: one GET, captured by views, as the original left them.

#![cfg(feature = "write")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod bucket;
mod host;

use std::sync::Arc;

use futures::executor::block_on;
use isledb_core::format::manifest::{Current, LogEntry};
use isledb_core::host::{MemoryStore, Metered};
use isledb_core::manifest::{BigEndianLsn, LsnExtractor, State, lsn_effects};
use isledb_core::read::ReaderOptions;
use isledb_core::write::WriterOptions;
use isledb_core::{Db, DbOptions};

use host::TestHost;

#[test]
fn a_writer_moves_them_and_asking_is_one_get() {
    let host = TestHost::new();
    let metered = Metered::new(Arc::new(MemoryStore::new(Arc::new(host.clone()))));
    let meter = metered.meter();
    let lsn: Option<Arc<dyn LsnExtractor>> = Some(Arc::new(BigEndianLsn));
    let options = DbOptions { probe: false, lsn, ..DbOptions::default() };
    let db = Db::open(Arc::new(metered), Arc::new(host), "db", options).unwrap();
    block_on(async {
        assert_eq!(
            (db.max_committed_lsn().await.unwrap(), db.low_watermark_lsn().await.unwrap()),
            (None, None)
        );
        let writer = db.writer(WriterOptions::default()).await.unwrap();
        for lsn in 100u64..110 {
            writer.put(&lsn.to_be_bytes(), b"consumed").await.unwrap();
        }
        assert_eq!(db.max_committed_lsn().await.unwrap(), None, "nothing is committed yet");
        writer.flush().await.unwrap();
        let reader = db.reader(ReaderOptions::default()).await.unwrap();
        let view = reader.view();
        writer.put(&110u64.to_be_bytes(), b"consumed").await.unwrap();
        writer.flush().await.unwrap();
        let span = meter.span();
        assert_eq!(db.max_committed_lsn().await.unwrap(), Some(110));
        assert_eq!((span.cost().get, span.cost().requests()), (1, 1));
        assert_eq!(reader.low_watermark_lsn().await.unwrap(), Some(100));
        assert_eq!((span.cost().get, span.cost().requests()), (2, 2));
        assert_eq!(reader.max_committed_lsn().await.unwrap(), Some(110));
        assert_eq!((view.low_watermark_lsn(), view.max_committed_lsn()), (Some(100), Some(109)));
    });
}

#[test]
fn buckets_of_the_original_say_what_they_said_to_it() {
    let mut with_lsns = 0;
    for name in bucket::names() {
        let expected = bucket::fixtures().join(&name).join("expected.json");
        let expected: serde_json::Value = serde_json::from_slice(&std::fs::read(expected).unwrap()).unwrap();
        let clock = bucket::TestClock::new();
        let store = bucket::load(&bucket::fixtures().join(&name).join("bucket"), clock.clone());
        let prefix = expected["prefix"].as_str().unwrap();
        let db = Db::open(Arc::new(store), clock, prefix, DbOptions::default()).unwrap();
        let (max, low) = block_on(async {
            (db.max_committed_lsn().await.unwrap(), db.low_watermark_lsn().await.unwrap())
        });
        assert_eq!(max, expected["max_committed_lsn"].as_u64(), "{name}");
        assert_eq!(low, expected["low_watermark_lsn"].as_u64(), "{name}");
        with_lsns += u32::from(max.is_some());
    }
    assert_eq!(with_lsns, 5);
}

#[test]
fn the_rule_gives_what_the_original_left_in_its_buckets() {
    let lsns = |current: &Current| (current.low_watermark_lsn, current.max_committed_lsn);
    for name in ["lsn", "lsn-compacted", "retention-fifo", "retention-window", "retention-empties"] {
        let manifest = bucket::fixtures().join(name).join("bucket/db/manifest");
        let left =
            Current::decode("CURRENT", &std::fs::read(manifest.join("CURRENT")).unwrap().into()).unwrap();
        assert!(left.max_committed_lsn.is_some(), "{name}");
        let (mut current, mut state) = (Current::default(), State::default());
        for slot in left.window() {
            let bytes = std::fs::read(manifest.join(format!("log/{slot:020}.json"))).unwrap();
            let entry = LogEntry::decode("log", slot, &bytes).unwrap();
            let change = lsn_effects(&BigEndianLsn, &current, &state, &entry.op).unwrap();
            current.max_committed_lsn = change.max_committed_lsn.apply(current.max_committed_lsn);
            current.low_watermark_lsn = change.low_watermark_lsn.apply(current.low_watermark_lsn);
            state.apply(&entry);
        }
        assert_eq!(lsns(&current), lsns(&left), "{name}");
    }
}
