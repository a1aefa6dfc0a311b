//! Which blobs a table refers to: by the list that our tables carry, or by all of its entries.

use std::sync::Arc;

use super::cursor::{Cursor, MAX_READ_AHEAD};
use super::fetch::Loader;
use super::merge::{At, Sorted};
use super::range::KeyRange;
use super::tables::TableRef;
use crate::error::Result;
use crate::format::blob::BlobId;
use crate::format::blob_list::{self, BLOBS_PROPERTY, BlobList};
use crate::format::sst::{BlockHandle, Kind, Table, read_stored_block};
use crate::format::value;

/// What a block of ids may add to its 32 bytes an id when it is stored.
const MAX_LIST_OVERHEAD: u64 = 1 << 16;

impl Loader {
    /// The blobs of a table, maybe one more than once.
    ///
    /// Cost: the tail, if it is not cached, and one GET for the list. A table without a list (the original's) is read from
    /// end to end.
    pub(crate) async fn blobs_of(&self, table: Arc<TableRef>) -> Result<Vec<BlobId>> {
        let open = self.table(&table).await?;
        match self.listed_blobs(&open).await? {
            Some(blobs) => Ok(blobs),
            None => self.scanned_blobs(table).await,
        }
    }

    /// The blobs that the list of an open table names; `None` where it has no list. Cost: one GET.
    pub(crate) async fn listed_blobs(&self, open: &Table) -> Result<Option<Vec<BlobId>>> {
        let object = open.object();
        let Some(property) = open.properties().get(BLOBS_PROPERTY) else { return Ok(None) };
        let list = BlobList::decode(object, property, open.size())?;
        let handle = BlockHandle { offset: list.offset, length: list.length };
        let stored = self.requests().get_range(object, list.stored()).await?;
        let limit = list.count.saturating_mul(32).saturating_add(MAX_LIST_OVERHEAD);
        let body = read_stored_block(object, handle, stored, open.checksum(), limit)?;
        blob_list::decode_ids(object, &list, &body).map(Some)
    }

    async fn scanned_blobs(&self, table: Arc<TableRef>) -> Result<Vec<BlobId>> {
        let object = table.name.as_str().to_owned();
        let everything = KeyRange { start: Default::default(), end: None };
        let mut entries = Cursor::new(vec![table], &everything, MAX_READ_AHEAD);
        let mut found = Vec::new();
        loop {
            let mut at = entries.load(self).await?;
            while at == At::Entry {
                if let Some(entry) = entries.entries()
                    && entry.kind() == Kind::Set
                {
                    found.extend(value::blob_of(&object, entry.value_slice())?);
                }
                at = entries.advance()?;
            }
            if at == At::End {
                return Ok(found);
            }
        }
    }
}
