//! Iteration over a data block: forwards by decoding the next entry, backwards from a list of one restart interval.

use bytes::Bytes;

use super::block::Block;
use super::internal_key::{self, ForeignKind, Kind, TRAILER};
use super::row::{Row, RowBlock, common_prefix};
use crate::mutation::{Mutation, mutated};
use crate::{Error, Result};

/// Iterates over the entries of a [`Block`], in both directions: user keys ascending, of one key the newest version first.
///
/// A key buffer is the only memory of a forward scan, and it is kept from entry to entry, and from block to block
/// ([`BlockIter::reset`]). Without a position every accessor gives something empty. After an error the iterator has no
/// position; it never panics, whatever the block says.
#[derive(Debug, Clone)]
pub struct BlockIter {
    block: Block,
    /// Internal key of the current entry, empty without a position.
    key: Vec<u8>,
    trailer: u64,
    kind: Kind,
    valid: bool,
    entry_at: u32,
    value_at: u32,
    entry_end: u32,
    /// The entries of one restart interval, first to last, while moving backwards.
    back: Vec<BackRow>,
    /// The place of the current entry in `back`, while that list is of use.
    back_position: Option<u32>,
}

/// An entry in the list of an interval. Its key is put together from the entries before it when it is reached, so that
/// the list stays small even for blocks that share much.
#[derive(Debug, Clone, Copy)]
struct BackRow {
    at: u32,
    row: Row,
}

/// An entry that [`Block::find`] came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The sequence of the entry.
    pub sequence: u64,
    /// What the entry does.
    pub kind: Kind,
    /// The stored value, as a slice that keeps the block alive.
    pub value: Bytes,
}

impl Block {
    /// The newest version of `user_key`, without an iterator: nothing is allocated, and of the entries before it no key is
    /// put together.
    pub fn find(&self, user_key: &[u8]) -> Result<Option<Found>> {
        let entries = self.rows.entries();
        let restart = last_restart_below(&self.rows, user_key).map_err(|at| corrupt_entry(self, at))?;
        match search(entries, self.rows.restart(restart.unwrap_or(0)), user_key) {
            Search::Found { at, row } => {
                let Some((own, trailer)) = internal_key::split(row.unshared(entries)) else {
                    return Err(corrupt_entry(self, at));
                };
                // What it shares are bytes of the wanted key.
                if user_key.get(row.shared as usize..) != Some(own) {
                    return Ok(None);
                }
                let kind = internal_key::kind_of(trailer).map_err(|foreign| foreign_kind(self, foreign))?;
                let value = self.rows.data.slice(row.value_at as usize..row.end as usize);
                Ok(Some(Found { sequence: trailer >> 8, kind, value }))
            }
            Search::End => Ok(None),
            Search::Corrupt { at } => Err(corrupt_entry(self, at)),
            Search::ByKey => {
                let mut iter = self.iter();
                if !iter.seek_ge(user_key)? || iter.user_key() != user_key {
                    return Ok(None);
                }
                Ok(Some(Found { sequence: iter.sequence(), kind: iter.kind(), value: iter.value() }))
            }
        }
    }
}

impl BlockIter {
    pub(super) fn new(block: Block) -> BlockIter {
        BlockIter {
            block,
            key: Vec::new(),
            trailer: 0,
            kind: Kind::Delete,
            valid: false,
            entry_at: 0,
            value_at: 0,
            entry_end: 0,
            back: Vec::new(),
            back_position: None,
        }
    }

    /// Takes another block and keeps the buffers: a scan over many blocks allocates nothing per block. No position then.
    pub fn reset(&mut self, block: Block) {
        self.block = block;
        self.clear();
    }

    /// The block that it walks.
    pub fn block(&self) -> &Block {
        &self.block
    }

    /// True while it stands on an entry.
    #[inline]
    pub fn valid(&self) -> bool {
        self.valid
    }

    /// The user key of the entry.
    #[inline]
    pub fn user_key(&self) -> &[u8] {
        self.key.get(..self.key.len().saturating_sub(TRAILER)).unwrap_or_default()
    }

    /// The sequence of the entry.
    #[inline]
    pub fn sequence(&self) -> u64 {
        self.trailer >> 8
    }

    /// What the entry does.
    #[inline]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The stored value, as a slice that keeps the block alive.
    #[inline]
    pub fn value(&self) -> Bytes {
        if !self.valid {
            return Bytes::new();
        }
        self.block.rows.data.slice(self.value_at as usize..self.entry_end as usize)
    }

    /// The stored value, borrowed.
    #[inline]
    pub fn value_slice(&self) -> &[u8] {
        self.block.rows.data.get(self.value_at as usize..self.entry_end as usize).unwrap_or_default()
    }

    /// Moves to the first entry. False in an empty block.
    pub fn seek_to_first(&mut self) -> Result<bool> {
        self.clear();
        self.read(0)
    }

    /// Moves to the last entry. False in an empty block.
    pub fn seek_to_last(&mut self) -> Result<bool> {
        self.clear();
        let last = self.block.rows.restarts - 1;
        self.list_interval(last, self.block.rows.entries_end)?;
        self.land_on_last()
    }

    /// Moves to the first entry whose user key is `user_key` or above. False where there is none.
    pub fn seek_ge(&mut self, user_key: &[u8]) -> Result<bool> {
        self.clear();
        let restart = self.last_restart_below(user_key)?.unwrap_or(0);
        let start = self.block.rows.restart(restart);
        match search(self.block.rows.entries(), start, user_key) {
            Search::Found { at, row } => {
                // The entry shares with the one before no more than that one has in common with the wanted key.
                self.key.extend_from_slice(user_key.get(..row.shared as usize).unwrap_or_default());
                self.key.extend_from_slice(row.unshared(self.block.rows.entries()));
                self.stand(at, row)
            }
            Search::End => Ok(false),
            Search::Corrupt { at } => Err(self.corrupt_entry(at)),
            Search::ByKey => {
                let mut found = self.read(start)?;
                while found && self.user_key() < user_key {
                    found = self.read(self.entry_end)?;
                }
                Ok(found)
            }
        }
    }

    /// Moves to the last entry whose user key is below `user_key`. False where there is none.
    pub fn seek_lt(&mut self, user_key: &[u8]) -> Result<bool> {
        self.clear();
        let Some(restart) = self.last_restart_below(user_key)? else {
            return Ok(false);
        };
        let mut found = self.read(self.block.rows.restart(restart))?;
        while found && self.user_key() < user_key {
            self.push_back_row()?;
            found = self.read(self.entry_end)?;
        }
        self.land_on_last()
    }

    /// Moves to the next entry. False behind the last one, and without a position.
    #[inline]
    #[expect(
        clippy::should_implement_trait,
        reason = "an entry is borrowed from the iterator, and moving can fail"
    )]
    pub fn next(&mut self) -> Result<bool> {
        if !self.valid {
            return Ok(false);
        }
        self.back_position = None;
        self.read(self.entry_end)
    }

    /// Moves to the previous entry. False before the first one, and without a position.
    pub fn prev(&mut self) -> Result<bool> {
        if !self.valid {
            return Ok(false);
        }
        if let Some(position) = self.back_position.filter(|&position| position > 0) {
            let shared = self.back.get(position as usize).map_or(0, |listed| listed.row.shared);
            return self.land(position - 1, shared as usize);
        }
        let at = self.entry_at;
        self.clear();
        if at == 0 {
            return Ok(false);
        }
        let rows = &self.block.rows;
        let restart = last_where(rows.restarts, |i| Ok(rows.restart(i) < at))?.unwrap_or(0);
        self.list_interval(restart, at)?;
        self.land_on_last()
    }

    /// Decodes the entry at `at`, which follows the one whose key is in the buffer.
    #[inline]
    fn read(&mut self, at: u32) -> Result<bool> {
        let rows = &self.block.rows;
        if at >= rows.entries_end {
            self.leave();
            return Ok(false);
        }
        let entries = rows.entries();
        let Some(row) = Row::read(entries, at).filter(|row| row.shared as usize <= self.key.len()) else {
            return Err(self.corrupt_entry(at));
        };
        self.key.truncate(row.shared as usize);
        self.key.extend_from_slice(row.unshared(entries));
        self.stand(at, row)
    }

    /// Takes the entry whose key is in the buffer as the current one.
    #[inline]
    fn stand(&mut self, at: u32, row: Row) -> Result<bool> {
        let Some((_, trailer)) = internal_key::split(&self.key) else {
            return Err(self.corrupt_entry(at));
        };
        let kind = match internal_key::kind_of(trailer) {
            Ok(kind) => kind,
            Err(foreign) => {
                self.clear();
                return Err(foreign_kind(&self.block, foreign));
            }
        };
        self.trailer = trailer;
        self.kind = kind;
        self.entry_at = at;
        self.value_at = row.value_at;
        self.entry_end = row.end;
        self.valid = true;
        Ok(true)
    }

    /// The last restart whose user key is below `user_key`.
    fn last_restart_below(&mut self, user_key: &[u8]) -> Result<Option<u32>> {
        last_restart_below(&self.block.rows, user_key).map_err(|at| self.corrupt_entry(at))
    }

    /// Lists the entries from a restart to the one that ends at `end`.
    fn list_interval(&mut self, restart: u32, end: u32) -> Result<()> {
        self.back.clear();
        let mut found =
            self.block.rows.restart(restart) < end && self.read(self.block.rows.restart(restart))?;
        while found {
            self.push_back_row()?;
            found = self.entry_end < end && self.read(self.entry_end)?;
        }
        Ok(())
    }

    fn push_back_row(&mut self) -> Result<()> {
        let at = self.entry_at;
        match Row::read(self.block.rows.entries(), at) {
            Some(row) => {
                self.back.push(BackRow { at, row });
                Ok(())
            }
            None => Err(self.corrupt_entry(at)),
        }
    }

    fn land_on_last(&mut self) -> Result<bool> {
        match self.back.len().checked_sub(1) {
            Some(last) => self.land(last as u32, 0),
            None => {
                self.clear();
                Ok(false)
            }
        }
    }

    /// Stands on an entry of the list. The first `known` bytes of its key are in the buffer already; the rest is filled
    /// from the end: each earlier entry gives the bytes that all entries after it share with it.
    fn land(&mut self, position: u32, known: usize) -> Result<bool> {
        let entries = self.block.rows.entries();
        let Some(listed) = self.back.get(..=position as usize) else {
            return Ok(false);
        };
        let Some(&BackRow { at, row }) = listed.last() else {
            return Ok(false);
        };
        self.key.resize((row.shared + (row.value_at - row.key_at)) as usize, 0);
        let mut missing = self.key.len();
        for BackRow { row, .. } in listed.iter().rev() {
            if missing <= known {
                break;
            }
            let shared = row.shared as usize;
            if shared < missing {
                let own = row.unshared(entries).get(..missing - shared);
                if let (Some(own), Some(target)) = (own, self.key.get_mut(shared..missing)) {
                    target.copy_from_slice(own);
                }
                missing = shared;
            }
        }
        self.back_position = Some(position);
        self.stand(at, row)
    }

    /// Gives up position and list.
    fn clear(&mut self) {
        self.leave();
        self.back.clear();
    }

    /// Gives up the position; a list that is being made stays.
    fn leave(&mut self) {
        self.valid = false;
        self.key.clear();
        self.trailer = 0;
        self.value_at = 0;
        self.entry_end = 0;
        self.back_position = None;
    }

    #[cold]
    fn corrupt_entry(&mut self, at: u32) -> Error {
        self.clear();
        corrupt_entry(&self.block, at)
    }
}

#[cold]
fn corrupt_entry(block: &Block, at: u32) -> Error {
    let found = format!("bytes at {at} of the block that are none");
    Error::corrupt(&block.object, block.offset, "a row entry with an internal key", found)
}

#[cold]
fn foreign_kind(block: &Block, foreign: ForeignKind) -> Error {
    let what = format!("{foreign} in the block at {}", block.offset);
    Error::Unsupported { object: block.object.to_string(), what }
}

/// The last restart whose user key is below `user_key`; its key is compared where it lies. The error is the offset of an
/// entry that is none.
fn last_restart_below(rows: &RowBlock, user_key: &[u8]) -> Result<Option<u32>, u32> {
    if rows.entries_end == 0 {
        return Ok(None);
    }
    let entries = rows.entries();
    last_where(rows.restarts, |i| {
        let at = rows.restart(i);
        let row = Row::read(entries, at).filter(|row| row.shared == 0);
        let key = row.and_then(|row| internal_key::split(row.unshared(entries)));
        key.map(|(key, _)| key < user_key).ok_or(at)
    })
}

/// What [`search`] came to.
enum Search {
    /// The first entry at or above the wanted key, and where it is. Its shared bytes are those of the wanted key.
    Found { at: u32, row: Row },
    /// All entries are below.
    End,
    /// There is no entry at this place.
    Corrupt { at: u32 },
    /// Bytes of a trailer are shared, so keys have to be put together.
    ByKey,
}

/// Looks for the first entry at or above `wanted`, from the restart at `at` on, without putting keys together.
///
/// Let the last key that was looked at be below `wanted`, and `common` be the length of their common prefix. An entry
/// that shares more than that differs from `wanted` at the same byte: it is below too, and its key need not be known.
/// An entry that shares less begins with as many bytes of `wanted`, so its own bytes decide.
fn search(entries: &[u8], mut at: u32, wanted: &[u8]) -> Search {
    let mut common = 0;
    // Whether all of the last user key is a prefix of `wanted`: what is shared beyond it are bytes of its trailer.
    let mut is_prefix = true;
    while (at as usize) < entries.len() {
        let Some(row) = Row::read(entries, at) else {
            return Search::Corrupt { at };
        };
        let shared = row.shared as usize;
        if shared <= common {
            let Some((own, _)) = internal_key::split(row.unshared(entries)) else {
                return Search::ByKey;
            };
            let rest = wanted.get(shared..).unwrap_or_default();
            let same = common_prefix(own, rest);
            match (own.get(same), rest.get(same)) {
                (Some(byte), Some(wanted)) if byte < wanted => is_prefix = false,
                (None, Some(_)) => is_prefix = true,
                _ => return Search::Found { at, row },
            }
            common = shared + same;
        } else if is_prefix {
            return Search::ByKey;
        }
        at = row.end;
    }
    Search::End
}

/// The last of `0..count` for which `below` holds, where it holds for a prefix of them.
fn last_where<E>(count: u32, below: impl Fn(u32) -> Result<bool, E>) -> Result<Option<u32>, E> {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if below(middle)? {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if mutated(Mutation::SeekBeginsLate) {
        return Ok(Some(low.min(count - 1)));
    }
    Ok(low.checked_sub(1))
}
