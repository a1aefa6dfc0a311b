//! The metaindex block: where the blocks are that are neither data nor index.

use bytes::Bytes;

use super::handle::BlockHandle;
use super::row::RowBlock;
use crate::{Error, Result};

pub(super) const PROPERTIES: &str = "rocksdb.properties";
pub(super) const FULL_FILTER: &str = "fullfilter.rocksdb.BuiltinBloomFilter";

/// Blocks that change what the entries mean. A reader that skipped them would give wrong answers.
const FOREIGN: [(&str, &str); 6] = [
    ("rocksdb.range_del", "range deletions"),
    ("rocksdb.range_del2", "range deletions"),
    ("pebble.range_key", "range keys"),
    ("pebble.value_index", "values in blocks of their own"),
    ("pebble.blob_ref_index", "values in blob files"),
    ("rocksdb.compression_dict", "a compression dictionary"),
];

/// The entries of the metaindex that this engine uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Metaindex {
    pub(super) properties: BlockHandle,
    pub(super) full_filter: Option<BlockHandle>,
}

impl Metaindex {
    /// Reads the body of the metaindex block at `at`. Names that are not known are skipped.
    pub(super) fn decode(object: &str, at: u64, body: Bytes, blocks_end: u64) -> Result<Metaindex> {
        let mut properties = None;
        let mut full_filter = None;
        RowBlock::parse(object, at, body)?.for_each(object, at, |name, value| {
            if let Some((_, what)) = FOREIGN.iter().find(|(foreign, _)| foreign.as_bytes() == name) {
                return Err(Error::Unsupported { object: object.to_owned(), what: (*what).to_owned() });
            }
            let slot = match name {
                name if name == PROPERTIES.as_bytes() => &mut properties,
                name if name == FULL_FILTER.as_bytes() => &mut full_filter,
                _ => return Ok(()),
            };
            let (handle, length) = BlockHandle::decode(object, at, &value, blocks_end)?;
            if length as usize != value.len() {
                let found = format!("{} bytes", value.len());
                return Err(Error::corrupt(object, at, "one handle in the metaindex", found));
            }
            *slot = Some(handle);
            Ok(())
        })?;
        let Some(properties) = properties else {
            return Err(Error::corrupt(object, at, format!("{PROPERTIES} in the metaindex"), "none"));
        };
        Ok(Metaindex { properties, full_filter })
    }
}
