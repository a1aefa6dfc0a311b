//! The way through the blocks of some tables: which come next, and fetching them.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::cache::{Cached, Part, PartKey};
use super::fetch::{Loader, Want};
use super::range::KeyRange;
use super::tables::TableRef;
use crate::error::{Error, Result};
use crate::format::sst::{Block, BlockHandle, IndexPartition, PartitionAt, Table};

/// Index partitions that are fetched beyond the next one.
const MAX_PARTITIONS_AHEAD: u64 = 15;

/// A scan that may fetch so much at once, in stored bytes, is a long one: it will come to the next table too.
const LONG: u64 = 64 * 1024;

/// Walks over the data blocks of some tables in order: those that can hold a key of a range.
///
/// It is a value: a step takes it by value and gives back the one behind, so a step that fails or is dropped is taken again
/// from the one before.
#[derive(Clone)]
pub(crate) struct Walk {
    /// Disjoint, ascending, not empty.
    tables: Arc<[Arc<TableRef>]>,
    /// Blocks in front of this key are left out.
    from: Bytes,
    /// Blocks at or behind this key are left out.
    end: Option<Bytes>,
    /// Index of the table to go on in; all are done where there is none.
    table: usize,
    open: Option<Arc<Table>>,
    partition_number: usize,
    partition: Option<IndexPartition>,
    block: usize,
    /// Partitions that follow and came with an earlier one.
    partitions_ahead: VecDeque<(usize, IndexPartition)>,
}

/// What a step brought.
pub(crate) struct Loaded {
    /// The way that is left.
    pub(crate) rest: Walk,
    /// Index of the table that the blocks belong to.
    pub(crate) table: usize,
    /// Blocks in order; none only at the end of the way.
    pub(crate) blocks: Vec<Block>,
}

/// What comes next in a table.
enum Next {
    Block(BlockHandle),
    /// The index partition must be fetched first.
    Partition,
    /// The table has no further block in the range.
    TableEnd,
}

impl Walk {
    /// From the first key of `range` on, through `tables` (disjoint, ascending, not empty).
    pub(crate) fn new(tables: Vec<Arc<TableRef>>, range: &KeyRange) -> Walk {
        let mut walk = Walk {
            tables: tables.into(),
            from: Bytes::new(),
            end: range.end.clone(),
            table: 0,
            open: None,
            partition_number: 0,
            partition: None,
            block: 0,
            partitions_ahead: VecDeque::new(),
        };
        walk.seek(range.start.clone());
        walk
    }

    /// Goes to the first block that can hold `key` or one above it.
    pub(crate) fn seek(&mut self, key: Bytes) {
        self.enter_table(self.tables.partition_point(|table| table.meta.max_key < key));
        self.from = key;
    }

    /// True where nothing is left.
    pub(crate) fn is_done(&self) -> bool {
        self.table >= self.tables.len()
    }

    /// Table `i` of those it goes through, or the last one.
    pub(crate) fn table(&self, i: usize) -> &TableRef {
        &self.tables[i.min(self.tables.len() - 1)]
    }

    /// The next blocks, of one table: as many as `bytes` (stored) allow, and at least one.
    ///
    /// Cost: one round where the index is at hand; before it one for the tail of a table, and one for index partitions.
    pub(crate) async fn step(mut self, loader: Loader, bytes: u64) -> Result<Loaded> {
        while !self.is_done() {
            let table = self.table;
            let blocks = self.fetch(&loader, bytes).await?;
            if !blocks.is_empty() {
                return Ok(Loaded { rest: self, table, blocks });
            }
        }
        Ok(Loaded { table: self.table, rest: self, blocks: Vec::new() })
    }

    /// One round: the next blocks as far as the index is at hand, and beside them the index partitions that follow, or
    /// the tail of the next table.
    async fn fetch(&mut self, loader: &Loader, bytes: u64) -> Result<Vec<Block>> {
        let table_ref = self.tables[self.table].clone();
        let table = match &self.open {
            Some(table) => table.clone(),
            None => self.open_table(loader, &table_ref).await?,
        };
        let mut wants = Vec::new();
        let mut wanted_bytes = 0;
        loop {
            match self.next_in(loader, &table_ref, &table) {
                Next::Block(handle) => {
                    let stored = handle.stored();
                    wanted_bytes += stored.end - stored.start;
                    if !wants.is_empty() && wanted_bytes > bytes {
                        self.block -= 1;
                        break;
                    }
                    wants.push(Want::Block(handle));
                }
                Next::Partition => {
                    self.want_partitions(&table, bytes, &mut wants);
                    break;
                }
                Next::TableEnd => {
                    self.enter_table(self.table + 1);
                    break;
                }
            }
        }
        let parts = loader.parts(&table_ref.name, &table, &wants);
        let next_tail = async {
            match self.tables.get(self.table) {
                Some(next) if self.open.is_none() && bytes >= LONG => loader.table(next).await.map(drop),
                _ => Ok(()),
            }
        };
        let (parts, ()) = futures::future::try_join(parts, next_tail).await?;
        let mut blocks = Vec::with_capacity(wants.len());
        for (want, part) in wants.iter().zip(parts) {
            match (want, part) {
                (Want::Block(_), Cached::Block(block)) => blocks.push(block),
                (Want::Partition(i, _), Cached::Partition(partition)) => {
                    self.partitions_ahead.push_back((*i, partition));
                }
                _ => {
                    return Err(Error::corrupt(
                        table_ref.name.as_str(),
                        None,
                        "a part of a table",
                        "another part",
                    ));
                }
            }
        }
        Ok(blocks)
    }

    fn enter_table(&mut self, table: usize) {
        self.table = table;
        self.open = None;
        self.partition_number = 0;
        self.partition = None;
        self.partitions_ahead.clear();
    }

    async fn open_table(&mut self, loader: &Loader, table_ref: &TableRef) -> Result<Arc<Table>> {
        let table = loader.table(table_ref).await?;
        // Behind the last partition where everything in the table is below.
        self.partition_number = table.find_partition(&self.from).unwrap_or(table.partitions());
        self.open = Some(table.clone());
        Ok(table)
    }

    /// The next block in the range, and goes behind it.
    fn next_in(&mut self, loader: &Loader, table_ref: &TableRef, table: &Table) -> Next {
        loop {
            let partition = match &self.partition {
                Some(partition) => partition,
                None if self.partition_number >= table.partitions() => return Next::TableEnd,
                None => {
                    let Some(partition) = self.partition_at_hand(loader, table_ref, table) else {
                        return Next::Partition;
                    };
                    self.block = partition.find_block(&self.from).unwrap_or(partition.len());
                    self.partition.insert(partition)
                }
            };
            // Everything behind a separator is at or above it.
            let reached = self.block.checked_sub(1).map(|last| partition.separator(last));
            if reached.is_some_and(|reached| self.end.as_ref().is_some_and(|end| reached >= &end[..])) {
                return Next::TableEnd;
            }
            if self.block < partition.len() {
                self.block += 1;
                return Next::Block(partition.handle(self.block - 1));
            }
            self.partition = None;
            self.partition_number += 1;
        }
    }

    /// The next partition, where it need not be fetched.
    fn partition_at_hand(
        &mut self,
        loader: &Loader,
        table_ref: &TableRef,
        table: &Table,
    ) -> Option<IndexPartition> {
        while let Some((i, partition)) = self.partitions_ahead.pop_front() {
            if i == self.partition_number {
                return Some(partition);
            }
        }
        if let PartitionAt::Resident(partition) = table.partition(self.partition_number) {
            return Some(partition);
        }
        let part = Part::Partition(self.partition_number as u64);
        match loader.cached(&PartKey { object: table_ref.name.clone(), part }) {
            Some(Cached::Partition(partition)) => Some(partition),
            _ => None,
        }
    }

    /// Asks for the next partition, and for as many of those behind it (they lie side by side) as lead to the blocks
    /// that one step may bring.
    fn want_partitions(&self, table: &Table, bytes: u64, wants: &mut Vec<Want>) {
        let data_per_partition = table.size() / table.partitions().max(1) as u64;
        let more = (bytes / data_per_partition.max(1)).min(MAX_PARTITIONS_AHEAD) as usize;
        let behind = table.partitions().min(self.partition_number + 1 + more);
        for i in self.partition_number..behind {
            match table.partition(i) {
                PartitionAt::Stored(range) => wants.push(Want::Partition(i, range)),
                PartitionAt::Resident(_) => break,
            }
        }
    }
}
