//! What the table tests share: the entries of the golden tables, and a reader of whole tables.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

pub mod crafted;

use std::sync::Arc;

use bytes::Bytes;
use isledb_core::Result;
use isledb_core::format::sst::{
    Block, BlockHandle, IndexPartition, Kind, MAX_BLOCK_BYTES, PartitionAt, Table, TableBuilder, TableOpen,
    TableOptions, TableSummary,
};

/// An entry of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: Vec<u8>,
    pub sequence: u64,
    pub kind: Kind,
    pub value: Vec<u8>,
}

/// The entries of the golden tables: `n` keys, some with three versions, one version in ten a delete.
pub fn golden_entries(n: u64) -> Vec<Entry> {
    let mut entries = Vec::new();
    for i in 0..n {
        let key = format!("user{:012}", i * 7919).into_bytes();
        let sequences = if i % 50 == 0 { vec![i + 2_000_001, i + 1_000_001, i + 1] } else { vec![i + 1] };
        for sequence in sequences {
            let key = key.clone();
            if (i + sequence) % 10 == 3 {
                entries.push(Entry { key, sequence, kind: Kind::Delete, value: vec![2] });
            } else {
                let text = format!("value-{i}-{sequence}|").into_bytes();
                let value = std::iter::once(0)
                    .chain(text.into_iter().cycle().take((i * 37 % 200) as usize))
                    .collect();
                entries.push(Entry { key, sequence, kind: Kind::Set, value });
            }
        }
    }
    entries
}

pub fn build(options: TableOptions, entries: &[Entry]) -> (Vec<u8>, TableSummary) {
    let mut builder = TableBuilder::new(options);
    let mut out = Vec::new();
    for entry in entries {
        builder.add(&entry.key, entry.sequence, entry.kind, &entry.value).unwrap();
        out.extend_from_slice(&builder.take_output());
    }
    let summary = builder.finish().unwrap();
    out.extend_from_slice(&builder.take_output());
    assert_eq!(summary.size, out.len() as u64);
    (out, summary)
}

pub fn fixture(name: &str) -> Bytes {
    let path = format!("{}/../tests/fixtures/sst/{name}", env!("CARGO_MANIFEST_DIR"));
    Bytes::from(std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}")))
}

/// A table in memory that is read as from a store: by ranges, and only those that the table asks for.
pub struct Stored {
    pub table: Table,
    pub bytes: Bytes,
    /// Requests that opening took.
    pub tail_reads: u32,
}

impl Stored {
    pub fn open(name: &str, bytes: Bytes, meta_offset: Option<u64>) -> Result<Stored> {
        let object: Arc<str> = Arc::from(name);
        let size = bytes.len() as u64;
        let mut range = Table::tail_range(meta_offset, size);
        for tail_reads in 1.. {
            let tail = bytes.slice(range.start as usize..range.end as usize);
            match Table::open(&object, size, range.start, tail)? {
                TableOpen::Ready(table) => return Ok(Stored { table, bytes, tail_reads }),
                TableOpen::NeedMore(more) => {
                    assert!(more.start < range.start && more.end == size, "{more:?} after {range:?}");
                    range = more;
                }
            }
        }
        unreachable!()
    }

    /// Opens with everything at hand.
    pub fn open_whole(name: &str, bytes: Bytes) -> Result<Stored> {
        let object: Arc<str> = Arc::from(name);
        match Table::open(&object, bytes.len() as u64, 0, bytes.clone())? {
            TableOpen::Ready(table) => Ok(Stored { table, bytes, tail_reads: 1 }),
            TableOpen::NeedMore(range) => panic!("{range:?} is wanted of a whole table"),
        }
    }

    pub fn partition(&self, i: usize) -> Result<IndexPartition> {
        match self.table.partition(i) {
            PartitionAt::Resident(partition) => Ok(partition),
            PartitionAt::Stored(range) => {
                self.table.decode_partition(i, self.bytes.slice(range.start as usize..range.end as usize))
            }
        }
    }

    pub fn block(&self, handle: BlockHandle) -> Result<Block> {
        let stored = self.table.resident_data(handle).unwrap_or_else(|| {
            let range = handle.stored();
            self.bytes.slice(range.start as usize..range.end as usize)
        });
        Block::decode(self.table.object(), handle, stored, self.table.checksum(), MAX_BLOCK_BYTES)
    }

    /// Every data block in order.
    pub fn blocks(&self) -> Result<Vec<Block>> {
        let mut blocks = Vec::new();
        for i in 0..self.table.partitions() {
            let partition = self.partition(i)?;
            for block in 0..partition.len() {
                blocks.push(self.block(partition.handle(block))?);
            }
        }
        Ok(blocks)
    }

    /// Every entry in order.
    pub fn entries(&self) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for block in self.blocks()? {
            let mut iter = block.iter();
            let mut found = iter.seek_to_first()?;
            while found {
                entries.push(entry(&iter));
                found = iter.next()?;
            }
        }
        Ok(entries)
    }

    /// Every entry, from the last to the first.
    pub fn entries_backwards(&self) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for block in self.blocks()?.into_iter().rev() {
            let mut iter = block.iter();
            let mut found = iter.seek_to_last()?;
            while found {
                entries.push(entry(&iter));
                found = iter.prev()?;
            }
        }
        Ok(entries)
    }

    /// The newest version of a key, by filter, index and block, as a reader goes.
    pub fn get(&self, key: &[u8]) -> Result<Option<Entry>> {
        let Some(first) = self.table.find_partition(key) else {
            return Ok(None);
        };
        for i in first..self.table.partitions() {
            let partition = self.partition(i)?;
            if i == first && !partition.may_contain(key) {
                return Ok(None);
            }
            for block in partition.find_block(key).unwrap_or(0)..partition.len() {
                let mut iter = self.block(partition.handle(block))?.iter();
                if iter.seek_ge(key)? {
                    return Ok((iter.user_key() == key).then(|| entry(&iter)));
                }
            }
        }
        Ok(None)
    }
}

pub fn entry(iter: &isledb_core::format::sst::BlockIter) -> Entry {
    assert_eq!(iter.value_slice(), iter.value());
    Entry {
        key: iter.user_key().to_vec(),
        sequence: iter.sequence(),
        kind: iter.kind(),
        value: iter.value_slice().to_vec(),
    }
}
