//! Which blobs are named, spared, condemned and forgotten. Pure.
//!
//! A blob is named by its content, so a flush may begin to rely on one that was there already, at any time. It is told
//! beforehand: GC *names* what it cannot reach, at least an hour later looks again, *condemns* what it still cannot reach, and
//! only then sends one DELETE, within half an hour of that second look. The condemned name stays while that DELETE may still
//! be on its way. A flush does not rely on a name in the document, and reads it shortly before it commits.

use std::collections::BTreeMap;

use crate::format::blob::BlobId;
use crate::format::gc::{DoomedBlob, DoomedBlobs};
use crate::format::time::Timestamp;

/// A named blob is looked at again after so long: above what a flush may take from its look at the names to its commit.
pub const NAMED_WAIT_MS: u64 = 3_600_000;
/// A condemned name stays for so long: above what its DELETE may take to land.
pub const CONDEMNED_STAY_MS: u64 = 2 * 3_600_000;

/// What a run does about blobs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlobPlan {
    /// The document to store; what follows holds only if that succeeds.
    pub next: DoomedBlobs,
    /// Newly named.
    pub named: u64,
    /// Reachable again, so the name went.
    pub spared: u64,
    /// Condemned a while ago, so the name went.
    pub forgotten: u64,
    /// Newly condemned: one DELETE each. Id and size.
    pub condemned: Vec<DoomedBlob>,
}

/// True where the document has a name whose time has come.
pub fn is_due(doomed: &DoomedBlobs, now_ms: u64) -> bool {
    doomed.blobs.iter().any(|blob| is_due_to_be_forgotten(blob, now_ms))
        || due(doomed, now_ms).next().is_some()
}

/// The named blobs that have waited long enough to be looked at again.
pub fn due(doomed: &DoomedBlobs, now_ms: u64) -> impl Iterator<Item = &DoomedBlob> {
    let waited = move |blob: &&DoomedBlob| passed(blob.named_at, NAMED_WAIT_MS, now_ms);
    doomed.blobs.iter().filter(|blob| blob.condemned_at.is_none()).filter(waited)
}

/// Plans a run. `unreachable` says of a due name, and of a `candidate` (old enough, with its size), whether no table refers
/// to it; `now_ms` is a time of the store that was read after the live set.
pub fn plan(
    doomed: &DoomedBlobs,
    candidates: &BTreeMap<BlobId, u64>,
    unreachable: impl Fn(&BlobId) -> bool,
    now_ms: u64,
) -> BlobPlan {
    let mut plan = BlobPlan::default();
    // In whole seconds, rounded down: that is how stores date.
    let noted = Timestamp::from_unix_ms(now_ms.saturating_add(1_000));
    let mut blobs: BTreeMap<BlobId, DoomedBlob> = BTreeMap::new();
    for blob in &doomed.blobs {
        let mut blob = blob.clone();
        if is_due_to_be_forgotten(&blob, now_ms) {
            plan.forgotten += 1;
            continue;
        }
        if blob.condemned_at.is_none() && passed(blob.named_at, NAMED_WAIT_MS, now_ms) {
            if !unreachable(&blob.id) {
                plan.spared += 1;
                continue;
            }
            blob.condemned_at = Some(noted);
            plan.condemned.push(blob.clone());
        }
        blobs.insert(blob.id, blob);
    }
    for (id, size) in candidates {
        // What was forgotten in this very run may be listed still: it is named anew, and waits anew.
        if !blobs.contains_key(id) && unreachable(id) {
            plan.named += 1;
            blobs.insert(*id, DoomedBlob { id: *id, named_at: noted, condemned_at: None, size: Some(*size) });
        }
    }
    plan.next = DoomedBlobs { version: 1, blobs: blobs.into_values().collect() };
    plan
}

fn is_due_to_be_forgotten(blob: &DoomedBlob, now_ms: u64) -> bool {
    blob.condemned_at.is_some_and(|at| passed(at, CONDEMNED_STAY_MS, now_ms))
}

fn passed(since: Timestamp, wait_ms: u64, now_ms: u64) -> bool {
    u64::try_from(since.unix_ms()).unwrap_or(0).saturating_add(wait_ms) <= now_ms
}
