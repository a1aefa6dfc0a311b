//! The blobs that tables refer to.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::format::blob::BlobId;
use crate::format::bloom::{self, TRAILER_LENGTH};
use crate::format::gc::Mark;
use crate::format::layout::Layout;
use crate::format::manifest::SstMeta;
use crate::host::Requests;
use crate::read::BlockCache;
use crate::read::cache::ObjectName;
use crate::read::fetch::{Loader, Source};
use crate::read::tables::TableRef;
use crate::signature::Trust;

/// Tails of tables that are read for their blobs are not worth keeping: this holds those that are being read.
const CACHE_BYTES: u64 = 16 << 20;

/// Reads which blobs tables refer to.
pub(super) struct Reach<'a> {
    requests: &'a Requests,
    layout: &'a Layout,
    loader: Loader,
}

impl<'a> Reach<'a> {
    pub(super) fn new(requests: &'a Requests, layout: &'a Layout) -> Reach<'a> {
        let cache = Arc::new(BlockCache::new(CACHE_BYTES));
        // Signatures are not asked for: who can replace a table can delete its blobs as well.
        let trust = Trust::default();
        Reach { requests, layout, loader: Loader::new(Source { requests: requests.clone(), cache, trust }) }
    }

    /// The blobs of a table of the state; maybe one more than once. Two or three requests; a table without a list (the
    /// original's) is read from end to end.
    pub(super) async fn of_live(&self, meta: &Arc<SstMeta>) -> Result<Vec<BlobId>> {
        if meta.has_blob_refs { self.of(meta.clone()).await } else { Ok(Vec::new()) }
    }

    /// The same for a table that waits to be deleted; one that is gone already, or is no table, has none. One or two requests more where its
    /// size is not known.
    pub(super) async fn of_marked(&self, mark: &Mark) -> Result<Vec<BlobId>> {
        let size = match mark.size {
            Some(_) if !mark.has_blob_refs => return Ok(Vec::new()),
            Some(size) => size,
            None => match self.table_size(&self.layout.sst(&mark.sst_id)).await {
                Ok(size) => size,
                Err(Error::NotFound { .. }) => return Ok(Vec::new()),
                Err(error) => return Err(error),
            },
        };
        let meta = SstMeta { id: mark.sst_id.clone(), size, ..SstMeta::default() };
        match self.of(Arc::new(meta)).await {
            Err(Error::NotFound { .. }) => Ok(Vec::new()),
            // Half of an upload, perhaps: nobody can read it, and it is about to go.
            Err(error @ (Error::Corrupt { .. } | Error::Unsupported { .. })) => {
                tracing::debug!(%error, "a table that waits to be deleted cannot be read");
                Ok(Vec::new())
            }
            result => result,
        }
    }

    /// Bytes of the table in an object: less than the object has where a bloom container follows it.
    async fn table_size(&self, object: &str) -> Result<u64> {
        let size = self.requests.head(object).await?.size;
        let Some(start) = size.checked_sub(TRAILER_LENGTH) else { return Ok(size) };
        let trailer = self.requests.get_range(object, start..size).await?;
        Ok(bloom::container_length(&trailer).and_then(|length| size.checked_sub(length)).unwrap_or(size))
    }

    async fn of(&self, meta: Arc<SstMeta>) -> Result<Vec<BlobId>> {
        let name = ObjectName::new(&self.layout.sst(&meta.id));
        self.loader.blobs_of(Arc::new(TableRef { meta, name, rank: 0 })).await
    }
}
