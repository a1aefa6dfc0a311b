//! One sorted source of a scan: tables that are read one behind the other, block by block.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::cache::{Cached, Part, PartKey};
use super::fetch::{Loader, Want};
use super::merge::{At, Sorted};
use super::range::KeyRange;
use super::tables::TableRef;
use crate::error::{Error, Result};
use crate::format::sst::{Block, BlockHandle, BlockIter, IndexPartition, PartitionAt, Table};

/// What a source fetches first, in stored bytes, and at least one block. Two blocks of the default size: a short scan
/// that begins in the middle of a block still ends within one round.
const FIRST_READ_AHEAD: u64 = 8 * 1024;

/// What a source fetches at once when it has been read for a while.
pub(crate) const MAX_READ_AHEAD: u64 = 1024 * 1024;

/// Index partitions that are fetched beyond the next one.
const MAX_PARTITIONS_AHEAD: u64 = 15;

/// Reads the entries of some tables in order, from a key on.
///
/// The tables are disjoint and sorted, so one is open at a time. Within it, blocks are fetched ahead: little at first,
/// then doubling.
pub(crate) struct Cursor {
    /// Not empty; disjoint and ascending.
    tables: Vec<Arc<TableRef>>,
    /// Nothing at or behind the end of the range is fetched.
    end: Option<Bytes>,
    /// The entry to begin at; `None` when it has been reached.
    seek: Option<Bytes>,
    place: Place,
    /// Blocks that are loaded and follow the current one.
    ahead: VecDeque<Block>,
    /// The current block; kept from block to block for its buffers, and without a position where none is current.
    entries: Option<BlockIter>,
    /// The table that the current block belongs to.
    reading: usize,
    /// What the next load may bring, in stored bytes.
    read_ahead: u64,
    max_read_ahead: u64,
    /// It stands on an entry.
    standing: bool,
}

/// What to load next. A load works on a copy and stores it at its end, so one that is dropped half way lost nothing.
#[derive(Clone)]
struct Place {
    /// Index of the table to load from; all are done where there is none.
    table: usize,
    open: Option<Arc<Table>>,
    partition_number: usize,
    partition: Option<IndexPartition>,
    block: usize,
    /// Partitions that follow and came with an earlier one.
    partitions_ahead: VecDeque<(usize, IndexPartition)>,
}

impl Place {
    fn start_of(table: usize) -> Place {
        Place {
            table,
            open: None,
            partition_number: 0,
            partition: None,
            block: 0,
            partitions_ahead: VecDeque::new(),
        }
    }
}

/// What comes next in a table.
enum NextBlock {
    Handle(BlockHandle),
    /// The index partition must be fetched first.
    Partition,
    /// The table has no further block in the range.
    TableEnd,
}

impl Cursor {
    /// A source over `tables` (disjoint, ascending, not empty) within `range`. It must be loaded before its first entry.
    pub(crate) fn new(tables: Vec<Arc<TableRef>>, range: &KeyRange, max_read_ahead: u64) -> Cursor {
        let mut cursor = Cursor {
            tables,
            end: range.end.clone(),
            seek: None,
            place: Place::start_of(0),
            ahead: VecDeque::new(),
            entries: None,
            reading: 0,
            read_ahead: 0,
            max_read_ahead,
            standing: false,
        };
        cursor.seek(range.start.clone());
        cursor
    }

    /// Forgets its place: the next load brings the first entry at or above `key`.
    pub(crate) fn seek(&mut self, key: Bytes) {
        self.place = Place::start_of(self.tables.partition_point(|table| table.meta.max_key < key));
        self.ahead.clear();
        self.entries = None;
        self.standing = false;
        self.reading = self.place.table;
        self.read_ahead = FIRST_READ_AHEAD.min(self.max_read_ahead);
        self.seek = (!key.is_empty()).then_some(key);
    }

    /// The current entry.
    pub(crate) fn entries(&self) -> Option<&BlockIter> {
        self.entries.as_ref()
    }

    /// The table that it reads.
    pub(crate) fn table(&self) -> &TableRef {
        &self.tables[self.reading.min(self.tables.len() - 1)]
    }

    /// Loads what the next entry needs, and moves to it: after a table's tail and an index partition, one round of
    /// blocks. May be dropped and called again, also when it has come to its end.
    pub(crate) async fn load(&mut self, loader: &Loader) -> Result<At> {
        if self.standing {
            return Ok(At::Entry);
        }
        loop {
            match self.advance()? {
                At::Load => self.fetch(loader).await?,
                at => return Ok(at),
            }
        }
    }

    /// Moves within what is loaded.
    fn advance_loaded(&mut self) -> Result<At> {
        if let Some(entries) = &mut self.entries
            && entries.next()?
        {
            return Ok(At::Entry);
        }
        while let Some(block) = self.ahead.pop_front() {
            let entries = match &mut self.entries {
                Some(entries) => {
                    entries.reset(block);
                    entries
                }
                none => none.insert(block.iter()),
            };
            let found = match &self.seek {
                Some(key) => entries.seek_ge(key)?,
                None => entries.seek_to_first()?,
            };
            if found {
                self.seek = None;
                return Ok(At::Entry);
            }
        }
        Ok(if self.place.table < self.tables.len() { At::Load } else { At::End })
    }

    /// One round: the next blocks, as far as the index is at hand, and beside them the next index partition.
    async fn fetch(&mut self, loader: &Loader) -> Result<()> {
        let mut place = self.place.clone();
        let Some(table_ref) = self.tables.get(place.table).cloned() else { return Ok(()) };
        let table = match &place.open {
            Some(table) => table.clone(),
            None => loader.table(&table_ref).await?,
        };
        if place.open.is_none() {
            place.open = Some(table.clone());
            if let Some(key) = &self.seek {
                // Behind the last partition where the key is above everything in the table.
                place.partition_number = table.find_partition(key).unwrap_or(table.partitions());
            }
        }

        let mut wants = Vec::new();
        let mut blocks = 0;
        let mut bytes = 0;
        loop {
            match self.next_block(loader, &table_ref, &table, &mut place)? {
                NextBlock::Handle(handle) => {
                    let stored = handle.stored();
                    let length = stored.end - stored.start;
                    if blocks > 0 && bytes + length > self.read_ahead {
                        place.block -= 1;
                        break;
                    }
                    wants.push(Want::Block(handle));
                    blocks += 1;
                    bytes += length;
                }
                NextBlock::Partition => {
                    self.want_partitions(&table, place.partition_number, &mut wants);
                    break;
                }
                NextBlock::TableEnd => {
                    place = Place::start_of(place.table + 1);
                    break;
                }
            }
        }
        // A scan that has come this far goes on: the tail of the next table comes beside the last blocks of this one.
        let next = match &place.open {
            None if self.read_ahead > FIRST_READ_AHEAD => self.tables.get(place.table),
            _ => None,
        };
        let next = async {
            match next {
                Some(next) => loader.table(next).await.map(Some),
                None => Ok(None),
            }
        };
        if !wants.is_empty() {
            let parts = loader.parts(&table_ref.name, &table, &wants);
            let (parts, next) = futures::future::try_join(parts, next).await?;
            place.open = place.open.or(next);
            for (want, part) in wants.iter().zip(parts) {
                match (want, part) {
                    (Want::Block(_), Cached::Block(block)) => self.ahead.push_back(block),
                    (Want::Partition(i, _), Cached::Partition(partition)) => {
                        place.partitions_ahead.push_back((*i, partition));
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
        }
        if blocks > 0 {
            self.reading = self.place.table;
            self.read_ahead = (self.read_ahead * 2).min(self.max_read_ahead);
        }
        self.place = place;
        Ok(())
    }

    /// The next block in the range, and moves `place` behind it.
    fn next_block(
        &self,
        loader: &Loader,
        table_ref: &TableRef,
        table: &Table,
        place: &mut Place,
    ) -> Result<NextBlock> {
        loop {
            if place.partition.is_none() {
                if place.partition_number >= table.partitions() {
                    return Ok(NextBlock::TableEnd);
                }
                let Some(partition) = self.partition_at_hand(loader, table_ref, table, place) else {
                    return Ok(NextBlock::Partition);
                };
                self.enter(place, partition);
            }
            let Some(partition) = &place.partition else { continue };
            if place.block < partition.len() {
                // Everything in a block is above the separator in front of it.
                let beyond = place.block > 0
                    && self.end.as_ref().is_some_and(|end| partition.separator(place.block - 1) >= &end[..]);
                if beyond {
                    return Ok(NextBlock::TableEnd);
                }
                place.block += 1;
                return Ok(NextBlock::Handle(partition.handle(place.block - 1)));
            }
            // The same holds of the partition that follows.
            let last = partition.len().checked_sub(1);
            let beyond = last.is_some_and(|last| {
                self.end.as_ref().is_some_and(|end| partition.separator(last) >= &end[..])
            });
            if beyond {
                return Ok(NextBlock::TableEnd);
            }
            place.partition = None;
            place.partition_number += 1;
        }
    }

    /// The partition that `place` is at, where it need not be fetched.
    fn partition_at_hand(
        &self,
        loader: &Loader,
        table_ref: &TableRef,
        table: &Table,
        place: &mut Place,
    ) -> Option<IndexPartition> {
        while let Some((i, partition)) = place.partitions_ahead.pop_front() {
            if i == place.partition_number {
                return Some(partition);
            }
        }
        if let PartitionAt::Resident(partition) = table.partition(place.partition_number) {
            return Some(partition);
        }
        let part = Part::Partition(place.partition_number as u64);
        match loader.cache().get(&PartKey { object: table_ref.name.clone(), part }) {
            Some(Cached::Partition(partition)) => Some(partition),
            _ => None,
        }
    }

    /// Asks for the partition `first`, and for as many of those behind it (they lie side by side) as lead to what the
    /// next load may bring.
    fn want_partitions(&self, table: &Table, first: usize, wants: &mut Vec<Want>) {
        let data_per_partition = table.size() / table.partitions().max(1) as u64;
        let more = (self.read_ahead / data_per_partition.max(1)).min(MAX_PARTITIONS_AHEAD);
        let last = table.partitions().saturating_sub(1).min(first.saturating_add(more as usize));
        for i in first..=last {
            match table.partition(i) {
                PartitionAt::Stored(range) => wants.push(Want::Partition(i, range)),
                PartitionAt::Resident(_) => break,
            }
        }
    }

    /// Goes to the first block of `partition` that the scan needs.
    fn enter(&self, place: &mut Place, partition: IndexPartition) {
        place.block = match &self.seek {
            Some(key) => partition.find_block(key).unwrap_or(partition.len()),
            None => 0,
        };
        place.partition = Some(partition);
    }
}

impl Sorted for Cursor {
    fn key(&self) -> &[u8] {
        self.entries.as_ref().map(BlockIter::user_key).unwrap_or_default()
    }

    fn sequence(&self) -> u64 {
        self.entries.as_ref().map(BlockIter::sequence).unwrap_or_default()
    }

    fn rank(&self) -> u32 {
        self.table().rank
    }

    fn object(&self) -> &str {
        self.table().name.as_str()
    }

    fn advance(&mut self) -> Result<At> {
        let at = self.advance_loaded();
        self.standing = matches!(at, Ok(At::Entry));
        at
    }
}
