//! The data blocks of some tables in order, fetched in stretches.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::format::manifest::SstMeta;
use crate::format::sst::{Block, BlockHandle, IndexPartition, MAX_BLOCK_BYTES, PartitionAt, Table};
use crate::read::cache::Cached;
use crate::read::fetch::Source;
use crate::read::table::open;

/// Index partitions that are fetched with one request, beside the blocks that the ones before lead to.
const MAX_PARTITIONS_AHEAD: usize = 16;

/// A table of the state.
#[derive(Debug, Clone)]
pub(super) struct InputTable {
    pub(super) meta: Arc<SstMeta>,
    /// Its object.
    pub(super) name: Arc<str>,
    /// Its place in the state: at equal sequence numbers the lower one was published later, and wins.
    pub(super) rank: u32,
}

/// Neighbouring blocks as they are stored. They are decoded one at a time, when their turn comes.
pub(super) struct Stretch {
    /// Index of the table that they belong to.
    pub(super) table: usize,
    open: Arc<Table>,
    handles: VecDeque<BlockHandle>,
    start: u64,
    bytes: Bytes,
}

impl Stretch {
    /// The next block, and its bytes as stored.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Block)>> {
        let Some(handle) = self.handles.pop_front() else { return Ok(None) };
        let stored = handle.stored();
        // Both ends lie within a body that is in memory.
        let bytes =
            self.bytes.slice((stored.start - self.start) as usize..(stored.end - self.start) as usize);
        let block = Block::decode(self.open.object(), handle, bytes, self.open.checksum(), MAX_BLOCK_BYTES)?;
        Ok(Some((stored.end - stored.start, block)))
    }
}

/// The way that is left behind a step, and what the step brought: nothing only at the end.
pub(super) type Stepped = (Feed, Option<Stretch>);

/// The way through the blocks of tables (disjoint, ascending). A step takes it by value and gives back what is left.
pub(super) struct Feed {
    tables: Arc<[InputTable]>,
    /// Blocks in front of this key are left out.
    from: Bytes,
    /// The table to go on in; all are done where there is none.
    table: usize,
    open: Option<Arc<Table>>,
    /// The partition that `block` counts in.
    partition_number: usize,
    block: usize,
    /// Partitions at hand, from `partition_number` on.
    partitions: VecDeque<IndexPartition>,
}

impl Feed {
    /// From the first block that can hold `from` or a key above it.
    pub(super) fn new(tables: Arc<[InputTable]>, from: Bytes) -> Feed {
        let table = tables.partition_point(|table| table.meta.max_key < from);
        Feed { tables, from, table, open: None, partition_number: 0, block: 0, partitions: VecDeque::new() }
    }

    /// The next stretch: at most `bytes` as stored, and at least one block. `None` at the end.
    ///
    /// Cost: one round; at the beginning of a table two more, for its tail and the first partitions of its index.
    pub(super) async fn step(mut self, source: Source, bytes: u64) -> Result<Stepped> {
        loop {
            let Some(table_ref) = self.tables.get(self.table).cloned() else { return Ok((self, None)) };
            let table = match &self.open {
                Some(table) => table.clone(),
                None => self.enter(&source, &table_ref).await?,
            };
            let wanted = self.take(&table, bytes);
            let ahead = self.partitions_to_fetch(&table);
            if wanted.is_empty() && ahead.is_empty() {
                (self.table, self.open) = (self.table + 1, None);
                continue;
            }
            let stretch = self.stretch(&source, &table_ref, &table, wanted);
            let (stretch, partitions) =
                futures::future::try_join(stretch, fetch_partitions(&source, &table, ahead)).await?;
            self.partitions.extend(partitions);
            if stretch.is_some() {
                return Ok((self, stretch));
            }
        }
    }

    async fn enter(&mut self, source: &Source, table_ref: &InputTable) -> Result<Arc<Table>> {
        let opened = open(source.clone(), table_ref.name.clone(), table_ref.meta.clone()).await?;
        let Cached::Table(table) = opened else {
            return Err(Error::corrupt(&table_ref.name, None, "a table", "another part"));
        };
        // Behind the last partition where everything in the table is below.
        self.partition_number = table.find_partition(&self.from).unwrap_or(table.partitions());
        self.block = usize::MAX;
        self.partitions.clear();
        self.open = Some(table.clone());
        Ok(table)
    }

    /// The next neighbouring blocks that the partitions at hand lead to.
    fn take(&mut self, table: &Table, bytes: u64) -> Vec<BlockHandle> {
        let mut taken: Vec<BlockHandle> = Vec::new();
        loop {
            if self.partitions.is_empty()
                && self.partition_number < table.partitions()
                && let PartitionAt::Resident(partition) = table.partition(self.partition_number)
            {
                self.partitions.push_back(partition);
            }
            let Some(partition) = self.partitions.front() else { return taken };
            if self.block == usize::MAX {
                // The first partition of a table: the others lie behind `from` as a whole.
                self.block = partition.find_block(&self.from).unwrap_or(partition.len());
            }
            if self.block >= partition.len() {
                self.partitions.pop_front();
                (self.partition_number, self.block) = (self.partition_number + 1, 0);
                continue;
            }
            let handle = partition.handle(self.block);
            if let (Some(first), Some(last)) = (taken.first(), taken.last()) {
                let stored = handle.stored();
                let neighbour = stored.start == last.stored().end;
                if !neighbour || stored.end - first.stored().start > bytes {
                    return taken;
                }
            }
            taken.push(handle);
            self.block += 1;
        }
    }

    /// The partitions to fetch next: none while there are some at hand behind the present one.
    fn partitions_to_fetch(&self, table: &Table) -> Range<usize> {
        let next = self.partition_number + self.partitions.len();
        if self.partitions.len() > 1 || next >= table.partitions() {
            return 0..0;
        }
        let stored = |i: &usize| matches!(table.partition(*i), PartitionAt::Stored(_));
        let end = (next..table.partitions().min(next + MAX_PARTITIONS_AHEAD)).find(|i| !stored(i));
        next..end.unwrap_or(table.partitions().min(next + MAX_PARTITIONS_AHEAD))
    }

    async fn stretch(
        &self,
        source: &Source,
        table_ref: &InputTable,
        table: &Arc<Table>,
        wanted: Vec<BlockHandle>,
    ) -> Result<Option<Stretch>> {
        let (Some(first), Some(last)) = (wanted.first(), wanted.last()) else { return Ok(None) };
        let range = first.stored().start..last.stored().end;
        let whole = BlockHandle { offset: first.offset, length: last.offset + last.length - first.offset };
        let bytes = match table.resident_data(whole) {
            Some(bytes) => bytes,
            None => {
                let fetched =
                    source.fetch(&table_ref.name, table.chunks(), std::slice::from_ref(&range)).await?;
                fetched.into_iter().next().unwrap_or_default()
            }
        };
        if bytes.len() as u64 != range.end - range.start {
            let (expected, found) = (format!("bytes {range:?}"), format!("{} bytes", bytes.len()));
            return Err(Error::corrupt(&table_ref.name, range.start, expected, found));
        }
        let (start, open) = (range.start, table.clone());
        Ok(Some(Stretch { table: self.table, open, handles: wanted.into(), start, bytes }))
    }
}

/// Neighbours, by one request.
async fn fetch_partitions(
    source: &Source,
    table: &Arc<Table>,
    numbers: Range<usize>,
) -> Result<Vec<IndexPartition>> {
    let ranges: Vec<Range<u64>> = numbers
        .clone()
        .filter_map(|i| match table.partition(i) {
            PartitionAt::Stored(range) => Some(range),
            PartitionAt::Resident(_) => None,
        })
        .collect();
    if ranges.is_empty() {
        return Ok(Vec::new());
    }
    let stored = source.fetch(table.object(), table.chunks(), &ranges).await?;
    numbers.zip(stored).map(|(i, stored)| table.decode_partition(i, stored)).collect()
}
