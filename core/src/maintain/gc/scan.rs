//! Listings: what lies in the bucket, whether or not anything refers to it.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::format::blob::BlobId;
use crate::format::layout::Layout;
use crate::host::{ObjectMeta, Requests};
use crate::manifest::State;
use crate::mutation::{Mutation, mutated};

use super::super::plan::sweep::Listed;

/// Objects that nothing refers to are not touched before this age: uploads are made again after half of it.
pub(super) const ORPHAN_AGE_MS: u64 = 24 * 3_600_000;
/// Most blobs that one scan looks at; the next one goes on behind them.
const MAX_BLOBS: usize = 65_536;

/// What a scan found, before CURRENT was read. Nothing in it is known to be without a reference yet.
#[derive(Debug, Default)]
pub(super) struct Scan {
    tables: Vec<ObjectMeta>,
    blobs: Vec<(BlobId, ObjectMeta)>,
    probes: Vec<ObjectMeta>,
    /// Where the next scan of blobs begins; `""`: at the first.
    pub(super) blobs_scanned_to: String,
}

impl Scan {
    /// Lists tables that `known` does not have, blobs behind `blobs_after`, and what capability probes left behind. One request
    /// for a thousand objects.
    pub(super) async fn new(
        requests: &Requests,
        layout: &Layout,
        known: &State,
        blobs_after: &str,
    ) -> Result<Scan> {
        let live: hashbrown::HashSet<&str> = known.tables().map(|table| table.id.as_str()).collect();
        let mut scan = Scan::default();
        let unknown =
            |object: &ObjectMeta| layout.sst_id_of(&object.key).is_some_and(|id| !live.contains(id));
        list(requests, &layout.sst_prefix(), "", |object| {
            if unknown(&object) {
                scan.tables.push(object);
            }
            true
        })
        .await?;
        list(requests, &layout.probe_prefix(), "", |object| {
            if layout.is_probe(&object.key) {
                scan.probes.push(object);
            }
            true
        })
        .await?;
        let mut last = String::new();
        let all = list(requests, &layout.blob_prefix(), blobs_after, |object| {
            last.clone_from(&object.key);
            if let Some(id) = layout.blob_id_of(&object.key) {
                scan.blobs.push((id, object));
            }
            scan.blobs.len() < MAX_BLOBS
        })
        .await?;
        scan.blobs_scanned_to = if all { String::new() } else { last };
        Ok(scan)
    }

    /// Tables that are old enough at `now_ms`.
    pub(super) fn old_tables(&self, layout: &Layout, now_ms: u64) -> Vec<Listed> {
        let any_age = mutated(Mutation::YoungOrphansGo);
        let old = self.tables.iter().filter(|object| any_age || is_old(object, now_ms));
        let listed = |object: &ObjectMeta| {
            Some(Listed { id: layout.sst_id_of(&object.key)?.to_owned(), size: object.size })
        };
        old.filter_map(listed).collect()
    }

    /// Blobs that are old enough, with their sizes.
    pub(super) fn old_blobs(&self, now_ms: u64) -> BTreeMap<BlobId, u64> {
        let old = self.blobs.iter().filter(|(_, object)| is_old(object, now_ms));
        old.map(|(id, object)| (*id, object.size)).collect()
    }

    /// Names of what probes left behind, that is old enough.
    pub(super) fn old_probes(&self, now_ms: u64) -> Vec<String> {
        self.probes.iter().filter(|object| is_old(object, now_ms)).map(|object| object.key.clone()).collect()
    }
}

/// Without a date nothing is old.
fn is_old(object: &ObjectMeta, now_ms: u64) -> bool {
    object.last_modified_ms.is_some_and(|at| at.saturating_add(ORPHAN_AGE_MS) < now_ms)
}

/// Shows objects to `each` until it returns false. True: all were shown.
async fn list(
    requests: &Requests,
    prefix: &str,
    after: &str,
    mut each: impl FnMut(ObjectMeta) -> bool,
) -> Result<bool> {
    let mut after = Some(after.to_owned()).filter(|after| !after.is_empty());
    loop {
        let page = requests.list(prefix, after.as_deref()).await?;
        after = page.objects.last().map(|object| object.key.clone());
        for object in page.objects {
            if !each(object) {
                return Ok(false);
            }
        }
        if !page.more || after.is_none() {
            return Ok(true);
        }
    }
}
