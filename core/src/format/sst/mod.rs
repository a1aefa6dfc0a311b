//! Sorted tables: the files that hold the entries.
//!
//! A table is a row of blocks, each with its own checksum: data blocks, an index of one or two levels, filters,
//! properties, and a footer at the end that leads to them. [`Table::open`] reads the tail of a table and says which ranges
//! hold the rest; [`Block`] decodes a data block without copying it; [`TableBuilder`] writes a table as a stream.
//!
//! The format is that of Pebble's tables of version 1, which differ from RocksDB's version 2 in the footer alone: both are
//! read and written. In the edge layout ([`TableLayout::Edge`]) a filter for the keys of each index partition lies right
//! behind the partition, so that one range read answers whether a key can be there, and in which block.
//!
//! Bytes in, values out, and back: nothing here does I/O. Whatever the bytes say, the answer is a value or an error that
//! names the object and the offset.

mod block;
mod block_iter;
#[cfg(feature = "write")]
mod builder;
mod checksum;
mod chunks;
#[cfg(feature = "write")]
mod compression;
mod decompression;
mod filter;
mod footer;
mod handle;
mod index;
#[cfg(feature = "write")]
mod index_builder;
mod internal_key;
mod metaindex;
#[cfg(feature = "write")]
mod options;
#[cfg(feature = "write")]
mod output;
mod properties;
mod row;
#[cfg(feature = "write")]
mod row_builder;
#[cfg(feature = "write")]
mod separator;
mod stored;
mod table;
#[cfg(feature = "write")]
mod table_properties;
mod varint;

pub use block::Block;
pub use block_iter::{BlockIter, Found};
#[cfg(feature = "write")]
pub use builder::{TableBuilder, TableSummary};
pub use checksum::ChecksumKind;
pub(crate) use chunks::ChunkDigests;
#[cfg(feature = "write")]
pub use compression::{Compression, ZstdEncoder};
pub use filter::{Filter, hash as filter_hash};
pub use footer::{Footer, TableFlavour};
pub use handle::BlockHandle;
pub use index::IndexPartition;
pub use internal_key::{Kind, MAX_SEQUENCE};
#[cfg(feature = "write")]
pub use options::{TableLayout, TableOptions};
pub use properties::Properties;
pub use stored::read_stored_block;
pub use table::{FullFilter, PartitionAt, Table, TableOpen};

/// The limit to give to [`Block::decode`]: above the largest value that may be stored in place (256 MiB) and what lies
/// around it in its block.
pub const MAX_BLOCK_BYTES: u64 = 320 << 20;
