//! The oracle notices: stores that break their contract are caught, each by the checks that are about it.

use isledb_simulation::oracle::Check;
use isledb_simulation::scenario::{Options, Report, engine, publishers};
use isledb_simulation::store::Bug;

/// Runs up to `seeds` histories on that store; the checks that caught it, with the seeds.
fn caught(scenario: fn(u64, &Options) -> Report, bug: Bug, seeds: u64) -> Vec<(Check, u64)> {
    let options = Options { bug: Some(bug), ..Options::default() };
    let run = |seed| scenario(seed, &options);
    (0..seeds).filter_map(|seed| Some((run(seed).violation?.check, seed))).collect()
}

#[track_caller]
fn is_caught_by(bug: Bug, expected: &[Check]) {
    is_caught_in(publishers::run, bug, expected);
}

#[track_caller]
fn is_caught_in(scenario: fn(u64, &Options) -> Report, bug: Bug, expected: &[Check]) {
    let caught = caught(scenario, bug, 60);
    assert!(caught.len() > 3, "{bug:?} was caught in {} of 60 histories", caught.len());
    for check in expected {
        assert!(caught.iter().any(|(by, _)| by == check), "{bug:?} was not caught by {check:?}: {caught:?}");
    }
}

#[test]
fn a_store_that_asks_for_no_condition_is_refused_before_anything_is_committed() {
    let options = Options { bug: Some(Bug::IgnoresConditions), ..Options::default() };
    for seed in 0..10 {
        let report = engine::run(seed, &options);
        let violation = report.violation.unwrap_or_else(|| panic!("seed {seed} ran"));
        assert_eq!((violation.check, report.flushes), (Check::UnexpectedError, 0), "{violation}");
    }
}

#[test]
fn a_store_that_ignores_if_match_is_caught() {
    is_caught_by(Bug::IgnoresIfMatch, &[Check::CurrentGoesBack]);
}

#[test]
fn a_store_that_overwrites_a_slot_is_caught() {
    is_caught_by(Bug::IgnoresIfAbsent, &[Check::SlotOverwritten]);
}

#[test]
fn a_store_that_loses_an_acknowledged_cover_is_caught() {
    is_caught_by(Bug::LosesPut { of: "/CURRENT" }, &[Check::AcknowledgedFlushMissing]);
}

#[test]
fn a_store_that_loses_an_acknowledged_slot_is_caught() {
    is_caught_by(Bug::LosesPut { of: "/log/" }, &[Check::ViewNamesMissingObject]);
}

#[test]
fn a_store_that_loses_tables_is_caught() {
    is_caught_by(Bug::LosesPut { of: "/sstable/" }, &[Check::ViewNamesMissingObject]);
    is_caught_by(Bug::Forgets { of: "/sstable/" }, &[Check::ViewNamesMissingObject]);
}

#[test]
fn a_store_that_loses_snapshots_is_caught() {
    is_caught_by(Bug::LosesPut { of: "/snapshots/" }, &[Check::ViewNamesMissingObject]);
}

#[test]
fn a_store_that_serves_stale_reads_is_caught() {
    is_caught_by(Bug::ServesStaleCurrent, &[Check::ReaderShowsWrongState]);
}

#[test]
fn a_reader_shows_that_its_store_serves_stale_reads() {
    is_caught_in(engine::run, Bug::ServesStaleCurrent, &[Check::ReaderShowsWrongState]);
}

#[test]
fn a_reader_shows_that_its_store_loses_blobs() {
    is_caught_in(engine::run, Bug::LosesPut { of: "/blobs/" }, &[Check::ReaderMissesObject]);
}

#[test]
fn a_writer_is_told_the_truth_or_the_store_is_caught() {
    is_caught_in(engine::run, Bug::LosesPut { of: "/CURRENT" }, &[Check::AcknowledgedFlushMissing]);
}
