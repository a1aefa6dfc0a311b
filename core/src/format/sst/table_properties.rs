//! Writes the properties block: what the table holds, under the names that other readers know.

use super::compression::Compression;
use super::footer::TableFlavour;
use super::properties::*;
use super::row_builder::RowBuilder;
use super::varint;

const COMPRESSION_OPTIONS: &str = "window_bits=-14; level=32767; strategy=0; max_dict_bytes=0; \
                                   zstd_max_train_bytes=0; enabled=0; ";
const FILTER_POLICY: &str = "rocksdb.BuiltinBloomFilter";
/// RocksDB's number for "no column family".
const NO_COLUMN_FAMILY: u64 = 0x7fff_ffff;

/// What is counted while a table is written.
#[derive(Debug, Default)]
pub(super) struct TableCounts {
    pub(super) entries: u64,
    pub(super) deletes: u64,
    pub(super) raw_key_bytes: u64,
    pub(super) raw_value_bytes: u64,
    pub(super) delete_key_bytes: u64,
    pub(super) data_blocks: u64,
    pub(super) delete_dense_blocks: u64,
    /// Offset behind the last data block.
    pub(super) data_size: u64,
    /// Body of the full filter; `None` without one.
    pub(super) filter_size: Option<u64>,
    pub(super) index_size: u64,
    /// Number of partitions and size of the upper level.
    pub(super) two_level: Option<(u64, u64)>,
}

impl TableCounts {
    /// The body of the properties block.
    pub(super) fn encode(
        &self,
        compression: &Compression,
        flavour: TableFlavour,
        user: &[(String, Vec<u8>)],
    ) -> Vec<u8> {
        let mut rows: Vec<(&str, Vec<u8>)> =
            user.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        let mut text = |name, value: &str| rows.push((name, value.as_bytes().to_vec()));
        text(COMPARATOR, COMPARATOR_BYTEWISE);
        text("rocksdb.compression", compression.property());
        text("rocksdb.compression_options", COMPRESSION_OPTIONS);
        text(MERGE_OPERATOR, MERGE_OPERATOR_CONCATENATE);
        text("rocksdb.property.collectors", "[]");
        if self.filter_size.is_some() {
            text("rocksdb.filter.policy", FILTER_POLICY);
        }
        let index_type = if self.two_level.is_some() { 2u32 } else { 0 };
        rows.push((INDEX_TYPE, index_type.to_le_bytes().to_vec()));

        let mut number = |name, value| {
            let mut bytes = Vec::new();
            varint::put(&mut bytes, value);
            rows.push((name, bytes));
        };
        number(DATA_SIZE, self.data_size);
        number(DELETED_KEYS, self.deletes);
        number("rocksdb.filter.size", self.filter_size.unwrap_or(0));
        number("rocksdb.index.size", self.index_size);
        number("rocksdb.merge.operands", 0);
        number(NUM_DATA_BLOCKS, self.data_blocks);
        number(NUM_ENTRIES, self.entries);
        number(NUM_RANGE_DELETIONS, 0);
        number("rocksdb.raw.key.size", self.raw_key_bytes);
        number("rocksdb.raw.value.size", self.raw_value_bytes);
        if let Some((partitions, top_size)) = self.two_level {
            number(INDEX_PARTITIONS, partitions);
            number("rocksdb.top-level.index.size", top_size);
        }
        if self.delete_dense_blocks > 0 {
            number("pebble.num.tombstone-dense-blocks", self.delete_dense_blocks);
        }
        match flavour {
            TableFlavour::Pebble if self.delete_key_bytes > 0 => {
                number("pebble.raw.point-tombstone.key.size", self.delete_key_bytes);
            }
            TableFlavour::Pebble => {}
            TableFlavour::RocksDb => {
                number("rocksdb.column.family.id", NO_COLUMN_FAMILY);
                for name in [
                    "rocksdb.creation.time",
                    "rocksdb.fixed.key.length",
                    "rocksdb.format.version",
                    "rocksdb.index.key.is.user.key",
                    "rocksdb.index.value.is.delta.encoded",
                    "rocksdb.oldest.key.time",
                ] {
                    number(name, 0);
                }
            }
        }

        rows.sort();
        let mut block = RowBuilder::new(u32::MAX);
        for (name, value) in &rows {
            block.add_name(name.as_bytes(), value);
        }
        block.finish().to_vec()
    }
}
