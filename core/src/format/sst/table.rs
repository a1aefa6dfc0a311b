//! A table, opened from its tail: footer, metaindex, properties and index.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::checksum::ChecksumKind;
use super::chunks::ChunkDigests;
use super::filter::Filter;
use super::footer::{FOOTER, Footer};
use super::handle::{BLOCK_TRAILER, BlockHandle};
use super::index::{IndexEntries, IndexPartition};
use super::metaindex::Metaindex;
use super::properties::{FILTER_PARTS, Properties};
use super::stored::read_stored_block;
use crate::{Error, Result};

/// Tables up to this size are fetched whole: one request costs as much as the transfer of 700 KB.
const WHOLE_TABLE: u64 = 64 << 10;

/// What to fetch of a table whose manifest entry does not say where its tail begins.
const UNKNOWN_TAIL: u64 = 4 << 10;

/// Largest decoded properties and metaindex block.
const MAX_META_BYTES: u64 = 64 << 20;

/// Largest decoded index and filter block.
const MAX_INDEX_BYTES: u64 = 512 << 20;

/// A table, opened from its tail. It holds what the tail held; everything else is named by the ranges to fetch.
#[derive(Debug)]
pub struct Table {
    object: Arc<str>,
    size: u64,
    footer: Footer,
    properties: Properties,
    index: Index,
    full_filter: Option<FullFilter>,
    /// What was fetched, where it holds data blocks: (offset, bytes).
    resident: Option<(u64, Bytes)>,
    /// What its bytes were when it was read whole and verified.
    chunks: Option<Arc<ChunkDigests>>,
}

#[derive(Debug)]
enum Index {
    Single(IndexPartition),
    Two { top: IndexEntries, partitions: Vec<Partition> },
}

#[derive(Debug)]
struct Partition {
    handle: BlockHandle,
    /// The filter part behind it.
    filter: Option<BlockHandle>,
    /// Decoded, where the tail held it.
    resident: Option<IndexPartition>,
}

/// What [`Table::open`] came to.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once, and a table goes into an Arc")]
pub enum TableOpen {
    /// The table.
    Ready(Table),
    /// The tail was too short: fetch this range, which includes what was given, and call again.
    NeedMore(Range<u64>),
}

/// Where an index partition is.
#[derive(Debug, Clone)]
pub enum PartitionAt {
    /// In memory.
    Resident(IndexPartition),
    /// To be fetched: partition block and the filter part behind it. Then [`Table::decode_partition`].
    Stored(Range<u64>),
}

/// The filter of the whole table, as the original's layout has it.
#[derive(Debug, Clone)]
pub enum FullFilter {
    /// In memory.
    Resident(Filter),
    /// To be fetched. Then [`Table::decode_filter`].
    Stored(BlockHandle),
}

impl Table {
    /// What to fetch before [`Table::open`]: from the offset in the manifest to the end, the last 4 KiB where the manifest
    /// does not say, and the whole table where it has 64 KiB at most.
    pub fn tail_range(meta_offset: Option<u64>, size: u64) -> Range<u64> {
        if size <= WHOLE_TABLE {
            return 0..size;
        }
        let start = match meta_offset {
            Some(offset) if offset < size => offset,
            _ => size - UNKNOWN_TAIL,
        };
        start.min(size - FOOTER)..size
    }

    /// Opens the table `object` of `size` bytes from its bytes `[tail_offset, size)`.
    ///
    /// No requests. Fails with `Corrupt` where bytes are not what the format says, with `Unsupported` where the table is of
    /// another kind, with `InvalidArgument` where `tail` does not end with the table.
    pub fn open(object: &Arc<str>, size: u64, tail_offset: u64, tail: Bytes) -> Result<TableOpen> {
        if size < FOOTER {
            return Err(Error::corrupt(
                object,
                0,
                format!("a table of {FOOTER} bytes at least"),
                format!("{size} bytes"),
            ));
        }
        if tail_offset.checked_add(tail.len() as u64) != Some(size) {
            let end = tail_offset.saturating_add(tail.len() as u64);
            return Err(Error::invalid(format!("the tail of {object} ends at {end}, the table at {size}")));
        }
        let Some(footer) = tail.last_chunk::<{ FOOTER as usize }>() else {
            return Ok(TableOpen::NeedMore(Table::tail_range(None, size)));
        };
        let footer = Footer::decode(object, size, footer)?;
        let tail = Tail { object, offset: tail_offset, bytes: tail, size, checksum: footer.checksum };

        let needed = footer.metaindex.offset.min(footer.index.offset);
        if footer.metaindex.offset < tail.offset {
            return Ok(TableOpen::NeedMore(needed..size));
        }
        let body = tail.read(footer.metaindex, MAX_META_BYTES)?;
        let metaindex = Metaindex::decode(object, footer.metaindex.offset, body, tail.blocks_end())?;
        let needed = needed.min(metaindex.properties.offset);
        if needed < tail.offset {
            // While at it, take the filter along where that keeps the request small.
            let with_filter = metaindex.full_filter.map_or(needed, |filter| filter.offset.min(needed));
            let start = if size - with_filter <= WHOLE_TABLE { with_filter } else { needed };
            return Ok(TableOpen::NeedMore(start..size));
        }
        let body = tail.read(metaindex.properties, MAX_META_BYTES)?;
        let properties = Properties::decode(object, metaindex.properties.offset, body)?;
        let full_filter = match metaindex.full_filter {
            Some(handle) if tail.holds(handle) => Some(FullFilter::Resident(tail.filter(handle)?)),
            Some(handle) => Some(FullFilter::Stored(handle)),
            None => None,
        };
        let index = tail.index(footer.index, &properties, &full_filter)?;
        let resident = tail.with_data(&index);
        let object = object.clone();
        let chunks = None;
        Ok(TableOpen::Ready(Table { object, size, footer, properties, index, full_filter, resident, chunks }))
    }

    /// The table with the digests of the bytes that were verified: what is read of it later is checked against them.
    pub(crate) fn verified(self, chunks: Option<Arc<ChunkDigests>>) -> Table {
        Table { chunks, ..self }
    }

    /// The digests of its chunks, where it was verified.
    pub(crate) fn chunks(&self) -> Option<&ChunkDigests> {
        self.chunks.as_deref()
    }

    /// The table's key in the store.
    pub fn object(&self) -> &Arc<str> {
        &self.object
    }

    /// Bytes of the table, footer included. Every handle ends before it.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The checksum of its blocks.
    pub fn checksum(&self) -> ChecksumKind {
        self.footer.checksum
    }

    /// The footer.
    pub fn footer(&self) -> &Footer {
        &self.footer
    }

    /// The properties.
    pub fn properties(&self) -> &Properties {
        &self.properties
    }

    /// True where the index has an upper level.
    pub fn is_two_level(&self) -> bool {
        matches!(self.index, Index::Two { .. })
    }

    /// Number of index partitions; 1 for a single-level index.
    pub fn partitions(&self) -> usize {
        match &self.index {
            Index::Single(_) => 1,
            Index::Two { partitions, .. } => partitions.len(),
        }
    }

    /// The first partition whose last separator is `user_key` or above; `None` where the key is behind all.
    pub fn find_partition(&self, user_key: &[u8]) -> Option<usize> {
        match &self.index {
            Index::Single(partition) => partition.find_block(user_key).map(|_| 0),
            Index::Two { top, .. } => top.find(user_key),
        }
    }

    /// The last separator of partition `i`: no key of it is above, every key of partition `i + 1` is at or above it. Empty
    /// where there is no such partition.
    pub fn partition_separator(&self, i: usize) -> &[u8] {
        match &self.index {
            Index::Single(partition) => {
                partition.len().checked_sub(1).map_or(&[], |last| partition.separator(last))
            }
            Index::Two { top, .. } => top.separator(i),
        }
    }

    /// Partition `i`, or what to fetch for it.
    ///
    /// # Panics
    /// Where `i` is not below [`Table::partitions`].
    pub fn partition(&self, i: usize) -> PartitionAt {
        match &self.index {
            Index::Single(partition) => PartitionAt::Resident(partition.clone()),
            Index::Two { partitions, .. } => match &partitions[i] {
                Partition { resident: Some(partition), .. } => PartitionAt::Resident(partition.clone()),
                partition => PartitionAt::Stored(partition.stored()),
            },
        }
    }

    /// Decodes partition `i` from the bytes of its [`PartitionAt::Stored`] range.
    ///
    /// # Panics
    /// Where `i` is not below [`Table::partitions`].
    pub fn decode_partition(&self, i: usize, stored: Bytes) -> Result<IndexPartition> {
        match &self.index {
            Index::Single(partition) => Ok(partition.clone()),
            Index::Two { partitions, .. } => {
                let partition = &partitions[i];
                let range = partition.stored();
                let piece = Tail {
                    object: &self.object,
                    offset: range.start,
                    size: self.size,
                    bytes: stored,
                    checksum: self.footer.checksum,
                };
                if piece.offset + piece.bytes.len() as u64 != range.end {
                    let expected = format!("{} bytes of an index partition", range.end - range.start);
                    let found = format!("{} bytes", piece.bytes.len());
                    return Err(Error::corrupt(&self.object, range.start, expected, found));
                }
                piece.partition(partition.handle, partition.filter)
            }
        }
    }

    /// The filter of the whole table, where it has one.
    pub fn full_filter(&self) -> Option<FullFilter> {
        self.full_filter.clone()
    }

    /// Decodes a full filter from the stored bytes of its block.
    pub fn decode_filter(&self, handle: BlockHandle, stored: Bytes) -> Result<Filter> {
        let body = read_stored_block(&self.object, handle, stored, self.footer.checksum, MAX_INDEX_BYTES)?;
        Filter::decode(&self.object, handle.offset, body)
    }

    /// The stored bytes of a data block, where the tail held it: small tables are fetched whole.
    pub fn resident_data(&self, handle: BlockHandle) -> Option<Bytes> {
        let (offset, bytes) = self.resident.as_ref()?;
        slice_of(*offset, bytes, handle)
    }

    /// Bytes that it keeps in memory.
    pub fn memory(&self) -> u64 {
        let index = match &self.index {
            Index::Single(partition) => partition.memory(),
            Index::Two { top, partitions } => {
                let resident = partitions.iter().filter_map(|partition| partition.resident.as_ref());
                let fixed = (partitions.len() * size_of::<Partition>()) as u64;
                top.memory() + fixed + resident.map(IndexPartition::memory).sum::<u64>()
            }
        };
        let filter = match (&self.full_filter, &self.index) {
            (Some(FullFilter::Resident(filter)), Index::Two { .. }) => filter.memory(),
            _ => 0,
        };
        let resident = self.resident.as_ref().map_or(0, |(_, bytes)| bytes.len() as u64);
        let chunks = self.chunks.as_ref().map_or(0, |chunks| chunks.memory());
        size_of::<Table>() as u64 + self.properties.memory() + index + filter + resident + chunks
    }
}

impl Partition {
    fn stored(&self) -> Range<u64> {
        self.handle.offset..self.filter.unwrap_or(self.handle).end()
    }
}

/// Fetched bytes of a table, and where they lie.
struct Tail<'a> {
    object: &'a Arc<str>,
    offset: u64,
    bytes: Bytes,
    size: u64,
    checksum: ChecksumKind,
}

impl Tail<'_> {
    /// Blocks end here, the footer begins.
    fn blocks_end(&self) -> u64 {
        self.size - FOOTER
    }

    fn holds(&self, handle: BlockHandle) -> bool {
        slice_of(self.offset, &self.bytes, handle).is_some()
    }

    fn read(&self, handle: BlockHandle, limit: u64) -> Result<Bytes> {
        let Some(stored) = slice_of(self.offset, &self.bytes, handle) else {
            let found = format!("bytes from {} on", self.offset);
            return Err(Error::corrupt(self.object, handle.offset, "a block in what was fetched", found));
        };
        read_stored_block(self.object, handle, stored, self.checksum, limit)
    }

    fn filter(&self, handle: BlockHandle) -> Result<Filter> {
        Filter::decode(self.object, handle.offset, self.read(handle, MAX_INDEX_BYTES)?)
    }

    fn entries(&self, handle: BlockHandle) -> Result<IndexEntries> {
        let body = self.read(handle, MAX_INDEX_BYTES)?;
        IndexEntries::decode(self.object, handle.offset, body, self.blocks_end())
    }

    fn partition(&self, handle: BlockHandle, filter: Option<BlockHandle>) -> Result<IndexPartition> {
        let filter = filter.map(|filter| self.filter(filter)).transpose()?;
        Ok(IndexPartition { entries: Arc::new(self.entries(handle)?), filter })
    }

    fn index(
        &self,
        handle: BlockHandle,
        properties: &Properties,
        filter: &Option<FullFilter>,
    ) -> Result<Index> {
        let entries = self.entries(handle)?;
        if !properties.two_level {
            if properties.filter_parts.is_some() {
                let expected = format!("no {FILTER_PARTS} beside a single index block");
                return Err(Error::corrupt(self.object, handle.offset, expected, "some"));
            }
            let filter = match filter {
                Some(FullFilter::Resident(filter)) => Some(filter.clone()),
                _ => None,
            };
            return Ok(Index::Single(IndexPartition { entries: Arc::new(entries), filter }));
        }
        let mut partitions = self.partition_places(handle, &entries, properties)?;
        for partition in &mut partitions {
            if self.holds(partition.handle) && partition.filter.is_none_or(|filter| self.holds(filter)) {
                partition.resident = Some(self.partition(partition.handle, partition.filter)?);
            }
        }
        Ok(Index::Two { top: entries, partitions })
    }

    /// Where partitions and their filter parts lie. A part follows its partition, and ends before the next one.
    fn partition_places(
        &self,
        top: BlockHandle,
        entries: &IndexEntries,
        properties: &Properties,
    ) -> Result<Vec<Partition>> {
        let count = entries.len() as u64;
        let lengths = properties.filter_parts.as_deref();
        if let Some(lengths) = lengths
            && (properties.index_partitions != Some(lengths.len() as u64) || lengths.len() as u64 != count)
        {
            let expected = format!("{count} filter parts and index partitions");
            let found = format!("{} parts, {:?} partitions", lengths.len(), properties.index_partitions);
            return Err(Error::corrupt(self.object, top.offset, expected, found));
        }
        let handles: Vec<BlockHandle> = (0..entries.len()).filter_map(|i| entries.handle(i)).collect();
        let mut partitions = Vec::with_capacity(handles.len());
        for (i, &handle) in handles.iter().enumerate() {
            let mut filter = None;
            if let Some(&length) = lengths.and_then(|lengths| lengths.get(i)) {
                let part = BlockHandle { offset: handle.end(), length };
                let next = handles.get(i + 1).copied().unwrap_or(top);
                if part.end() > next.offset {
                    let expected = format!("a filter part that ends by byte {}", next.offset);
                    return Err(Error::corrupt(
                        self.object,
                        part.offset,
                        expected,
                        format!("one of {length} bytes"),
                    ));
                }
                filter = Some(part);
            }
            partitions.push(Partition { handle, filter, resident: None });
        }
        Ok(partitions)
    }

    /// The fetched bytes, where they hold a data block.
    fn with_data(self, index: &Index) -> Option<(u64, Bytes)> {
        let mut holds = false;
        let mut look = |partition: &IndexPartition| {
            let mut handles = (0..partition.len()).rev().filter_map(|i| partition.entries.handle(i));
            holds = holds || handles.any(|handle| self.holds(handle));
        };
        match index {
            Index::Single(partition) => look(partition),
            Index::Two { partitions, .. } => {
                partitions.iter().filter_map(|p| p.resident.as_ref()).for_each(look)
            }
        }
        holds.then_some((self.offset, self.bytes))
    }
}

/// The stored bytes of a block in `bytes`, which begin at `offset` of the object.
fn slice_of(offset: u64, bytes: &Bytes, handle: BlockHandle) -> Option<Bytes> {
    let start = handle.offset.checked_sub(offset)?;
    let end = start.checked_add(handle.length)?.checked_add(BLOCK_TRAILER)?;
    if end > bytes.len() as u64 {
        return None;
    }
    Some(bytes.slice(start as usize..end as usize))
}
