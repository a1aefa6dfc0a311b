//! Values outside of tables: which there must be, which there are, and whether each is what its name says.

use futures::stream::{self, StreamExt};

use super::Verification;
use super::finding::{Finding, FindingKind};
use super::inventory::{Listed, Pages, orphan};
use super::manifest::Named;
use super::report::Report;
use super::sequential::Sequential;
use crate::error::Result;
use crate::format::blob::BlobId;
use crate::host::{MAX_WHOLE_BYTES, ObjectMeta};
use crate::read::ReadSource;

/// The blobs that tables refer to.
#[derive(Debug, Default)]
pub(super) struct BlobIds {
    ids: Vec<BlobId>,
    /// So many of them, at the front, are sorted and different.
    sorted: usize,
}

impl BlobIds {
    pub(super) fn add(&mut self, ids: Vec<BlobId>) {
        self.ids.extend(ids);
        // Tables share blobs, so the list is cleaned up whenever it has doubled.
        if self.ids.len() > 2 * self.sorted + 4096 {
            self.sort();
        }
    }

    /// How many there are, each counted once.
    pub(super) fn len(&self) -> u64 {
        self.sorted as u64
    }

    /// True where a table refers to it.
    pub(super) fn contains(&self, id: &BlobId) -> bool {
        self.ids.contains(id)
    }

    fn sort(&mut self) {
        self.ids.sort_unstable();
        self.ids.dedup();
        self.sorted = self.ids.len();
    }
}

/// Lists the blobs and holds them against `ids`; reads them where the check is deep. Returns `ids` and those
/// of them that are not there.
/// `complete`: `ids` are all, so that any other is an orphan.
pub(super) async fn check(
    verification: &Verification,
    mut ids: BlobIds,
    complete: bool,
    named: &Named,
    listed: &mut Listed,
    report: &Report,
) -> Result<(BlobIds, Vec<BlobId>)> {
    let ReadSource { requests, layout, .. } = &verification.source;
    ids.sort();
    let mut wanted = ids.ids.iter().peekable();
    let mut missing = Vec::new();
    let mut pages = Pages::new(requests, layout.blob_prefix());
    while let Some(page) = pages.next(listed).await? {
        let mut present = Vec::new();
        for object in page {
            let Some(id) = id_of(verification, &object.key) else {
                report.tell(orphan(requests, &object, "no blob has this name"));
                continue;
            };
            // Both are in the order of the ids.
            while let Some(absent) = wanted.next_if(|wanted| **wanted < id) {
                missing.push(*absent);
            }
            if wanted.next_if(|wanted| **wanted == id).is_some() {
                present.push((id, object));
            } else if complete {
                let message = match named.doomed.blobs.contains(&id) {
                    true => "no table refers to this blob; maintenance has marked it for deletion",
                    false => "no table refers to this blob",
                };
                report.tell(orphan(requests, &object, message));
            }
        }
        read(verification, present, report).await?;
    }
    missing.extend(wanted);
    Ok((ids, missing))
}

/// The blob of this name.
fn id_of(verification: &Verification, key: &str) -> Option<BlobId> {
    let layout = &verification.source.layout;
    let hex = key.rsplit('/').next()?.strip_suffix(".blob")?;
    hex.parse().ok().filter(|id| layout.blob(id) == key)
}

/// Checks the size of each, and the content where the check is deep.
async fn read(
    verification: &Verification,
    present: Vec<(BlobId, ObjectMeta)>,
    report: &Report,
) -> Result<()> {
    let mut readable = Vec::with_capacity(present.len());
    for (id, object) in present {
        if object.size > MAX_WHOLE_BYTES {
            let message = format!("{} bytes, a value has at most {MAX_WHOLE_BYTES}", object.size);
            report.tell(Finding::new(&object.key, FindingKind::Size, message));
        } else if verification.options.deep {
            readable.push((id, object));
        }
    }
    let (requests, progress) = (&verification.source.requests, &verification.progress);
    progress.add_total(readable.iter().map(|(_, object)| object.size).sum());
    let hashes = readable.into_iter().map(|(id, object)| async move {
        let hash = Sequential::new(requests, &object.key, object.size, progress).finish().await;
        (id, object, hash)
    });
    let mut hashes = stream::iter(hashes).buffer_unordered(verification.options.concurrency);
    while let Some((id, object, hash)) = hashes.next().await {
        match hash {
            Ok(hash) if hash == *id.as_bytes() => {}
            Ok(hash) => {
                let found = BlobId::from_bytes(hash).map_or_else(|| "zeros".to_owned(), |id| id.to_string());
                let message = format!("expected content with the SHA-256 {id}, found {found}");
                report.tell(Finding::new(&object.key, FindingKind::Corrupt, message));
            }
            Err(error) => report.tell(Finding::of(error)?),
        }
    }
    Ok(())
}
