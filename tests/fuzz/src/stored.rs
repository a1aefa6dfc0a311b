//! A table that is read as from a store: by ranges, and only those that it asks for.

use std::sync::Arc;

use bytes::Bytes;
use isledb_core::Result;
use isledb_core::format::sst::{Block, BlockHandle, IndexPartition, PartitionAt, Table, TableOpen};

/// Blocks of a fuzzed table are small; what expands beyond this is refused.
const BLOCK_LIMIT: u64 = 1 << 20;

pub(crate) struct Stored {
    pub(crate) table: Table,
    pub(crate) bytes: Bytes,
}

impl Stored {
    /// Opens with everything at hand.
    pub(crate) fn whole(bytes: Bytes) -> Result<Stored> {
        match Table::open(&name(), bytes.len() as u64, 0, bytes.clone())? {
            TableOpen::Ready(table) => Ok(Stored { table, bytes }),
            TableOpen::NeedMore(range) => panic!("{range:?} is wanted of a whole table"),
        }
    }

    /// Opens from no more than the footer, as a reader that knows nothing of the table.
    pub(crate) fn by_ranges(bytes: Bytes) -> Result<Stored> {
        let size = bytes.len() as u64;
        let mut start = size.saturating_sub(53);
        loop {
            let tail = bytes.slice(start as usize..);
            match Table::open(&name(), size, start, tail)? {
                TableOpen::Ready(table) => return Ok(Stored { table, bytes }),
                TableOpen::NeedMore(more) => {
                    assert!(more.start < start && more.end == size, "{more:?} after {start}");
                    start = more.start;
                }
            }
        }
    }

    pub(crate) fn partition(&self, i: usize) -> Result<IndexPartition> {
        match self.table.partition(i) {
            PartitionAt::Resident(partition) => Ok(partition),
            PartitionAt::Stored(range) => {
                self.table.decode_partition(i, self.bytes.slice(range.start as usize..range.end as usize))
            }
        }
    }

    pub(crate) fn block(&self, handle: BlockHandle) -> Result<Block> {
        let stored = self.table.resident_data(handle).unwrap_or_else(|| self.stored(handle));
        Block::decode(self.table.object(), handle, stored, self.table.checksum(), BLOCK_LIMIT)
    }

    pub(crate) fn stored(&self, handle: BlockHandle) -> Bytes {
        let range = handle.stored();
        self.bytes.slice(range.start as usize..range.end as usize)
    }
}

/// Every error of a table says so.
pub(crate) fn name() -> Arc<str> {
    Arc::from("db/sstable/fuzzed.sst")
}
