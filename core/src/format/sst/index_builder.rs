//! Collects the index while data blocks are written: partitions stay in memory until the end of the table.

use super::filter;
use super::handle::BlockHandle;
use super::internal_key::{SEPARATOR_TRAILER, TRAILER};
use super::row_builder::RowBuilder;
use super::separator;

/// An index partition that is full.
#[derive(Debug)]
pub(super) struct FullPartition {
    /// The body of its block, not compressed.
    pub(super) body: Vec<u8>,
    /// Its last separator, an internal key: its key in the upper level.
    pub(super) last_separator: Vec<u8>,
    /// The body of its filter part; empty without filters, and in the original's layout.
    pub(super) filter: Vec<u8>,
}

/// Collects index entries, and the key hashes that filters are made of.
#[derive(Debug)]
pub(super) struct IndexBuilder {
    rows: RowBuilder,
    block_size: u64,
    full: Vec<FullPartition>,
    full_bytes: u64,
    /// Bits a key; 0 collects no hashes.
    filter_bits: u32,
    /// Whether a partition gets a filter of its own as it is cut.
    filter_parts: bool,
    /// Hashes of the keys that are in no filter yet.
    hashes: Vec<u32>,
    /// Where those of the open data block begin.
    block_hashes: u64,
    separator: Vec<u8>,
    value: Vec<u8>,
}

impl IndexBuilder {
    pub(super) fn new(block_size: u64, filter_bits: u32, filter_parts: bool) -> IndexBuilder {
        IndexBuilder {
            rows: RowBuilder::new(1),
            block_size,
            full: Vec::new(),
            full_bytes: 0,
            filter_bits,
            filter_parts,
            hashes: Vec::new(),
            block_hashes: 0,
            separator: Vec::new(),
            value: Vec::new(),
        }
    }

    /// Takes the key of an entry of the open data block.
    #[inline]
    pub(super) fn add_key(&mut self, user_key: &[u8]) {
        if self.filter_bits == 0 {
            return;
        }
        let hash = filter::hash(user_key);
        // The first key of a block is kept even where it repeats: the block may begin another partition.
        if self.hashes.len() as u64 == self.block_hashes || self.hashes.last() != Some(&hash) {
            self.hashes.push(hash);
        }
    }

    /// Takes a data block that is written: its last internal key, and the first user key behind it, where there is one.
    pub(super) fn add_block(&mut self, last_key: &[u8], next: Option<&[u8]>, handle: BlockHandle) {
        let user_key = last_key.get(..last_key.len().saturating_sub(TRAILER)).unwrap_or_default();
        if separator::shorten(user_key, next, &mut self.separator) {
            self.separator.extend_from_slice(&SEPARATOR_TRAILER.to_le_bytes());
        } else {
            self.separator.clear();
            self.separator.extend_from_slice(last_key);
        }
        // The format assumes 20 bytes for the handle, whatever it takes.
        if self.rows.is_full_for(self.separator.len() as u64, 20, self.block_size) {
            self.cut();
        }
        self.value.clear();
        handle.encode_into(&mut self.value);
        self.rows.add(&self.separator, &[], &self.value, 0);
        self.block_hashes = self.hashes.len() as u64;
    }

    /// Ends a partition before the data block that is being added.
    fn cut(&mut self) {
        let mut part = Vec::new();
        if self.filter_parts && self.filter_bits > 0 {
            let before = self.block_hashes as usize;
            filter::build_into(&mut part, self.hashes.get(..before).unwrap_or_default(), self.filter_bits);
            self.hashes.drain(..before.min(self.hashes.len()));
        }
        self.push_full(part);
    }

    fn push_full(&mut self, filter: Vec<u8>) {
        let last_separator = self.rows.last_key().to_vec();
        let body = self.rows.finish().to_vec();
        self.rows.clear();
        self.full_bytes += (body.len() + filter.len()) as u64;
        self.full.push(FullPartition { body, last_separator, filter });
    }

    /// Bytes that index and filters take so far, about.
    pub(super) fn estimate(&self) -> u64 {
        self.full_bytes + self.rows.estimate() + self.hashes.len() as u64 * u64::from(self.filter_bits) / 8
    }

    /// The filter of all keys that are in no part: of the whole table, where there are no parts.
    pub(super) fn full_filter(&self) -> Vec<u8> {
        let mut body = Vec::new();
        filter::build_into(&mut body, &self.hashes, self.filter_bits);
        body
    }

    /// True where the index has one block.
    pub(super) fn is_single(&self) -> bool {
        self.full.is_empty()
    }

    /// The body of the only index block.
    pub(super) fn finish_single(&mut self) -> &[u8] {
        self.rows.finish()
    }

    /// All partitions, the last one included.
    pub(super) fn finish_partitions(&mut self) -> Vec<FullPartition> {
        let filter = if self.filter_parts && self.filter_bits > 0 { self.full_filter() } else { Vec::new() };
        self.push_full(filter);
        std::mem::take(&mut self.full)
    }
}
