//! A slot is unsettled while others go on, until it lies below the window or the feed's floor.

use super::*;
use crate::error::Error;
use faulty::Fault::{AnswerLost, NotApplied};

/// A writer whose flush (slot 2) got no answer; `applied` says whether the slot was put.
fn unsettled(bench: &Bench, applied: bool) -> Publisher {
    let mut writer = bench.claim("w");
    bench.storage.next_log_puts(&[if applied { AnswerLost } else { NotApplied }]);
    bench.storage.reads_fail(true);
    assert!(block_on(writer.publish(bench.flush(1, 4))).unwrap_err().leaves_outcome_open());
    bench.storage.reads_fail(false);
    writer
}

/// Maintenance commits entries, and a snapshot that leaves them all below the window.
fn maintenance_goes_on(bench: &Bench) -> Publisher {
    let storage: Arc<dyn ManifestStorage> = bench.storage.clone();
    let options = ClaimOptions::default();
    let claim = Publisher::claim(storage, bench.host(), Role::Maintenance, &options, bench.view());
    let mut owner = block_on(claim).unwrap();
    assert!(block_on(owner.write_snapshot()).unwrap());
    owner
}

#[test]
fn a_helped_flush_below_the_window_is_found_in_the_state() {
    let bench = Bench::new();
    let mut writer = unsettled(&bench, true);
    maintenance_goes_on(&bench);
    assert_eq!(bench.ids(), ["1-1-4-1.sst"], "maintenance helped it");
    committed(block_on(writer.resume()).transpose().unwrap());
    committed(block_on(writer.publish(bench.flush(5, 5))));
    assert_eq!(bench.ids(), ["1-5-5-1.sst", "1-1-4-1.sst"]);
}

#[test]
fn a_flush_that_lost_its_slot_below_the_window_starts_over() {
    let bench = Bench::new();
    let mut writer = unsettled(&bench, false);
    maintenance_goes_on(&bench);
    assert!(bench.ids().is_empty(), "slot 2 is the claim of maintenance");
    committed(block_on(writer.resume()).transpose().unwrap());
    assert_eq!(bench.ids(), ["1-1-4-1.sst"]);
}

#[test]
fn a_flush_that_was_compacted_away_meanwhile_is_not_published_again() {
    let bench = Bench::new();
    let mut writer = unsettled(&bench, true);
    let mut owner = maintenance_goes_on(&bench);
    let gone = crate::format::manifest::Op::RemoveSstables(vec!["1-1-4-1.sst".to_owned()]);
    committed(block_on(owner.publish(Draft { op: gone, reliances: Vec::new(), moved: Vec::new() })));
    assert!(block_on(owner.write_snapshot()).unwrap());
    committed(block_on(writer.resume()).transpose().unwrap());
    assert!(bench.ids().is_empty(), "the log entry above the floor tells");

    // The same with the floor above the slot: the sequence counter tells.
    let bench = Bench::new();
    let mut writer = unsettled(&bench, true);
    let mut owner = maintenance_goes_on(&bench);
    let gone = crate::format::manifest::Op::RemoveSstables(vec!["1-1-4-1.sst".to_owned()]);
    committed(block_on(owner.publish(Draft { op: gone, reliances: Vec::new(), moved: Vec::new() })));
    assert!(block_on(owner.write_snapshot()).unwrap());
    block_on(bench.storage.replace_current(|current| current.feed_floor_seq = Some(current.next_seq), false));
    committed(block_on(writer.resume()).transpose().unwrap());
    assert!(bench.ids().is_empty());
}

#[test]
fn nobody_can_tell_once_the_log_and_the_role_are_gone() {
    let bench = Bench::new();
    let mut writer = unsettled(&bench, true);
    let mut next = bench.claim("next");
    let gone = crate::format::manifest::Op::RemoveSstables(vec!["1-1-4-1.sst".to_owned()]);
    committed(block_on(next.publish(Draft { op: gone, reliances: Vec::new(), moved: Vec::new() })));
    assert!(block_on(next.write_snapshot()).unwrap());
    block_on(bench.storage.replace_current(|current| current.feed_floor_seq = Some(current.next_seq), false));
    let error = block_on(writer.resume()).unwrap_err();
    assert!(matches!(error, Error::OutcomeUnknown { retry: false, .. }), "{error}");
    assert!(!writer.is_pending());
}

#[test]
fn a_fenced_writer_settles_before_it_says_fenced() {
    let bench = Bench::new();
    let mut writer = unsettled(&bench, true);
    drop(bench.claim("next"));
    // The successor helped the slot: it is committed, whoever holds the role now.
    committed(block_on(writer.resume()).transpose().unwrap());
    let error = block_on(writer.publish(bench.flush(5, 5))).unwrap_err();
    assert!(matches!(error, Error::Fenced { .. }), "{error}");

    let bench = Bench::new();
    let mut writer = unsettled(&bench, false);
    drop(bench.claim("next"));
    let error = block_on(writer.resume()).unwrap_err();
    assert!(matches!(error, Error::Fenced { .. }), "the slot is the successor's claim: {error}");
    assert!(bench.ids().is_empty());
}
