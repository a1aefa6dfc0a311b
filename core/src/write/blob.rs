//! Large values beside their table, and the rules that keep GC from taking one away under a flush.
//!
//! The upload is a part of the flush, not of the put: a put then costs no request and waits for nobody, its value counts in the
//! memtable's bytes (so that memory stays bounded), and the value is still there when the rules below ask for another put.
//!
//! A blob is named by its content, so a flush may find one that is there already, and that one may be about to go. GC says so
//! beforehand in `manifest/gc/blobs.json`. A flush therefore puts each of its blobs (if absent), *then* reads that document,
//! *then* publishes, each within half an hour of the step before, and relies on no blob that is named there, not even
//! one that it just put: the one DELETE that GC sends may still be on its way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

use super::context::Context;
use crate::error::{Error, Result};
use crate::format::blob::BlobId;
use crate::format::gc::DoomedBlobs;
use crate::host::{Backoff, Event, Moment, PutCondition, Version};

/// A put (or a find) is trusted for this long until the document is read, and that read until the slot is put.
pub(super) const MAX_TRUST_MS: u64 = 30 * 60_000;
/// Blobs that are about to go are written into the table where they have at most this many bytes.
pub(super) const MAX_INLINE_INSTEAD_BYTES: u64 = 1 << 20;

/// When each blob of a table was put, or found.
pub(super) type PutTimes = BTreeMap<BlobId, Moment>;

/// What GC is about to delete, as last read: CURRENT's neighbour that most databases do not have.
#[derive(Default)]
pub(super) struct Doomed(Mutex<Option<(Version, Arc<DoomedBlobs>)>>);

impl Context {
    /// Puts blobs, if absent; one request each, `upload_concurrency` at a time.
    pub(super) async fn put_blobs(self: Arc<Self>, blobs: Vec<(BlobId, Bytes)>) -> Result<PutTimes> {
        let concurrency = self.options.upload_concurrency as usize;
        stream::iter(blobs.into_iter().map(|(id, value)| self.clone().put_blob(id, value)))
            .buffer_unordered(concurrency)
            .try_collect()
            .await
    }

    async fn put_blob(self: Arc<Self>, id: BlobId, value: Bytes) -> Result<(BlobId, Moment)> {
        let (begun, bytes) = (self.requests.begin(), value.len() as u64);
        let put = self.put_or_find(id, value).await;
        self.requests.ended(begun, |elapsed| Event::BlobPut { result: put.as_ref().map(|_| bytes), elapsed });
        put
    }

    /// One request; where an equal blob is there, or on its way, one more to see that it is.
    async fn put_or_find(&self, id: BlobId, value: Bytes) -> Result<(BlobId, Moment)> {
        let object = self.layout.blob(&id);
        let mut backoff = Backoff::new(50, 2_000);
        let began = Moment::now(self.host.as_ref());
        loop {
            // Before the request: its answer may be late.
            let since = Moment::now(self.host.as_ref());
            let put = self.requests.put_once(&object, value.clone(), PutCondition::IfAbsent).await;
            let error = match put {
                Ok(_) => return Ok((id, since)),
                // The name is the content's hash, so what is there is what was to be put. But a conflict with another put
                // at the same time is answered like this too, and that one may fail.
                Err(Error::Precondition { .. }) => match self.requests.head(&object).await {
                    Ok(_) => return Ok((id, since)),
                    Err(error @ Error::NotFound { .. }) => error,
                    Err(error) => return Err(error),
                },
                Err(error @ Error::Unavailable { .. }) => error,
                Err(error) => return Err(error),
            };
            if began.elapsed_ms(self.host.as_ref()) >= self.flush_deadline_ms() {
                return Err(Error::Unavailable { object, message: error.to_string() });
            }
            backoff.pause(self.host.as_ref()).await;
        }
    }

    /// Reads what GC is about to delete: one conditional GET. An absent document names nothing.
    pub(super) async fn read_doomed(&self) -> Result<Arc<DoomedBlobs>> {
        let object = self.layout.gc_blobs();
        let known = self.doomed.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let read =
            match self.requests.get_if_changed(&object, known.as_ref().map(|(version, _)| version)).await {
                Ok(Some(fetched)) => {
                    let doomed = Arc::new(DoomedBlobs::decode(&object, &fetched.body)?);
                    fetched.meta.version.map(|version| (version, doomed.clone())).ok_or(doomed)
                }
                Ok(None) => known.ok_or_else(Arc::default),
                Err(Error::NotFound { .. }) => Err(Arc::default()),
                Err(error) => return Err(error),
            };
        // A document without a version is read again each time.
        let doomed = match &read {
            Ok((_, doomed)) | Err(doomed) => doomed.clone(),
        };
        *self.doomed.0.lock().unwrap_or_else(PoisonError::into_inner) = read.ok();
        Ok(doomed)
    }
}
