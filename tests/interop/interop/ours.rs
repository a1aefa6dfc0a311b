//! A table as our own reader lists it.

use std::sync::Arc;

use bytes::Bytes;
use isledb_core::Result;
use isledb_core::format::sst::{Block, MAX_BLOCK_BYTES, PartitionAt, Table, TableOpen};

use crate::tables::Entry;

/// Opens a table that is here as a whole.
pub(crate) fn open(name: &str, table: &Bytes) -> Result<Table> {
    match Table::open(&Arc::from(name), table.len() as u64, 0, table.clone())? {
        TableOpen::Ready(table) => Ok(table),
        TableOpen::NeedMore(range) => panic!("{name}: {range:?} is wanted of the whole table"),
    }
}

/// Every entry of it.
pub(crate) fn entries(name: &str, table: &Bytes) -> Result<Vec<Entry>> {
    let slice = |range: std::ops::Range<u64>| table.slice(range.start as usize..range.end as usize);
    let opened = open(name, table)?;
    let mut entries = Vec::new();
    for i in 0..opened.partitions() {
        let partition = match opened.partition(i) {
            PartitionAt::Resident(partition) => partition,
            PartitionAt::Stored(range) => opened.decode_partition(i, slice(range))?,
        };
        for block in 0..partition.len() {
            let handle = partition.handle(block);
            let block = Block::decode(
                opened.object(),
                handle,
                slice(handle.stored()),
                opened.checksum(),
                MAX_BLOCK_BYTES,
            )?;
            let mut iter = block.iter();
            let mut found = iter.seek_to_first()?;
            while found {
                entries.push(Entry {
                    key: iter.user_key().to_vec(),
                    sequence: iter.sequence(),
                    kind: iter.kind(),
                    value: iter.value_slice().to_vec(),
                });
                found = iter.next()?;
            }
        }
    }
    Ok(entries)
}
