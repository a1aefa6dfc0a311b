//! Writes row blocks.

use super::row::common_prefix;
use super::varint;

/// Writes one row block after the other; the buffers are kept.
#[derive(Debug)]
pub(super) struct RowBuilder {
    out: Vec<u8>,
    restarts: Vec<u32>,
    interval: u32,
    entries: u32,
    /// The last key added, whole. It survives [`RowBuilder::clear`], since the next block's order is checked against it.
    last_key: Vec<u8>,
}

impl RowBuilder {
    /// A builder with a restart every `interval` entries.
    pub(super) fn new(interval: u32) -> RowBuilder {
        RowBuilder { out: Vec::new(), restarts: Vec::new(), interval, entries: 0, last_key: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries == 0
    }

    pub(super) fn last_key(&self) -> &[u8] {
        &self.last_key
    }

    /// Bytes of the block, were it finished now.
    pub(super) fn estimate(&self) -> u64 {
        (self.out.len() + 4 * self.restarts.len() + 4) as u64
    }

    /// Whether the block is to be finished before an entry with a key and a value of these lengths. A block below 90 % of
    /// `target` takes any entry; an entry is assumed to share nothing.
    pub(super) fn is_full_for(&self, key: u64, value: u64, target: u64) -> bool {
        if self.entries == 0 {
            return false;
        }
        let estimate = self.estimate();
        if estimate < (target * 90).div_ceil(100) {
            return false;
        }
        let restart = if self.entries.is_multiple_of(self.interval) { 4 } else { 0 };
        let header = 4 + varint::length(key) + varint::length(value);
        estimate + key + value + restart + header > target
    }

    /// Appends an entry. `shared` is the length of the prefix that it has in common with the last key, as far as it may be
    /// used; a restart shares nothing whatever it says.
    pub(super) fn add(&mut self, key: &[u8], trailer: &[u8], value: &[u8], shared: usize) {
        let mut shared = shared.min(key.len());
        if self.entries.is_multiple_of(self.interval) {
            self.restarts.push(self.out.len() as u32);
            shared = 0;
        }
        let own = key.get(shared..).unwrap_or_default();
        varint::put(&mut self.out, shared as u64);
        varint::put(&mut self.out, (own.len() + trailer.len()) as u64);
        varint::put(&mut self.out, value.len() as u64);
        self.out.extend_from_slice(own);
        self.out.extend_from_slice(trailer);
        self.out.extend_from_slice(value);
        self.last_key.truncate(shared);
        self.last_key.extend_from_slice(own);
        self.last_key.extend_from_slice(trailer);
        self.entries += 1;
    }

    /// Appends an entry of a block whose keys have no trailer, with all that it shares.
    pub(super) fn add_name(&mut self, name: &[u8], value: &[u8]) {
        let shared = common_prefix(&self.last_key, name);
        self.add(name, &[], value, shared);
    }

    /// Finishes the block and gives its body. Then [`RowBuilder::clear`].
    pub(super) fn finish(&mut self) -> &[u8] {
        if self.restarts.is_empty() {
            self.restarts.push(0);
        }
        for restart in &self.restarts {
            self.out.extend_from_slice(&restart.to_le_bytes());
        }
        self.out.extend_from_slice(&(self.restarts.len() as u32).to_le_bytes());
        &self.out
    }

    /// Begins the next block.
    pub(super) fn clear(&mut self) {
        self.out.clear();
        self.restarts.clear();
        self.entries = 0;
    }
}
