//! Index blocks, decoded: the separators of a partition in one buffer, and the handles that they lead to.

use std::sync::Arc;

use bytes::Bytes;

use super::filter::Filter;
use super::handle::BlockHandle;
use super::internal_key;
use super::row::RowBlock;
use crate::{Error, Result};

/// What the separators of one index block may take in memory, whatever its size.
const MAX_KEY_BYTES: u64 = 256 << 20;

/// Separators share beginnings only between two restarts, so a block of `n` bytes with a restart every `i` entries holds at most
/// `n * i` bytes of them. Everybody known sets a restart at each entry of an index; up to 64 is taken, and any interval in a small block.
/// Beyond it the block is taken for an attack: its separators grow with the square of its length.
fn max_key_bytes(block: u32) -> u64 {
    (u64::from(block) * 64).clamp(1 << 20, MAX_KEY_BYTES)
}

/// The entries of one index block, of either level.
#[derive(Debug)]
pub(super) struct IndexEntries {
    keys: Vec<u8>,
    entries: Vec<IndexEntry>,
}

#[derive(Debug, Clone, Copy)]
struct IndexEntry {
    /// End of the separator's user key in `keys`; it begins where the one before ends.
    key_end: u32,
    handle: BlockHandle,
}

impl IndexEntries {
    /// Decodes the body of the index block at `at`. Every handle is checked to end by `blocks_end`, and separators to
    /// rise. What follows the handle in a value (block properties) is skipped.
    pub(super) fn decode(object: &str, at: u64, body: Bytes, blocks_end: u64) -> Result<IndexEntries> {
        let rows = RowBlock::parse(object, at, body)?;
        let mut index =
            IndexEntries { keys: Vec::new(), entries: Vec::with_capacity(rows.restarts as usize) };
        index.keys.reserve(rows.entries_end as usize);
        let max_keys = max_key_bytes(rows.entries_end);
        let mut previous = 0..0;
        rows.for_each(object, at, |key, value| {
            let Some((user_key, _)) = internal_key::split(key) else {
                return Err(Error::corrupt(
                    object,
                    at,
                    "an internal key in the index",
                    format!("{key:02x?}"),
                ));
            };
            if user_key < index.keys.get(previous.clone()).unwrap_or_default() {
                return Err(Error::corrupt(object, at, "index keys that rise", format!("{user_key:02x?}")));
            }
            let start = index.keys.len();
            if (start + user_key.len()) as u64 > max_keys {
                let expected = format!("index keys of {max_keys} bytes at most");
                return Err(Error::corrupt(object, at, expected, "more"));
            }
            index.keys.extend_from_slice(user_key);
            previous = start..index.keys.len();
            let (handle, _) = BlockHandle::decode(object, at, &value, blocks_end)?;
            index.entries.push(IndexEntry { key_end: index.keys.len() as u32, handle });
            Ok(())
        })?;
        index.keys.shrink_to_fit();
        Ok(index)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn separator(&self, i: usize) -> &[u8] {
        let start =
            i.checked_sub(1).and_then(|before| self.entries.get(before)).map_or(0, |entry| entry.key_end);
        let end = self.entries.get(i).map_or(0, |entry| entry.key_end);
        self.keys.get(start as usize..end as usize).unwrap_or_default()
    }

    pub(super) fn handle(&self, i: usize) -> Option<BlockHandle> {
        self.entries.get(i).map(|entry| entry.handle)
    }

    /// The first entry whose separator is `user_key` or above.
    pub(super) fn find(&self, user_key: &[u8]) -> Option<usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.separator(middle) < user_key {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        (low < self.len()).then_some(low)
    }

    pub(super) fn memory(&self) -> u64 {
        (self.keys.capacity() + self.entries.capacity() * size_of::<IndexEntry>()) as u64
    }
}

/// One index block of a table with the data blocks that it covers, and their filter where it lies beside it. A table with
/// one index block has one partition. Cheap to clone.
#[derive(Debug, Clone)]
pub struct IndexPartition {
    pub(super) entries: Arc<IndexEntries>,
    pub(super) filter: Option<Filter>,
}

impl IndexPartition {
    /// False: the table does not hold the key, provided that [`super::Table::find_partition`] led here. True: it may, or
    /// there is no filter.
    pub fn may_contain(&self, user_key: &[u8]) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.may_contain(user_key))
    }

    /// The filter of exactly these blocks, where there is one.
    pub fn filter(&self) -> Option<&Filter> {
        self.filter.as_ref()
    }

    /// Number of data blocks.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True where it covers no data block.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first data block that can hold `user_key` or a key above it. The same key may go on in the next block, and the
    /// block may have no key at or above `user_key`: then the next block begins with it.
    pub fn find_block(&self, user_key: &[u8]) -> Option<usize> {
        self.entries.find(user_key)
    }

    /// Where data block `i` lies.
    ///
    /// # Panics
    /// Where `i` is not below [`IndexPartition::len`].
    pub fn handle(&self, i: usize) -> BlockHandle {
        match self.entries.handle(i) {
            Some(handle) => handle,
            None => panic!("block {i} of {}", self.len()),
        }
    }

    /// The user key of separator `i`: no key of block `i` is above it, every key of block `i + 1` is at or above it.
    pub fn separator(&self, i: usize) -> &[u8] {
        self.entries.separator(i)
    }

    /// Bytes that it keeps in memory.
    pub fn memory(&self) -> u64 {
        self.entries.memory()
            + self.filter.as_ref().map_or(0, Filter::memory)
            + size_of::<IndexEntries>() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::sst::row_builder::RowBuilder;

    /// An index of `count` separators that begin with the same `prefix` bytes, with a restart every `interval`.
    fn index_of(count: u32, prefix: usize, interval: u32) -> Bytes {
        let mut rows = RowBuilder::new(interval);
        let mut last = Vec::new();
        for i in 0..count {
            let mut key = vec![b'k'; prefix];
            key.extend_from_slice(&i.to_be_bytes());
            let shared = key.iter().zip(&last).take_while(|(one, other)| one == other).count();
            rows.add(&key, &[0; 8], &[0, 1], shared);
            last = key;
        }
        Bytes::copy_from_slice(rows.finish())
    }

    /// A block of 50 KiB whose separators take 30 MB was decoded: each shares all but its end with the one before.
    #[test]
    fn separators_take_memory_in_proportion_to_their_block() {
        let hostile = index_of(1_000, 30_000, u32::MAX);
        assert!(hostile.len() < 128 << 10, "{} bytes", hostile.len());
        let error = IndexEntries::decode("t", 0, hostile, 1 << 20).unwrap_err().to_string();
        assert!(error.contains("index keys of"), "{error}");
    }

    #[test]
    fn separators_may_share_between_restarts() {
        for (count, prefix, interval) in [(1_000, 1_000, 16), (1_000, 1_000, 64), (200, 4_000, u32::MAX)] {
            let block = index_of(count, prefix, interval);
            let index = IndexEntries::decode("t", 0, block, 1 << 20).unwrap();
            assert_eq!(index.len(), count as usize);
            assert_eq!(index.separator(7).len(), prefix + 4);
        }
    }
}
