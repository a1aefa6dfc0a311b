//! The way through the blocks of some tables, forwards or backwards: which come next, and fetching them.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::cache::{Cached, Part};
use super::direction::Direction;
use super::fetch::{Loader, Want};
use super::range::KeyRange;
use super::tables::TableRef;
use crate::error::{Error, Result};
use crate::format::sst::{Block, BlockHandle, IndexPartition, PartitionAt, Table};

/// Index partitions that are fetched beyond the next one.
const MAX_PARTITIONS_AHEAD: u64 = 15;

/// Partitions that have less together, in stored bytes, lead to few blocks: the next one is fetched beside them.
const SMALL_PARTITION: u64 = 2 * 1024;

/// A scan that may fetch so much at once, in stored bytes, is a long one: it will come to the next table too.
const LONG: u64 = 64 * 1024;

/// Walks over the data blocks of some tables in order: those that can hold a key of a range.
///
/// It is a value: a step takes it by value and gives back the one behind, so a step that fails or is dropped is taken again
/// from the one before. Both ways pass the same blocks. Tables, partitions and blocks are counted in the direction of the
/// walk: number 0 is the last one where it goes backwards.
#[derive(Clone)]
pub(crate) struct Walk {
    /// Disjoint, ascending, not empty.
    tables: Arc<[Arc<TableRef>]>,
    range: KeyRange,
    direction: Direction,
    /// Blocks that lie wholly below this key are left out.
    lower: Bytes,
    /// Blocks that lie wholly at or above this key are left out.
    upper: Option<Bytes>,
    /// Number of the table to go on in; all are done where there is none.
    table: usize,
    open: Option<Arc<Table>>,
    partition_number: usize,
    partition: Option<IndexPartition>,
    block: usize,
    /// Partitions that follow and came with an earlier one, by their index.
    partitions_ahead: VecDeque<(usize, IndexPartition)>,
}

/// What a step brought.
pub(crate) struct Loaded {
    /// The way that is left.
    pub(crate) rest: Walk,
    /// Index of the table that the blocks belong to.
    pub(crate) table: usize,
    /// Blocks in the order of the walk; none only at the end of the way.
    pub(crate) blocks: Vec<Passed>,
    /// What these blocks take in the store.
    pub(crate) bytes: u64,
}

/// A block on the way.
pub(crate) struct Passed {
    pub(crate) block: Block,
    /// Going backwards, the separator in front of the block: a key above it has no version in earlier blocks of the table.
    /// `None` where there is no earlier block, and always when going forwards.
    pub(crate) floor: Option<Bytes>,
}

/// What comes next in a table.
enum Next {
    /// A block, with its floor.
    Block(BlockHandle, Option<Bytes>),
    /// The index partition must be fetched first.
    Partition,
    /// The table has no further block in the range.
    TableEnd,
}

impl Walk {
    /// Through `tables` (disjoint, ascending, not empty), from the first key of `range` on.
    pub(crate) fn new(tables: Vec<Arc<TableRef>>, range: &KeyRange) -> Walk {
        let mut walk = Walk {
            tables: tables.into(),
            range: range.clone(),
            direction: Direction::Forward,
            lower: Bytes::new(),
            upper: None,
            table: 0,
            open: None,
            partition_number: 0,
            partition: None,
            block: 0,
            partitions_ahead: VecDeque::new(),
        };
        walk.seek(Direction::Forward, Some(range.start.clone()));
        walk
    }

    /// Goes to the place in front of the key `gap`, or behind everything, and from there that way: forwards to the first
    /// block that can hold `gap` or a key above it, backwards to the last block that can hold a key below it. A `gap`
    /// outside of the range is not asked for.
    pub(crate) fn seek(&mut self, direction: Direction, gap: Option<Bytes>) {
        self.direction = direction;
        let count = self.tables.len();
        match direction {
            Direction::Forward => {
                self.enter_table(
                    gap.as_ref()
                        .map_or(count, |gap| self.tables.partition_point(|table| table.meta.max_key < *gap)),
                );
                self.lower = gap.unwrap_or_default();
                self.upper = self.range.end.clone();
            }
            Direction::Backward => {
                let below = gap
                    .as_ref()
                    .map_or(count, |gap| self.tables.partition_point(|table| table.meta.min_key < *gap));
                self.enter_table(count - below);
                self.lower = self.range.start.clone();
                self.upper = gap;
            }
        }
    }

    /// True where nothing is left.
    pub(crate) fn is_done(&self) -> bool {
        self.table >= self.tables.len()
    }

    /// The table of this index among those it goes through, or the last one.
    pub(crate) fn table(&self, i: usize) -> &TableRef {
        &self.tables[i.min(self.tables.len() - 1)]
    }

    /// The next blocks, of one table: as many as `bytes` (stored) allow, and at least one.
    ///
    /// Cost: one round where the index is at hand; before it one for the tail of a table, and one for index partitions.
    pub(crate) async fn step(mut self, loader: Loader, bytes: u64) -> Result<Loaded> {
        while !self.is_done() {
            let table = self.index();
            let (blocks, bytes) = self.fetch(&loader, bytes).await?;
            if !blocks.is_empty() {
                return Ok(Loaded { rest: self, table, blocks, bytes });
            }
        }
        Ok(Loaded { table: self.index(), rest: self, blocks: Vec::new(), bytes: 0 })
    }

    /// The index of the table to go on in.
    fn index(&self) -> usize {
        self.direction.nth(self.table, self.tables.len())
    }

    /// One round: the next blocks as far as the index is at hand, and beside them the index partitions that follow, or
    /// the tail of the next table.
    async fn fetch(&mut self, loader: &Loader, bytes: u64) -> Result<(Vec<Passed>, u64)> {
        let table_ref = self.tables[self.index()].clone();
        let table = match &self.open {
            Some(table) => table.clone(),
            None => self.open_table(loader, &table_ref).await?,
        };
        let mut wants = Vec::new();
        let mut floors = VecDeque::new();
        let mut wanted_bytes = 0;
        loop {
            match self.next_in(loader, &table_ref, &table) {
                Next::Block(handle, floor) => {
                    let stored = handle.stored().end - handle.stored().start;
                    if !wants.is_empty() && wanted_bytes + stored > bytes {
                        self.block -= 1;
                        if bytes >= LONG / 2 {
                            self.want_index_ahead(&table, bytes * 2, &mut wants);
                        }
                        break;
                    }
                    wanted_bytes += stored;
                    wants.push(Want::Block(handle));
                    floors.push_back(floor);
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
            let next = (self.open.is_none() && bytes >= LONG && !self.is_done()).then(|| self.index());
            match next.and_then(|next| self.tables.get(next)) {
                Some(next) => loader.table(next).await.map(drop),
                None => Ok(()),
            }
        };
        let (parts, ()) = futures::future::try_join(parts, next_tail).await?;
        let mut blocks = Vec::with_capacity(floors.len());
        for (want, part) in wants.iter().zip(parts) {
            match (want, part) {
                (Want::Block(_), Cached::Block(block)) => {
                    blocks.push(Passed { block, floor: floors.pop_front().flatten() });
                }
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
        Ok((blocks, wanted_bytes))
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
        self.partition_number = self.first(table.partitions(), |key| table.find_partition(key));
        self.open = Some(table.clone());
        Ok(table)
    }

    /// The number of the first of `count` partitions, or blocks, on the way; `count` where there is none. `find` says which
    /// is the first in key order that ends at or above a key.
    fn first(&self, count: usize, find: impl Fn(&[u8]) -> Option<usize>) -> usize {
        match self.direction {
            // Behind the last one where everything is below.
            Direction::Forward => find(&self.lower).unwrap_or(count),
            // The first one that ends at or above the bound can begin below it; the next one cannot.
            Direction::Backward => {
                let last = self.upper.as_ref().and_then(|upper| find(upper));
                last.map_or(0, |last| self.direction.nth(last, count))
            }
        }
    }

    /// The next block in the range, and goes behind it.
    fn next_in(&mut self, loader: &Loader, table_ref: &TableRef, table: &Table) -> Next {
        loop {
            if self.partition.is_none() {
                if self.partition_number >= table.partitions() {
                    return Next::TableEnd;
                }
                let Some(partition) = self.partition_at_hand(loader, table_ref, table) else {
                    return Next::Partition;
                };
                self.block = self.first(partition.len(), |key| partition.find_block(key));
                self.partition = Some(partition);
            }
            let Some(partition) = &self.partition else { return Next::Partition };
            let count = partition.len();
            // Going forwards this lies below the next block, going backwards it is the end of the next block.
            let separator = match self.direction {
                Direction::Forward => self.block.checked_sub(1).map(|last| partition.separator(last)),
                Direction::Backward if self.block < count => {
                    Some(partition.separator(self.direction.nth(self.block, count)))
                }
                Direction::Backward => self.separator_below(table),
            };
            if separator.is_some_and(|separator| self.is_past_range(separator)) {
                return Next::TableEnd;
            }
            if self.block < count {
                let i = self.direction.nth(self.block, count);
                let floor = match self.direction {
                    Direction::Forward => None,
                    Direction::Backward => {
                        let floor = i.checked_sub(1).map(|below| partition.separator(below));
                        floor.or_else(|| self.separator_below(table)).map(Bytes::copy_from_slice)
                    }
                };
                let handle = partition.handle(i);
                self.block += 1;
                return Next::Block(handle, floor);
            }
            self.partition = None;
            self.partition_number += 1;
        }
    }

    /// True where nothing of the range lies behind the block that `separator` is passed with.
    fn is_past_range(&self, separator: &[u8]) -> bool {
        match self.direction {
            Direction::Forward => self.upper.as_ref().is_some_and(|upper| separator >= &upper[..]),
            Direction::Backward => separator < &self.lower[..],
        }
    }

    /// The separator between the present partition and the one before it in key order.
    fn separator_below<'a>(&self, table: &'a Table) -> Option<&'a [u8]> {
        let i = self.direction.nth(self.partition_number, table.partitions());
        Some(table.partition_separator(i.checked_sub(1)?))
    }

    /// The next partition, where it need not be fetched.
    fn partition_at_hand(
        &mut self,
        loader: &Loader,
        table_ref: &TableRef,
        table: &Table,
    ) -> Option<IndexPartition> {
        let next = self.direction.nth(self.partition_number, table.partitions());
        while let Some((i, partition)) = self.partitions_ahead.pop_front() {
            if i == next {
                return Some(partition);
            }
        }
        if let PartitionAt::Resident(partition) = table.partition(next) {
            return Some(partition);
        }
        let part = Part::Partition(next as u64);
        match loader.cached(&table_ref.name, part) {
            Some(Cached::Partition(partition)) => Some(partition),
            _ => None,
        }
    }

    /// Asks for the next partition, and for as many of those behind it (they lie side by side) as lead to the blocks
    /// that one step may bring.
    fn want_partitions(&self, table: &Table, bytes: u64, wants: &mut Vec<Want>) {
        let more = (bytes / data_per_partition(table)).min(MAX_PARTITIONS_AHEAD) as usize;
        self.want_from(table, self.partition_number, 1 + more, wants);
    }

    /// Asks for the partitions behind those at hand that a next step of `bytes` needs, so that it is not cut short.
    fn want_index_ahead(&self, table: &Table, bytes: u64, wants: &mut Vec<Want>) {
        let Some(partition) = &self.partition else { return };
        let count = partition.len();
        let end = match self.direction {
            Direction::Forward => count.checked_sub(1).map(|last| partition.separator(last)),
            Direction::Backward => self.separator_below(table),
        };
        if end.is_none_or(|separator| self.is_past_range(separator)) || self.block >= count {
            return;
        }
        // Data blocks lie one behind the other.
        let next = partition.handle(self.direction.nth(self.block, count)).stored();
        let last = partition.handle(self.direction.nth(count - 1, count)).stored();
        let left = next.end.max(last.end) - next.start.min(last.start);
        let at_hand = left + self.partitions_ahead.len() as u64 * data_per_partition(table);
        if at_hand < bytes {
            let more = ((bytes - at_hand) / data_per_partition(table)).min(MAX_PARTITIONS_AHEAD) as usize;
            self.want_from(table, self.partition_number + 1 + self.partitions_ahead.len(), 1 + more, wants);
        }
    }

    /// Asks for `count` partitions from that number on, and for more while they are as small as a last one may be.
    fn want_from(&self, table: &Table, number: usize, count: usize, wants: &mut Vec<Want>) {
        let mut bytes = 0;
        for (asked, number) in (number..table.partitions()).enumerate() {
            let i = self.direction.nth(number, table.partitions());
            let PartitionAt::Stored(range) = table.partition(i) else { return };
            if asked >= count && bytes >= SMALL_PARTITION {
                return;
            }
            bytes += range.end - range.start;
            wants.push(Want::Partition(i, range));
        }
    }
}

/// What the data blocks of a partition take, on the average.
fn data_per_partition(table: &Table) -> u64 {
    (table.size() / table.partitions().max(1) as u64).max(1)
}
