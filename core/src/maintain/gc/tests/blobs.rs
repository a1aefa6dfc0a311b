//! Blobs: named, spared, condemned, forgotten.

use std::collections::BTreeMap;

use super::*;
use crate::format::blob::BlobId;
use crate::format::gc::{DoomedBlob, DoomedBlobs};
use crate::maintain::plan::doomed::{BlobPlan, CONDEMNED_STAY_MS, NAMED_WAIT_MS, is_due, plan};

fn id(n: u8) -> BlobId {
    BlobId::of(&[n])
}

fn named(n: u8, age_ms: u64) -> DoomedBlob {
    DoomedBlob { id: id(n), named_at: at(NOW_MS - age_ms), condemned_at: None, size: Some(5) }
}

fn condemned(n: u8, age_ms: u64) -> DoomedBlob {
    DoomedBlob { condemned_at: Some(at(NOW_MS - age_ms)), ..named(n, 9 * HOUR_MS) }
}

fn document(mut blobs: Vec<DoomedBlob>) -> DoomedBlobs {
    blobs.sort_by_key(|blob| blob.id);
    DoomedBlobs { version: 1, blobs }
}

fn run(blobs: Vec<DoomedBlob>, candidates: &[u8], reachable: &[u8]) -> BlobPlan {
    let candidates: BTreeMap<BlobId, u64> = candidates.iter().map(|n| (id(*n), 5)).collect();
    plan(&document(blobs), &candidates, |blob| reachable.iter().all(|n| id(*n) != *blob), NOW_MS)
}

#[test]
fn only_what_nothing_reaches_is_named() {
    let plan = run(vec![], &[1, 2, 3], &[2]);
    assert_eq!((plan.named, plan.condemned.len()), (2, 0));
    let expected = document(vec![
        DoomedBlob { named_at: at(NOTED_MS), ..named(1, 0) },
        DoomedBlob { named_at: at(NOTED_MS), ..named(3, 0) },
    ]);
    assert_eq!(plan.next, expected);
}

#[test]
fn a_name_is_looked_at_again_after_an_hour() {
    let plan = run(vec![named(1, NAMED_WAIT_MS - 1)], &[1], &[]);
    assert_eq!(
        plan.next,
        document(vec![named(1, NAMED_WAIT_MS - 1)]),
        "nothing changes before, and it keeps its time"
    );
    let plan = run(vec![named(1, NAMED_WAIT_MS)], &[], &[1]);
    assert_eq!((plan.spared, plan.next.blobs.len(), plan.condemned.len()), (1, 0, 0));
    let plan = run(vec![named(1, NAMED_WAIT_MS), named(2, MINUTE_MS)], &[], &[]);
    let sentenced = DoomedBlob { condemned_at: Some(at(NOTED_MS)), ..named(1, NAMED_WAIT_MS) };
    assert_eq!(plan.condemned, std::slice::from_ref(&sentenced));
    assert_eq!(plan.next, document(vec![sentenced, named(2, MINUTE_MS)]));
}

#[test]
fn a_condemned_name_stays_while_its_delete_may_be_on_its_way() {
    let plan = run(vec![condemned(1, CONDEMNED_STAY_MS - 1)], &[1], &[1]);
    assert_eq!(
        plan.next,
        document(vec![condemned(1, CONDEMNED_STAY_MS - 1)]),
        "also where it is reachable again"
    );
    assert_eq!(plan.condemned.len(), 0, "and there is no second DELETE");
    let plan = run(vec![condemned(1, CONDEMNED_STAY_MS)], &[], &[]);
    assert_eq!((plan.forgotten, plan.next.blobs.len()), (1, 0));
}

#[test]
fn a_blob_that_outlived_its_delete_begins_anew() {
    let plan = run(vec![condemned(1, CONDEMNED_STAY_MS)], &[1], &[]);
    assert_eq!((plan.forgotten, plan.named), (1, 1));
    assert_eq!(plan.next.blobs[0].condemned_at, None);
}

#[test]
fn a_run_without_anything_due_changes_nothing() {
    assert!(!is_due(&document(vec![named(1, MINUTE_MS), condemned(2, MINUTE_MS)]), NOW_MS));
    assert!(is_due(&document(vec![named(1, NAMED_WAIT_MS)]), NOW_MS));
    assert!(is_due(&document(vec![condemned(1, CONDEMNED_STAY_MS)]), NOW_MS));
}
