//! The documents of garbage collection, with the versions that they were loaded in.

use bytes::Bytes;

use super::marks::{MarkDocument, MarkStorage};
use crate::error::{Error, Result};
use crate::format::gc::{DoomedBlobs, GcCheckpoint, PendingMarks};
use crate::format::layout::Layout;
use crate::host::{PutCondition, Requests, Version};

/// A document and its version; the default where there is none.
#[derive(Debug, Clone, Default)]
pub(super) struct Versioned<T> {
    pub(super) value: T,
    pub(super) version: Option<Version>,
}

/// Loads the mark set. Errors: as [`PendingMarks::decode`].
pub(super) async fn load_marks(storage: &dyn MarkStorage) -> Result<Versioned<PendingMarks>> {
    load(storage, MarkDocument::Pending, PendingMarks::decode).await
}

/// Loads the checkpoint. Errors: as [`GcCheckpoint::decode`].
pub(super) async fn load_checkpoint(storage: &dyn MarkStorage) -> Result<Versioned<GcCheckpoint>> {
    load(storage, MarkDocument::Checkpoint, GcCheckpoint::decode).await
}

async fn load<T: Default>(
    storage: &dyn MarkStorage,
    document: MarkDocument,
    decode: fn(&str, &[u8]) -> Result<T>,
) -> Result<Versioned<T>> {
    let Some(loaded) = storage.load(document).await? else { return Ok(Versioned::default()) };
    let value = decode(&storage.name(document), &loaded.bytes)?;
    Ok(Versioned { value, version: Some(loaded.version) })
}

/// Stores the mark set in place of `loaded`, if it differs.
pub(super) async fn store_marks(
    storage: &dyn MarkStorage,
    loaded: &mut Versioned<PendingMarks>,
    next: PendingMarks,
) -> Result<()> {
    // An empty set that was never there is not written.
    if next == loaded.value {
        return Ok(());
    }
    let body = next.encode();
    store(storage, MarkDocument::Pending, body, &mut loaded.version).await?;
    loaded.value = next;
    Ok(())
}

/// Stores the checkpoint in place of `loaded`.
pub(super) async fn store_checkpoint(
    storage: &dyn MarkStorage,
    loaded: &mut Versioned<GcCheckpoint>,
    next: GcCheckpoint,
) -> Result<()> {
    let body = next.encode();
    store(storage, MarkDocument::Checkpoint, body, &mut loaded.version).await?;
    loaded.value = next;
    Ok(())
}

async fn store(
    storage: &dyn MarkStorage,
    document: MarkDocument,
    body: Bytes,
    version: &mut Option<Version>,
) -> Result<()> {
    *version = Some(storage.store(document, body, version.clone()).await?);
    Ok(())
}

/// Loads the list of blobs that are about to go: always beside the blobs, where writers look.
pub(super) async fn load_doomed(requests: &Requests, layout: &Layout) -> Result<Versioned<DoomedBlobs>> {
    let object = layout.gc_blobs();
    match requests.get(&object).await {
        Ok(fetched) => {
            let version = fetched.meta.version.ok_or_else(|| Error::Unsupported {
                object: object.clone(),
                what: "the store gives no version (ETag, generation) with an object".to_owned(),
            })?;
            Ok(Versioned { value: DoomedBlobs::decode(&object, &fetched.body)?, version: Some(version) })
        }
        Err(Error::NotFound { .. }) => Ok(Versioned::default()),
        Err(error) => Err(error),
    }
}

/// Replaces that list, if nobody else did since it was loaded.
pub(super) async fn store_doomed(
    requests: &Requests,
    layout: &Layout,
    loaded: &Versioned<DoomedBlobs>,
    next: &DoomedBlobs,
) -> Result<()> {
    let condition = loaded.version.clone().map_or(PutCondition::IfAbsent, PutCondition::IfMatch);
    requests.put_once(&layout.gc_blobs(), next.encode(), condition).await.map(drop)
}
