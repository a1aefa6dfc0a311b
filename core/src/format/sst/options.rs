//! How a table is written.

use super::checksum::ChecksumKind;
use super::compression::Compression;
use super::footer::TableFlavour;
use crate::error::{Result, within};

/// Where the filters lie. Tables whose index fits one block are the same in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TableLayout {
    /// A filter beside each index partition: one range read brings both. The default.
    #[default]
    Edge,
    /// One filter for the table, before the index: what the original writes.
    Original,
}

/// How a table is written.
#[derive(Debug, Clone)]
pub struct TableOptions {
    /// Bytes at which a data or index block is cut, before compression. A single entry may pass it. Default
    /// 4096, which 0 means too; at most 16 MiB.
    pub block_size: u32,
    /// Compression of data and index blocks. Default: snappy.
    pub compression: Compression,
    /// Bits a key in the filters: 10 let one absent key in a hundred pass. 0 writes no filter. Default 10; at
    /// most 100.
    pub filter_bits_per_key: u32,
    /// Where the filters lie. Default: beside the index partitions.
    pub layout: TableLayout,
    /// Magic and properties: Pebble's (the default), or RocksDB's for its tools.
    pub flavour: TableFlavour,
    /// The checksum of every block. Default: CRC-32C.
    pub checksum: ChecksumKind,
    /// Entries from one restart of the prefix compression to the next. Default 16, which 0 means
    /// too; at most 65,536.
    pub restart_interval: u32,
    /// Collects the 64-bit hash of every entry's key for the appended Bloom container: 8 bytes of memory an entry.
    /// Default: yes; a writer that appends no container does without.
    pub key_hashes: bool,
}

impl Default for TableOptions {
    /// Blocks of 4 KiB, snappy, 10 bits a key, edge layout.
    fn default() -> TableOptions {
        TableOptions {
            block_size: 4096,
            compression: Compression::default(),
            filter_bits_per_key: 10,
            layout: TableLayout::default(),
            flavour: TableFlavour::default(),
            checksum: ChecksumKind::default(),
            restart_interval: 16,
            key_hashes: true,
        }
    }
}

impl TableOptions {
    /// Errors: `InvalidArgument` with the first option out of its bounds.
    pub fn validate(&self) -> Result<()> {
        within("table.block_size", self.block_size.into(), 0..=16 << 20)?;
        within("table.filter_bits_per_key", self.filter_bits_per_key.into(), 0..=100)?;
        within("table.restart_interval", self.restart_interval.into(), 0..=65_536)
    }
}
