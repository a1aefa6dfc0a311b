//! Maintenance runs on copies of every bucket that the original wrote: the content stays, and past every age nothing is left
//! that nothing refers to.

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use isledb_core::format::gc::{GcCheckpoint, PendingMarks};
use isledb_core::host::{Host, MemoryStore, Requests};
use isledb_core::maintain::gc::GcOptions;
use isledb_core::maintain::plan::merge::MergePolicy;
use isledb_core::maintain::{MaintenanceOptions, MergeOptions};

use crate::bench::{Bench, HOUR, MINUTE};
use crate::bucket::{fixtures, load, names};
use crate::host::TestHost;

fn bench(name: &str) -> Bench {
    let host = TestHost::new();
    // The near expiries of the fixtures are past by then, the far ones are not.
    host.advance(Duration::from_secs(365 * 86_400));
    let clock: Arc<dyn Host> = Arc::new(host.clone());
    let store: MemoryStore = load(&fixtures().join(name).join("bucket"), clock);
    let expected = std::fs::read(fixtures().join(name).join("expected.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_slice(&expected).unwrap();
    Bench::over(store, host, expected["prefix"].as_str().unwrap())
}

#[test]
fn every_bucket_of_the_original_keeps_its_content_and_loses_its_orphans() {
    let deleted = age_every_bucket(None);
    assert!(deleted > 50, "{deleted} objects are too few to be all orphans of these buckets");
}

/// The tables that merges replace go too, with the blobs that only they refer to.
#[test]
fn merged_meanwhile_they_keep_it_too_and_lose_what_was_merged() {
    let policy = MergePolicy { l0_tables: 1, min_runs: 2, ..MergePolicy::default() };
    let deleted = age_every_bucket(Some(MergeOptions { policy, ..MergeOptions::default() }));
    assert!(deleted > 150, "{deleted} objects are too few to be all orphans and all merged tables");
}

/// Maintenance on a copy of each bucket, until the clock is past every age. How many objects were deleted.
fn age_every_bucket(merge: Option<MergeOptions>) -> u64 {
    let names = names();
    assert_eq!(names.len(), 44);
    let mut deleted = 0;
    for name in names {
        let bench = bench(&name);
        let mut before = bench.content();
        let objects = bench.objects().len();
        let gc = GcOptions { interval: Duration::ZERO, scan_interval: MINUTE, ..GcOptions::default() };
        let options =
            MaintenanceOptions { merge: merge.clone(), gc: Some(gc), ..MaintenanceOptions::default() };
        let mut owner =
            block_on(bench.db().maintenance(options)).unwrap_or_else(|error| panic!("{name}: {error}"));
        if name == "orphan-log" {
            // A flush whose slot is decided and not covered: the claim covers it for its author.
            before = bench.content();
            assert_eq!(before.len(), 2);
        }
        for pass in 0..40 {
            let report = block_on(owner.run_once()).unwrap_or_else(|error| panic!("{name}: {error}"));
            deleted += report.gc.unwrap().objects();
            if pass % 8 == 7 {
                assert_eq!(bench.content(), before, "{name}");
            }
            bench.host.advance(2 * HOUR);
        }
        bench.check_no_orphan();
        documents_are_readable(&bench, &name);
        let grown = if merge.is_some() { 10 } else { 5 };
        assert!(bench.objects().len() <= objects + grown, "{name}: {:?}", bench.names(""));
    }
    deleted
}

fn documents_are_readable(bench: &Bench, name: &str) {
    let requests = Requests::new(Arc::new(bench.store.clone()), Arc::new(bench.host.clone()));
    let layout = bench.layout();
    block_on(async {
        if let Ok(marks) = requests.get(&layout.pending_marks()).await {
            let marks = PendingMarks::decode("marks", &marks.body).unwrap();
            assert!(marks.marks.is_empty(), "{name}: {marks:?}");
        }
        let checkpoint = requests.get(&layout.gc_checkpoint()).await.unwrap().body;
        let checkpoint = GcCheckpoint::decode("checkpoint", &checkpoint).unwrap();
        let current = bench.db().load_view().await.unwrap().current;
        assert_eq!(checkpoint.last_applied_seq, current.next_slot(), "{name}");
    });
}
